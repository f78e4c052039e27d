//! Who is in a tree of a task, its clone or the copy for checks: whoever writes there is alone, readers are together, and nobody
//! replaces it meanwhile. The lock lies beside the tree, where no program of a sandbox comes, and stays when the tree goes.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long whoever is ending is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// A tree that is held; let go when dropped.
pub type Held = Flock<File>;

/// What is to be done in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is looked at.
    Reads,
    /// It is changed or replaced.
    Writes,
}

/// Waits until the tree `work` is free for this use. The folder that it lies in is made where it is not there.
///
/// # Errors
/// `WouldBlock` with a sentence where somebody else stays; as the system says where it cannot be locked.
pub fn hold(work: &Path, how: Use) -> io::Result<Held> {
    let how = match how {
        Use::Writes => FlockArg::LockExclusiveNonblock,
        Use::Reads => FlockArg::LockSharedNonblock,
    };
    if let Some(above) = work.parent() {
        match DirBuilder::new().mode(0o700).create(above) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    let mut lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(work.with_extension("lock"))?;
    let began = Instant::now();
    loop {
        match Flock::lock(lock, how) {
            Ok(held) => return Ok(held),
            Err((back, Errno::EWOULDBLOCK)) if began.elapsed() < PATIENCE => lock = back,
            Err((_, Errno::EWOULDBLOCK)) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("another sandbox still works in {}", work.display()),
                ));
            }
            Err((_, error)) => return Err(error.into()),
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_writes_in_a_tree_is_alone_there_also_when_it_is_another_one_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let work = work.as_path();
        let readers = [
            hold(work, Use::Reads).unwrap(),
            hold(work, Use::Reads).unwrap(),
        ];
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| hold(work, Use::Writes).unwrap());
            std::thread::sleep(Duration::from_millis(100));
            assert!(!waits.is_finished());
            std::fs::remove_dir(work).unwrap();
            std::fs::create_dir(work).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            assert!(!waits.is_finished());
            drop(readers);
            let written = waits.join().unwrap();
            let waits = scope.spawn(|| hold(work, Use::Reads).unwrap());
            std::thread::sleep(Duration::from_millis(100));
            assert!(!waits.is_finished());
            drop(written);
            waits.join().unwrap();
        });
    }
}
