//! The process table, read from /proc: who belongs to a home, who is alive, kill and stop.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::time::{Duration, Instant};

/// A process as the table shows it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its id.
    pub pid: u32,
    /// Its words.
    pub command: String,
}

/// Every living process whose words or environment name `home`, or that sees a folder of it. What
/// runs inside a sandbox knows the home by its mounts alone.
pub fn of_home(home: &Path) -> Vec<Seen> {
    let needle = home.display().to_string();
    let mounted = mounted_as(home);
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        if pid == std::process::id() || !alive(pid) {
            continue;
        }
        let read = |name: &str| {
            let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let command = read("cmdline");
        if command.contains(&needle)
            || read("environ").contains(&needle)
            || read("mountinfo").contains(&mounted)
        {
            all.push(Seen { pid, command });
        }
    }
    all
}

/// How a mount from `home` is named: without what lies above its file system, which is not known.
fn mounted_as(home: &Path) -> String {
    let words: Vec<String> = home
        .components()
        .rev()
        .take(2)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = words.iter().rev().map(String::as_str).collect();
    format!("/{}/", words.join("/").trim_start_matches('/'))
}

/// Lives and is not a zombie.
pub fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit(") ").next().map(|rest| !rest.starts_with('Z')))
        .unwrap_or(false)
}

/// Sends a signal; a process that is gone already is fine.
pub fn send(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid as i32), signal);
}

/// Waits until `holds`, at most `patience`; says whether it came to hold.
pub fn wait_until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < patience {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    holds()
}
