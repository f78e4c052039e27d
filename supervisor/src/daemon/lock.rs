//! One daemon a home: a lock on `run/daemon.lock` that the kernel lets go when its holder dies.

use super::error::DaemonError;
use config::home::Home;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Held as long as the daemon lives.
#[derive(Debug)]
pub struct DaemonLock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Takes the lock; `None` when another daemon of this home holds it.
pub fn take(home: &Home) -> Result<Option<DaemonLock>, DaemonError> {
    let path = home.run().join("daemon.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(DaemonError::io("open", &path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(DaemonLock(lock))),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(DaemonError::io("lock", &path)(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let first = take(&home).unwrap();
        assert!(first.is_some());
        assert!(take(&home).unwrap().is_none());
        drop(first);
        assert!(take(&home).unwrap().is_some());
    }
}
