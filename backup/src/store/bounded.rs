//! A program that gets no more than it was given: so long, so much to say, so much of the disk. Whoever keeps a
//! repository may be hostile, or its repository may be another one than was meant; git itself asks for no end.

use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is counted what moved.
const SAMPLE: Duration = Duration::from_millis(500);
/// Fewer bytes are no progress: what keeps a connection alive.
const MOVES: u64 = 64 * 1024;
/// Most bytes kept of what it complains about.
const COMPLAINTS: u64 = 64 * 1024;

/// Most bytes that room is made for before anything came.
const ROOM: usize = 32 * 1024 * 1024;

/// How much it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest run.
    pub time: Duration,
    /// Longest while in which next to nothing is read or written.
    pub still: Duration,
    /// Most bytes it may print.
    pub answer: u64,
    /// Most bytes that packs may grow by, in one run.
    pub growth: u64,
    /// So many bytes of the disk stay free.
    pub free: u64,
}

/// What it had too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Time,
    Still,
    Answer,
    Growth,
    Free,
}

/// Runs a program whose three pipes are set, in a bare repository. Ended before its time, all that it
/// started ends too and what it had fetched so far is removed.
pub fn run(
    mut command: Command,
    input: &[u8],
    here: &Path,
    bounds: &Bounds,
) -> io::Result<Result<Output, Over>> {
    let began = Instant::now();
    let mut pace = Pace::new(began);
    let before = packs(here);
    let mut child = command.spawn()?;
    let (to, from, complaints) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        // Fed and read beside it, so that nobody waits for another. One that ends early says why itself.
        let feeding = scope.spawn(move || to.map_or(Ok(()), |mut to| to.write_all(input)));
        let complained = scope.spawn(move || {
            let mut complaints = complaints;
            let (kept, _more) = kept(complaints.as_mut(), Vec::new(), COMPLAINTS);
            // The rest is read too, or it would wait for us.
            let _rest = complaints.map(|mut rest| io::copy(&mut rest, &mut io::sink()));
            kept
        });
        let (tell, told) = mpsc::channel();
        let (room, most) = (room(bounds.answer), bounds.answer);
        scope.spawn(move || {
            let _nobody_waits = tell.send(kept(from, room, most));
        });
        let mut over = None;
        let mut answer = Vec::new();
        let mut open = true;
        let status = loop {
            if open {
                match told.recv_timeout(LOOK) {
                    Ok((said, more)) => {
                        (answer, open) = (said, false);
                        over = more.then_some(Over::Answer);
                    }
                    Err(RecvTimeoutError::Disconnected) => open = false,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            } else {
                // It has nothing more to say, so it is about to end.
                std::thread::sleep(Duration::from_millis(1));
            }
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if over.is_none() && (open || began.elapsed() > bounds.time) {
                over = too_much(here, before, began.elapsed(), bounds);
            }
            if over.is_none() && pace.stands(child.id(), bounds.still) {
                over = Some(Over::Still);
            }
            if over.is_some() {
                end(&mut child);
                break child.wait()?;
            }
        };
        if let (true, Ok((said, more))) = (open, told.recv()) {
            answer = said;
            over = over.or(more.then_some(Over::Answer));
        }
        let fed = feeding.join().unwrap_or(Ok(()));
        let stderr = complained.join().unwrap_or_default();
        if let Some(over) = over {
            sweep(here);
            return Ok(Err(over));
        }
        if status.success() {
            fed?;
        }
        let stdout = answer;
        Ok(Ok(Output {
            status,
            stdout,
            stderr,
        }))
    })
}

/// Whether anything moves. The other side may keep a connection alive for ever and take nothing: that is a few bytes
/// a minute.
struct Pace {
    looked: Instant,
    /// Bytes that all of it had read and written when it last moved, and when that was.
    moved: (u64, Instant),
}

impl Pace {
    fn new(now: Instant) -> Self {
        Pace {
            looked: now,
            moved: (0, now),
        }
    }

    /// Looks, at most twice a second; whether it has stood still for too long.
    fn stands(&mut self, root: u32, still: Duration) -> bool {
        if self.looked.elapsed() >= SAMPLE.min(still) {
            self.looked = Instant::now();
            let all = below(root);
            let bytes = all.iter().chain([&root]).map(|pid| moved(*pid)).sum();
            // Less than before: one of them has ended, and others go on.
            if bytes < self.moved.0 || bytes >= self.moved.0 + MOVES {
                self.moved = (bytes, self.looked);
            }
        }
        self.moved.1.elapsed() > still
    }
}

/// Bytes that a process has read and written, wherever to.
fn moved(pid: u32) -> u64 {
    let said = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let lines = said.lines().filter_map(|line| line.split_once(": "));
    let counted = lines.filter(|(name, _)| matches!(*name, "rchar" | "wchar"));
    counted.filter_map(|(_, n)| n.parse::<u64>().ok()).sum()
}

/// Room for an answer of at most so many bytes, where that is no more than one of our own packs: a buffer that grows is
/// there twice while it does. Made by whoever keeps it: each thread keeps what it once made room for.
fn room(most: u64) -> Vec<u8> {
    let most = usize::try_from(most).ok().filter(|most| *most <= ROOM);
    Vec::with_capacity(most.unwrap_or_default())
}

/// What came, up to so many bytes, and whether there was more.
fn kept(from: Option<impl Read>, mut bytes: Vec<u8>, most: u64) -> (Vec<u8>, bool) {
    let Some(mut from) = from else {
        return (bytes, false);
    };
    let _broken_off = (&mut from).take(most).read_to_end(&mut bytes);
    let mut one = [0];
    let more = from.read(&mut one).is_ok_and(|read| read > 0);
    (bytes, more)
}

fn too_much(here: &Path, before: u64, ran: Duration, bounds: &Bounds) -> Option<Over> {
    if ran > bounds.time {
        return Some(Over::Time);
    }
    if packs(here).saturating_sub(before) > bounds.growth {
        return Some(Over::Growth);
    }
    let disk = statvfs(here).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    (free < bounds.free).then_some(Over::Free)
}

/// Bytes of packs, those that are being fetched among them.
fn packs(here: &Path) -> u64 {
    let entries = fs::read_dir(here.join("objects/pack"))
        .into_iter()
        .flatten();
    let sizes = entries
        .flatten()
        .filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

/// Removes what was being fetched.
fn sweep(here: &Path) {
    let entries = fs::read_dir(here.join("objects/pack"))
        .into_iter()
        .flatten();
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with("tmp_") {
            let _gone = fs::remove_file(entry.path());
        }
    }
}

/// Ends a program and all that it started: what speaks to the other side is a child of its own, and would
/// go on.
fn end(child: &mut Child) {
    let below = below(child.id());
    let _ended = child.kill();
    for pid in below {
        let _gone = i32::try_from(pid).map(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL));
    }
}

/// The processes below one.
fn below(root: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state, parent.
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse().ok()) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}
