//! What runs on a host by itself, and when next: crontabs of the system and of users, the folders of scripts, and
//! systemd's timers; with the lines that are broken, the programs that are not there, and the jobs that are there twice.

pub mod calendar;
pub mod crontab;
pub mod units;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::logs::{moment, pattern};
use super::processes;
use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};
use crontab::{Line, Schedule};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Where it is written: a file with its line, or a unit.
    pub place: String,
    /// `cron`, `script` (in one of cron's folders) or `timer`.
    pub kind: &'static str,
    /// When, as written.
    pub when: String,
    /// The next time, on the host's clock; none where it cannot be said.
    pub next: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// What is run, secrets masked.
    pub command: String,
    /// What is wrong with it, as sentences.
    pub problems: Vec<String>,
    #[serde(skip)]
    at: Option<Timestamp>,
}

/// Every job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jobs {
    /// The moment of the scan.
    pub at: Timestamp,
    /// That moment on the host's clock.
    pub now: String,
    /// The host's name.
    pub hostname: String,
    /// Whether a cron runs; `null` where nothing is written for one.
    pub cron_runs: Option<bool>,
    /// Whether systemd runs; `null` where no timer is enabled.
    pub systemd_runs: Option<bool>,
    /// Those that run next, first.
    pub jobs: Vec<Job>,
    /// How many have a problem.
    pub broken: usize,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// What the sandbox shows for this scan.
pub const SHOWN: [&str; 20] = [
    "/proc",
    "/etc/crontab",
    "/etc/anacrontab",
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/var/spool/cron",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr",
    "/bin",
    "/sbin",
    "/lib/systemd/system",
    "/opt",
    "/etc/localtime",
    "/etc/hostname",
    "/etc/passwd",
    "/snap/bin",
];

/// Folders in which a program would be seen if it were there.
const PROGRAMS: [&str; 6] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/opt/",
    "/etc/cron.",
    "/snap/bin/",
];
const PATHS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];
const SCRIPTS: [&str; 4] = ["hourly", "daily", "weekly", "monthly"];

/// Reads them.
///
/// # Errors
/// None that a host could cause; what cannot be read is told in the report.
pub fn scan(tree: &Tree, at: Timestamp, limits: &Limits) -> Result<Jobs, InspectError> {
    let zone = tree.zone();
    let mut jobs = Vec::new();
    crontabs(tree, at, &zone, &mut jobs);
    let cron_jobs = !jobs.is_empty();
    for timer in units::enabled(tree) {
        jobs.push(of_timer(tree, timer, at, &zone));
    }
    let timers = jobs.iter().any(|job| job.kind == "timer");
    twice(&mut jobs);
    jobs.sort_by(|a, b| {
        (a.at.is_none(), a.at, &a.place, &a.command).cmp(&(
            b.at.is_none(),
            b.at,
            &b.place,
            &b.command,
        ))
    });
    let broken = jobs.iter().filter(|job| !job.problems.is_empty()).count();
    jobs.truncate(limits.findings);
    let runs = |names: &[&str]| {
        let pids = processes::numbers(tree);
        let mut names_of = pids
            .into_iter()
            .filter_map(|pid| tree.quietly(&format!("/proc/{pid}/comm")));
        names_of.any(|name| names.contains(&name.trim_end()))
    };
    Ok(Jobs {
        at,
        now: moment::told(at, &zone),
        hostname: tree.hostname(),
        cron_runs: cron_jobs.then(|| runs(&["cron", "crond", "fcron", "busybox-crond"])),
        systemd_runs: timers.then(|| {
            tree.quietly("/proc/1/comm")
                .is_some_and(|name| name.trim_end() == "systemd")
        }),
        jobs,
        broken,
        unread: tree.unread(),
    })
}

fn crontabs(tree: &Tree, at: Timestamp, zone: &TimeZone, jobs: &mut Vec<Job>) {
    let mut runners: BTreeMap<&str, (String, Option<Timestamp>)> = BTreeMap::new();
    let mut files: Vec<(String, bool, Option<String>)> =
        vec![("/etc/crontab".to_owned(), true, None)];
    for name in tree.list("/etc/cron.d") {
        // Cron reads no file with a dot in its name: what packages leave behind has one.
        if name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            files.push((format!("/etc/cron.d/{name}"), true, None));
        }
    }
    for folder in ["/var/spool/cron/crontabs", "/var/spool/cron"] {
        for name in tree.list(folder) {
            let path = format!("{folder}/{name}");
            if tree.metadata(&path).is_ok_and(|about| about.is_file()) {
                files.push((path, false, Some(name)));
            }
        }
    }
    for (path, system, user) in files {
        if !tree.exists(&path) {
            continue;
        }
        for line in crontab::lines(&tree.text(&path).unwrap_or_default(), system) {
            let job = of_line(tree, &path, line, user.clone(), at, zone);
            match SCRIPTS
                .into_iter()
                .find(|folder| job.command.contains(&format!("/etc/cron.{folder}")))
            {
                Some(folder) => {
                    runners.insert(folder, (job.when, job.at));
                }
                None => jobs.push(job),
            }
        }
    }
    for folder in SCRIPTS {
        let when = runners.get(folder);
        scripts(tree, folder, when, zone, jobs);
    }
}

fn of_line(
    tree: &Tree,
    path: &str,
    line: Line,
    user: Option<String>,
    at: Timestamp,
    zone: &TimeZone,
) -> Job {
    let next = match crontab::schedule(&line.when) {
        Ok(Schedule::Times(times)) if line.wrong.is_none() => crontab::next(&times, at, zone),
        _ => None,
    };
    let mut problems: Vec<String> = line
        .wrong
        .into_iter()
        .map(|why| format!("cron ignores it: {why}"))
        .collect();
    if problems.is_empty() {
        problems.extend(crontab::program(&line.command).and_then(|program| absent(tree, &program)));
    }
    Job {
        place: format!("{path}:{}", line.number),
        kind: "cron",
        when: line.when,
        next: next.map(|next| moment::told(next, zone)),
        user: line.user.or(user),
        command: pattern::masked(&line.command),
        problems,
        at: next,
    }
}

/// A sentence where a program is not there. Nothing is said of places that are not shown.
fn absent(tree: &Tree, program: &str) -> Option<String> {
    if !program.contains('/') {
        let there = PATHS
            .iter()
            .any(|folder| tree.exists(&format!("{folder}/{program}")));
        return (!there).then(|| format!("its program {program} is in no folder of programs"));
    }
    let seen = PROGRAMS.iter().any(|folder| program.starts_with(folder));
    (seen && !tree.exists(program)).then(|| format!("its program {program} does not exist"))
}

fn scripts(
    tree: &Tree,
    folder: &str,
    when: Option<&(String, Option<Timestamp>)>,
    zone: &TimeZone,
    jobs: &mut Vec<Job>,
) {
    let path = format!("/etc/cron.{folder}");
    for name in tree.list(&path) {
        let script = format!("{path}/{name}");
        let Ok(about) = tree.metadata(&script) else {
            continue;
        };
        if !about.is_file() || name.starts_with('.') {
            continue;
        }
        let mut problems = Vec::new();
        if !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            problems.push(
                "its name keeps it from being run: only letters, digits, - and _ may be in it"
                    .to_owned(),
            );
        } else if about.permissions().mode() & 0o111 == 0 {
            problems.push("it may not be executed, so it is not run".to_owned());
        }
        let at = when
            .and_then(|(_, next)| *next)
            .filter(|_| problems.is_empty());
        jobs.push(Job {
            place: script.clone(),
            kind: "script",
            when: when.map_or_else(
                || folder.to_owned(),
                |(when, _)| format!("{folder} ({when})"),
            ),
            next: at.map(|next| moment::told(next, zone)),
            user: Some("root".to_owned()),
            command: script,
            problems,
            at,
        });
    }
}

fn of_timer(tree: &Tree, timer: units::Timer, at: Timestamp, zone: &TimeZone) -> Job {
    let mut problems = Vec::new();
    let mut next: Option<Timestamp> = None;
    for text in &timer.calendar {
        match calendar::parse(text) {
            Some(calendar) => {
                let found = calendar::next(&calendar, at, zone);
                next = [next, found].into_iter().flatten().min();
            }
            None => problems.push(format!("when `{text}` comes next could not be worked out")),
        }
    }
    match &timer.command {
        None => problems.push(format!(
            "{}, which it starts, is not there or runs nothing",
            timer.starts
        )),
        Some(command) => {
            let bare = command.trim_start_matches(['-', '+', '@', ':', '!']);
            problems.extend(crontab::program(bare).and_then(|program| absent(tree, &program)));
        }
    }
    Job {
        place: timer.name,
        kind: "timer",
        when: [timer.calendar, timer.spans].concat().join(", "),
        next: next.map(|next| moment::told(next, zone)),
        user: None,
        command: pattern::masked(&timer.command.unwrap_or(timer.starts)),
        problems,
        at: next,
    }
}

/// Notes jobs that run the same command from two places.
fn twice(jobs: &mut [Job]) {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for job in jobs
        .iter()
        .filter(|job| job.kind != "script" && job.problems.is_empty())
    {
        places
            .entry(job.command.clone())
            .or_default()
            .push(job.place.clone());
    }
    for job in jobs.iter_mut() {
        let others = places
            .get(&job.command)
            .into_iter()
            .flatten()
            .filter(|place| **place != job.place);
        let others: Vec<&str> = others.map(String::as_str).collect();
        if !others.is_empty() && job.kind != "script" && job.problems.is_empty() {
            job.problems
                .push(format!("{} runs the same command", others.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests;
