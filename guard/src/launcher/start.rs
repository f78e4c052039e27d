//! Divides a process that is to be an agent into its two halves. The launcher is a fork of it, made
//! before there is a second thread and before anybody but the daemon was spoken with: it knows the settings
//! that were just read, is of the same version, and shares the memory that neither changes.
#![allow(unsafe_code)] // one fork and what follows from it, with their reasons below

use super::channel::{Channel, pair};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, dup3_raw, fork, setsid};
use std::ffi::CString;
use std::fs::{OpenOptions, read_dir};
use std::io;
use std::mem::forget;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};

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
            // What is pressed in the agent's window, or what the agent does with that terminal, is not meant for it: it goes when the
            // agent goes.
            setsid()?;
            silence(theirs.as_raw_fd())?;
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

/// Puts sockets on which nothing ever comes in the place of all that were open but one. Whatever runtime this
/// process had is woken for signals through a pair of them: shared by both halves, a signal of the agent
/// would wake the launcher's runtimes instead, and be lost.
fn silence(kept: RawFd) -> io::Result<()> {
    let (silent, other) = pair()?;
    fcntl(&silent, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let stay = [kept, silent.as_raw_fd(), other.as_raw_fd()];
    let mut open = Vec::new();
    for entry in read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse::<RawFd>();
        open.extend(number.ok().filter(|fd| *fd > 2 && !stay.contains(fd)));
    }
    for fd in open {
        // SAFETY: it was open a moment ago and there is one thread; the listing's own has been closed
        // since, and is answered as such.
        let socket = fstat(unsafe { BorrowedFd::borrow_raw(fd) })
            .is_ok_and(|about| SFlag::from_bits_truncate(about.st_mode).contains(SFlag::S_IFSOCK));
        if socket {
            // SAFETY: whoever owns this number in here goes on owning it, and finds an open socket.
            let owned = unsafe { dup3_raw(&silent, fd, OFlag::O_CLOEXEC) }?;
            let _stays = owned.into_raw_fd();
        }
    }
    // Were the other end closed, this one would be readable for ever.
    forget((silent, other));
    Ok(())
}
