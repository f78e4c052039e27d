//! Starts the proxy of a task: this program once more, told its terms over its standard input, with nothing of the
//! environment and of open files only the socket it listens at and its end of the conversation with whoever holds the task. It
//! is started anew and not forked: a fork would have in its memory whatever its launcher knows.

use super::{PROXY, Terms};
use crate::launcher::channel::{Line, pair};
use crate::sandbox::spec::Owner;
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The name of the socket in its folder.
const SOCKET: &str = "s";

/// The way into a proxy from its sandboxes: a socket that only the owner of their programs may connect to, in a folder
/// that goes when it is dropped.
fn entrance(owner: Owner) -> io::Result<(TempDir, UnixListener)> {
    // Not below the task's folder: the name of a socket holds a hundred bytes at most.
    let folder = tempfile::Builder::new()
        .prefix("ai-infra-proxy-")
        .tempdir()?;
    let path = folder.path().join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    if nix::unistd::geteuid().is_root() {
        lchown(&path, Some(owner.uid), Some(owner.gid))?;
    }
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    Ok((folder, listener))
}

/// A started proxy. It ends, and its socket goes, when this is dropped, or the thread it was started on ends.
#[derive(Debug)]
pub struct Begun {
    process: Child,
    /// Its standard input: closed, it ends.
    line: Line,
    folder: TempDir,
    /// What it listens at and its end of the conversation, until it has them: kept here, nobody would see that it is gone.
    its: Option<(UnixListener, UnixStream)>,
}

impl Begun {
    /// Starts one for the sandboxes of a task: the program `exe`, for the process `holder`; and the other end of the
    /// conversation with it. It waits for its terms.
    ///
    /// # Errors
    /// When the system's folder for temporary files takes no socket, or the program cannot be started.
    pub fn start(exe: &Path, holder: u32, owner: Owner) -> io::Result<(Begun, UnixStream)> {
        let (folder, listener) = entrance(owner)?;
        let (line, input) = pair()?;
        let (near, far) = pair()?;
        let process = Command::new(exe)
            .arg(PROXY)
            .arg(holder.to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(input)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let begun = Begun {
            process,
            line: Line::over(line),
            folder,
            its: Some((listener, far)),
        };
        Ok((begun, near))
    }

    /// Tells it its terms; it serves from then on.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tell(&mut self, terms: &Terms) -> io::Result<()> {
        let Some((listener, far)) = self.its.take() else {
            return Ok(());
        };
        let files = [listener.as_raw_fd(), far.as_raw_fd()];
        self.line.send(terms, b"", &files)
    }

    /// The socket, to be bound into sandboxes.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}
