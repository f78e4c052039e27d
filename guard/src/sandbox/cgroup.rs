//! Bounds over all programs of a sandbox together: a control group for each, made by the holder, with
//! bwrap started in it, so that nothing inside was ever outside of it. Version 2 where the service
//! manager handed a group to the team (`Delegate=yes`; the daemon makes the room in it), version 1
//! where root may write to it, else none: then the bounds of each process are all there is, and
//! doctor says so.

use super::hierarchy::{Hierarchies, hierarchies};
use super::spec::Limits;
use protocol::walls::Wall;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The part of a delegated group in which the team itself runs: no group with processes in it may
/// have bounded ones below it.
const TEAM: &str = "team";
/// What the names of sandboxes' groups begin with; the holder's process id follows.
const PREFIX: &str = "ai-infra-sandbox-";
/// How often a group whose last process is just being reaped is tried to be removed.
const TRIES: u32 = 50;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Version 2, in this folder.
    Two(PathBuf),
    /// Version 1, in one folder for each of them.
    One {
        /// Bounds memory.
        memory: PathBuf,
        /// Bounds processes.
        pids: PathBuf,
        /// Shares out processors, where that can be had.
        cpu: Option<PathBuf>,
    },
    /// Nowhere, and why.
    Nowhere(String),
}

impl Place {
    /// As people say it.
    pub fn said(&self) -> String {
        match self {
            Place::Two(_) => {
                "all programs of a sandbox together, by control groups (version 2)".into()
            }
            Place::One { .. } => {
                "all programs of a sandbox together, by control groups (version 1)".into()
            }
            Place::Nowhere(why) => format!("each program of a sandbox alone: {why}"),
        }
    }
}

/// Where a process can make groups for its sandboxes.
pub fn place_of(pid: u32) -> Place {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    place(&hierarchies(&read("cgroup"), &read("mountinfo")))
}

fn place(found: &Hierarchies) -> Place {
    if let Some(own) = &found.two
        && own.ends_with(TEAM)
        && let Some(above) = own.parent()
    {
        let enabled = fs::read_to_string(above.join("cgroup.subtree_control")).unwrap_or_default();
        let has = |name: &str| enabled.split_whitespace().any(|one| one == name);
        if has("memory") && has("pids") {
            return Place::Two(above.to_owned());
        }
    }
    if let (Some(memory), Some(pids)) = (&found.memory, &found.pids)
        && [memory, pids].into_iter().all(|folder| writable(folder))
    {
        return Place::One {
            memory: memory.clone(),
            pids: pids.clone(),
            cpu: found.cpu.clone().filter(|folder| writable(folder)),
        };
    }
    Place::Nowhere(match (&found.two, &found.memory) {
        (None, None) => "no control groups are mounted here".to_owned(),
        _ => {
            "no control group was handed to this team; a service made by scripts/install.sh has one"
                .to_owned()
        }
    })
}

fn writable(folder: &Path) -> bool {
    nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok() && !is_read_only(folder)
}

fn is_read_only(folder: &Path) -> bool {
    use nix::sys::statvfs::{FsFlags, statvfs};
    statvfs(folder).is_ok_and(|seen| seen.flags().contains(FsFlags::ST_RDONLY))
}

/// Makes room for bounded groups in a group that the service manager handed to this process alone,
/// and moves it to a part of its own. Does nothing where that is not so or was done before; a group that
/// is ours and cannot be used is logged, and the bounds of each program stand.
pub fn make_room() {
    let read = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let found = hierarchies(&read("cgroup"), &read("mountinfo"));
    let Some(own) = found
        .two
        .filter(|own| !own.ends_with(TEAM) && writable(own))
    else {
        return;
    };
    if let Err(error) = divide(&own, std::process::id()) {
        let group = own.display();
        tracing::warn!(%error, %group, "the control group of the team cannot be used");
    }
}

fn divide(own: &Path, pid: u32) -> io::Result<()> {
    let there = fs::read_to_string(own.join("cgroup.controllers"))?;
    let wanted = ["memory", "pids"];
    if !wanted
        .iter()
        .all(|name| there.split_whitespace().any(|one| one == *name))
    {
        return Ok(());
    }
    let members = fs::read_to_string(own.join("cgroup.procs"))?;
    if members.split_whitespace().any(|one| one != pid.to_string()) {
        // Somebody else is in it, such as the shell of a session: it is not ours to divide.
        return Ok(());
    }
    let team = own.join(TEAM);
    match fs::create_dir(&team) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    fs::write(team.join("cgroup.procs"), pid.to_string())?;
    fs::write(own.join("cgroup.subtree_control"), "+memory +pids")?;
    // Nice to have: processors are shared out fairly anyway.
    let _not_everywhere = fs::write(own.join("cgroup.subtree_control"), "+cpu");
    Ok(())
}

/// Bounds of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most memory of everything in it, in MB; 0 = none.
    pub memory_mb: u64,
    /// Most processes and threads in it; 0 = none.
    pub processes: u64,
}

/// The most memory that a sandbox may use where one program may use `one_mb`: as much, or half of the
/// machine's where that is more, and never so much that nothing is left for anybody else. In MB. Pure.
pub fn whole_mb(one_mb: u64, machine_mb: u64) -> u64 {
    let most = machine_mb / 4 * 3;
    match one_mb {
        0 => most,
        one => one.max(machine_mb / 2).min(most),
    }
}

/// Memory of this machine, in MB; 0 where it cannot be told.
pub fn machine_mb() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kb = line.and_then(|line| line.trim().strip_suffix("kB"));
    kb.and_then(|kb| kb.trim().parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// The group of one sandbox. It goes with it.
#[derive(Debug)]
pub struct Group {
    folders: Vec<PathBuf>,
    kills: PathBuf,
}

/// Where the kernel counts programs of a group that it ended for want of memory. Anybody may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kills(PathBuf);

impl Kills {
    /// How many it has ended; none once the group is gone.
    pub fn count(&self) -> u64 {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut counts = text
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill "));
        counts
            .next()
            .and_then(|n| n.trim().parse().ok())
            .unwrap_or(0)
    }
}

impl Group {
    /// One with these bounds, where one can be made. Where the kernel refuses, that is logged and done
    /// without: the bounds of each program stand.
    pub fn of(limits: &Limits) -> Option<Group> {
        if !limits.faults.stands(Wall::Limits) {
            return None;
        }
        let bounds = Bounds {
            memory_mb: limits.whole_mb,
            processes: limits.processes,
        };
        let made = Group::make(&place_of(std::process::id()), bounds);
        made.unwrap_or_else(|error| {
            tracing::warn!(%error, "a sandbox has no control group");
            None
        })
    }

    /// Makes one; `None` where groups can be made nowhere.
    ///
    /// # Errors
    /// When there is a place and the kernel refuses.
    pub fn make(place: &Place, bounds: Bounds) -> io::Result<Option<Group>> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let (folders, kills) = match place {
            Place::Nowhere(_) => return Ok(None),
            Place::Two(above) => {
                let own = above.join(&name);
                (vec![own.clone()], own.join("memory.events"))
            }
            Place::One { memory, pids, cpu } => {
                let all = [Some(memory), Some(pids), cpu.as_ref()];
                let own = memory.join(&name);
                let folders = all.into_iter().flatten().map(|folder| folder.join(&name));
                (folders.collect(), own.join("memory.oom_control"))
            }
        };
        let group = Group { folders, kills };
        for folder in &group.folders {
            if let Some(above) = folder.parent() {
                sweep(above);
            }
            // Dropped on an error, it takes away what was made of it.
            fs::create_dir(folder)?;
        }
        group.bound(place, bounds)?;
        Ok(Some(group))
    }

    fn bound(&self, place: &Place, bounds: Bounds) -> io::Result<()> {
        let bytes = bounds.memory_mb.saturating_mul(1024 * 1024).to_string();
        // bwrap and the executor are in it too.
        let processes = bounds.processes.saturating_add(4).to_string();
        let set = |at: usize, file: &str, value: &str| match self.folders.get(at) {
            Some(folder) => fs::write(folder.join(file), value),
            None => Ok(()),
        };
        let (memory, swap, pids) = match place {
            Place::Two(_) => ("memory.max", ("memory.swap.max", "0"), 0),
            _ => (
                "memory.limit_in_bytes",
                ("memory.memsw.limit_in_bytes", bytes.as_str()),
                1,
            ),
        };
        if bounds.memory_mb > 0 {
            set(0, memory, &bytes)?;
            // Kernels that do not count swap have no such file.
            let _not_everywhere = set(0, swap.0, swap.1);
        }
        if bounds.processes > 0 {
            set(pids, "pids.max", &processes)?;
        }
        // The person's own work goes first where processors are short.
        let _not_everywhere = match place {
            Place::Two(_) => set(0, "cpu.weight", "50"),
            _ => set(2, "cpu.shares", "512"),
        };
        Ok(())
    }

    /// Files through which a process of one thread enters: `0` written to each moves whoever writes.
    pub(super) fn doors(&self) -> io::Result<Vec<File>> {
        let open = |folder: &PathBuf| {
            // A thread that moves itself waits for nobody; a whole process waits until every processor
            // has passed a quiet point (8 ms of a start). Version 2 moves processes only.
            let one = folder.join("tasks");
            let door = match one.exists() {
                true => one,
                false => folder.join("cgroup.procs"),
            };
            OpenOptions::new().write(true).open(door)
        };
        self.folders.iter().map(open).collect()
    }

    /// Where the kernel counts what it ended in it.
    pub fn kills(&self) -> Kills {
        Kills(self.kills.clone())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove(folder);
        }
    }
}

/// Ends whatever is in a group, and takes it away.
fn remove(folder: &Path) {
    for _ in 0..TRIES {
        match fs::remove_dir(folder) {
            Err(e) if e.raw_os_error() == Some(nix::libc::EBUSY) => {}
            // Gone, or not ours to remove.
            _ => return,
        }
        end(folder);
        std::thread::sleep(PAUSE);
    }
    tracing::warn!(group = %folder.display(), "a control group cannot be removed");
}

fn end(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in members
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
    {
        let _gone_already = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}

/// Takes away empty groups whose holders are dead. One with processes in it cannot be removed, and stays.
fn sweep(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let holder = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let dead = |pid: &str| !Path::new("/proc").join(pid).exists();
        if holder.is_some_and(dead) {
            let _still_used = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sandbox_leaves_something_for_everybody_else() {
        for (one, machine, whole) in [
            (4096, 65_536, 32_768),
            (4096, 8192, 4096),
            (4096, 4096, 3072),
            (4096, 2048, 1536),
            (0, 8192, 6144),
            (512, 8192, 4096),
        ] {
            assert_eq!(whole_mb(one, machine), whole, "{one} of {machine}");
        }
        assert!(machine_mb() > 0);
    }

    /// A folder that looks as a delegated group does.
    fn group(controllers: &str, members: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(folder.path().join("cgroup.procs"), members).unwrap();
        fs::write(folder.path().join("cgroup.subtree_control"), "").unwrap();
        folder
    }

    #[test]
    fn a_group_of_our_own_is_divided_and_nobody_elses() {
        let of = |controllers: &str, members: &str| {
            let folder = group(controllers, members);
            divide(folder.path(), 7).unwrap();
            folder.path().join(TEAM).join("cgroup.procs").exists()
        };
        assert!(of("cpu memory pids", "7\n"));
        assert!(!of("cpu memory pids", "7\n8\n"), "a shell is in it");
        assert!(!of("cpu pids", "7\n"), "memory cannot be bounded");
    }

    #[test]
    fn bounds_are_written_where_the_kernel_reads_them() {
        let above = tempfile::tempdir().unwrap();
        let place = Place::Two(above.path().to_owned());
        let bounds = Bounds {
            memory_mb: 64,
            processes: 20,
        };
        let group = Group::make(&place, bounds).unwrap().unwrap();
        let own = group.folders[0].clone();
        let text = |file: &str| fs::read_to_string(own.join(file)).unwrap();
        assert_eq!(text("memory.max"), "67108864");
        assert_eq!(text("pids.max"), "24");
        fs::write(own.join("memory.events"), "low 0\noom 2\noom_kill 1\n").unwrap();
        assert_eq!(group.kills().count(), 1);
        let nowhere = Place::Nowhere("…".to_owned());
        assert!(Group::make(&nowhere, bounds).unwrap().is_none());
    }
}
