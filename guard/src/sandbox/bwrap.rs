//! The arguments of `bwrap`: a pure function of the spec and of what the machine looks like.
//!
//! The executor is the first process of its own process namespace: when it ends, the kernel kills
//! everything inside, and no signal from inside reaches it. As an ordinary user a user namespace
//! maps the caller to itself. As root there is none: bwrap mounts with root's rights, keeps only
//! what changing the user takes, and the executor drops that as its first act.

mod origin;

use super::environment::environment;
use super::modules::{Entry, Listings};
use super::profile::Profile;
use super::spec::{
    ATTACHMENTS, CACHE, EXECUTOR, Kind, PROXY_SOCKET, SNAPSHOTS, SandboxSpec, WORKSPACE,
};
use super::surroundings::{Surroundings, SystemFolder};
use crate::host_view::{HOST, HostView, Right};
use crate::outside::{Database, Reach};
use protocol::walls::Wall;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Numbers of descriptors that bwrap reads file contents from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataFds<'a> {
    /// `/etc/passwd`.
    pub passwd: i32,
    /// `/etc/group`.
    pub group: i32,
    /// `/etc/hosts`.
    pub hosts: i32,
    /// The seccomp program.
    pub seccomp: i32,
    /// One for each of the profile's files.
    pub settings: &'a [i32],
}

/// The host's folder that a sandbox is given whose mounts a test took away.
const SHARED: &str = "/var/tmp";

struct Arguments {
    list: Vec<OsString>,
    made: BTreeSet<PathBuf>,
}

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.list.extend(words.iter().map(OsString::from));
    }

    fn mount(&mut self, how: &str, from: &Path, to: &Path) {
        self.parents(to);
        self.list.extend([how.into(), from.into(), to.into()]);
    }

    /// Covers a file that exists inside a mount; its folders exist there already.
    fn mount_over(&mut self, file: &Path) {
        self.list
            .extend(["--ro-bind".into(), "/dev/null".into(), file.into()]);
    }

    /// Makes the folders above a mount readable by everyone; bwrap on its own may make them 0700,
    /// which hides a toolchain below `/root` from the owner of the sandbox.
    fn parents(&mut self, path: &Path) {
        let above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_path_buf).collect();
        for folder in above.into_iter().rev() {
            if folder.parent().is_some() && self.made.insert(folder.clone()) {
                self.add(["--perms", "0755", "--dir"]);
                self.list.push(folder.into());
            }
        }
    }
}

/// Every argument after `bwrap` itself.
pub fn argv(
    spec: &SandboxSpec,
    around: &Surroundings,
    profile: &Profile,
    listings: &Listings,
    fds: DataFds<'_>,
) -> Vec<OsString> {
    let mut args = Arguments {
        list: Vec::new(),
        made: BTreeSet::new(),
    };
    let stands = |wall| spec.limits.faults.stands(wall);
    namespaces(&mut args, spec, around);
    if stands(Wall::Environment) {
        args.add(["--clearenv"]);
    }
    for (name, value) in environment(spec, profile) {
        args.add(["--setenv", &name, &value]);
    }
    match &spec.kind {
        Kind::Workspace { .. } => {
            system(&mut args, around, fds, &[]);
            devices(&mut args, spec);
            memory_folder(&mut args, spec, around, "1777", "/dev/shm");
            scratch(&mut args, spec, around);
            toolchains(&mut args, profile, fds.settings);
            workspace(&mut args, spec, around, listings);
            origin::origin(&mut args, spec, profile);
        }
        Kind::Outside(reach) => {
            system(&mut args, around, fds, &around.names);
            devices(&mut args, spec);
            scratch(&mut args, spec, around);
            outside(&mut args, around, reach);
        }
        Kind::Host => {
            args.add(["--ro-bind", "/", "/"]);
            devices(&mut args, spec);
            scratch(&mut args, spec, around);
        }
        Kind::Scan(view) => {
            system(&mut args, around, fds, &[]);
            devices(&mut args, spec);
            scratch(&mut args, spec, around);
            scanned(&mut args, view);
        }
    }
    if !stands(Wall::Mounts) {
        args.mount("--bind", Path::new(SHARED), Path::new(SHARED));
    }
    args.made.insert("/run".into());
    args.mount("--ro-bind", &spec.exe, Path::new(EXECUTOR));
    if let Some(way) = &spec.proxy {
        args.mount("--bind", &way.socket, Path::new(PROXY_SOCKET));
    }
    // What bwrap made belongs to the user inside where there is a user namespace.
    args.add(["--remount-ro", "/run"]);
    if !matches!(spec.kind, Kind::Host) {
        args.add(["--remount-ro", "/"]);
    }
    if stands(Wall::Calls) {
        args.add(["--seccomp", &fds.seccomp.to_string()]);
    }
    // Root without its capabilities may not enter the clone; the executor goes there as its owner.
    let holder = around.holder.to_string();
    args.add(["--chdir", "/", "--", EXECUTOR, "executor", &holder]);
    args.list
}

fn namespaces(args: &mut Arguments, spec: &SandboxSpec, around: &Surroundings) {
    let stands = |wall| spec.limits.faults.stands(wall);
    args.add(["--unshare-pid"]);
    if stands(Wall::Network) && !matches!(&spec.kind, Kind::Outside(reach) if reach.needs_network())
    {
        args.add(["--unshare-net"]);
    }
    args.add([
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--as-pid-1",
        "--new-session",
    ]);
    if !spec.limits.faults.orphaned_child() {
        args.add(["--die-with-parent"]);
    }
    if stands(Wall::Rights) {
        args.add(["--cap-drop", "ALL"]);
    }
    if around.root && stands(Wall::Rights) {
        args.add(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
        if let Kind::Scan(view) = &spec.kind {
            let kept = view.rights.iter().map(|right| match right {
                Right::ReadAll => "CAP_DAC_READ_SEARCH",
                Right::SeePrograms => "CAP_SYS_PTRACE",
            });
            kept.for_each(|right| args.add(["--cap-add", right]));
        }
    } else if !around.root {
        let (uid, gid) = (spec.owner.uid.to_string(), spec.owner.gid.to_string());
        args.add(["--unshare-user", "--uid", &uid, "--gid", &gid]);
        if around.bwrap >= (0, 8) && stands(Wall::Nesting) {
            args.add(["--disable-userns"]);
        }
    }
    if matches!(spec.kind, Kind::Workspace { .. }) {
        args.add(["--hostname", "sandbox"]);
    }
}

/// The system's own files. `named` are shown in the place of what is written for the sandbox.
fn system(
    args: &mut Arguments,
    around: &Surroundings,
    fds: DataFds<'_>,
    named: &[(PathBuf, PathBuf)],
) {
    args.add(["--ro-bind", "/usr", "/usr"]);
    for (path, seen) in &around.folders {
        match seen {
            SystemFolder::Link(target) => {
                args.list
                    .extend(["--symlink".into(), target.into(), path.into()]);
            }
            SystemFolder::Folder => args.mount("--ro-bind", path, path),
        }
    }
    for path in &around.etc {
        args.mount("--ro-bind", path, path);
    }
    args.parents(Path::new("/etc/passwd"));
    for (fd, path) in [
        (fds.passwd, "/etc/passwd"),
        (fds.group, "/etc/group"),
        (fds.hosts, "/etc/hosts"),
    ] {
        if named.iter().any(|(_, to)| to == Path::new(path)) {
            continue;
        }
        args.add(["--perms", "0644", "--ro-bind-data", &fd.to_string(), path]);
    }
}

/// What names and certificates need beside the system's own files, and the folder of a database
/// file: SQLite keeps its journal beside the file.
fn outside(args: &mut Arguments, around: &Surroundings, reach: &Reach) {
    for (from, to) in &around.names {
        args.mount("--ro-bind", from, to);
    }
    match reach {
        Reach::Endpoint { .. } | Reach::Forge { .. } => {}
        Reach::Remote { remote, shown } => {
            for (from, to) in shown {
                args.mount("--ro-bind", from, to);
            }
            let own = remote.authority.iter();
            own.for_each(|file| args.mount("--ro-bind-try", file, file));
        }
        Reach::Database {
            database, write, ..
        } => data(args, database, *write),
        // SQLite locks by files beside the database, also where it only reads.
        Reach::Backup { database, folder } => {
            data(args, database, true);
            args.mount("--bind", folder, folder);
        }
        Reach::Kept { folder, scratch } => {
            args.mount("--ro-bind", folder, folder);
            if let Some(scratch) = scratch {
                args.mount("--bind", scratch, Path::new(CACHE));
            }
        }
        Reach::Web { hosts } => {
            let own = hosts.values().filter_map(|host| host.authority.as_ref());
            // One that is not there is told where it is needed.
            own.for_each(|file| args.mount("--ro-bind-try", file, file));
        }
        Reach::Data {
            databases,
            files,
            attachments,
        } => {
            for database in databases.values() {
                data(args, database, false);
            }
            if let Some(files) = files {
                args.mount("--ro-bind", files, Path::new(WORKSPACE));
            }
            if let Some(folder) = attachments {
                args.mount("--ro-bind", folder, Path::new(ATTACHMENTS));
            }
        }
    }
}

/// What a database needs of the host's files. A socket answers through a mount that cannot be written.
fn data(args: &mut Arguments, database: &Database, write: bool) {
    match database {
        Database::Sqlite { file } => {
            if let Some(folder) = file.parent() {
                let how = if write { "--bind" } else { "--ro-bind" };
                args.mount(how, folder, folder);
            }
        }
        Database::Postgres { address, .. } => {
            let socket = address.is_socket().then_some(&address.host);
            for path in socket.into_iter().chain(&address.authority) {
                args.mount("--ro-bind", Path::new(path), Path::new(path));
            }
        }
    }
}

/// What one scan is shown of the host, below a folder of its own.
fn scanned(args: &mut Arguments, view: &HostView) {
    let inside = |path: &Path| Path::new(HOST).join(path.strip_prefix("/").unwrap_or(path));
    args.parents(&inside(Path::new("/x")));
    for path in &view.paths {
        args.mount("--ro-bind", path, &inside(path));
    }
    for folder in &view.emptied {
        args.list.extend(["--tmpfs".into(), inside(folder).into()]);
        args.list
            .extend(["--remount-ro".into(), inside(folder).into()]);
    }
    for file in &view.masked {
        args.mount_over(&inside(file));
    }
}

fn devices(args: &mut Arguments, spec: &SandboxSpec) {
    let stands = |wall| spec.limits.faults.stands(wall);
    args.add(["--dev", "/dev"]);
    match stands(Wall::Proc) {
        true => args.add(["--proc", "/proc"]),
        false => args.add(["--bind", "/proc", "/proc"]),
    }
    if stands(Wall::Settings) {
        args.add(["--ro-bind", "/proc/sys", "/proc/sys"]);
    }
}

/// A folder kept in memory, bounded where this bwrap can bound it.
fn memory_folder(
    args: &mut Arguments,
    spec: &SandboxSpec,
    around: &Surroundings,
    perms: &str,
    path: impl Into<OsString>,
) {
    args.add(["--perms", perms]);
    if spec.limits.memory_mb > 0 && around.bwrap >= (0, 7) {
        let bytes = spec.limits.memory_mb.saturating_mul(1024 * 1024);
        args.add(["--size", &bytes.to_string()]);
    }
    args.list.extend(["--tmpfs".into(), path.into()]);
}

fn scratch(args: &mut Arguments, spec: &SandboxSpec, around: &Surroundings) {
    memory_folder(args, spec, around, "1777", "/tmp");
    args.add(["--perms", "0755", "--tmpfs", "/run"]);
    args.made.insert("/tmp".into());
    args.made.insert("/run".into());
}

fn toolchains(args: &mut Arguments, profile: &Profile, settings: &[i32]) {
    for folder in &profile.folders {
        args.mount("--ro-bind", folder, folder);
    }
    for ((file, _), fd) in profile.files.iter().zip(settings) {
        args.parents(file);
        args.add(["--perms", "0644", "--ro-bind-data", &fd.to_string()]);
        args.list.push(file.into());
    }
}

fn workspace(args: &mut Arguments, spec: &SandboxSpec, around: &Surroundings, listings: &Listings) {
    let Kind::Workspace {
        work,
        snapshots,
        writable,
        read_only,
        fixed,
        cache,
    } = &spec.kind
    else {
        return;
    };
    let how = if *writable { "--bind" } else { "--ro-bind" };
    args.mount(how, work, Path::new(WORKSPACE));
    if spec.limits.faults.stands(Wall::ControlFiles) {
        for name in fixed {
            let to = Path::new(WORKSPACE).join(name);
            args.list
                .extend(["--ro-bind".into(), work.join(name).into(), to.into()]);
        }
    }
    args.mount("--bind", snapshots, Path::new(SNAPSHOTS));
    if let Some(cache) = cache {
        args.mount("--bind", cache, Path::new(CACHE));
    }
    for (from, to) in read_only {
        // The clone holds an empty folder for each mount below it, made by `clone::make`.
        if !to.starts_with(WORKSPACE) {
            args.parents(to);
        }
        match listings.get(to) {
            Some(entries) => {
                memory_folder(args, spec, around, "1777", to);
                entries
                    .iter()
                    .for_each(|entry| packages(args, from, to, entry));
            }
            None => args
                .list
                .extend(["--ro-bind".into(), from.into(), to.into()]),
        }
    }
}

/// One entry of a folder of packages, in a folder of its own that runners may add caches to.
fn packages(args: &mut Arguments, from: &Path, to: &Path, entry: &Entry) {
    let words = match entry {
        Entry::Link { name, target } => ["--symlink".into(), target.into(), to.join(name).into()],
        Entry::Shown { name } => [
            "--ro-bind".into(),
            from.join(name).into(),
            to.join(name).into(),
        ],
    };
    args.list.extend(words);
}
