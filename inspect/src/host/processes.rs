//! The programs that run, as `/proc` shows them: name, unit, and which sockets they hold open.

use std::collections::HashMap;

use super::tree::Tree;

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, at most 15 characters as the kernel keeps it.
    pub name: String,
    /// The unit it belongs to, where systemd started it.
    pub unit: Option<String>,
}

/// Every process that can be seen, in order of number.
pub fn numbers(tree: &Tree) -> Vec<u32> {
    let mut numbers: Vec<u32> = tree
        .list("/proc")
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Name and unit of one.
pub fn one(tree: &Tree, pid: u32) -> Option<Process> {
    let name = tree.quietly(&format!("/proc/{pid}/comm"))?;
    let groups = tree
        .quietly(&format!("/proc/{pid}/cgroup"))
        .unwrap_or_default();
    Some(Process {
        pid,
        name: name.trim_end_matches('\n').to_owned(),
        unit: unit(&groups),
    })
}

/// The innermost service, socket or scope of a cgroup.
pub fn unit(groups: &str) -> Option<String> {
    let of_systemd = |line: &&str| line.starts_with("0::") || line.contains("name=systemd:");
    let path = groups.lines().find(of_systemd)?.rsplit(':').next()?;
    let is_unit = |part: &&str| {
        [".service", ".socket", ".scope"]
            .iter()
            .any(|end| part.ends_with(end))
            && !part.starts_with("session-")
    };
    path.split('/').rev().find(is_unit).map(str::to_owned)
}

/// Which process holds each socket: by the socket's inode, the lowest process number. The second answer is whether
/// every process could be looked into.
pub fn sockets(tree: &Tree) -> (HashMap<u64, u32>, bool) {
    let mut held = HashMap::new();
    let mut whole = true;
    for pid in numbers(tree) {
        let folder = format!("/proc/{pid}/fd");
        let Ok(entries) = tree.real(&folder).and_then(std::fs::read_dir) else {
            whole &= !tree.exists(&format!("/proc/{pid}/comm"));
            continue;
        };
        for entry in entries.flatten() {
            let Ok(target) = std::fs::read_link(entry.path()) else {
                continue;
            };
            if let Some(inode) = target.to_str().and_then(inode) {
                held.entry(inode).or_insert(pid);
            }
        }
    }
    (held, whole)
}

fn inode(target: &str) -> Option<u64> {
    target
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_in_cgroups() {
        for (groups, expected) in [
            ("0::/system.slice/nginx.service\n", Some("nginx.service")),
            (
                "0::/system.slice/system-postgresql.slice/postgresql@15-main.service",
                Some("postgresql@15-main.service"),
            ),
            (
                "0::/system.slice/docker-abc.scope",
                Some("docker-abc.scope"),
            ),
            ("0::/user.slice/user-0.slice/session-3.scope", None),
            (
                "12:cpu:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n",
                Some("cron.service"),
            ),
            ("0::/", None),
            ("", None),
        ] {
            assert_eq!(unit(groups).as_deref(), expected, "{groups}");
        }
    }
}
