//! The arguments of `bwrap`: a pure function of the spec and of what the machine looks like.
//!
//! The executor is the first process of its own process namespace: when it ends, the kernel kills
//! everything inside, and no signal from inside reaches it. As an ordinary user a user namespace
//! maps the caller to itself. As root there is none: bwrap mounts with root's rights, keeps only
//! what changing the user takes, and the executor drops that as its first act.

use super::environment::environment;
use super::profile::Profile;
use super::spec::{CACHE, EXECUTOR, Kind, SNAPSHOTS, SandboxSpec, WORKSPACE};
use super::surroundings::{Surroundings, SystemFolder};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Numbers of descriptors that bwrap reads file contents from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataFds {
    /// `/etc/passwd`.
    pub passwd: i32,
    /// `/etc/group`.
    pub group: i32,
    /// `/etc/hosts`.
    pub hosts: i32,
    /// The seccomp program.
    pub seccomp: i32,
}

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
    fds: DataFds,
) -> Vec<OsString> {
    let mut args = Arguments {
        list: Vec::new(),
        made: BTreeSet::new(),
    };
    namespaces(&mut args, spec, around);
    args.add(["--clearenv"]);
    for (name, value) in environment(spec, profile) {
        args.add(["--setenv", &name, &value]);
    }
    match &spec.kind {
        Kind::Workspace { .. } => {
            system(&mut args, around, fds);
            devices(&mut args);
            scratch(&mut args, spec, around);
            toolchains(&mut args, profile);
            workspace(&mut args, spec);
        }
        Kind::Host => {
            args.add(["--ro-bind", "/", "/"]);
            devices(&mut args);
            scratch(&mut args, spec, around);
        }
    }
    args.made.insert("/run".into());
    args.mount("--ro-bind", &spec.exe, Path::new(EXECUTOR));
    // What bwrap made belongs to the user inside where there is a user namespace.
    args.add(["--remount-ro", "/run"]);
    if matches!(spec.kind, Kind::Workspace { .. }) {
        args.add(["--remount-ro", "/"]);
    }
    let seccomp = fds.seccomp.to_string();
    args.add(["--seccomp", &seccomp]);
    // Root without its capabilities may not enter the clone; the executor goes there as its owner.
    args.add(["--chdir", "/", "--", EXECUTOR, "executor"]);
    args.list
}

fn namespaces(args: &mut Arguments, spec: &SandboxSpec, around: &Surroundings) {
    args.add([
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--as-pid-1",
        "--new-session",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
    ]);
    if around.root {
        args.add(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
    } else {
        let (uid, gid) = (spec.owner.uid.to_string(), spec.owner.gid.to_string());
        args.add(["--unshare-user", "--uid", &uid, "--gid", &gid]);
        if around.bwrap >= (0, 8) {
            args.add(["--disable-userns"]);
        }
    }
    if matches!(spec.kind, Kind::Workspace { .. }) {
        args.add(["--hostname", "sandbox"]);
    }
}

fn system(args: &mut Arguments, around: &Surroundings, fds: DataFds) {
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
        args.add(["--perms", "0644", "--ro-bind-data", &fd.to_string(), path]);
    }
}

fn devices(args: &mut Arguments) {
    args.add(["--dev", "/dev", "--proc", "/proc"]);
    args.add(["--ro-bind", "/proc/sys", "/proc/sys"]);
}

fn scratch(args: &mut Arguments, spec: &SandboxSpec, around: &Surroundings) {
    args.add(["--perms", "1777"]);
    if spec.limits.memory_mb > 0 && around.bwrap >= (0, 7) {
        let bytes = spec.limits.memory_mb.saturating_mul(1024 * 1024);
        args.add(["--size", &bytes.to_string()]);
    }
    args.add(["--tmpfs", "/tmp", "--perms", "0755", "--tmpfs", "/run"]);
    args.made.insert("/tmp".into());
    args.made.insert("/run".into());
}

fn toolchains(args: &mut Arguments, profile: &Profile) {
    for folder in &profile.folders {
        args.mount("--ro-bind", folder, folder);
    }
    for file in &profile.masked {
        args.mount_over(file);
    }
}

impl Arguments {
    /// Covers a file that exists inside a mount; its folders exist there already.
    fn mount_over(&mut self, file: &Path) {
        self.list
            .extend(["--ro-bind".into(), "/dev/null".into(), file.into()]);
    }
}

fn workspace(args: &mut Arguments, spec: &SandboxSpec) {
    let Kind::Workspace {
        work,
        snapshots,
        writable,
        read_only,
        cache,
    } = &spec.kind
    else {
        return;
    };
    let how = if *writable { "--bind" } else { "--ro-bind" };
    args.mount(how, work, Path::new(WORKSPACE));
    args.mount("--bind", snapshots, Path::new(SNAPSHOTS));
    if let Some(cache) = cache {
        args.mount("--bind", cache, Path::new(CACHE));
    }
    for (from, to) in read_only {
        // The clone holds an empty folder for each mount below it, made by `clone::make`.
        if !to.starts_with(WORKSPACE) {
            args.parents(to);
        }
        args.list
            .extend(["--ro-bind".into(), from.into(), to.into()]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::spec::{Limits, Owner};
    use super::*;
    use std::time::Duration;

    const FDS: DataFds = DataFds {
        passwd: 11,
        group: 12,
        hosts: 13,
        seccomp: 14,
    };

    fn around(root: bool, bwrap: (u32, u32)) -> Surroundings {
        Surroundings {
            root,
            bwrap,
            folders: vec![
                ("/bin".into(), SystemFolder::Link("usr/bin".into())),
                ("/lib".into(), SystemFolder::Folder),
            ],
            etc: vec!["/etc/ssl/certs".into()],
        }
    }

    fn spec(kind: Kind) -> SandboxSpec {
        SandboxSpec {
            exe: "/opt/x".into(),
            kind,
            owner: Owner {
                uid: 1000,
                gid: 1001,
            },
            toolchains: true,
            home: "/root".into(),
            limits: Limits::default(),
            deadline: Duration::from_secs(1),
        }
    }

    fn clone(writable: bool) -> Kind {
        Kind::Workspace {
            work: "/h/work".into(),
            snapshots: "/h/snap".into(),
            writable,
            read_only: vec![
                ("/r/.git/objects".into(), "/workspace-objects".into()),
                ("/r/node_modules".into(), "/workspace/node_modules".into()),
            ],
            cache: Some("/h/cache".into()),
        }
    }

    fn line(kind: Kind, root: bool, bwrap: (u32, u32)) -> String {
        let profile = Profile {
            folders: vec!["/root/.cargo".into()],
            masked: vec!["/root/.cargo/credentials".into()],
            path: vec!["/root/.cargo/bin".into()],
            env: vec![("CARGO_HOME".into(), "/root/.cargo".into())],
        };
        argv(&spec(kind), &around(root, bwrap), &profile, FDS)
            .iter()
            .map(|word| word.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[track_caller]
    fn has(line: &str, words: &str) {
        assert!(line.contains(words), "`{words}` is missing in:\n{line}");
    }

    #[test]
    fn an_ordinary_user_gets_a_user_namespace() {
        let line = line(clone(true), false, (0, 8));
        has(
            &line,
            "--unshare-user --uid 1000 --gid 1001 --disable-userns",
        );
        has(&line, "--cap-drop ALL");
        assert!(!line.contains("--cap-add"), "{line}");
    }

    #[test]
    fn root_gets_none_and_keeps_only_what_dropping_takes() {
        let line = line(clone(true), true, (0, 8));
        assert!(!line.contains("--unshare-user"), "{line}");
        has(
            &line,
            "--cap-drop ALL --cap-add CAP_SETUID --cap-add CAP_SETGID",
        );
    }

    #[test]
    fn an_older_bwrap_is_not_given_words_it_does_not_know() {
        let line = line(clone(true), false, (0, 6));
        assert!(!line.contains("--disable-userns"), "{line}");
        assert!(!line.contains("--size"), "{line}");
    }

    #[test]
    fn walls_are_always_there() {
        for root in [true, false] {
            for kind in [clone(true), clone(false), Kind::Host] {
                let line = line(kind, root, (0, 8));
                for words in [
                    "--unshare-pid --unshare-net --unshare-ipc --unshare-uts",
                    "--as-pid-1 --new-session --die-with-parent",
                    "--clearenv",
                    "--proc /proc --ro-bind /proc/sys /proc/sys",
                    "--tmpfs /tmp",
                    "--tmpfs /run",
                    "--remount-ro /run",
                    "--seccomp 14",
                    "-- /run/ai-infra/executor executor",
                ] {
                    has(&line, words);
                }
            }
        }
    }

    #[test]
    fn the_clone_is_written_only_when_asked() {
        has(
            &line(clone(true), true, (0, 8)),
            "--bind /h/work /workspace",
        );
        has(
            &line(clone(false), true, (0, 8)),
            "--ro-bind /h/work /workspace",
        );
        let line = line(clone(true), true, (0, 8));
        has(&line, "--ro-bind /r/node_modules /workspace/node_modules");
        has(&line, "--ro-bind /dev/null /root/.cargo/credentials");
        has(
            &line,
            "--perms 0755 --dir /root --ro-bind /root/.cargo /root/.cargo",
        );
        has(&line, "--remount-ro / --seccomp");
        has(&line, "--symlink usr/bin /bin --ro-bind /lib /lib");
        assert!(!line.contains("--bind / "), "{line}");
    }

    #[test]
    fn the_host_is_shown_read_only_and_nothing_else() {
        let line = line(Kind::Host, true, (0, 8));
        has(&line, "--ro-bind / / --dev /dev");
        assert!(!line.contains(" --bind "), "{line}");
        assert!(!line.contains("/workspace"), "{line}");
    }
}
