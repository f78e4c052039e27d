//! Which programs use memory and processors now. Processes of one name are one program; memory that they share is counted
//! once where the kernel tells (PSS), and time on the processors is measured over a short moment.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::people::People;
use super::processes::{numbers, unit};
use super::tree::Tree;
use crate::limits::InspectError;

/// How long processors are watched.
pub const MOMENT: Duration = Duration::from_millis(1500);
/// Programs that are told.
const PROGRAMS: usize = 15;
/// Users and units of a program that are told.
const SHOWN: usize = 4;
/// Ticks of the processors' clock a second; Linux has this towards programs everywhere.
const TICKS: u64 = 100;
/// Longest name of a program, in characters.
const NAME: usize = 60;
/// Programs that run other people's: what they run is their name.
const RUNNERS: [&str; 9] = [
    "python", "node", "ruby", "perl", "java", "php", "bash", "sh", "deno",
];

/// A program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its processes; none where one was asked for that does not run.
    pub processes: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of it that lie in swap.
    pub swapped: u64,
    /// Percent of one processor, over the moment of the scan.
    pub cpu_now: f64,
    /// Whose they are.
    pub users: Vec<String>,
    /// Units they belong to.
    pub units: Vec<String>,
    /// Seconds since the newest of its processes began: what has only just begun is seldom the same a moment later.
    pub settled_s: u64,
    /// The process with the most memory.
    pub pid: u32,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// Processors.
    pub cpus: u64,
    /// Bytes of memory of the host.
    pub memory: u64,
    /// Processes seen.
    pub processes: u64,
    /// Of many the kernel does not tell what they share, so that it is counted in each.
    pub counts_shared: bool,
    /// Programs seen.
    pub programs_seen: u64,
    /// The largest; those that were asked for, in that order, where some were.
    pub programs: Vec<Program>,
}

#[derive(Debug, Clone, Default)]
struct One {
    name: String,
    pss: Option<u64>,
    rss: u64,
    swapped: u64,
    /// Ticks on the processors since it began, and when it began.
    ticks: u64,
    began: u64,
    uid: Option<u32>,
    unit: Option<String>,
}

/// Looks. `by` is `memory` or `cpu`; `of` names programs to tell in place of the largest.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn scan(
    tree: &Tree,
    by: &str,
    of: &[String],
    moment: Duration,
    at: Timestamp,
) -> Result<Top, InspectError> {
    let before: HashMap<u32, (u64, u64)> = numbers(tree)
        .into_iter()
        .filter_map(|pid| {
            let (_, ticks, began, _) = stat(&tree.quietly(&format!("/proc/{pid}/stat"))?)?;
            Some((pid, (ticks, began)))
        })
        .collect();
    if before.is_empty() {
        return Err(InspectError::Asked(
            "no process can be seen: /proc is not there, or hides them from this user".to_owned(),
        ));
    }
    let started = Instant::now();
    std::thread::sleep(moment);
    let people = People::read(tree);
    let up = tree.quietly("/proc/uptime").unwrap_or_default();
    let uptime: u64 = up
        .split('.')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    let mut programs: BTreeMap<String, (Program, u64)> = BTreeMap::new();
    let (mut processes, mut with_shared) = (0, 0);
    let seconds = started.elapsed().as_secs_f64().max(0.001);
    for pid in numbers(tree) {
        let Some(one) = read(tree, pid) else { continue };
        processes += 1;
        with_shared += u64::from(one.pss.is_none() && one.rss > 0);
        // A number that was given anew is another process, and what it used it used since.
        let known = before.get(&pid).filter(|(_, began)| *began == one.began);
        let used = one
            .ticks
            .saturating_sub(known.map_or(0, |(ticks, _)| *ticks));
        let memory = one.pss.unwrap_or(one.rss);
        let (program, largest) = programs
            .entry(one.name.clone())
            .or_insert_with(|| (nothing(one.name.clone()), 0));
        program.processes += 1;
        let age = uptime.saturating_sub(one.began / TICKS);
        program.settled_s = program.settled_s.min(age);
        program.memory += memory;
        program.swapped += one.swapped;
        program.cpu_now += used as f64 * 100.0 / TICKS as f64 / seconds;
        if memory >= *largest {
            *largest = memory;
            program.pid = pid;
        }
        let user = one.uid.map(|uid| people.name(uid));
        note(&mut program.users, user);
        note(&mut program.units, one.unit);
    }
    let seen = programs.len() as u64;
    let mut all: Vec<Program> = programs.into_values().map(|(program, _)| program).collect();
    for program in &mut all {
        program.cpu_now = (program.cpu_now * 10.0).round() / 10.0;
        program.users.sort();
        program.units.sort();
    }
    let programs = match of {
        [] => {
            let cpu = |a: &Program, b: &Program| b.cpu_now.total_cmp(&a.cpu_now);
            let memory = |a: &Program, b: &Program| b.memory.cmp(&a.memory);
            all.sort_by(|a, b| match by {
                "cpu" => cpu(a, b).then(memory(a, b)),
                _ => memory(a, b).then(cpu(a, b)),
            });
            all.truncate(PROGRAMS);
            all
        }
        of => {
            let named = |name: &String| {
                let known = all.iter().find(|program| program.name == *name);
                let gone = || Program {
                    settled_s: 0,
                    ..nothing(name.clone())
                };
                known.cloned().unwrap_or_else(gone)
            };
            of.iter().map(named).collect()
        }
    };
    let text = |path: &str| tree.quietly(path).unwrap_or_default();
    Ok(Top {
        at,
        hostname: tree.hostname(),
        cpus: cpus(&text("/proc/stat")),
        memory: total(&text("/proc/meminfo")),
        processes,
        counts_shared: with_shared * 10 > processes,
        programs_seen: seen,
        programs,
    })
}

fn nothing(name: String) -> Program {
    Program {
        name,
        processes: 0,
        memory: 0,
        swapped: 0,
        cpu_now: 0.0,
        users: Vec::new(),
        units: Vec::new(),
        settled_s: u64::MAX,
        pid: 0,
    }
}

fn note(list: &mut Vec<String>, one: Option<String>) {
    if let Some(one) = one.filter(|one| list.len() < SHOWN && !list.contains(one)) {
        list.push(one);
    }
}

/// One process; none where it is gone, or is a thread of the kernel.
fn read(tree: &Tree, pid: u32) -> Option<One> {
    let (comm, ticks, began, pages) = stat(&tree.quietly(&format!("/proc/{pid}/stat"))?)?;
    let line = tree
        .quietly(&format!("/proc/{pid}/cmdline"))
        .unwrap_or_default();
    let status = tree
        .quietly(&format!("/proc/{pid}/status"))
        .unwrap_or_default();
    let kernel = line.is_empty() && pages == 0;
    if kernel {
        return None;
    }
    let smaps = tree.quietly(&format!("/proc/{pid}/smaps_rollup"));
    let groups = tree
        .quietly(&format!("/proc/{pid}/cgroup"))
        .unwrap_or_default();
    let uid = field(&status, "Uid:").and_then(|text| text.split_whitespace().next()?.parse().ok());
    Some(One {
        name: named(&comm, &line),
        pss: smaps.and_then(|text| kilobytes(&text, "Pss:")),
        rss: kilobytes(&status, "VmRSS:").unwrap_or(pages * 4096),
        swapped: kilobytes(&status, "VmSwap:").unwrap_or(0),
        ticks,
        began,
        uid,
        unit: unit(&groups),
    })
}

/// Name, ticks on the processors, start, pages in memory: of `/proc/PID/stat`. A name may hold anything.
fn stat(text: &str) -> Option<(String, u64, u64, u64)> {
    let (open, close) = (text.find('(')?, text.rfind(')')?);
    let fields: Vec<&str> = text.get(close + 1..)?.split_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    let ticks = number(14)?.checked_add(number(15)?)?;
    Some((
        text.get(open + 1..close)?.to_owned(),
        ticks,
        number(22)?,
        number(24)?,
    ))
}

/// The name people know a program by. Of its arguments only the name of what a runner runs is looked at: the others may
/// hold what is nobody's business.
fn named(comm: &str, line: &str) -> String {
    let tame = |text: &str| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(NAME)
            .collect::<String>()
    };
    let runner = RUNNERS.iter().any(|runner| {
        comm.strip_prefix(runner)
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    });
    if !runner {
        return tame(comm);
    }
    let mut words = line.split('\0').skip(1).filter(|word| !word.is_empty());
    let what = words.next().and_then(|word| match word {
        "-m" | "-jar" => words.next(),
        word if word.starts_with('-') || word.contains(char::is_whitespace) => None,
        word => Some(word),
    });
    let what = what.and_then(|what| what.rsplit('/').find(|part| !part.is_empty()));
    match what {
        Some(what) => tame(&format!("{comm} {what}")),
        None => tame(comm),
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let number: u64 = field(text, name)?.strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

fn cpus(stat: &str) -> u64 {
    let one = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(one).count() as u64
}

fn total(meminfo: &str) -> u64 {
    kilobytes(meminfo, "MemTotal:").unwrap_or(0)
}

#[cfg(test)]
mod tests;
