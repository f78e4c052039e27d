//! What fills a disk: the folders and files below a place that hold most of it, what usually grows, and files that were
//! deleted and are still held open. Counts blocks as `du -x` does, a file with several names once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::processes;
use super::tree::{Tree, Unread};
use crate::limits::InspectError;

/// Folders and files told of, each.
const TOLD: usize = 15;
/// Least share of the whole that a folder told of has, in percent.
const SHARE: u64 = 1;
/// A folder is left out where one folder in it holds more than this share of it, in percent: that one is told.
const CHAIN: u64 = 70;
/// Deepest folder that is entered.
const DEPTH: usize = 128;
/// Files in one scan.
const ENTRIES: u64 = 50_000_000;
/// Least size of a place that usually grows and is told of, in bytes.
const GROWN: u64 = 20_000_000;

/// Places that grow by themselves, and what they are.
const GROW: [(&str, &str); 16] = [
    ("/var/log/journal", "the journal"),
    ("/var/log", "logs"),
    ("/var/cache/apt", "downloaded packages"),
    ("/var/cache", "caches"),
    (
        "/var/lib/docker",
        "images, containers and volumes of Docker",
    ),
    ("/var/lib/containerd", "images and containers of containerd"),
    ("/var/lib/snapd", "snaps and their old versions"),
    ("/var/lib/postgresql", "databases of PostgreSQL"),
    ("/var/lib/mysql", "databases of MySQL"),
    ("/var/lib/systemd/coredump", "core dumps"),
    ("/var/crash", "crash reports"),
    ("/var/spool", "queues of mail and printing"),
    ("/var/tmp", "temporary files"),
    ("/tmp", "temporary files"),
    ("/root/.cache", "caches of root"),
    ("/boot", "kernels"),
];

/// A folder or file with what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Held {
    /// Its path.
    pub path: String,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// A place that grows by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Growing {
    /// Its path.
    pub path: String,
    /// What lies there.
    pub what: &'static str,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// A file that has no name any more and still takes room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// The name it had.
    pub path: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// The program that holds it open.
    pub program: String,
    /// Its number.
    pub pid: u32,
}

/// What fills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// The place that was looked at.
    pub path: String,
    /// Bytes of its file system.
    pub disk_total: u64,
    /// Bytes of it in use, as `df` says.
    pub disk_used: u64,
    /// Bytes a person may still use.
    pub disk_free: u64,
    /// Bytes below the place, as far as it could be read.
    pub bytes: u64,
    /// Files below it.
    pub files: u64,
    /// Folders that hold most, the largest first.
    pub folders: Vec<Held>,
    /// The largest files.
    pub largest: Vec<Held>,
    /// Places that grow by themselves.
    pub growing: Vec<Growing>,
    /// Deleted files that are still open.
    pub deleted: Vec<Deleted>,
    /// Folders below that are file systems of their own and were not entered.
    pub other_disks: Vec<String>,
    /// How many folders could not be entered.
    pub closed: u64,
    /// What could not be read, at most ten.
    pub unread: Vec<Unread>,
}

#[derive(Default)]
struct Walk {
    device: u64,
    /// Folders to be told in any case.
    wanted: BTreeSet<String>,
    measured: BTreeMap<String, u64>,
    seen: HashSet<(u64, u64)>,
    /// Total, largest folder within, path.
    folders: BinaryHeap<Reverse<(u64, u64, String)>>,
    largest: BinaryHeap<Reverse<(u64, String)>>,
    other_disks: BTreeSet<String>,
    files: u64,
    entries: u64,
    closed: u64,
    refused: Vec<Unread>,
}

/// Measures what lies below a place. `of` names folders and files that are told in place of the largest. `close` is
/// called when everything was read that is read, before the walk, which opens folders alone.
///
/// # Errors
/// When the place is no folder that may be looked at.
pub fn scan(
    tree: &Tree,
    path: &str,
    of: &[String],
    at: Timestamp,
    close: &dyn Fn() -> Result<(), String>,
) -> Result<Usage, InspectError> {
    let path = if path.len() > 1 {
        path.trim_end_matches('/')
    } else {
        path
    };
    let asked =
        |why: &str| InspectError::Asked(format!("{path} {why}: name a folder of this host"));
    let real = tree.real(path).map_err(|_| asked("cannot be looked at"))?;
    let about = real
        .symlink_metadata()
        .map_err(|_| asked("does not exist, or may not be looked at"))?;
    if !about.is_dir() {
        return Err(asked("is no folder"));
    }
    let disk =
        nix::sys::statvfs::statvfs(&real).map_err(|e| InspectError::unreadable(&real, e.into()))?;
    let size = disk.fragment_size() as u64;
    let of_blocks = |blocks: u64| blocks.saturating_mul(size);
    let mut walk = Walk {
        device: about.dev(),
        ..Walk::default()
    };
    walk.wanted.extend(of.iter().cloned());
    walk.wanted
        .extend(GROW.iter().map(|(place, _)| (*place).to_owned()));
    let name = if path == "/" { "" } else { path };
    let (hostname, deleted) = (tree.hostname(), deleted(tree, walk.device));
    close().map_err(InspectError::Asked)?;
    let bytes = walk.folder(&real, name, &about, 0);
    let (folders, largest) = match of.is_empty() {
        true => (walk.most(bytes), walk.files()),
        false => walk.again(of),
    };
    let growing = GROW.iter().filter_map(|(place, what)| {
        let bytes = *walk.measured.get(*place)?;
        (bytes >= GROWN).then(|| Growing {
            path: (*place).to_owned(),
            what,
            bytes,
        })
    });
    let mut growing: Vec<Growing> = growing.collect();
    growing.sort_by_key(|one| Reverse(one.bytes));
    Ok(Usage {
        at,
        hostname,
        path: path.to_owned(),
        disk_total: of_blocks(disk.blocks()),
        disk_used: of_blocks(disk.blocks().saturating_sub(disk.blocks_free())),
        disk_free: of_blocks(disk.blocks_available()),
        bytes,
        files: walk.files,
        folders,
        largest,
        growing,
        deleted,
        other_disks: walk.other_disks.into_iter().take(TOLD).collect(),
        closed: walk.closed,
        unread: walk.refused,
    })
}

impl Walk {
    /// Bytes of a folder with everything in it.
    fn folder(&mut self, place: &Path, name: &str, about: &Metadata, depth: usize) -> u64 {
        let mut total = on_disk(about);
        let mut most = 0;
        let entries = match std::fs::read_dir(place) {
            Ok(entries) if depth < DEPTH => entries,
            Ok(_) => return total,
            Err(error) => {
                self.closed += 1;
                if self.refused.len() < 10 {
                    let why = match error.kind() {
                        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                        _ => error.to_string(),
                    };
                    self.refused.push(Unread {
                        path: name.to_owned(),
                        why,
                    });
                }
                return total;
            }
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > ENTRIES {
                return total;
            }
            let inner = entry.path();
            let Ok(about) = inner.symlink_metadata() else {
                continue;
            };
            if about.dev() != self.device {
                // What is no folder, or a device of its own, takes no room here.
                if about.is_dir() && depth < 4 {
                    self.other_disks
                        .insert(format!("{name}/{}", entry.file_name().to_string_lossy()));
                }
                continue;
            }
            let inner_name = format!("{name}/{}", entry.file_name().to_string_lossy());
            if about.is_dir() {
                let bytes = self.folder(&inner, &inner_name, &about, depth + 1);
                most = most.max(bytes);
                total += bytes;
                continue;
            }
            self.files += 1;
            if about.nlink() > 1 && !self.seen.insert((about.dev(), about.ino())) {
                continue;
            }
            let bytes = on_disk(&about);
            total += bytes;
            if self.wanted.contains(&inner_name) {
                self.measured.insert(inner_name.clone(), bytes);
            }
            keep(&mut self.largest, (bytes, inner_name), TOLD);
        }
        if self.wanted.contains(name) {
            self.measured.insert(name.to_owned(), total);
        }
        if depth > 0 {
            keep(&mut self.folders, (total, most, name.to_owned()), 40 * TOLD);
        }
        total
    }

    fn most(&self, whole: u64) -> Vec<Held> {
        let mut folders: Vec<&(u64, u64, String)> =
            self.folders.iter().map(|Reverse(folder)| folder).collect();
        folders.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
        let tells = |folder: &&&(u64, u64, String)| {
            folder.0.saturating_mul(100) >= whole.saturating_mul(SHARE)
                && folder.1.saturating_mul(100) <= folder.0.saturating_mul(CHAIN)
        };
        let told = folders.iter().filter(tells).take(TOLD);
        told.map(|(bytes, _, path)| Held {
            path: path.clone(),
            bytes: *bytes,
        })
        .collect()
    }

    fn files(&self) -> Vec<Held> {
        let mut files: Vec<Held> = self
            .largest
            .iter()
            .map(|Reverse((bytes, path))| Held {
                path: path.clone(),
                bytes: *bytes,
            })
            .collect();
        files.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        files
    }

    /// What is there now of folders and files that were told before; those that are gone hold nothing.
    fn again(&self, of: &[String]) -> (Vec<Held>, Vec<Held>) {
        let held = of.iter().map(|path| Held {
            path: path.clone(),
            bytes: self.measured.get(path).copied().unwrap_or(0),
        });
        (held.collect(), Vec::new())
    }
}

fn keep<T: Ord>(heap: &mut BinaryHeap<Reverse<T>>, item: T, most: usize) {
    heap.push(Reverse(item));
    if heap.len() > most {
        heap.pop();
    }
}

fn on_disk(about: &Metadata) -> u64 {
    about.blocks().saturating_mul(512)
}

/// Deleted files of one device that programs hold open, the largest first.
fn deleted(tree: &Tree, device: u64) -> Vec<Deleted> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for pid in processes::numbers(tree) {
        let Ok(entries) = tree
            .real(&format!("/proc/{pid}/fd"))
            .and_then(std::fs::read_dir)
        else {
            continue;
        };
        for entry in entries.flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            let target = target.to_string_lossy().into_owned();
            let Some(path) = target.strip_suffix(" (deleted)") else {
                continue;
            };
            // The link leads to the file itself, which has no path any more.
            let Ok(about) = std::fs::metadata(entry.path()) else {
                continue;
            };
            let counts = about.is_file()
                && about.dev() == device
                && about.nlink() == 0
                && on_disk(&about) > 0;
            if counts && seen.insert((about.dev(), about.ino())) {
                let program = processes::one(tree, pid)
                    .map(|one| one.name)
                    .unwrap_or_default();
                found.push(Deleted {
                    path: path.to_owned(),
                    bytes: on_disk(&about),
                    program,
                    pid,
                });
            }
        }
    }
    found.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    found.truncate(TOLD);
    found
}

#[cfg(test)]
mod tests;
