//! Errors in the logs of a host since a moment: the journal and the files of `/var/log`, grouped by what the messages
//! have in common, with how often and when. What several logs repeat of one another is counted once.

pub mod files;
pub mod journal;
pub mod line;
pub mod moment;
pub mod pattern;
pub mod since;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};

/// Groups told of; the others are counted.
const GROUPS: usize = 100;
/// Groups kept while reading; more are counted as one.
const KEPT: usize = 20_000;

/// Errors that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The program, or the log's name where no line says it.
    pub program: String,
    /// Its unit, where the journal says it.
    pub unit: Option<String>,
    /// What the messages have in common.
    pub pattern: String,
    /// The last of them, secrets masked.
    pub example: String,
    /// How many.
    pub count: u64,
    /// The first one's time, on the host's clock.
    pub first: String,
    /// The last one's time.
    pub last: String,
    /// The logs it was found in.
    pub logs: Vec<String>,
}

/// What the logs say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogErrors {
    /// The moment of the scan.
    pub at: Timestamp,
    /// Since when, on the host's clock.
    pub since: String,
    /// The host's name.
    pub hostname: String,
    /// The most frequent first.
    pub groups: Vec<Group>,
    /// How many groups there are in all.
    pub kinds: usize,
    /// How many errors in all.
    pub total: u64,
    /// Logs read, rotated ones counted with theirs.
    pub logs: usize,
    /// Lines and entries of that time looked at.
    pub lines: u64,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

#[derive(Debug, Default)]
struct Counted {
    unit: Option<String>,
    example: String,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// By log: how many.
    logs: BTreeMap<String, u64>,
}

/// Logs that the system's logger fills with the same messages.
const SYSTEM: [&str; 11] = [
    "journal",
    "syslog",
    "messages",
    "kern.log",
    "auth.log",
    "secure",
    "daemon.log",
    "user.log",
    "mail.log",
    "cron.log",
    "debug",
];

struct Gather<'a> {
    since: Timestamp,
    until: Timestamp,
    zone: TimeZone,
    unit: Option<&'a str>,
    groups: BTreeMap<(String, String), Counted>,
    lines: u64,
    logs: std::collections::BTreeSet<String>,
}

/// Reads them.
///
/// # Errors
/// When `since` is no time.
pub fn scan(
    tree: &Tree,
    since: &str,
    unit: Option<&str>,
    at: Timestamp,
    _limits: &Limits,
) -> Result<LogErrors, InspectError> {
    let zone = tree.zone();
    let from = since::since(since, at, &zone).map_err(InspectError::Asked)?;
    let mut gather = Gather {
        since: from,
        until: at,
        zone: zone.clone(),
        unit,
        groups: BTreeMap::new(),
        lines: 0,
        logs: Default::default(),
    };
    journals(tree, &mut gather);
    for file in files::find(tree, from) {
        gather.file(tree, &file);
    }
    let mut groups: Vec<Group> = gather
        .groups
        .into_iter()
        .map(|(key, counted)| group(key, counted, &zone))
        .collect();
    groups.sort_by(|a, b| {
        b.count
            .cmp(&a.count)
            .then_with(|| (&a.program, &a.pattern).cmp(&(&b.program, &b.pattern)))
    });
    let (kinds, total) = (groups.len(), groups.iter().map(|g| g.count).sum());
    groups.truncate(GROUPS);
    Ok(LogErrors {
        at,
        since: moment::told(from, &zone),
        hostname: tree.hostname(),
        groups,
        kinds,
        total,
        logs: gather.logs.len(),
        lines: gather.lines,
        unread: tree.unread(),
    })
}

/// Calls `each` for the entries of every journal of the host between two moments.
pub fn each_entry(
    tree: &Tree,
    from: Timestamp,
    until: Timestamp,
    each: &mut dyn FnMut(journal::Entry),
) -> bool {
    let mut found = false;
    for top in ["/var/log/journal", "/run/log/journal"] {
        for machine in tree.list(top) {
            let folder = format!("{top}/{machine}");
            for name in tree.list(&folder) {
                let path = format!("{folder}/{name}");
                if !name.ends_with(".journal") {
                    continue;
                }
                let file = match tree.open(&path) {
                    Ok(file) => file,
                    Err(error) => {
                        tree.missed(&path, &error);
                        continue;
                    }
                };
                found = true;
                if let Err(why) = journal::read(file, from, until, each) {
                    tree.note(&path, &why);
                }
            }
        }
    }
    found
}

fn journals(tree: &Tree, gather: &mut Gather<'_>) {
    let (since, until) = (gather.since, gather.until);
    let mut each = |entry: journal::Entry| {
        gather.lines += 1;
        if entry.priority <= 3 {
            gather.add(
                "journal",
                entry.at,
                &entry.program,
                entry.unit.as_deref(),
                &entry.message,
            );
        }
    };
    if each_entry(tree, since, until, &mut each) {
        gather.logs.insert("journal".to_owned());
    }
}

impl Gather<'_> {
    fn file(&mut self, tree: &Tree, file: &files::LogFile) {
        let log = file
            .log
            .strip_prefix("/var/log/")
            .unwrap_or(&file.log)
            .to_owned();
        let own = own_name(&log);
        let mut read = 0;
        files::lines(tree, file, &mut |text| {
            read += 1;
            let Some(line) = line::read(text, self.until, &self.zone) else {
                return;
            };
            if line.at < self.since || line.at > self.until {
                return;
            }
            self.lines += 1;
            if line.error {
                let program = line.program.as_deref().unwrap_or(&own);
                self.add(&log, line.at, program, None, &line.message);
            }
        });
        if read > 0 {
            self.logs.insert(log);
        }
    }

    fn add(&mut self, log: &str, at: Timestamp, program: &str, unit: Option<&str>, message: &str) {
        if self
            .unit
            .is_some_and(|wanted| !belongs(wanted, log, program, unit))
        {
            return;
        }
        let example = pattern::masked(message);
        let program: String = program
            .chars()
            .filter(|c| !c.is_control())
            .take(60)
            .collect();
        let mut key = (program, pattern::pattern(&example));
        if self.groups.len() >= KEPT && !self.groups.contains_key(&key) {
            key = (
                "(other)".to_owned(),
                "(too many kinds to keep apart)".to_owned(),
            );
        }
        let counted = self.groups.entry(key).or_default();
        counted.unit = counted.unit.take().or_else(|| unit.map(str::to_owned));
        if counted.last.is_none_or(|last| last <= at) {
            counted.last = Some(at);
            counted.example = example;
        }
        counted.first = Some(counted.first.map_or(at, |first| first.min(at)));
        *counted.logs.entry(log.to_owned()).or_default() += 1;
    }
}

/// `nginx/error.log` is nginx's, `redis.log` redis's.
fn own_name(log: &str) -> String {
    let folder = log.split_once('/').map(|(folder, _)| folder);
    folder
        .unwrap_or_else(|| log.trim_end_matches(".log"))
        .to_owned()
}

fn belongs(wanted: &str, log: &str, program: &str, unit: Option<&str>) -> bool {
    let bare = |name: &str| name.trim_end_matches(".service").to_lowercase();
    let wanted = bare(wanted);
    let short = wanted.split('@').next().unwrap_or(&wanted).to_owned();
    let is = |name: &str| {
        let name = bare(name);
        name == wanted || name == short || name.split('@').next() == Some(&wanted)
    };
    unit.is_some_and(is) || is(program) || is(&own_name(log))
}

fn group((program, pattern): (String, String), counted: Counted, zone: &TimeZone) -> Group {
    let is_system = |log: &str| SYSTEM.contains(&log);
    let system = counted
        .logs
        .iter()
        .filter(|(log, _)| is_system(log))
        .map(|(_, n)| *n)
        .max();
    let other: u64 = counted
        .logs
        .iter()
        .filter(|(log, _)| !is_system(log))
        .map(|(_, n)| *n)
        .sum();
    let told = |at: Option<Timestamp>| at.map(|at| moment::told(at, zone)).unwrap_or_default();
    Group {
        program,
        unit: counted.unit,
        pattern,
        example: counted.example,
        count: system.unwrap_or(0) + other,
        first: told(counted.first),
        last: told(counted.last),
        logs: counted.logs.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests;
