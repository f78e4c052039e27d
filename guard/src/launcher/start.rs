//! Divides a process that is to be an agent into its two halves. The launcher is a fork of it, made
//! before there is a second thread and before anybody but the daemon was spoken with: it knows the settings
//! that were just read, is of the same version, and shares the memory that neither changes.
#![allow(unsafe_code)] // one fork, with its reason below

use super::channel::{Channel, pair};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setpgid};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;

/// What the kernel calls a launcher, before the number of its agent.
const NAME: &str = "launch-";

/// Which half this process is now.
#[derive(Debug)]
pub enum Half {
    /// The agent, with the way to its launcher.
    Agent(Channel),
    /// The launcher, with the way from its agent.
    Launcher(Channel),
}

/// What the kernel calls the launcher of an agent.
pub fn name_of(agent: u32) -> String {
    format!("{NAME}{agent}")
}

/// How many threads this process has.
pub(super) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Divides this process.
///
/// # Errors
/// When it has threads already, or no process can be made.
pub fn divide() -> io::Result<Half> {
    let agent = std::process::id();
    let (own, theirs) = pair()?;
    if threads() != 1 {
        return Err(io::Error::other(
            "an agent is divided before it has threads",
        ));
    }
    // SAFETY: no other thread exists, so nothing that the child uses is locked or half-done.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => Ok(Half::Agent(Channel(own))),
        ForkResult::Child => {
            // With it open here nobody would see that the agent is gone.
            drop(own);
            // What is pressed in the agent's window is not meant for it: it goes when the agent goes.
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            nix::sys::prctl::set_name(&CString::new(name_of(agent))?)?;
            let nothing = OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/null")?;
            dup2_stdin(&nothing)?;
            dup2_stdout(&nothing)?;
            dup2_stderr(&nothing)?;
            Ok(Half::Launcher(Channel(theirs)))
        }
    }
}
