//! Updates that wait for a host with apt: what is installed against the lists that were fetched last. Nothing is
//! fetched, so the lists' age belongs to every answer.

mod version;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde::Serialize;

use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};

const STATUS: &str = "/var/lib/dpkg/status";
const LISTS: &str = "/var/lib/apt/lists";
/// Longest line of a list, in bytes.
const LINE: u64 = 64 * 1024;

/// What the sandbox shows for this scan.
pub const SHOWN: [&str; 13] = [
    STATUS,
    LISTS,
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/apt/preferences",
    "/etc/apt/preferences.d",
    "/run/reboot-required",
    "/run/reboot-required.pkgs",
    "/proc",
    "/boot",
    "/var/lib/rpm",
    "/usr/lib/sysimage/rpm",
    "/lib/apk/db",
];

/// A package that can be updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// The version that is installed.
    pub installed: String,
    /// The newest one in the lists.
    pub available: String,
    /// A list of security updates has a newer one.
    pub security: bool,
    /// It is given to some hosts first: apt may leave it out here.
    pub phased: bool,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Updates {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// What manages packages here: `apt`, or one that is not read: `dnf`, `apk`, `none`.
    pub manager: &'static str,
    /// The system, as it calls itself.
    pub system: String,
    /// Packages installed.
    pub installed: usize,
    /// Security updates first, then by name.
    pub updates: Vec<Update>,
    /// How many in all.
    pub total: usize,
    /// How many of them are security updates.
    pub security: usize,
    /// Packages that are held at their version though a newer one is there.
    pub held: Vec<String>,
    /// Lists read.
    pub lists: usize,
    /// When they were fetched last.
    pub lists_at: Option<Timestamp>,
    /// Whole days since then.
    pub lists_days: Option<i64>,
    /// Preferences exist, which may keep apt from some of these.
    pub pinned: bool,
    /// The host asks for a restart.
    pub reboot: bool,
    /// The packages it asks for it.
    pub reboot_for: Vec<String>,
    /// The kernel that runs.
    pub kernel: String,
    /// A newer kernel that is installed and waits for a restart.
    pub kernel_waits: Option<String>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

struct Installed {
    version: String,
    held: bool,
    newest: Option<(String, bool)>,
    secure: bool,
}

/// Compares.
///
/// # Errors
/// When dpkg's record of what is installed cannot be read.
pub fn scan(tree: &Tree, at: Timestamp, limits: &Limits) -> Result<Updates, InspectError> {
    let kernel = tree
        .quietly("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned();
    let mut found = Updates {
        at,
        hostname: tree.hostname(),
        manager: manager(tree),
        system: system(tree),
        installed: 0,
        updates: Vec::new(),
        total: 0,
        security: 0,
        held: Vec::new(),
        lists: 0,
        lists_at: None,
        lists_days: None,
        pinned: false,
        reboot: tree.exists("/run/reboot-required"),
        reboot_for: lines(tree, "/run/reboot-required.pkgs"),
        kernel_waits: newer_kernel(tree, &kernel),
        kernel,
        unread: Vec::new(),
    };
    if found.manager == "apt" {
        apt(tree, &mut found)?;
    }
    found.total = found.updates.len();
    found.security = found
        .updates
        .iter()
        .filter(|update| update.security)
        .count();
    found.updates.truncate(limits.findings);
    found.lists_days = found
        .lists_at
        .map(|fetched| (at.as_second() - fetched.as_second()).div_euclid(86_400));
    found.unread = tree.unread();
    Ok(found)
}

fn manager(tree: &Tree) -> &'static str {
    let known = [
        (STATUS, "apt"),
        ("/var/lib/rpm", "dnf"),
        ("/usr/lib/sysimage/rpm", "dnf"),
        ("/lib/apk/db", "apk"),
    ];
    known
        .into_iter()
        .find(|(path, _)| tree.exists(path))
        .map_or("none", |(_, name)| name)
}

fn system(tree: &Tree) -> String {
    let text = tree
        .quietly("/etc/os-release")
        .or_else(|| tree.quietly("/usr/lib/os-release"))
        .unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default()
        .trim_matches('"')
        .chars()
        .filter(|c| !c.is_control())
        .take(80)
        .collect()
}

fn lines(tree: &Tree, path: &str) -> Vec<String> {
    let text = tree.quietly(path).unwrap_or_default();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// A kernel in `/boot` that is newer than the one that runs, of the same flavour.
fn newer_kernel(tree: &Tree, runs: &str) -> Option<String> {
    let flavour = |name: &str| name.rsplit('-').next().map(str::to_owned);
    let there: Vec<String> = tree
        .list("/boot")
        .iter()
        .filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned))
        .collect();
    // A kernel that is not from here, as in a container, says nothing.
    if !there.iter().any(|name| name == runs) {
        return None;
    }
    let newest = there
        .into_iter()
        .filter(|name| flavour(name) == flavour(runs))
        .max_by(|a, b| version::compare(a, b))?;
    (version::compare(&newest, runs) == Ordering::Greater).then_some(newest)
}

fn apt(tree: &Tree, found: &mut Updates) -> Result<(), InspectError> {
    let mut packages: BTreeMap<(String, String), Installed> = BTreeMap::new();
    let status = tree
        .open(STATUS)
        .map_err(|e| InspectError::unreadable(STATUS.as_ref(), e))?;
    stanzas(status, &mut |stanza| {
        let status = stanza.get("Status").map(String::as_str).unwrap_or_default();
        if let (true, Some(name), Some(version), Some(arch)) = (
            status.ends_with(" ok installed"),
            stanza.get("Package"),
            stanza.get("Version"),
            stanza.get("Architecture"),
        ) {
            let held = status.starts_with("hold ");
            let package = Installed {
                version: version.clone(),
                held,
                newest: None,
                secure: false,
            };
            packages.insert((name.clone(), arch.clone()), package);
        }
    })
    .map_err(|e| InspectError::unreadable(STATUS.as_ref(), e))?;
    found.installed = packages.len();
    for name in tree.list(LISTS) {
        list(tree, &name, &mut packages, found);
    }
    let fetched = [LISTS.to_owned(), format!("{LISTS}/partial")]
        .into_iter()
        .filter_map(|path| {
            let written = tree
                .metadata(&path)
                .ok()?
                .modified()
                .ok()?
                .duration_since(UNIX_EPOCH)
                .ok()?;
            Timestamp::from_second(written.as_secs() as i64).ok()
        });
    found.lists_at = fetched.max().filter(|_| found.lists > 0);
    found.pinned =
        tree.exists("/etc/apt/preferences") || !tree.list("/etc/apt/preferences.d").is_empty();
    for ((name, arch), package) in packages {
        let Some((available, phased)) = package.newest else {
            continue;
        };
        if package.held {
            found.held.push(name);
            continue;
        }
        found.updates.push(Update {
            name,
            arch,
            installed: package.version,
            available,
            security: package.secure,
            phased,
        });
    }
    found.updates.sort_by(|a, b| {
        b.security
            .cmp(&a.security)
            .then_with(|| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)))
    });
    Ok(())
}

fn list(
    tree: &Tree,
    name: &str,
    packages: &mut BTreeMap<(String, String), Installed>,
    found: &mut Updates,
) {
    let path = format!("{LISTS}/{name}");
    let plain = [".gz", ".lz4"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    if !plain.ends_with("_Packages") {
        let packed = [".xz", ".zst", ".bz2"]
            .iter()
            .any(|end| name.ends_with(&format!("_Packages{end}")));
        if packed {
            tree.note(&path, "compressed in a way that is not read");
        }
        return;
    }
    if by_hand_only(tree, plain) {
        return;
    }
    let secure = name.contains("security");
    let read = tree.open(&path).and_then(|file| {
        let inner: Box<dyn Read> = match name.rsplit('.').next() {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
            Some("lz4") => Box::new(lz4_flex::frame::FrameDecoder::new(file)),
            _ => Box::new(file),
        };
        stanzas(inner, &mut |stanza| {
            let (Some(name), Some(arch), Some(version)) = (
                stanza.get("Package"),
                stanza.get("Architecture"),
                stanza.get("Version"),
            ) else {
                return;
            };
            let Some(package) = packages.get_mut(&(name.clone(), arch.clone())) else {
                return;
            };
            if version::compare(version, &package.version) != Ordering::Greater {
                return;
            }
            package.secure |= secure;
            let newer = package
                .newest
                .as_ref()
                .is_none_or(|(known, _)| version::compare(version, known) == Ordering::Greater);
            if newer {
                let phased = stanza
                    .get("Phased-Update-Percentage")
                    .is_some_and(|share| share != "100");
                package.newest = Some((version.clone(), phased));
            }
        })
    });
    match read {
        Ok(()) => found.lists += 1,
        Err(error) => tree.missed(&path, &error),
    }
}

/// Archives that apt takes nothing from by itself, such as backports, say so in their release file.
fn by_hand_only(tree: &Tree, list: &str) -> bool {
    let Some((archive, _)) = list.split_once("_dists_").and_then(|(head, tail)| {
        let suite = tail.split('_').next()?;
        Some((format!("{head}_dists_{suite}"), ()))
    }) else {
        return false;
    };
    ["InRelease", "Release"].iter().any(|name| {
        let text = tree
            .quietly(&format!("{LISTS}/{archive}_{name}"))
            .unwrap_or_default();
        text.lines()
            .take(40)
            .any(|line| line.trim() == "NotAutomatic: yes")
    })
}

const FIELDS: [&str; 5] = [
    "Package",
    "Version",
    "Architecture",
    "Status",
    "Phased-Update-Percentage",
];

/// Calls `each` with the fields of every paragraph.
fn stanzas(
    from: impl Read,
    each: &mut dyn FnMut(&BTreeMap<&'static str, String>),
) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, from);
    let mut fields: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if read == 0 || text.is_empty() {
            if !fields.is_empty() {
                each(&fields);
                fields.clear();
            }
            if read == 0 {
                return Ok(());
            }
        } else if let Some((name, value)) = text.split_once(':')
            && let Some(field) = FIELDS.into_iter().find(|field| *field == name)
        {
            let value = value
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            fields.insert(field, value);
        }
    }
}

#[cfg(test)]
mod tests;
