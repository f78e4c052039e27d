//! One change of the host at a time, also across a crash: a lock that the started programs hold together with this
//! process. Where the warden and its hands die in the middle of a program, whoever settles it waits for that program. One that
//! is ended and not waited for does not hold it.

use crate::Refused;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for what still runs.
const PATIENCE: Duration = Duration::from_secs(150);

/// The right to change the host.
pub type Alone = Flock<File>;

/// Takes it, for whoever keeps things in this folder; `shared` with what is started.
///
/// # Errors
/// A sentence: it cannot be had, or what was begun before does not end.
pub async fn alone(kept: &str, shared: bool) -> Result<Alone, Refused> {
    let path = Path::new(kept).join("lock");
    let failed = |error: std::io::Error| format!("{} cannot be had: {error}", path.display());
    std::fs::create_dir_all(kept).map_err(failed)?;
    let mut options = OpenOptions::new();
    let opened = options.create(true).truncate(false).write(true).open(&path);
    let mut file = opened.map_err(failed)?;
    if shared {
        // What is started has it too, and keeps it when this process dies.
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|error| failed(error.into()))?;
    }
    let began = Instant::now();
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, error)) => return Err(failed(error.into()).into()),
        };
        if began.elapsed() > PATIENCE {
            return Err("what was begun on this host before still runs".into());
        }
        crate::halt::check()?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Lets it go when an order has ended. Where a program of it goes on, that one has it until it ends: it is one lock, and let go here it
/// would be let go there.
pub fn ended(alone: Alone, goes_on: bool) {
    if goes_on {
        let file = alone.as_raw_fd();
        std::mem::forget(alone);
        let _is_the_programs_now = nix::unistd::close(file);
    }
}
