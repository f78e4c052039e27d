//! Makes a clone look freshly checked out to tools that judge by time, such as cargo and make: a
//! build cache that other work has written to holds no result newer than its files.

use super::copy::{MOST_DEPTH, below, open_folder};
use super::{Clone, CloneError};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// Sets the modification time of every regular file to now; links are not followed, also not one that a program of the
/// clone puts in the place of a folder meanwhile. `.git` is left alone.
pub fn freshen(clone: &Clone) -> Result<(), CloneError> {
    let now = FileTimes::new().set_modified(SystemTime::now());
    let top = open_folder(&clone.work).map_err(CloneError::at(&clone.work))?;
    walk(&top, &clone.work, 0, now)
}

/// One folder and all below. `shown` is its path for people. As many folders are open as it is deep, and what lies deeper than
/// a clone is copied stays as it is.
fn walk(folder: &File, shown: &Path, depth: usize, now: FileTimes) -> Result<(), CloneError> {
    let entries = fs::read_dir(below(folder, ".".as_ref())).map_err(CloneError::at(shown))?;
    for entry in entries {
        let entry = entry.map_err(CloneError::at(shown))?;
        let name = entry.file_name();
        let (path, shown) = (below(folder, &name), shown.join(&name));
        let kind = entry.file_type().map_err(CloneError::at(&shown))?;
        if kind.is_dir() && depth < MOST_DEPTH && !(depth == 0 && name == ".git") {
            match open_folder(&path) {
                Ok(folder) => walk(&folder, &shown, depth + 1, now)?,
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(CloneError::at(&shown)(error)),
            }
        } else if kind.is_file() {
            touch(&path, now).map_err(CloneError::at(&shown))?;
        }
    }
    Ok(())
}

/// Whether it is not there any more as what it was.
fn is_gone(error: &io::Error) -> bool {
    use nix::libc::{ELOOP, ENOENT, ENOTDIR};
    matches!(error.raw_os_error(), Some(ENOENT | ELOOP | ENOTDIR))
}

fn touch(path: &Path, now: FileTimes) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    match opened {
        Ok(file) => file.set_times(now),
        // A program in the clone took its owner's right to read, or put something else there: nothing can be built from
        // the file either.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied || is_gone(&e) => Ok(()),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_of_the_clone_are_new_and_what_links_lead_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (work, outside) = (folder.path().join("work"), folder.path().join("outside"));
        let old = SystemTime::UNIX_EPOCH;
        for path in [
            "work/a",
            "work/deep/er/b",
            "work/.git/c",
            "work/deep/.git/d",
            "outside/e",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            let times = FileTimes::new().set_modified(old);
            File::open(&path).unwrap().set_times(times).unwrap();
        }
        std::os::unix::fs::symlink(&outside, work.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("e"), work.join("deep/file")).unwrap();
        let top = open_folder(&work).unwrap();
        let now = FileTimes::new().set_modified(SystemTime::now());
        walk(&top, &work, 0, now).unwrap();
        for (path, fresh) in [
            ("work/a", true),
            ("work/deep/er/b", true),
            ("work/deep/.git/d", true),
            ("work/.git/c", false),
            ("outside/e", false),
        ] {
            let seen = fs::metadata(folder.path().join(path)).unwrap();
            assert_eq!(seen.modified().unwrap() != old, fresh, "{path}");
        }
    }
}
