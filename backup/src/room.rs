//! Whether what is to be put back has room on the disk it goes to, said before anything is written.

use crate::error::BackupError;
use crate::repository::Snapshot;
use nix::sys::statvfs::statvfs;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a file takes beyond its bytes, at most.
const BLOCK: u64 = 4096;

/// Looks whether a snapshot fits into `to`, and `spare` bytes stay free beside it. What lies there of an
/// earlier attempt is written over. A disk that cannot be asked has room.
///
/// # Errors
/// A sentence with what it needs and what is free.
pub fn look(snapshot: &Snapshot, to: &Path, spare: u64) -> Result<(), BackupError> {
    // The folder may not be there yet.
    let disk = to.ancestors().find_map(|folder| statvfs(folder).ok());
    let Some(disk) = disk else { return Ok(()) };
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let needs = snapshot.bytes + snapshot.files * BLOCK;
    enough(needs, free + taken(to), spare).map_err(|needs| BackupError::Room {
        path: to.to_owned(),
        needs,
        free,
    })
}

/// Answers what is needed, where that is not there.
fn enough(needs: u64, free: u64, spare: u64) -> Result<(), u64> {
    let needs = needs.saturating_add(spare);
    (needs <= free).then_some(()).ok_or(needs)
}

/// Bytes on the disk below a folder.
fn taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(match about.is_dir() {
            true => taken(&entry.path()),
            false => about.blocks() * 512,
        })
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_there_already_needs_no_more_room() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/file"), [7; 100_000]).unwrap();
        assert!(taken(folder.path()) >= 100_000);
        assert_eq!(taken(&folder.path().join("none")), 0);
        assert_eq!(enough(10, 10, 0), Ok(()));
        assert_eq!(enough(10, 10, 1), Err(11));
        assert_eq!(enough(u64::MAX, 10, 1), Err(u64::MAX));
    }
}
