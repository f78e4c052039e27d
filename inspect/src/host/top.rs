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
    /// Of these, whose memory is told with what they share.
    pub with_shared: u64,
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
                known.cloned().unwrap_or_else(|| nothing(name.clone()))
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
        with_shared,
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tree::planted::Planted;
    use super::*;

    fn plant(
        host: &Planted,
        pid: u32,
        comm: &str,
        line: &str,
        rss: u64,
        pss: Option<u64>,
        uid: u32,
    ) {
        let ticks = 50;
        host.put(
            &format!("/proc/{pid}/stat"),
            format!("{pid} ({comm}) S 1 1 1 0 -1 4194560 1 2 3 4 {ticks} 0 0 0 20 0 1 0 {} 1000000 {} 18446744073709551615\n", 100 + pid, rss / 4),
        );
        host.put(&format!("/proc/{pid}/cmdline"), line);
        host.put(
            &format!("/proc/{pid}/status"),
            format!("Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nVmRSS:\t {rss} kB\nVmSwap:\t 4 kB\n"),
        );
        if let Some(pss) = pss {
            host.put(
                &format!("/proc/{pid}/smaps_rollup"),
                format!("0-1 ---p 00 00:00 0 [rollup]\nRss: 9 kB\nPss: {pss} kB\n"),
            );
        }
        host.put(
            &format!("/proc/{pid}/cgroup"),
            format!("0::/system.slice/{comm}.service\n"),
        );
    }

    fn host() -> Planted {
        let host = Planted::new(&[
            ("/etc/hostname", "shop1\n"),
            (
                "/etc/passwd",
                "root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n",
            ),
            ("/proc/stat", "cpu 1 2\ncpu0 1 2\ncpu1 1 2\n"),
            ("/proc/meminfo", "MemTotal: 8000000 kB\n"),
        ]);
        plant(&host, 7, "nginx", "nginx: master\0", 5000, Some(3000), 0);
        plant(&host, 8, "nginx", "nginx: worker\0", 9000, Some(6000), 33);
        plant(
            &host,
            9,
            "python3",
            "python3\0-m\0http.server\0--password=x\0",
            90_000,
            None,
            33,
        );
        plant(
            &host,
            10,
            "python3",
            "python3\0/srv/app.py\0",
            70_000,
            Some(40_000),
            33,
        );
        plant(&host, 11, "a) b (c", "x\0", 100, Some(50), 33);
        // A thread of the kernel, and one that is gone already.
        plant(&host, 2, "kthreadd", "", 0, None, 0);
        host.put("/proc/12/comm", "gone");
        host
    }

    #[test]
    fn programs_are_told_by_what_they_use() {
        let at = Timestamp::UNIX_EPOCH;
        let host = host();
        let top = scan(&host.tree(), "memory", &[], Duration::ZERO, at).unwrap();
        let told: Vec<String> = top
            .programs
            .iter()
            .map(|p| {
                format!(
                    "{} x{} {} {}",
                    p.name,
                    p.processes,
                    p.memory / 1024,
                    p.users.join(",")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "python3 http.server x1 90000 www",
                "python3 app.py x1 40000 www",
                "nginx x2 9000 root,www",
                "a) b (c x1 50 www",
            ]
        );
        assert_eq!(
            (top.processes, top.with_shared, top.programs_seen, top.cpus),
            (5, 1, 4, 2)
        );
        assert_eq!(top.memory, 8_000_000 * 1024);
        assert_eq!((top.programs[2].pid, top.programs[2].swapped), (8, 8192));
        assert_eq!(top.programs[2].units, ["nginx.service"]);
        let asked = ["nginx".to_owned(), "gone".to_owned()];
        let top = scan(&host.tree(), "memory", &asked, Duration::ZERO, at).unwrap();
        let told: Vec<(u64, u64)> = top
            .programs
            .iter()
            .map(|p| (p.processes, p.memory / 1024))
            .collect();
        assert_eq!(told, [(2, 9000), (0, 0)]);
        let none = Planted::new(&[("/etc/hostname", "x")]);
        let why = scan(&none.tree(), "cpu", &[], Duration::ZERO, at).unwrap_err();
        assert!(why.to_string().contains("no process"), "{why}");
    }

    #[test]
    fn names_give_nothing_away() {
        for (comm, line, expected) in [
            ("postgres", "postgres: writer secret\0", "postgres"),
            ("java", "java\0-jar\0/opt/shop/shop.jar\0", "java shop.jar"),
            ("java", "java\0-Dpassword=x\0Main\0", "java"),
            (
                "node",
                "node\0/srv/a/server.js\0--token=x\0",
                "node server.js",
            ),
            ("python3.11", "python3\0-c\0import secret\0", "python3.11"),
            ("sh", "sh\0-c\0curl -u a:b\0", "sh"),
            ("bashful", "bashful\0x\0", "bashful"),
            ("x\u{1b}[31m", "", "x[31m"),
        ] {
            assert_eq!(named(comm, line), expected, "{comm} {line}");
        }
    }
}
