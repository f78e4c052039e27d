//! Services of systemd without asking systemd: a sandbox has no bus. Unit files and links say what is enabled, the tree
//! of cgroups what runs, and the journal since the last start what failed and was not started again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::logs::{each_entry, moment};
use super::timers::units::{unit, values};
use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};

/// What the sandbox shows for this scan.
pub const SHOWN: [&str; 13] = [
    "/proc",
    "/sys/fs/cgroup",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator.early",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/var/log/journal",
    "/run/log/journal",
    "/etc/localtime",
];

/// Folders whose links enable services, and cgroups that services run in.
const ENABLED: [&str; 6] = [
    "/run/systemd/generator.early",
    "/run/systemd/generator",
    "/run/systemd/generator.late",
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const SLICES: [&str; 2] = [
    "/sys/fs/cgroup/system.slice",
    "/sys/fs/cgroup/systemd/system.slice",
];

/// A service that failed and was not started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its unit.
    pub unit: String,
    /// When it failed last, on the host's clock.
    pub at: String,
    /// What systemd said of it.
    pub said: String,
    /// How often it failed since the host started.
    pub times: u64,
}

/// The services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Services {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// Whether systemd runs as the first process.
    pub systemd: bool,
    /// When the host started, on its clock.
    pub started: String,
    /// The journal could be read: failures are known.
    pub journal: bool,
    /// Failed and not running.
    pub failed: Vec<Failed>,
    /// Enabled, meant to stay, and not running.
    pub stopped: Vec<String>,
    /// Running, in order of name.
    pub running: Vec<String>,
    /// Running though not enabled: started by hand, or by something else.
    pub by_hand: Vec<String>,
    /// How many services are enabled.
    pub enabled: usize,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// Looks at them.
///
/// # Errors
/// None that a host could cause; what cannot be read is told in the report.
pub fn scan(tree: &Tree, at: Timestamp, _limits: &Limits) -> Result<Services, InspectError> {
    let zone = tree.zone();
    let systemd = tree
        .quietly("/proc/1/comm")
        .is_some_and(|name| name.trim_end() == "systemd");
    let started = start(tree).unwrap_or(Timestamp::UNIX_EPOCH);
    let enabled = enabled(tree);
    let running = running(tree);
    let (journal, failures) = failures(tree, started, at);
    let mut failed: Vec<Failed> = failures
        .into_iter()
        .filter(|(unit, last)| last.failed && !running.contains(unit))
        .map(|(unit, last)| Failed {
            unit,
            at: moment::told(last.at, &zone),
            said: last.said,
            times: last.times,
        })
        .collect();
    failed.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.unit.cmp(&b.unit)));
    let is_failed = |unit: &String| failed.iter().any(|one| one.unit == **unit);
    let stopped = enabled.iter().filter(|unit| {
        systemd && !running.contains(*unit) && !is_failed(unit) && stays(tree, unit)
    });
    let stopped = stopped.cloned().collect();
    let by_hand = running.iter().filter(|unit| {
        !enabled.contains(*unit) && by_a_person(unit) && !starts_by_itself(tree, unit)
    });
    let by_hand = by_hand.cloned().collect();
    Ok(Services {
        at,
        hostname: tree.hostname(),
        systemd,
        started: moment::told(started, &zone),
        journal,
        failed,
        stopped,
        by_hand,
        running: running.into_iter().collect(),
        enabled: enabled.len(),
        unread: tree.unread(),
    })
}

fn start(tree: &Tree) -> Option<Timestamp> {
    let text = tree.quietly("/proc/stat")?;
    let seconds = text
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Timestamp::from_second(seconds).ok()
}

fn enabled(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ENABLED {
        for entry in tree.list(folder) {
            if [".wants", ".requires"]
                .iter()
                .any(|end| entry.ends_with(end))
            {
                let names = tree.list(&format!("{folder}/{entry}"));
                found.extend(names.into_iter().filter(|name| name.ends_with(".service")));
            }
        }
    }
    found
}

/// Services with a program in their cgroup; templates lie one slice deeper.
fn running(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for slice in SLICES {
        for name in tree.list(slice) {
            let path = format!("{slice}/{name}");
            if name.ends_with(".slice") {
                let inner = tree.list(&path);
                found.extend(inner.into_iter().filter(|inner| holds(tree, &path, inner)));
            } else if holds(tree, slice, &name) {
                found.insert(name);
            }
        }
    }
    found
}

fn holds(tree: &Tree, slice: &str, name: &str) -> bool {
    let read = |file: &str| tree.quietly(&format!("{slice}/{name}/{file}"));
    name.ends_with(".service")
        && match read("cgroup.events") {
            Some(events) => events.lines().any(|line| line == "populated 1"),
            None => read("cgroup.procs").is_some_and(|pids| !pids.trim().is_empty()),
        }
}

struct Last {
    at: Timestamp,
    failed: bool,
    said: String,
    times: u64,
}

/// What systemd said last of each unit since the host started.
fn failures(tree: &Tree, from: Timestamp, until: Timestamp) -> (bool, BTreeMap<String, Last>) {
    let mut found: BTreeMap<String, Last> = BTreeMap::new();
    let there = each_entry(tree, from, until, &mut |entry| {
        let Some(unit) = entry
            .unit
            .filter(|unit| entry.program == "systemd" && unit.ends_with(".service"))
        else {
            return;
        };
        let says = |words: &str| entry.message.contains(words);
        let failed = says("Failed with result") || says("Failed to start");
        let fine = says("Started ")
            || says("Finished ")
            || says("Deactivated successfully")
            || says("Succeeded.");
        if !failed && !fine {
            return;
        }
        let said: String = entry
            .message
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let counts = u64::from(says("Failed with result"));
        match found.get_mut(&unit) {
            Some(known) => {
                known.times += counts;
                if known.at <= entry.at {
                    (known.at, known.failed) = (entry.at, failed);
                    // The result says more than that it did not start.
                    if says("Failed with result") || !known.said.contains("Failed with result") {
                        known.said = said;
                    }
                }
            }
            None => {
                found.insert(
                    unit,
                    Last {
                        at: entry.at,
                        failed,
                        said,
                        times: counts,
                    },
                );
            }
        }
    });
    found
        .values_mut()
        .for_each(|last| last.times = last.times.max(u64::from(last.failed)));
    (there, found)
}

/// Whether a service is meant to go on running: one that does its work and ends is not missed.
fn stays(tree: &Tree, name: &str) -> bool {
    let Some((_, text)) = unit(tree, name) else {
        return false;
    };
    let last = |section: &str, key: &str| values(&text, section, key).pop();
    let short = matches!(last("Service", "Type").as_deref(), Some("oneshot"));
    // Where a condition may keep it from starting, nobody can say from here that it should run.
    let conditions = text
        .lines()
        .any(|line| line.trim_start().starts_with("Condition"));
    let asked = text
        .lines()
        .any(|line| line.trim_start().starts_with("BusName="))
        || name.contains("@.");
    !short && !conditions && !asked && last("Service", "ExecStart").is_some()
}

/// Whether something other than a person starts it: a socket, a timer, the bus, or another unit.
fn starts_by_itself(tree: &Tree, name: &str) -> bool {
    let base = name.trim_end_matches(".service");
    let text = unit(tree, name).map(|(_, text)| text).unwrap_or_default();
    let installs = text.contains("[Install]");
    let partner = [".socket", ".timer", ".path"]
        .iter()
        .any(|end| unit(tree, &format!("{base}{end}")).is_some());
    !installs || partner || text.contains("BusName=")
}

fn by_a_person(name: &str) -> bool {
    !name.starts_with("systemd-")
        && !name.starts_with("user@")
        && !name.starts_with("getty@")
        && !name.contains('@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::logs::journal;
    use super::super::tree::planted::Planted;
    use super::*;

    fn service(kind: &str) -> String {
        format!(
            "[Service]\nType={kind}\nExecStart=/usr/bin/x\n[Install]\nWantedBy=multi-user.target\n"
        )
    }

    #[test]
    fn the_planted_services_are_told_and_no_other() {
        let host = Planted::new(&[
            ("/proc/1/comm", "systemd\n"),
            ("/proc/stat", "cpu 1\nbtime 1790000000\n"),
            (
                "/sys/fs/cgroup/system.slice/nginx.service/cgroup.events",
                "populated 1\nfrozen 0\n",
            ),
            (
                "/sys/fs/cgroup/system.slice/done.service/cgroup.events",
                "populated 0\n",
            ), // decoy: an empty group
            (
                "/sys/fs/cgroup/system.slice/hand.service/cgroup.procs",
                "12\n",
            ),
            (
                "/sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-main.service/cgroup.events",
                "populated 1\n",
            ),
            (
                "/sys/fs/cgroup/system.slice/made.service/cgroup.procs",
                "13\n",
            ),
            ("/usr/lib/systemd/system/made.service", &service("simple")),
            ("/usr/lib/systemd/system/nginx.service", &service("simple")),
            ("/usr/lib/systemd/system/hand.service", &service("simple")),
            ("/usr/lib/systemd/system/idle.service", &service("simple")),
            ("/usr/lib/systemd/system/once.service", &service("oneshot")), // decoy: does its work and ends
            (
                "/usr/lib/systemd/system/maybe.service",
                &format!("[Unit]\nConditionPathExists=/x\n{}", service("simple")),
            ), // decoy
            ("/usr/lib/systemd/system/off.service", &service("simple")),   // decoy: not enabled
        ]);
        for name in ["nginx", "idle", "once", "maybe"] {
            host.link(
                &format!("/etc/systemd/system/multi-user.target.wants/{name}.service"),
                &format!("/usr/lib/systemd/system/{name}.service"),
            );
        }
        // A generator of systemd wants it at every start, as it does the console of a container.
        host.link(
            "/run/systemd/generator/getty.target.wants/made.service",
            "/usr/lib/systemd/system/made.service",
        );
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        let found = scan(&host.tree(), at, &Limits::default()).unwrap();
        assert_eq!(
            found.running,
            [
                "hand.service",
                "made.service",
                "nginx.service",
                "postgresql@15-main.service"
            ]
        );
        assert_eq!(
            (found.stopped, found.by_hand),
            (
                vec!["idle.service".to_owned()],
                vec!["hand.service".to_owned()]
            )
        );
        assert_eq!(
            (
                found.systemd,
                found.enabled,
                found.journal,
                found.failed.len()
            ),
            (true, 5, false, 0)
        );
    }

    #[test]
    fn failures_are_those_that_nothing_followed() {
        let host = Planted::new(&[
            ("/proc/1/comm", "systemd\n"),
            ("/proc/stat", "btime 1790000000\n"),
        ]);
        host.put(
            "/var/log/journal/0123/system.journal",
            journal::samples::units(),
        );
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        let found = scan(&host.tree(), at, &Limits::default()).unwrap();
        let brief: Vec<_> = found
            .failed
            .iter()
            .map(|one| format!("{} {} {}", one.unit, one.times, one.said))
            .collect();
        assert_eq!(
            brief,
            ["shop.service 2 shop.service: Failed with result 'exit-code'."]
        );
        assert_eq!(found.failed[0].at, "2026-11-18 11:10:00+00:00");
    }

    #[test]
    fn a_host_without_systemd_says_so() {
        let found = scan(
            &Planted::new(&[("/proc/1/comm", "bash\n")]).tree(),
            Timestamp::UNIX_EPOCH,
            &Limits::default(),
        )
        .unwrap();
        assert!(!found.systemd && found.running.is_empty() && found.stopped.is_empty());
    }
}
