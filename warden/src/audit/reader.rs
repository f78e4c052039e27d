//! The chain's files, read in order. A chain is one file after another, each with the number of its
//! first line in its name; the chain goes on across them.

use super::head;
use super::line::Line;
use super::seal::SealKey;
use super::verify::{Anchor, Fault, Walk, Whole};
use config::home::Home;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Longest line that is read, in bytes.
const LINE_BYTES: u64 = 16 * 1024;

/// Where a home keeps its chain.
#[derive(Debug, Clone)]
pub struct AuditPlace {
    /// The chain's files.
    pub folder: PathBuf,
    /// The sealing key.
    pub key: PathBuf,
    /// The sealed head.
    pub head: PathBuf,
}

impl AuditPlace {
    /// Of a home.
    pub fn of(home: &Home) -> Self {
        let own = home.warden();
        Self {
            folder: home.audit(),
            key: own.join("seal.key"),
            head: own.join("head"),
        }
    }
}

/// Why a chain could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system said no.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] config::error::ConfigError),
    /// The chain is broken.
    #[error("the chain is broken at {0}")]
    Broken(#[from] Fault),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    let path = path.to_owned();
    move |source| ReadError::Io { path, source }
}

/// Name of the file whose first line has this number.
pub fn file_name(first: u64) -> String {
    format!("chain-{first:012}.jsonl")
}

fn first_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("chain-")?.strip_suffix(".jsonl")?;
    number.parse().ok()
}

/// The files of a folder in the order of their lines.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, ReadError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(folder)(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error(folder))?;
        if let Some(first) = entry.file_name().to_str().and_then(first_of) {
            all.push((first, entry.path()));
        }
    }
    all.sort();
    Ok(all)
}

/// Hands every whole line of a file to `each`, without its line end; answers how many bytes lie behind
/// the last line end (a line that was cut off while it was written).
///
/// # Errors
/// What the system says, or `each` does.
pub fn lines(
    path: &Path,
    each: &mut dyn FnMut(&str) -> Result<(), ReadError>,
) -> Result<u64, ReadError> {
    let mut reader = BufReader::new(File::open(path).map_err(io_error(path))?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut part = io::Read::take(&mut reader, LINE_BYTES);
        let got = part.read_until(b'\n', &mut line).map_err(io_error(path))?;
        match line.strip_suffix(b"\n") {
            Some(whole) => each(&String::from_utf8_lossy(whole))?,
            // Longer than any line: whoever checks it says what is wrong with it.
            None if got as u64 == LINE_BYTES => each(&String::from_utf8_lossy(&line))?,
            None => return Ok(got as u64),
        }
    }
}

/// What a look at a whole chain came to.
#[derive(Debug)]
pub struct Checked {
    /// Its end and what is open.
    pub whole: Whole,
    /// Whether seals were looked at: not where the key cannot be read.
    pub sealed: bool,
    /// Bytes of a line that was cut off at the very end.
    pub torn: u64,
}

/// Walks the chain of a home from its first line to its last. The warden's own sealed head is looked
/// at as well as the `anchors` others keep.
///
/// # Errors
/// Where it is broken, or cannot be read.
pub fn check(
    place: &AuditPlace,
    mut anchors: Vec<Anchor>,
    each: &mut dyn FnMut(&str, Line),
) -> Result<Checked, ReadError> {
    let key = SealKey::read(&place.key)?;
    if let Some(key) = &key
        && let Some(head) = head::read(&place.head, key).map_err(io_error(&place.head))?
    {
        anchors.push(Anchor {
            by: "the warden".to_owned(),
            head,
        });
    }
    let sealed = key.is_some();
    let mut walk = Walk::new(key, anchors);
    let mut torn = 0;
    for (_, path) in files(&place.folder)? {
        torn = lines(&path, &mut |text| {
            let line = walk.line(text)?;
            each(text, line);
            Ok(())
        })?;
    }
    Ok(Checked {
        whole: walk.end()?,
        sealed,
        torn,
    })
}

/// The last lines of a chain as they stand, unchecked: what `audit tail` shows.
///
/// # Errors
/// What the system says.
pub fn tail(place: &AuditPlace, count: usize) -> Result<Vec<String>, ReadError> {
    let mut all = std::collections::VecDeque::new();
    let files = files(&place.folder)?;
    let mut from = files.len();
    let mut lines_of = 0;
    // From the last file back, as many as hold that many lines.
    while from > 0 && lines_of < count {
        from -= 1;
        lines_of = match (files.get(from), files.last()) {
            (Some((first, _)), Some((last, _))) if first < last => (last - first) as usize,
            _ => 0,
        };
    }
    for (_, path) in files.get(from..).unwrap_or_default() {
        lines(path, &mut |text| {
            if all.len() == count {
                all.pop_front();
            }
            all.push_back(text.to_owned());
            Ok(())
        })?;
    }
    Ok(all.into())
}
