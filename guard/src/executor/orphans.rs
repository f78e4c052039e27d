//! Sandboxes whose holder is dead. The kernel ends them with it, but for one case: in a root install
//! the first process inside is another user, so the death of bwrap does not reach it, and while it is
//! stopped it does not see that its pipe closed. What it started runs on meanwhile.

use crate::sandbox::spec::EXECUTOR;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::read_to_string;
use std::path::Path;

/// Kills the sandboxes that a dead process held, and everything in them; how many there were. A
/// process that lives and has been given that number since keeps its own.
pub fn end(holder: u32) -> usize {
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

/// Whether its bwrap is still a child of the holder.
fn is_held(process: &Path, holder: u32) -> bool {
    let parent = |process: &Path| field(process, "PPid:");
    let bwrap = parent(process).map(|pid| Path::new("/proc").join(pid.trim()));
    let above = bwrap.and_then(|bwrap| parent(&bwrap));
    above.is_some_and(|pid| pid.trim() == holder.to_string())
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
