//! What this machine remembers of a repository, so that an unchanged run takes seconds and needs no
//! key: which chunk lies in which pack, and what each file was made of. All of it may be thrown away.

use crate::entry;
use crate::error::{BackupError, file};
use crate::names::Digest;
use crate::pack::Table;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A line of the packs' file: a table, and the object it was published in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    table: Table,
    index: Option<Digest>,
}

/// A pack that is known: what is in it, and where that is published.
#[derive(Debug, Clone, Copy)]
struct Pack {
    name: Digest,
    index: Option<Digest>,
}

/// Which chunk lies where.
#[derive(Debug)]
pub struct Packs {
    path: PathBuf,
    packs: Vec<Pack>,
    chunks: HashMap<Digest, u32>,
}

impl Packs {
    /// Reads what is remembered, as far as the target still has it. Lines that cannot be read are
    /// forgotten.
    pub fn load(
        path: &Path,
        packs: &HashSet<Digest>,
        indexes: &HashSet<Digest>,
    ) -> Result<Self, BackupError> {
        let mut known = Packs {
            path: path.to_owned(),
            packs: Vec::new(),
            chunks: HashMap::new(),
        };
        for line in lines(path)? {
            let Ok(line) = serde_json::from_str::<Line>(&line) else {
                continue;
            };
            if packs.contains(&line.table.pack) {
                let index = line.index.filter(|index| indexes.contains(index));
                known.remember(&line.table, index);
            }
        }
        Ok(known)
    }

    fn remember(&mut self, table: &Table, index: Option<Digest>) {
        // The same pack again: its table was published meanwhile.
        let at = self.packs.iter().rposition(|pack| pack.name == table.pack);
        let at = match at {
            Some(at) => {
                self.packs[at].index = index.or(self.packs[at].index);
                at
            }
            None => {
                let name = table.pack;
                self.packs.push(Pack { name, index });
                self.packs.len() - 1
            }
        };
        for place in &table.chunks {
            self.chunks.insert(place.0, at as u32);
        }
    }

    /// Takes what lies in these packs for unknown.
    pub fn leave(&mut self, packs: &HashSet<Digest>) {
        let all = &self.packs;
        self.chunks.retain(|_, at| {
            let pack = all.get(*at as usize);
            pack.is_some_and(|pack| !packs.contains(&pack.name))
        });
    }

    /// The file it is kept in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pack a chunk lies in.
    pub fn pack_of(&self, chunk: &Digest) -> Option<Digest> {
        let at = *self.chunks.get(chunk)?;
        Some(self.packs.get(at as usize)?.name)
    }

    /// Adds a pack that the target now has, and keeps that on disk.
    pub fn add(&mut self, table: &Table, index: Option<Digest>) -> Result<(), BackupError> {
        let line = Line {
            table: table.clone(),
            index,
        };
        let mut text =
            serde_json::to_string(&line).map_err(|e| BackupError::damaged("the cache", e))?;
        text.push('\n');
        let mut out = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(file("write", &self.path))?;
        // Whole lines only: one that was cut off does not spoil the next.
        let cut = out.metadata().map(|about| about.len() > 0).unwrap_or(false);
        let text = if cut && !ends_in_line(&self.path) {
            format!("\n{text}")
        } else {
            text
        };
        out.write_all(text.as_bytes())
            .map_err(file("write", &self.path))?;
        self.remember(table, index);
        Ok(())
    }

    /// The tables of these packs that are published nowhere yet.
    pub fn unpublished(&self, used: &HashSet<Digest>) -> Result<Vec<Table>, BackupError> {
        let wanted: HashSet<Digest> = self
            .packs
            .iter()
            .filter(|pack| pack.index.is_none() && used.contains(&pack.name))
            .map(|pack| pack.name)
            .collect();
        let mut tables: HashMap<Digest, Table> = HashMap::new();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        for line in lines(&self.path)? {
            if let Ok(line) = serde_json::from_str::<Line>(&line)
                && wanted.contains(&line.table.pack)
            {
                tables.insert(line.table.pack, line.table);
            }
        }
        let mut tables: Vec<Table> = tables.into_values().collect();
        tables.sort_by_key(|table| table.pack);
        Ok(tables)
    }

    /// Where the tables of these packs are published.
    pub fn indexes(&self, used: &HashSet<Digest>) -> Vec<Digest> {
        let mut all: Vec<Digest> = self
            .packs
            .iter()
            .filter(|pack| used.contains(&pack.name))
            .filter_map(|pack| pack.index)
            .collect();
        all.sort();
        all.dedup();
        all
    }
}

/// Every table that is remembered in a file, some of them twice.
pub fn tables(path: &Path) -> Result<impl Iterator<Item = Table>, BackupError> {
    let read = |line: String| Some(serde_json::from_str::<Line>(&line).ok()?.table);
    Ok(lines(path)?.filter_map(read))
}

fn ends_in_line(path: &Path) -> bool {
    use std::os::unix::fs::FileExt;
    let Ok(read) = File::open(path) else {
        return false;
    };
    let mut last = [0];
    let size = read.metadata().map(|about| about.len()).unwrap_or(0);
    size > 0 && read.read_exact_at(&mut last, size - 1).is_ok() && last == *b"\n"
}

/// The lines of a file; none where there is no file. What is no text is an empty line.
fn lines(path: &Path) -> Result<impl Iterator<Item = String>, BackupError> {
    let opened = match File::open(path) {
        Ok(opened) => Some(opened),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(file("read", path)(error)),
    };
    let lines = opened.map(|opened| BufReader::new(opened).split(b'\n'));
    let text = |line: std::io::Result<Vec<u8>>| String::from_utf8(line.ok()?).ok();
    Ok(lines
        .into_iter()
        .flatten()
        .map_while(move |line| Some(text(line).unwrap_or_default())))
}

/// What tells that a file is as it was: size, times, inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(u64, i64, i64, u64);

impl Stamp {
    /// Of a file.
    pub fn of(about: &Metadata) -> Self {
        Stamp(
            about.len(),
            nanoseconds(about.mtime(), about.mtime_nsec()),
            nanoseconds(about.ctime(), about.ctime_nsec()),
            about.ino(),
        )
    }

    /// Whether it was changed so shortly before `began` (nanoseconds since 1970) that another change
    /// might not show.
    pub fn is_fresh(&self, began: i64) -> bool {
        self.1.max(self.2) > began.saturating_sub(2_000_000_000)
    }
}

/// Seconds and nanoseconds as one number.
pub fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// What a file was made of.
#[derive(Debug, Serialize, Deserialize)]
struct FileLine {
    p: String,
    s: Stamp,
    x: Vec<Digest>,
}

/// What each file of a job was made of at its last run, and what it is made of now.
#[derive(Debug)]
pub struct Files {
    path: PathBuf,
    before: Option<BufReader<File>>,
    places: HashMap<u128, u64>,
    now: BufWriter<tempfile::NamedTempFile>,
}

impl Files {
    /// Reads where in the file of the last run each path stands.
    pub fn load(path: &Path) -> Result<Self, BackupError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut places = HashMap::new();
        let mut before = None;
        if let Ok(opened) = File::open(path) {
            let mut reader = BufReader::new(opened);
            let mut at = 0;
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = reader
                    .read_until(b'\n', &mut line)
                    .map_err(file("read", path))?;
                if read == 0 {
                    break;
                }
                if let Ok(known) = serde_json::from_slice::<FileLine>(&line) {
                    places.insert(short(&known.p), at);
                }
                at += read as u64;
            }
            before = Some(reader);
        }
        let now = tempfile::NamedTempFile::new_in(folder).map_err(file("write", folder))?;
        Ok(Files {
            path: path.to_owned(),
            before,
            places,
            now: BufWriter::new(now),
        })
    }

    /// What a file is made of, where it is as it was at the last run.
    pub fn unchanged(&mut self, path: &Path, stamp: Stamp) -> Option<Vec<Digest>> {
        let path = entry::written(path);
        let at = *self.places.get(&short(&path))?;
        let reader = self.before.as_mut()?;
        reader.seek(SeekFrom::Start(at)).ok()?;
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).ok()?;
        let known: FileLine = serde_json::from_slice(&line).ok()?;
        (known.p == path && known.s == stamp).then_some(known.x)
    }

    /// Keeps what a file is made of now.
    pub fn keep(
        &mut self,
        path: &Path,
        stamp: Stamp,
        chunks: &[Digest],
    ) -> Result<(), BackupError> {
        let line = FileLine {
            p: entry::written(path),
            s: stamp,
            x: chunks.to_vec(),
        };
        serde_json::to_writer(&mut self.now, &line)
            .map_err(std::io::Error::from)
            .and_then(|()| self.now.write_all(b"\n"))
            .map_err(file("write", &self.path))
    }

    /// From now on this run is the last one.
    pub fn done(&mut self) -> Result<(), BackupError> {
        self.now.flush().map_err(file("write", &self.path))?;
        std::fs::rename(self.now.get_ref().path(), &self.path).map_err(file("write", &self.path))
    }
}

/// A path as a number that no two share.
fn short(path: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(path.as_bytes()).into();
    digest
        .iter()
        .take(16)
        .fold(0, |n, b| n << 8 | u128::from(*b))
}
