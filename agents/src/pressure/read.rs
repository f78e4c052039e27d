//! One look at the host: load, memory, and how long everything stood still, where the kernel counts
//! that (PSI). Four small files of /proc; none needs rights.

use super::Reading;
use std::fs::read_to_string;

/// The host as it is now.
pub(super) fn now() -> Reading {
    let read = |path: &str| read_to_string(path).unwrap_or_default();
    let cores = cores(&read("/sys/devices/system/cpu/online"));
    Reading {
        load: load(&read("/proc/loadavg")).map(|load| load / cores),
        memory: memory(&read("/proc/meminfo")),
        memory_stall: stall(&read("/proc/pressure/memory")),
        io_stall: stall(&read("/proc/pressure/io")),
    }
}

/// How many cores a list such as `0-3,5` names; at least one.
fn cores(list: &str) -> f64 {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let all = list.trim().split(',').filter_map(count);
    f64::from(all.fold(0u32, u32::saturating_add).max(1))
}

/// The first number of /proc/loadavg: over a minute.
fn load(text: &str) -> Option<f64> {
    number(text.split_whitespace().next()?)
}

/// Memory in use of /proc/meminfo, in percent; what caches can give back is free.
fn memory(text: &str) -> Option<f64> {
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        number(line.strip_prefix(':')?.split_whitespace().next()?)
    };
    let (all, free) = (kib("MemTotal")?, kib("MemAvailable")?);
    (all > 0.0).then(|| (100.0 - 100.0 * free / all).clamp(0.0, 100.0))
}

/// `full avg10` of a file of /proc/pressure, in percent.
fn stall(text: &str) -> Option<f64> {
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    let mut words = full.split_whitespace();
    number(words.find_map(|word| word.strip_prefix("avg10="))?)
}

fn number(word: &str) -> Option<f64> {
    word.parse()
        .ok()
        .filter(|n: &f64| n.is_finite() && *n >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kernels_words_are_understood() {
        for (list, expected) in [
            ("0-1\n", 2.0),
            ("0\n", 1.0),
            ("0-3,5,8-9\n", 7.0),
            ("", 1.0),
            ("3-1", 1.0),
            ("0-4294967295", 1.0),
        ] {
            assert_eq!(cores(list), expected, "{list:?}");
        }
        assert_eq!(load("9.28 10.02 8.11 4/987 3306"), Some(9.28));
        let meminfo = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n";
        assert_eq!(memory(meminfo), Some(75.0));
        assert_eq!(memory("MemTotal: 1000 kB\n"), None);
        assert_eq!(memory("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), None);
        let pressure = "some avg10=1.50 avg60=0.80 avg300=0.20 total=9\n\
                        full avg10=0.75 avg60=0.10 avg300=0.00 total=3\n";
        assert_eq!(stall(pressure), Some(0.75));
        assert_eq!(stall("some avg10=1.50 avg60=0.80\n"), None);
        assert_eq!(stall("full avg60=1 avg10=NaN\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_that_stands_there_breaks_it(text in "[ -~\n]{0,200}") {
            let _ = (cores(&text), load(&text), memory(&text), stall(&text));
        }
    }
}
