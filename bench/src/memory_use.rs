//! Memory and processor time of a running process, from /proc.

use std::time::Duration;

/// Proportional set size in MB (10^6 bytes): shared pages counted by their share. Pages of the
/// program's file are among them, as far as they were used, and whole where no other process runs it.
pub fn pss_mb(pid: u32) -> Option<f64> {
    rollup(pid, "Pss:")
}

/// What of it lies in no file: heap and stacks.
pub fn data_mb(pid: u32) -> Option<f64> {
    rollup(pid, "Pss_Anon:")
}

/// The first process that goes by a name of the kernel's (`comm`, 15 bytes at most).
pub fn named(name: &str) -> Option<u32> {
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// Most of it that was in memory at any moment so far, in MB (10^6 bytes).
pub fn peak_mb(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kib(&text, "VmHWM:").map(|kib| kib * 1024.0 / 1e6)
}

fn rollup(pid: u32, field: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    kib(&text, field).map(|kib| kib * 1024.0 / 1e6)
}

fn kib(text: &str, field: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// User and system time so far.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux reports in ticks of 10 ms on every supported architecture.
    Some(Duration::from_millis(ticks * 10))
}
