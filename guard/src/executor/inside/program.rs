//! Runs a program: its own process group, nothing on its input (or one file), bounded output, and nothing of it
//! left when it is over. As first process of the namespace this also reaps every orphan.

use super::lifeline::Lifeline;
use super::output::Output;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest pause between two looks at a quiet program.
const LOOK_MS: u16 = 20;
/// Longest wait for killed processes to go.
const BURY: Duration = Duration::from_secs(5);

/// What a call leaves running goes on: the fault of a test.
static KEPT: AtomicBool = AtomicBool::new(false);

/// Says whether what a call leaves running is kept.
pub(super) fn keep_leftovers(kept: bool) {
    KEPT.store(kept, Ordering::Relaxed);
}

/// What to run.
pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) cwd: PathBuf,
    /// Added to the sandbox's environment.
    pub(super) env: Vec<(String, String)>,
    /// Bytes kept of each stream.
    pub(super) keep: usize,
}

/// How it ended.
pub(super) struct Ended {
    /// Exit status; `None` when a signal ended it.
    pub(super) exit: Option<i32>,
    /// The signal, where one ended it.
    pub(super) signal: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) timed_out: bool,
    pub(super) cancelled: bool,
    pub(super) truncated: bool,
    pub(super) took: Duration,
}

/// When a run must stop: its own time, or nobody waiting any more.
#[derive(Clone, Copy)]
pub(super) struct Leash<'a> {
    pub(super) lifeline: &'a Lifeline,
    pub(super) question: u64,
    /// By the clock that stands still while frozen.
    pub(super) until: Instant,
}

impl Leash<'_> {
    /// The same, with less time.
    pub(super) fn shorter(self, most: Duration) -> Self {
        let until = self.until.min(self.lifeline.frost.now() + most);
        Self { until, ..self }
    }

    /// Whether its time is over.
    pub(super) fn late(&self) -> bool {
        self.lifeline.frost.now() >= self.until
    }
}

impl Program {
    /// A program in the workspace with nothing added.
    pub(super) fn new(argv: &[&str]) -> Program {
        Program {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            cwd: super::place::root().to_owned(),
            env: Vec::new(),
            keep: protocol::limits::OUTPUT_BYTES,
        }
    }

    /// Runs it to its end, its time-out or its cancellation. An error means it never started.
    pub(super) fn run(&self, leash: Leash<'_>) -> io::Result<Ended> {
        let leaves = match KEPT.load(Ordering::Relaxed) {
            false => Leaves::Nothing,
            true => Leaves::Others,
        };
        self.run_until(leash, leaves, Stdio::null())
    }

    /// The same, with what a file holds on its input.
    pub(super) fn run_on(&self, input: File, leash: Leash<'_>) -> io::Result<Ended> {
        self.run_until(leash, Leaves::Nothing, Stdio::from(input))
    }

    /// The same, and a [`Companion`] goes on meanwhile and afterwards.
    pub(super) fn run_beside(&self, leash: Leash<'_>) -> io::Result<Ended> {
        self.run_until(leash, Leaves::Others, Stdio::null())
    }

    /// Starts it to run beside others; what it says goes to `log`.
    pub(super) fn accompany(&self, log: &Path, leash: Leash<'_>) -> io::Result<Companion> {
        let said = File::create(log)?;
        let (program, arguments) = self
            .argv
            .split_first()
            .ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.cwd)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .process_group(0);
        leash
            .lifeline
            .frost
            .begin(|| command.spawn())
            .map(Companion)
    }

    fn run_until(&self, leash: Leash<'_>, leaves: Leaves, input: Stdio) -> io::Result<Ended> {
        let started = Instant::now();
        let (program, arguments) = self
            .argv
            .split_first()
            .ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.cwd)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = leash.lifeline.frost.begin(|| command.spawn())?;
        let streams = [
            Stream::new(child.stdout.take().map(OwnedFd::from), self.keep),
            Stream::new(child.stderr.take().map(OwnedFd::from), self.keep),
        ];
        let ended = follow(&mut child, streams, leash, leaves);
        if ended.is_err() {
            kill_all();
        }
        let (mut ended, status) = ended?;
        ended.exit = status.code();
        ended.signal = status.signal();
        ended.took = started.elapsed();
        Ok(ended)
    }
}

/// What goes on when a program is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Nothing,
    Others,
}

/// A program that others talk to; it ends with this.
pub(super) struct Companion(Child);

impl Companion {
    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        kill_all();
        let _gone_already = self.0.wait();
        let _others_too = bury();
    }
}

struct Stream {
    from: Option<File>,
    output: Output,
}

impl Stream {
    fn new(from: Option<OwnedFd>, keep: usize) -> Stream {
        Stream {
            from: from.map(File::from),
            output: Output::keeping(keep),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let Some(from) = &mut self.from else { return };
        match from.read(buffer) {
            Ok(0) => self.from = None,
            Ok(n) => self.output.push(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.from = None,
        }
    }
}

fn follow(
    child: &mut Child,
    mut streams: [Stream; 2],
    leash: Leash<'_>,
    leaves: Leaves,
) -> io::Result<(Ended, std::process::ExitStatus)> {
    let main = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let mut buffer = vec![0; 64 * 1024];
    let (mut timed_out, mut cancelled, mut pause) = (false, false, 1);
    loop {
        let read = wait_readable(&streams, pause)?;
        for (stream, ready) in streams.iter_mut().zip(read) {
            if ready {
                stream.read(&mut buffer);
            }
        }
        pause = if read.contains(&true) {
            1
        } else {
            (pause * 2).min(LOOK_MS)
        };
        if main_has_ended(main) {
            break;
        }
        timed_out = leash.late();
        cancelled = leash.lifeline.is_cancelled(leash.question);
        if timed_out || cancelled {
            break;
        }
    }
    // Whatever it left running goes with it; then every writer is gone and the pipes end.
    match leaves {
        Leaves::Nothing => kill_all(),
        Leaves::Others => drop(killpg(main, Signal::SIGKILL)),
    }
    let status = child.wait()?;
    if leaves == Leaves::Nothing {
        bury()?;
    }
    for stream in &mut streams {
        while stream.from.is_some() {
            stream.read(&mut buffer);
        }
    }
    let [out, err] = streams.map(|stream| stream.output);
    let truncated = out.truncated() || err.truncated();
    let ended = Ended {
        exit: None,
        signal: None,
        stdout: out.text(),
        stderr: err.text(),
        timed_out,
        cancelled,
        truncated,
        took: Duration::ZERO,
    };
    Ok((ended, status))
}

fn wait_readable(streams: &[Stream; 2], pause: u16) -> io::Result<[bool; 2]> {
    let mut ready = [false; 2];
    let (mut places, mut fds) = (Vec::new(), Vec::new());
    for (place, stream) in streams.iter().enumerate() {
        if let Some(from) = &stream.from {
            places.push(place);
            fds.push(PollFd::new(from.as_fd(), PollFlags::POLLIN));
        }
    }
    match poll(&mut fds, PollTimeout::from(pause)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(e) => return Err(e.into()),
    }
    for (place, fd) in places.into_iter().zip(&fds) {
        ready[place] = fd.any().unwrap_or(false);
    }
    Ok(ready)
}

/// Looks for an ended child without reaping the main one; orphans are reaped here.
fn main_has_ended(main: Pid) -> bool {
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, peek) {
        match status.pid() {
            Some(pid) if pid == main => return true,
            Some(pid) => {
                let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            }
            None => return false,
        }
    }
    false
}

/// Kills every process inside but this one; forks cannot slip through.
fn kill_all() {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
}

/// Waits until every killed process is gone; one that will not go ends the executor, and the
/// kernel ends it.
fn bury() -> io::Result<()> {
    let started = Instant::now();
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {
                if started.elapsed() > BURY {
                    std::process::exit(1);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(_) => kill_all(),
            Err(e) => return Err(e.into()),
        }
    }
}
