//! Sandboxes whose holder is dead. The kernel ends them with it, but for one case: in a root install
//! the first process inside is another user, so the death of bwrap does not reach it, and while it is
//! stopped it does not see that its pipe closed. What it started runs on meanwhile.

use crate::sandbox::spec::EXECUTOR;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::read_to_string;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for a launcher whose agent is dead to end by itself, and for one that was killed to be gone.
const LEAVING: Duration = Duration::from_millis(100);

/// Kills the sandboxes that a dead process held, and everything in them; how many there were. A
/// process that lives and has been given that number since keeps its own. Its launcher goes first, so
/// that nothing is begun or copied any more; blocks until it is gone.
pub fn end(holder: u32) -> usize {
    let mut launchers = launchers(holder);
    for signal in [None, Some(Signal::SIGKILL)] {
        let until = Instant::now() + LEAVING;
        for pid in signal.iter().flat_map(|_| &launchers) {
            let _gone_already = kill(*pid, signal);
        }
        while !launchers.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            launchers.retain(|pid| launches_for(*pid, holder));
        }
    }
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let left = all.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        (serves(&command, holder) && is_first(&entry.path()) && !is_held(&entry.path(), holder))
            .then_some(Pid::from_raw(pid))
    });
    left.filter(|pid| kill(*pid, Signal::SIGKILL).is_ok())
        .count()
}

/// Launchers of a dead agent.
fn launchers(agent: u32) -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let left = all.filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
        launches_for(pid, agent).then_some(pid)
    });
    left.collect()
}

/// Whether a process is the launcher of this agent, which is dead.
fn launches_for(pid: Pid, agent: u32) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let name = read_to_string(process.join("comm")).unwrap_or_default();
    let is_one = name.trim_end() == crate::launcher::name_of(agent);
    let parent = || field(&process, "PPid:").is_some_and(|pid| pid.trim() == agent.to_string());
    let state = || field(&process, "State:").is_some_and(|state| state.trim().starts_with('Z'));
    is_one && !parent() && !state()
}

/// Whether a command line is that of the executor which this process asked for.
fn serves(command: &[u8], holder: u32) -> bool {
    let number = holder.to_string();
    let mut words = command.split(|byte| *byte == 0);
    [EXECUTOR, "executor", number.as_str()]
        .iter()
        .all(|word| words.next() == Some(word.as_bytes()))
}

/// Whether it is the first process of a process namespace: with it the kernel ends the others.
fn is_first(process: &Path) -> bool {
    let numbers = field(process, "NSpid:").unwrap_or_default();
    let mut numbers = numbers.split_whitespace().rev();
    numbers.next() == Some("1") && numbers.next().is_some()
}

/// Whether its bwrap is still a child of the holder, or of the holder's launcher.
fn is_held(process: &Path, holder: u32) -> bool {
    let above = |process: &Path| {
        let parent = field(process, "PPid:")?;
        Some(Path::new("/proc").join(parent.trim()))
    };
    let holder = Path::new("/proc").join(holder.to_string());
    let bwrap = above(process);
    let starter = bwrap.as_deref().and_then(above);
    let agent = starter.as_deref().and_then(above);
    starter.is_some_and(|pid| pid == holder) || agent.is_some_and(|pid| pid == holder)
}

fn field(process: &Path, name: &str) -> Option<String> {
    let status = read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_executors_of_one_holder_are_meant() {
        for (command, expected) in [
            (&b"/run/ai-infra/executor\0executor\x0042\0"[..], true),
            (b"/run/ai-infra/executor\0executor\x00421\0", false),
            (b"/run/ai-infra/executor\0executor\0", false),
            (b"/run/ai-infra/executor\0agent\x0042\0", false),
            (
                b"bwrap\0--\0/run/ai-infra/executor\0executor\x0042\0",
                false,
            ),
            (b"", false),
        ] {
            assert_eq!(serves(command, 42), expected, "{command:?}");
        }
    }

    #[test]
    fn this_process_is_no_orphan() {
        assert_eq!(end(std::process::id()), 0);
    }
}
