//! The gauges of this machine: processor, memory, disk of the home, load.

use nix::sys::statvfs::statvfs;
use std::fs;
use std::path::Path;

/// What the machine has and how much of it is used. What cannot be read is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gauges {
    /// Share of the processors' time that was used since the last look, 0 to 1.
    pub processor: Option<f64>,
    /// Memory in use and all of it, in bytes.
    pub memory: Option<(u64, u64)>,
    /// Space in use where the home is and all of it, in bytes.
    pub disk: Option<(u64, u64)>,
    /// Load over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
}

/// Looks at the machine; a processor's share needs two looks.
#[derive(Debug, Default)]
pub struct Look {
    before: Option<(u64, u64)>,
}

impl Look {
    /// The gauges now.
    pub fn at(&mut self, home: &Path) -> Gauges {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let now = ticks(&read("/proc/stat"));
        let processor = self.before.zip(now).and_then(|(old, new)| share(old, new));
        self.before = now;
        Gauges {
            processor,
            memory: memory(&read("/proc/meminfo")),
            disk: disk(home),
            load: load(&read("/proc/loadavg")),
        }
    }
}

fn disk(home: &Path) -> Option<(u64, u64)> {
    let about = statvfs(home).ok()?;
    let size = about.fragment_size();
    let all = about.blocks() * size;
    Some((all.saturating_sub(about.blocks_available() * size), all))
}

/// Busy ticks and all ticks of `/proc/stat`.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .take(8)
        .map_while(|word| word.parse().ok())
        .collect();
    let (idle, waits) = (*ticks.get(3)?, *ticks.get(4)?);
    let all = ticks.iter().sum::<u64>();
    Some((all.saturating_sub(idle + waits), all))
}

fn share(old: (u64, u64), new: (u64, u64)) -> Option<f64> {
    let all = new.1.checked_sub(old.1).filter(|all| *all > 0)?;
    Some(new.0.saturating_sub(old.0) as f64 / all as f64)
}

/// What `/proc/meminfo` says is used, and all.
fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let kb = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let (all, free) = (kb("MemTotal:")?, kb("MemAvailable:")?);
    Some((all.saturating_sub(free) * 1024, all * 1024))
}

fn load(loadavg: &str) -> Option<[f64; 3]> {
    let mut words = loadavg
        .split_whitespace()
        .map_while(|word| word.parse().ok());
    Some([words.next()?, words.next()?, words.next()?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_and_junk_is_nothing() {
        let old = ticks("cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 1 1").unwrap();
        assert_eq!(old, (150, 1000));
        let new = ticks("cpu  150 0 50 840 60 0 0 0 0 0").unwrap();
        assert_eq!(share(old, new), Some(0.5));
        assert_eq!(share(new, old), None);
        let text = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n";
        assert_eq!(memory(text), Some((750 * 1024, 1000 * 1024)));
        assert_eq!(load("0.50 1.00 2.25 1/234 5678"), Some([0.5, 1.0, 2.25]));
        for junk in ["", "cpu ", "cpu  a b", "MemTotal: x kB", "0.5 x"] {
            assert_eq!((ticks(junk), memory(junk), load(junk)), (None, None, None));
        }
        let here = Look::default().at(Path::new("/"));
        assert!(here.memory.is_some() && here.disk.is_some() && here.load.is_some());
    }
}
