//! Where the control groups of a process lie, read from `/proc/PID/cgroup` and `/proc/PID/mountinfo`. Pure.

use std::path::{Path, PathBuf};

/// The folders of a process's own groups, as far as they are mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hierarchies {
    /// Of version 2.
    pub(super) two: Option<PathBuf>,
    /// Of version 1, which bounds memory.
    pub(super) memory: Option<PathBuf>,
    /// Which bounds processes.
    pub(super) pids: Option<PathBuf>,
    /// Which shares out processors.
    pub(super) cpu: Option<PathBuf>,
}

/// Reads both texts.
pub(super) fn hierarchies(groups: &str, mounts: &str) -> Hierarchies {
    let group = |controller: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            let own = match controller {
                "" => names.is_empty(),
                name => names.split(',').any(|one| one == name),
            };
            own.then_some(path)
        })
    };
    let folder = |kind: &str, controller: &str| {
        let group = group(controller)?;
        mounts
            .lines()
            .find_map(|line| mounted(line, kind, controller, group))
    };
    Hierarchies {
        two: folder("cgroup2", ""),
        memory: folder("cgroup", "memory"),
        pids: folder("cgroup", "pids"),
        cpu: folder("cgroup", "cpu"),
    }
}

/// The folder of a group, where this line of `mountinfo` mounts what it lies in.
fn mounted(line: &str, kind: &str, controller: &str, group: &str) -> Option<PathBuf> {
    let (before, after) = line.split_once(" - ")?;
    let mut after = after.split(' ');
    let (of, _source, options) = (after.next()?, after.next()?, after.next()?);
    let holds = controller.is_empty() || options.split(',').any(|one| one == controller);
    if of != kind || !holds {
        return None;
    }
    let mut before = before.split(' ').skip(3);
    let (root, at) = (before.next()?, before.next()?);
    // A container sees a part of the tree, mounted as if it were the whole.
    let below = Path::new(group).strip_prefix(root).ok()?;
    Some(match below.as_os_str().is_empty() {
        true => PathBuf::from(at),
        false => Path::new(at).join(below),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(groups: &str, mounts: &str, expected: [Option<&str>; 4]) {
        let [two, memory, pids, cpu] = expected.map(|path| path.map(PathBuf::from));
        let expected = Hierarchies {
            two,
            memory,
            pids,
            cpu,
        };
        assert_eq!(hierarchies(groups, mounts), expected);
    }

    #[test]
    fn one_tree_for_all() {
        check(
            "0::/system.slice/ai-infra.service/team\n",
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
            [
                Some("/sys/fs/cgroup/system.slice/ai-infra.service/team"),
                None,
                None,
                None,
            ],
        );
    }

    #[test]
    fn a_tree_for_each() {
        check(
            "8:pids:/\n4:memory:/jobs/a\n1:cpu,cpuacct:/\n0::/\n",
            "31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             32 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
             33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            [
                Some("/sys/fs/cgroup/unified"),
                Some("/sys/fs/cgroup/memory/jobs/a"),
                Some("/sys/fs/cgroup/pids"),
                Some("/sys/fs/cgroup/cpu,cpuacct"),
            ],
        );
    }

    #[test]
    fn a_container_sees_a_part() {
        check(
            "4:memory:/docker/x\n",
            "31 30 0:27 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
            [None, Some("/sys/fs/cgroup/memory"), None, None],
        );
        check(
            "4:memory:/other\n",
            "31 30 0:27 /docker/x /m ro - cgroup cgroup rw,memory\n",
            [None; 4],
        );
        check("nonsense", "31 30", [None; 4]);
    }
}
