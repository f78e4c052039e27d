//! The program itself: started with a fixed environment, no terminal and nothing on its standard input, heard until it
//! ends or has to, and everything it started ended with it.

use super::tree;
use crate::{Refused, begun, halt};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::stat::{Mode, umask};
use protocol::duty::run::{HostRun, PATH, shown};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

/// The variable that each process of a run carries.
pub const MARK: &str = "AI_INFRA_RUN";
/// How much is kept of what is said, from its beginning and from its end.
const KEPT: usize = 24 * 1024;
/// How long the last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal from elsewhere.
    Signal(i32),
    /// Its time was over.
    Late,
    /// The word to stop came.
    Stopped(halt::Why),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// What it said on both ways out, as it came, without the middle where that was too much.
    pub said: String,
    /// How long it took.
    pub took: Duration,
    /// What it had left running, and was ended.
    pub left: usize,
    /// What is still there, because it is another user's.
    pub stays: usize,
}

/// Who runs it, as the variables say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Login name.
    pub name: String,
    /// The folder of theirs.
    pub home: String,
}

/// Runs it to its end.
///
/// # Errors
/// A sentence: it was not started.
pub async fn to_its_end(
    run: &HostRun,
    program: &Path,
    words: &[String],
    who: &Who,
    mark: &str,
) -> Result<Ended, Refused> {
    halt::check()?;
    let failed = |error: io::Error| {
        let name = shown(run.program());
        format!("{name} cannot be started: {error}; nothing was done")
    };
    // What its children leave behind becomes this process' own, so it can be found and ended.
    set_child_subreaper(true).map_err(|error| failed(error.into()))?;
    // A session without a terminal; whoever leads one already has none either.
    let _leads_one = nix::unistd::setsid();
    umask(Mode::from_bits_truncate(0o022));
    let (out, said) = io::pipe().map_err(failed)?;
    let mut out = Receiver::from_owned_fd(OwnedFd::from(out)).map_err(failed)?;
    let began = Instant::now();
    let mut child = {
        let mut command = Command::new(program);
        command
            .arg0(run.program())
            .args(words.get(1..).unwrap_or_default())
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .envs(run.env())
            .env("PATH", PATH)
            .env("HOME", &who.home)
            .env("USER", &who.name)
            .env("LOGNAME", &who.name)
            .env(MARK, mark)
            .current_dir(run.folder())
            .stdin(Stdio::null())
            .stdout(said.try_clone().map_err(failed)?)
            .stderr(said)
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(failed)?
    };
    begun::mark();
    let late = tokio::time::sleep(Duration::from_secs(run.seconds()));
    let mut late = std::pin::pin!(late);
    let mut heard = Heard::default();
    let how = loop {
        tokio::select! {
            open = heard.some_of(&mut out), if heard.open => heard.open = open,
            status = child.wait() => {
                let status = status.map_err(failed)?;
                break status.code().map_or(How::Signal(status.signal().unwrap_or(0)), How::Exit);
            }
            () = &mut late => break How::Late,
            why = halt::wait() => break How::Stopped(why),
        }
    };
    let ending = tree::end(tree::below);
    let mut ending = std::pin::pin!(ending);
    let (left, stays) = loop {
        tokio::select! {
            ended = &mut ending => break ended,
            open = heard.some_of(&mut out), if heard.open => heard.open = open,
            // It has to be waited for to be gone.
            _ = child.wait(), if child.id().is_some() => {}
        }
    };
    let rest = async { while heard.some_of(&mut out).await {} };
    let _all_was_heard = tokio::time::timeout(LAST_WORDS, rest).await;
    Ok(Ended {
        how,
        said: heard.text(),
        took: began.elapsed(),
        left,
        stays,
    })
}

/// What was said so far: its beginning, and its end.
#[derive(Debug)]
struct Heard {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    between: u64,
    open: bool,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            between: 0,
            open: true,
        }
    }
}

impl Heard {
    async fn some_of(&mut self, out: &mut Receiver) -> bool {
        let mut part = [0; 8192];
        match out.read(&mut part).await {
            Ok(n @ 1..) => {
                self.take(part.get(..n).unwrap_or_default());
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = KEPT - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend(first);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..over);
        self.between += over as u64;
    }

    fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let (head, tail) = match self.between {
            0 => ([self.head.as_slice(), &tail].concat(), Vec::new()),
            _ => (self.head.clone(), tail),
        };
        let readable = |bytes: &[u8]| protocol::text::safe(&String::from_utf8_lossy(bytes));
        match self.between {
            0 => readable(&head),
            more => format!(
                "{}\n… {more} bytes are left out …\n{}",
                readable(&head),
                readable(&tail)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_the_beginning_and_the_end_are_kept() {
        let mut heard = Heard::default();
        heard.take(b"one\n\x1b[2J");
        assert_eq!(heard.text(), "one\n\\u{1b}[2J");
        for _ in 0..100 {
            heard.take(&[b'x'; 1000]);
        }
        heard.take(b"the end");
        let text = heard.text();
        assert!(
            text.starts_with("one\n") && text.ends_with("the end"),
            "{text}"
        );
        assert!(text.contains("bytes are left out") && text.len() < 2 * KEPT + 100);
    }
}
