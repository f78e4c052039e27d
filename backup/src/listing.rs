//! The list of a snapshot's files, read back line by line. It lies in a file without a name meanwhile: there may
//! be a million lines, and each pack that holds a part of it is read once.

use crate::entry::Entry;
use crate::error::{BackupError, file};
use crate::key::RecoveryKey;
use crate::names::TREE_CHUNK;
use crate::pack::Place;
use crate::places::Places;
use crate::repository::{Repository, Snapshot};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

const WHAT: &str = "the list of files";

/// It.
pub struct Listing {
    lines: BufReader<File>,
}

impl Listing {
    /// Reads the list of a snapshot.
    ///
    /// # Errors
    /// When a part of it is missing or damaged.
    pub fn read(
        repository: &mut Repository,
        snapshot: &Snapshot,
        places: &Places,
        key: &RecoveryKey,
    ) -> Result<Self, BackupError> {
        let failed = |error| file("write", Path::new(WHAT))(error);
        let lines = tempfile::tempfile_in(&repository.cache).map_err(failed)?;
        // Of each pack the chunks in their order, and where each stands in the list.
        let mut packs: BTreeMap<u32, Vec<(Place, u64)>> = BTreeMap::new();
        let mut end = 0;
        for chunk in &snapshot.tree {
            let found = places.find(chunk).and_then(|at| places.get(at));
            let Some((pack, place)) = found else {
                let why = format!("chunk {chunk} is in no table");
                return Err(BackupError::damaged(WHAT, why));
            };
            if place.3 as usize > TREE_CHUNK.2 {
                return Err(BackupError::damaged(WHAT, "a chunk is too large"));
            }
            packs.entry(pack).or_default().push((place, end));
            end += u64::from(place.3);
        }
        for (pack, mut wanted) in packs {
            let Some(pack) = places.pack(pack) else {
                continue;
            };
            wanted.sort_unstable_by_key(|(place, _)| place.1);
            let mut opened = repository.pack(&pack, key)?;
            for (place, at) in wanted {
                let bytes = opened.chunk(&place, &repository.naming)?;
                lines.write_all_at(&bytes, at).map_err(failed)?;
            }
        }
        Ok(Self {
            lines: BufReader::new(lines),
        })
    }

    /// Calls `each` for every line, with where it begins.
    pub fn each(
        &mut self,
        each: &mut dyn FnMut(u64, Entry) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        self.lines.rewind().map_err(file("read", Path::new(WHAT)))?;
        let mut line = Vec::new();
        let mut at = 0;
        while let Some(entry) = self.line(&mut line)? {
            each(at, entry)?;
            at += line.len() as u64;
        }
        Ok(())
    }

    /// The line that begins there. Lines in their order are quickest.
    pub fn at(&mut self, at: u64) -> Result<Entry, BackupError> {
        let failed = |error| file("read", Path::new(WHAT))(error);
        let now = self.lines.stream_position().map_err(failed)?;
        match i64::try_from(at).and_then(|at| Ok(at - i64::try_from(now)?)) {
            // What was read already is not read again.
            Ok(step) => self.lines.seek_relative(step),
            Err(_) => self.lines.seek(SeekFrom::Start(at)).map(|_| ()),
        }
        .map_err(failed)?;
        let line = self.line(&mut Vec::new())?;
        line.ok_or_else(|| BackupError::damaged(WHAT, "a line is gone"))
    }

    fn line(&mut self, line: &mut Vec<u8>) -> Result<Option<Entry>, BackupError> {
        line.clear();
        let read = self.lines.read_until(b'\n', line);
        if read.map_err(file("read", Path::new(WHAT)))? == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(BackupError::damaged(WHAT, "its last line is cut off"));
        }
        serde_json::from_slice(line)
            .map(Some)
            .map_err(|error| BackupError::damaged(WHAT, error))
    }
}
