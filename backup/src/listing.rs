//! The list of a snapshot's files, read back line by line.

use crate::entry::Entry;
use crate::error::BackupError;
use crate::key::RecoveryKey;
use crate::names::{Digest, TREE_CHUNK};
use crate::pack::Opened;
use crate::repository::{Places, Repository, Snapshot};
use std::collections::VecDeque;

/// How many opened packs are held: the chunks of a list lie close together, those of lists that grew
/// over many runs in a few packs.
const HELD: usize = 3;

/// Calls `each` for every line.
pub fn entries(
    repository: &mut Repository,
    snapshot: &Snapshot,
    places: &Places,
    key: &RecoveryKey,
    each: &mut dyn FnMut(Entry) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut held: VecDeque<(Digest, Opened)> = VecDeque::new();
    let mut rest: Vec<u8> = Vec::new();
    let what = "the list of files";
    for chunk in &snapshot.tree {
        let Some((pack, place)) = places.get(chunk) else {
            return Err(BackupError::damaged(
                what,
                format!("chunk {chunk} is in no table"),
            ));
        };
        if place.3 as usize > TREE_CHUNK.2 {
            return Err(BackupError::damaged(what, "a chunk is too large"));
        }
        if !held.iter().any(|(name, _)| name == pack) {
            held.truncate(HELD - 1);
            held.push_front((*pack, repository.pack(pack, key)?));
        }
        let Some((_, opened)) = held.iter().find(|(name, _)| name == pack) else {
            continue;
        };
        rest.extend(opened.chunk(place, &repository.naming)?);
        let end = rest
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        for line in rest[..end]
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
        {
            let entry =
                serde_json::from_slice(line).map_err(|error| BackupError::damaged(what, error))?;
            each(entry)?;
        }
        rest.drain(..end);
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(BackupError::damaged(what, "its last line is cut off")),
    }
}
