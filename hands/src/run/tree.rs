//! Everything that a run started, however deep and under whatever parent: found by who started whom, and, where the
//! process that would know is dead, by the mark that each of them carries in its environment.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

/// How long one that is told to end has to put its things away.
const TIDY: Duration = Duration::from_millis(400);
/// How long those that are killed are waited for.
const GONE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// Living processes, and who started each.
fn living() -> BTreeMap<i32, i32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        parent(&stat).map(|parent| (pid, parent))
    };
    all.filter_map(one).collect()
}

/// The parent of a process that lives, of its line in `/proc`.
fn parent(stat: &str) -> Option<i32> {
    // The name may hold anything, brackets too.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.next()?.parse().ok(),
    }
}

/// Those that were started by these, themselves left out.
fn started_by(roots: &BTreeSet<i32>, living: &BTreeMap<i32, i32>) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    loop {
        let next = living.iter().filter(|(pid, parent)| {
            (roots.contains(parent) || found.contains(*parent))
                && !found.contains(*pid)
                && !roots.contains(pid)
        });
        let next: Vec<i32> = next.map(|(pid, _)| *pid).collect();
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

/// Everything that this process started. It is the reaper of what its children leave behind, so nothing gets away.
pub fn below() -> BTreeSet<i32> {
    started_by(
        &BTreeSet::from([std::process::id().cast_signed()]),
        &living(),
    )
}

/// Everything that carries a mark, and what that started.
pub fn marked(mark: &str) -> BTreeSet<i32> {
    let living = living();
    let carries = |pid: &&i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|b| *b == 0)
            .any(|one| one == mark.as_bytes())
    };
    let mut found: BTreeSet<i32> = living.keys().filter(carries).copied().collect();
    found.extend(started_by(&found, &living));
    found.remove(&std::process::id().cast_signed());
    found
}

/// Ends all of it, first with a word and then without one; answers how many were told, and how many are still there
/// because this user may not end them.
pub async fn end(find: impl Fn() -> BTreeSet<i32>) -> (usize, usize) {
    let told = find();
    tell(&told, Signal::SIGTERM);
    let until = Instant::now() + TIDY;
    while Instant::now() < until && !find().is_empty() {
        tokio::time::sleep(PAUSE).await;
    }
    let until = Instant::now() + GONE;
    loop {
        let left = find();
        if left.is_empty() || Instant::now() > until {
            return (told.len(), left.len());
        }
        tell(&left, Signal::SIGKILL);
        tokio::time::sleep(PAUSE).await;
    }
}

fn tell(all: &BTreeSet<i32>, signal: Signal) {
    for pid in all {
        let _may_be_gone = kill(Pid::from_raw(*pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_started_by_one_of_them_is_one_of_them() {
        let living = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 9), (9, 4)]);
        let found = started_by(&BTreeSet::from([2]), &living);
        assert_eq!(found, BTreeSet::from([3, 4, 6, 9]));
        assert!(started_by(&BTreeSet::from([7]), &living).is_empty());
    }

    #[test]
    fn a_line_of_a_process_is_read_whatever_its_name() {
        for (stat, expected) in [
            ("12 (sh) S 7 12 12 0", Some(7)),
            ("12 (a) b) R) R 7 12", Some(7)),
            ("12 (sh) Z 7 12", None),
            ("", None),
            ("12 (sh", None),
        ] {
            assert_eq!(parent(stat), expected, "{stat}");
        }
    }
}
