//! The `bwrap` process as its holder sees it: killed at most once, never after it was reaped, and
//! always waited for by somebody. Whoever stands behind walls of its own has its launcher do both, over
//! a conversation that lasts as long as the sandbox.

use crate::clone::tree::Held;
use crate::launcher::channel::Line;
use crate::sandbox::cgroup::Group;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A running sandbox; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SandboxProcess {
    pid: Pid,
    by: By,
    gone: watch::Receiver<bool>,
}

/// Who waits for it.
#[derive(Debug, Clone)]
enum By {
    /// This process; whether it was reaped.
    Us(Arc<Mutex<bool>>),
    /// The launcher.
    Launcher(Arc<Line>),
}

impl SandboxProcess {
    /// Takes charge of a child: a thread waits for it whatever happens to the holder's tasks, lets its tree go, and closes
    /// the conversation of whoever it was started for.
    pub(super) fn watch(
        mut child: Child,
        group: Option<Group>,
        tree: Option<Held>,
        asked: Option<Line>,
    ) -> std::io::Result<SandboxProcess> {
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(std::io::Error::other)?);
        let reaped = Arc::new(Mutex::new(false));
        let (tell, gone) = watch::channel(false);
        let flag = Arc::clone(&reaped);
        std::thread::Builder::new()
            .name("sandbox-waiter".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                // Seen first without reaping, so that the pid stays ours until the flag is set.
                while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
                    == Err(nix::Error::EINTR)
                {}
                let mut done = flag.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = child.wait();
                *done = true;
                drop(done);
                drop(group);
                drop(tree);
                let _ = tell.send(true);
                if let Some(asked) = asked {
                    asked.close();
                }
            })?;
        let by = By::Us(reaped);
        Ok(SandboxProcess { pid, by, gone })
    }

    /// One that the launcher has started and waits for: it lives as long as the conversation.
    pub(super) fn of_launcher(pid: i32, line: Line) -> std::io::Result<SandboxProcess> {
        let line = Arc::new(line);
        let (tell, gone) = watch::channel(false);
        let heard = Arc::clone(&line);
        std::thread::Builder::new()
            .name("sandbox-waiter".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || {
                heard.ended();
                let _ = tell.send(true);
            })?;
        Ok(SandboxProcess {
            pid: Pid::from_raw(pid),
            by: By::Launcher(line),
            gone,
        })
    }

    /// Kills it; with it goes every process inside. The runner is killed by name first: bwrap has no
    /// capabilities, so where the runner is another user the kernel does not let bwrap's death kill
    /// it, and a runner that is stopped would not notice that its pipe closed.
    pub(super) fn kill(&self) {
        let reaped = match &self.by {
            By::Us(reaped) => reaped,
            By::Launcher(line) => return line.end(),
        };
        let reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            let children = self.children();
            for child in &children {
                let _ = kill(*child, Signal::SIGKILL);
            }
            // It ends by itself, and only when nothing inside is left: who waits for it waits for all of that. One that is
            // stopped goes on to do so.
            let last = match children.is_empty() {
                true => Signal::SIGKILL,
                false => Signal::SIGCONT,
            };
            let _ = kill(self.pid, last);
        }
    }

    /// What bwrap started; nothing where the kernel does not say.
    fn children(&self) -> Vec<Pid> {
        let list = format!("/proc/{0}/task/{0}/children", self.pid);
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let numbers = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        numbers.map(Pid::from_raw).collect()
    }

    /// Process id on the host, for logs and tests.
    pub(super) fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits until it has ended and been reaped.
    pub(super) async fn gone(&self) {
        let mut gone = self.gone.clone();
        // An error means the waiter is gone, and it only goes after the process.
        let _ = gone.wait_for(|gone| *gone).await;
    }
}
