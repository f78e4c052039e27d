//! Failed logins on a host since a moment, by address and by user, with the logins that worked after them: a door that
//! was knocked at until it opened. From the journal and `auth.log`; from `btmp` where neither tells.

pub mod line;
pub mod records;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::logs::{each_entry, files, line as log_line, moment, since};
use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};
use line::{Try, Way};
use records::RECORD;

/// Addresses and users told of, each.
const TOLD: usize = 50;
/// Failures before a login that worked from which it is called out.
const KNOCKS: u64 = 3;
/// Kept tries; more are counted alone.
const KEPT: usize = 2_000_000;

/// Failures from one address or for one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// The address or user.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Of them, for users that do not exist.
    pub unknown: u64,
    /// The other side of it: users that were tried, or addresses that tried.
    pub others: usize,
    /// The first one's time, on the host's clock.
    pub first: String,
    /// The last one's time.
    pub last: String,
}

/// A login that worked after failures from the same address for the same user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// The user.
    pub user: String,
    /// From where.
    pub from: String,
    /// When.
    pub at: String,
    /// Failures of that address before it, in the time looked at.
    pub failures: u64,
    /// `password`, `key` or `other`.
    pub way: &'static str,
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logins {
    /// The moment of the scan.
    pub at: Timestamp,
    /// Since when, on the host's clock.
    pub since: String,
    /// The host's name.
    pub hostname: String,
    /// Failures in all.
    pub failed: u64,
    /// With a password.
    pub by_password: u64,
    /// For users that do not exist.
    pub unknown: u64,
    /// Logins that worked.
    pub worked: u64,
    /// Of them, with a password.
    pub worked_by_password: u64,
    /// Of them, with a key.
    pub worked_by_key: u64,
    /// By address, most first.
    pub addresses: Vec<Failures>,
    /// Addresses in all.
    pub addresses_in_all: usize,
    /// By user, most first.
    pub users: Vec<Failures>,
    /// Users in all.
    pub users_in_all: usize,
    /// Logins that worked after several failures of the same address.
    pub opened: Vec<Opened>,
    /// Where it was read: `journal`, names of logs, `btmp`.
    pub sources: Vec<String>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

type Timed = (Timestamp, Try);

/// Reads them.
///
/// # Errors
/// When `since` is no time.
pub fn scan(
    tree: &Tree,
    since: &str,
    at: Timestamp,
    _limits: &Limits,
) -> Result<Logins, InspectError> {
    let zone = tree.zone();
    let from = since::since(since, at, &zone).map_err(InspectError::Asked)?;
    let (tries, sources) = told(tree, from, at, &zone);
    let failures: Vec<&Timed> = tries.iter().filter(|(_, one)| !one.worked).collect();
    let sum = |of: &dyn Fn(&Try) -> bool| {
        tries
            .iter()
            .filter(|(_, one)| of(one))
            .map(|(_, one)| one.times)
            .sum::<u64>()
    };
    let addresses = by(&failures, &zone, |one| (&one.from, &one.user));
    let users = by(&failures, &zone, |one| (&one.user, &one.from));
    let head = |all: &[Failures]| all.iter().take(TOLD).cloned().collect::<Vec<_>>();
    Ok(Logins {
        at,
        since: moment::told(from, &zone),
        hostname: tree.hostname(),
        failed: sum(&|one| !one.worked),
        by_password: sum(&|one| !one.worked && one.way == Way::Password),
        unknown: sum(&|one| !one.worked && one.unknown),
        worked: sum(&|one| one.worked),
        worked_by_password: sum(&|one| one.worked && one.way == Way::Password),
        worked_by_key: sum(&|one| one.worked && one.way == Way::Key),
        addresses: head(&addresses),
        addresses_in_all: addresses.len(),
        users: head(&users),
        users_in_all: users.len(),
        opened: opened(&tries, &zone),
        sources,
        unread: tree.unread().into_iter().filter(of_logins).collect(),
    })
}

/// Every try, in order of time, from the first source that tells of any: they repeat one another.
fn told(
    tree: &Tree,
    from: Timestamp,
    until: Timestamp,
    zone: &TimeZone,
) -> (Vec<Timed>, Vec<String>) {
    let mut journal = Vec::new();
    let there = each_entry(tree, from, until, &mut |entry| {
        if line::speaks(&entry.program) && journal.len() < KEPT {
            journal.extend(line::read(&entry.message).map(|one| (entry.at, one)));
        }
    });
    let (mut logs, mut names) = (Vec::new(), BTreeSet::new());
    for file in files::find(tree, from) {
        let log = file
            .log
            .strip_prefix("/var/log/")
            .unwrap_or(&file.log)
            .to_owned();
        if !["auth.log", "secure", "messages", "syslog"].contains(&log.as_str()) {
            continue;
        }
        let mut found = Vec::new();
        files::lines(tree, &file, &mut |text| {
            if let Some(line) = log_line::read(text, until, zone)
                && line.at >= from
                && line.at <= until
                && line.program.as_deref().is_some_and(line::speaks)
                && logs.len() + found.len() < KEPT
            {
                found.extend(line::read(&line.message).map(|one| (line.at, one)));
            }
        });
        // `syslog` may repeat what `auth.log` says.
        let own = ["auth.log", "secure"].contains(&log.as_str());
        if own
            || names
                .iter()
                .all(|name: &String| !["auth.log", "secure"].contains(&name.as_str()))
        {
            logs.extend(found);
            names.insert(log);
        }
    }
    let mut sources: Vec<String> = names.into_iter().collect();
    let mut tries = match journal.len() > logs.len() || (there && logs.is_empty()) {
        true => {
            sources = vec!["journal".to_owned()];
            journal
        }
        false => logs,
    };
    if tries.iter().all(|(_, one)| one.worked) {
        let binary = btmp(tree, from, until);
        if let Some(binary) = binary.filter(|binary| !binary.is_empty() || sources.is_empty()) {
            tries.extend(binary);
            sources.push("btmp".to_owned());
        }
    }
    tries.sort_by_key(|one| one.0);
    (once(tries), sources)
}

/// Longest time between a failure and the end of its connection.
const LINGERS: SignedDuration = SignedDuration::from_mins(10);

/// Without the ends of connections on which a failure was told already.
fn once(tries: Vec<Timed>) -> Vec<Timed> {
    let mut told: HashMap<(String, u16), Timestamp> = HashMap::new();
    let mut kept = Vec::with_capacity(tries.len());
    for (at, one) in tries {
        let connection = (one.from.clone(), one.port);
        if !one.by_its_end {
            if !one.worked {
                told.insert(connection, at);
            }
        } else if told
            .get(&connection)
            .is_some_and(|before| at.duration_since(*before) <= LINGERS)
        {
            continue;
        }
        kept.push((at, one));
    }
    kept
}

/// Logs in which logins are told; what else cannot be read is no loss here.
fn of_logins(unread: &Unread) -> bool {
    let name = unread.path.rsplit('/').next().unwrap_or_default();
    let logs = ["auth.log", "secure", "messages", "syslog", "btmp"];
    unread.path.contains("/journal") || logs.iter().any(|log| name.starts_with(log))
}

fn btmp(tree: &Tree, from: Timestamp, until: Timestamp) -> Option<Vec<Timed>> {
    let mut found = Vec::new();
    let mut there = false;
    for path in ["/var/log/btmp.1", "/var/log/btmp"] {
        let mut file = match tree.open(path) {
            Ok(file) => std::io::BufReader::new(file),
            Err(error) => {
                tree.missed(path, &error);
                continue;
            }
        };
        there = true;
        let mut bytes = [0; RECORD];
        while file.read_exact(&mut bytes).is_ok() && found.len() < KEPT {
            let Some(record) = records::read(&bytes) else {
                continue;
            };
            let Ok(at) = Timestamp::from_second(record.seconds) else {
                continue;
            };
            if at < from || at > until || record.user.is_empty() {
                continue;
            }
            let from = if record.from.is_empty() {
                "this host".to_owned()
            } else {
                record.from
            };
            let one = Try {
                user: record.user,
                unknown: false,
                from,
                way: Way::Password,
                worked: false,
                times: 1,
                port: 0,
                by_its_end: false,
            };
            found.push((at, one));
        }
    }
    there.then_some(found)
}

fn by<'a>(
    failures: &[&'a Timed],
    zone: &TimeZone,
    key: impl Fn(&'a Try) -> (&'a String, &'a String),
) -> Vec<Failures> {
    struct Sum<'a> {
        count: u64,
        unknown: u64,
        others: BTreeSet<&'a String>,
        first: Timestamp,
        last: Timestamp,
    }
    let mut sums: BTreeMap<&String, Sum<'_>> = BTreeMap::new();
    for (at, one) in failures {
        let (name, other) = key(one);
        let sum = sums.entry(name).or_insert_with(|| Sum {
            count: 0,
            unknown: 0,
            others: BTreeSet::new(),
            first: *at,
            last: *at,
        });
        sum.count += one.times;
        sum.unknown += if one.unknown { one.times } else { 0 };
        sum.others.insert(other);
        sum.first = sum.first.min(*at);
        sum.last = sum.last.max(*at);
    }
    let told = |(name, sum): (&String, Sum<'_>)| Failures {
        name: name.clone(),
        count: sum.count,
        unknown: sum.unknown,
        others: sum.others.len(),
        first: moment::told(sum.first, zone),
        last: moment::told(sum.last, zone),
    };
    let mut all: Vec<Failures> = sums.into_iter().map(told).collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    all
}

fn opened(tries: &[Timed], zone: &TimeZone) -> Vec<Opened> {
    let mut failures: BTreeMap<&String, u64> = BTreeMap::new();
    let mut opened: BTreeMap<(&String, &String), Opened> = BTreeMap::new();
    for (at, one) in tries {
        if !one.worked {
            *failures.entry(&one.from).or_default() += one.times;
            continue;
        }
        let before = failures.get(&one.from).copied().unwrap_or(0);
        let way = match one.way {
            Way::Password => "password",
            Way::Key => "key",
            Way::Other => "other",
        };
        if before >= KNOCKS {
            let first = || Opened {
                user: one.user.clone(),
                from: one.from.clone(),
                at: moment::told(*at, zone),
                failures: before,
                way,
            };
            opened.entry((&one.from, &one.user)).or_insert_with(first);
        }
    }
    opened.into_values().take(TOLD).collect()
}

#[cfg(test)]
mod tests;
