//! Makes a clone look freshly checked out to tools that judge by time, such as cargo and make: a
//! build cache that other work has written to holds no result newer than its files.

use super::{Clone, CloneError};
use std::fs::{self, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// Sets the modification time of every regular file to now; links are not followed, `.git` is
/// left alone.
pub fn freshen(clone: &Clone) -> Result<(), CloneError> {
    let now = FileTimes::new().set_modified(SystemTime::now());
    let mut open = vec![clone.work.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(CloneError::at(&folder))? {
            let entry = entry.map_err(CloneError::at(&folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(CloneError::at(&path))?;
            if kind.is_dir() && path != clone.work.join(".git") {
                open.push(path);
            } else if kind.is_file() {
                touch(&path, now).map_err(CloneError::at(&path))?;
            }
        }
    }
    Ok(())
}

fn touch(path: &Path, now: FileTimes) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    match opened {
        Ok(file) => file.set_times(now),
        // A program in the clone took its owner's right to read, or the file is gone: nothing can
        // be built from it either.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        Err(e) => Err(e),
    }
}
