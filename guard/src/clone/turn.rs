//! Whoever copies for a task is alone at it: the launcher of a holder that stands still or is dying may still be copying when
//! the next holder's begins, and two at once would leave a mixture of both, or remove what the other works in.

use crate::deadline::Deadline;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const LOCK: &str = "copying.lock";
/// How long another copy of the same task is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(20);

/// While it is held nobody else copies for the task. It ends with its process.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Waits for the turn of whoever may copy until `until`, in the folder of a task.
///
/// # Errors
/// `ETIME` where `until` has passed when the turn comes: somebody else may hold the task by then. As the system says where the
/// folder cannot be used.
pub fn turn(task_dir: &Path, until: Deadline) -> io::Result<Turn> {
    super::private_folder(task_dir).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(task_dir.join(LOCK))?;
    let began = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_) if until.passed() => return Err(Errno::ETIME.into()),
            Ok(held) => return Ok(Turn(held)),
            Err((back, Errno::EWOULDBLOCK)) if began.elapsed() < PATIENCE => file = back,
            Err((_, Errno::EWOULDBLOCK)) => {
                return Err(io::Error::other(format!(
                    "somebody has been copying for the same task for {} min: see what it waits for, then ai-infra task retry",
                    PATIENCE.as_secs() / 60
                )));
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
    fn one_copies_after_the_other_and_nobody_whose_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let task = folder.path().join("t1");
        let first = turn(&task, Deadline::after(Duration::from_secs(60))).unwrap();
        // Each lets the other have it at once.
        let wait = |ms| turn(&task, Deadline::after(Duration::from_millis(ms))).map(drop);
        let (late, next) = std::thread::scope(|scope| {
            let late = scope.spawn(|| wait(50));
            let next = scope.spawn(|| wait(60_000));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!late.is_finished() && !next.is_finished());
            drop(first);
            (late.join().unwrap(), next.join().unwrap())
        });
        assert_eq!(late.unwrap_err().raw_os_error(), Some(Errno::ETIME as i32));
        next.unwrap();
    }
}
