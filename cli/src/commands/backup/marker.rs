//! The mark of a folder that is being filled from a backup: the first thing that is written and the last that
//! goes. A home that bears it does not start, and the same command goes on with what it names.

use crate::failure::Failure;
use backup::names::SnapshotName;
use config::home::Home;
use config::private_file;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Version of the mark.
const VERSION: u64 = 1;
/// Largest mark that is read, in bytes.
const BYTES: u64 = 64 * 1024;
/// What it is called in a folder that is no home.
const IN_FOLDER: &str = ".ai-infra-restoring.json";

/// It.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    v: u64,
    /// Where the backup lies.
    pub from: String,
    /// Which one it is.
    pub snapshot: String,
    began: Timestamp,
}

/// Where it lies: in the folder that was named, or in the home.
pub fn place(home: &Home, to: Option<&Path>) -> PathBuf {
    match to {
        Some(to) => to.join(IN_FOLDER),
        None => home.restoring(),
    }
}

/// Reads it; `None` where there is none.
pub fn read(path: &Path) -> Result<Option<Marker>, Failure> {
    let Some(bytes) = private_file::read(path, BYTES)? else {
        return Ok(None);
    };
    let marker = serde_json::from_slice::<Marker>(&bytes);
    match marker {
        Ok(marker) if marker.v == VERSION => Ok(Some(marker)),
        _ => Err(Failure::usage(format!(
            "{} is of another version of ai-infra, or damaged: empty that folder and restore anew",
            path.display()
        ))),
    }
}

/// Makes the folder and marks it.
pub fn write(path: &Path, from: &str, name: &SnapshotName) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = path.parent().unwrap_or(path);
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| Failure::usage(format!("cannot make {}: {error}", folder.display())))?;
    let marker = Marker {
        v: VERSION,
        from: from.to_owned(),
        snapshot: name.to_string(),
        began: Timestamp::now(),
    };
    let text = serde_json::to_vec_pretty(&marker)
        .map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
    Ok(private_file::write(path, &text)?)
}

/// Takes it away: all is there.
pub fn away(path: &Path) -> Result<(), Failure> {
    let gone = match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        gone => gone,
    };
    let folder = path.parent().unwrap_or(path);
    gone.and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| Failure::new(protocol::exit::FAILED, error))
}
