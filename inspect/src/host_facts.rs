//! The machine as it is now: load, memory, disks. Read from `/proc` and `statvfs`; nothing is started.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};

/// Memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFacts {
    /// Installed.
    pub total: u64,
    /// What programs could still get.
    pub available: u64,
    /// Total less available.
    pub used: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Swap space in use.
    pub swap_used: u64,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// Where it is mounted.
    pub mount: String,
    /// The device.
    pub source: String,
    /// Its type.
    pub fstype: String,
    /// Bytes in all.
    pub total: u64,
    /// Bytes used.
    pub used: u64,
    /// Bytes a person may still use.
    pub free: u64,
    /// Used share of what a person may use, 0 to 100, as `df` says it.
    pub percent: f64,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub hostname: String,
    /// Processors.
    pub cpus: u64,
    /// Load over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Memory.
    pub memory: MemoryFacts,
    /// Disks, in order of mount.
    pub disks: Vec<DiskFacts>,
}

/// File systems that hold no files of their own, or may hang when asked (network).
const NO_DISKS: &[&str] = &[
    "proc",
    "sysfs",
    "tmpfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "mqueue",
    "debugfs",
    "tracefs",
    "securityfs",
    "pstore",
    "bpf",
    "configfs",
    "fusectl",
    "hugetlbfs",
    "autofs",
    "binfmt_misc",
    "rpc_pipefs",
    "nsfs",
    "ramfs",
    "efivarfs",
    "squashfs",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "fuse.sshfs",
    "fuse.lxcfs",
    "9p",
];

/// Reads the facts of the machine whose `/` is `root` (`/` itself outside of tests). Network disks are left out.
pub fn scan(root: &Path, _limits: &Limits) -> Result<HostFacts, InspectError> {
    let read = |name: &str| {
        let path = root.join(name);
        std::fs::read_to_string(&path).map_err(|e| InspectError::unreadable(&path, e))
    };
    Ok(HostFacts {
        hostname: read("proc/sys/kernel/hostname")?.trim().to_string(),
        cpus: cpus(&read("proc/stat")?),
        load: load(&read("proc/loadavg")?),
        uptime_s: read("proc/uptime")?
            .split('.')
            .next()
            .and_then(|s| s.parse().ok())
            .unwrap_or(0),
        memory: memory(&read("proc/meminfo")?),
        disks: disks(
            root,
            &read("proc/self/mounts").or_else(|_| read("proc/mounts"))?,
        ),
    })
}

fn cpus(stat: &str) -> u64 {
    let one = |l: &&str| {
        l.strip_prefix("cpu")
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(one).count() as u64
}

fn load(text: &str) -> [f64; 3] {
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0.0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0.0))
}

fn memory(text: &str) -> MemoryFacts {
    let bytes = |name: &str| {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok())
            .map(|kb| kb.saturating_mul(1024))
    };
    let total = bytes("MemTotal").unwrap_or(0);
    let available = bytes("MemAvailable").or(bytes("MemFree")).unwrap_or(0);
    let swap_total = bytes("SwapTotal").unwrap_or(0);
    let swap_used = swap_total.saturating_sub(bytes("SwapFree").unwrap_or(0));
    MemoryFacts {
        total,
        available,
        used: total.saturating_sub(available),
        swap_total,
        swap_used,
    }
}

/// Source, mount and type of every mount that is a disk; of several mounts of one device, the shortest.
fn mounts(text: &str) -> Vec<(String, String, String)> {
    let mut all: Vec<(String, String, String)> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(unescape);
        let (Some(source), Some(mount), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if !NO_DISKS.contains(&kind.as_str()) {
            all.push((source, mount, kind));
        }
    }
    all.sort_by(|a, b| a.1.len().cmp(&b.1.len()).then(a.1.cmp(&b.1)));
    let mut seen = std::collections::HashSet::new();
    all.retain(|(source, mount, _)| {
        seen.insert(if source.starts_with('/') {
            source.clone()
        } else {
            mount.clone()
        })
    });
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// Blanks in a mount's name are written `\\040`.
fn unescape(word: &str) -> String {
    word.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

fn disks(root: &Path, text: &str) -> Vec<DiskFacts> {
    let measured = |(source, mount, fstype): (String, String, String)| {
        let place = root.join(mount.trim_start_matches('/'));
        let facts = nix::sys::statvfs::statvfs(&place)
            .ok()
            .filter(|_| place.is_dir())?;
        let size = facts.fragment_size() as u64;
        let [total, left, free] = [
            facts.blocks(),
            facts.blocks_free(),
            facts.blocks_available(),
        ]
        .map(|n| n.saturating_mul(size));
        let used = total.saturating_sub(left);
        (total > 0).then(|| DiskFacts {
            mount,
            source,
            fstype,
            total,
            used,
            free,
            percent: percent(used, free),
        })
    };
    mounts(text).into_iter().filter_map(measured).collect()
}

/// As `df`: of what a person may use, in tenths.
fn percent(used: u64, free: u64) -> f64 {
    let all = used as f64 + free as f64;
    if all == 0.0 {
        0.0
    } else {
        (1000.0 * used as f64 / all).round() / 10.0
    }
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn reads_a_planted_proc() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("proc/sys/kernel/hostname", "box\n");
        put("proc/stat", "cpu  1 2\ncpu0 1\ncpu1 1\nintr 5\n");
        put("proc/loadavg", "0.50 1.25 2.00 1/99 123\n");
        put("proc/uptime", "12345.67 99.0\n");
        put(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n",
        );
        put(
            "proc/mounts",
            "/dev/a / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/a /bind ext4 rw 0 0\n/dev/b /gone ext4 rw 0 0\n",
        );
        let facts = scan(dir.path(), &Limits::default()).unwrap();
        assert_eq!(
            (
                facts.hostname.as_str(),
                facts.cpus,
                facts.load,
                facts.uptime_s
            ),
            ("box", 2, [0.5, 1.25, 2.0], 12345)
        );
        let kb = 1024;
        let memory = MemoryFacts {
            total: 1000 * kb,
            available: 400 * kb,
            used: 600 * kb,
            swap_total: 50 * kb,
            swap_used: 30 * kb,
        };
        assert_eq!(facts.memory, memory);
        let disks: Vec<_> = facts.disks.iter().map(|d| d.mount.as_str()).collect();
        assert_eq!(disks, ["/"]);
        let disk = &facts.disks[0];
        assert!(disk.total >= disk.used && disk.percent <= 100.0);
    }

    #[test]
    fn mounts_are_real_disks_once() {
        let text = "overlay / overlay rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/x /mnt/my\\040disk xfs rw 0 0\nhalf line\n";
        let seen: Vec<_> = mounts(text).into_iter().map(|m| m.1).collect();
        assert_eq!(seen, ["/", "/mnt/my disk"]);
        assert_eq!((percent(1, 2), percent(0, 0)), (33.3, 0.0));
    }

    #[test]
    fn this_machine_can_be_read() {
        let facts = scan(Path::new("/"), &Limits::default()).unwrap();
        assert!(facts.cpus > 0 && facts.memory.total > 0);
    }
}
