//! Makes the control socket. One supervisor a home: a lock that the kernel lets go when its holder
//! dies, and a socket whose old file is replaced only when nobody answers behind it.

use config::home::Home;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use tokio::net::{UnixListener, UnixStream};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// There is a supervisor already.
    #[error("a supervisor of this home runs already and answers at {}", .0.display())]
    Runs(PathBuf),
    /// The system said no.
    #[error("cannot {doing} {}: {source}: check who owns the home and that its path is short", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The lock, held as long as this lives.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Takes the lock of the home's supervisor.
pub fn lock(home: &Home) -> Result<Lock, ListenError> {
    let path = home.run().join("supervisor.lock");
    let io = |source| ListenError::Io {
        doing: "lock",
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Lock(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Err(ListenError::Runs(home.supervisor_sock())),
        Err((_, errno)) => Err(io(errno.into())),
    }
}

/// Listens on the control socket, in place of a supervisor that died.
pub async fn listen(home: &Home) -> Result<UnixListener, ListenError> {
    let path = home.supervisor_sock();
    let io = |doing| {
        let path = path.clone();
        move |source| ListenError::Io {
            doing,
            path,
            source,
        }
    };
    if UnixStream::connect(&path).await.is_ok() {
        return Err(ListenError::Runs(path));
    }
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io("replace")(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(io("listen on"))?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io("protect"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let first = listen(&home).await.unwrap();
        assert!(matches!(listen(&home).await, Err(ListenError::Runs(_))));
        drop(first);
        assert!(home.supervisor_sock().exists());
        let _second = listen(&home).await.unwrap();
        let held = lock(&home).unwrap();
        assert!(matches!(lock(&home), Err(ListenError::Runs(_))));
        drop(held);
        lock(&home).unwrap();
    }
}
