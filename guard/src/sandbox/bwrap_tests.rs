//! The arguments of `bwrap` as one line, for each kind of sandbox.
#![allow(clippy::unwrap_used)]
use super::bwrap::*;
use super::modules::{Entry, Listings};
use super::profile::Profile;
use super::spec::{Kind, Limits, Owner, SandboxSpec};
use super::surroundings::{Surroundings, SystemFolder};
use protocol::task::Ceiling;
use std::time::Duration;

const FDS: DataFds<'static> = DataFds {
    passwd: 11,
    group: 12,
    hosts: 13,
    seccomp: 14,
    settings: &[9],
};

fn around(root: bool, bwrap: (u32, u32)) -> Surroundings {
    Surroundings {
        root,
        holder: 42,
        bwrap,
        folders: vec![
            ("/bin".into(), SystemFolder::Link("usr/bin".into())),
            ("/lib".into(), SystemFolder::Folder),
        ],
        etc: vec!["/etc/ssl/certs".into()],
        names: vec![("/run/resolv".into(), "/etc/resolv.conf".into())],
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
        most: Ceiling::HIGHEST,
        deadline: crate::deadline::Deadline::after(Duration::from_secs(1)),
        proxy: None,
        only: None,
        trace: None,
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
        fixed: vec![".envrc".into()],
        cache: Some("/h/cache".into()),
    }
}

fn line(kind: Kind, root: bool, bwrap: (u32, u32)) -> String {
    line_with(kind, root, bwrap, &Listings::new())
}

fn line_with(kind: Kind, root: bool, bwrap: (u32, u32), listings: &Listings) -> String {
    let profile = Profile {
        folders: vec!["/home/ann/.cargo/bin".into()],
        files: vec![("/home/ann/.cargo/config.toml".into(), "[net]".into())],
        path: vec!["/home/ann/.cargo/bin".into()],
        env: vec![("CARGO_HOME".into(), "/home/ann/.cargo".into())],
    };
    argv(&spec(kind), &around(root, bwrap), &profile, listings, FDS)
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
                "-- /run/ai-infra/executor executor 42",
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
    has(
        &line,
        "--perms 0755 --dir /home/ann --perms 0755 --dir /home/ann/.cargo \
         --ro-bind /home/ann/.cargo/bin /home/ann/.cargo/bin \
         --perms 0644 --ro-bind-data 9 /home/ann/.cargo/config.toml",
    );
    has(&line, "--remount-ro / --seccomp");
    has(&line, "--symlink usr/bin /bin --ro-bind /lib /lib");
    assert!(!line.contains("--bind / "), "{line}");
}

#[test]
fn packages_are_shown_one_by_one_in_a_folder_that_takes_caches() {
    let entries = vec![
        Entry::Shown {
            name: "left".into(),
        },
        Entry::Link {
            name: "own".into(),
            target: "../packages/own".into(),
        },
    ];
    let listings = Listings::from([("/workspace/node_modules".into(), entries)]);
    let line = line_with(clone(true), true, (0, 6), &listings);
    has(
        &line,
        "--perms 1777 --tmpfs /workspace/node_modules \
         --ro-bind /r/node_modules/left /workspace/node_modules/left \
         --symlink ../packages/own /workspace/node_modules/own",
    );
}

#[test]
fn the_workspace_answers_to_its_path_on_the_host() {
    let mounted = |from: &str, to: &str| {
        let mut kind = clone(true);
        if let Kind::Workspace { read_only, .. } = &mut kind {
            *read_only = vec![(from.into(), to.into())];
        }
        line(kind, true, (0, 8))
    };
    for (from, to, origin) in [
        ("/home/me/p/.venv", "/workspace/.venv", Some("/home/me/p")),
        (
            "/home/me/p/web/node_modules",
            "/workspace/web/node_modules",
            Some("/home/me/p"),
        ),
        ("/tmp/p/.venv", "/workspace/.venv", Some("/tmp/p")),
        ("/tmp/home/.venv", "/workspace/.venv", None),
        ("/usr/src/p/.venv", "/workspace/.venv", None),
        ("/home/ann/.cargo/bin/p/.venv", "/workspace/.venv", None),
        ("/home/ann/.cargo/.venv", "/workspace/.venv", None),
        ("/home/ann/.venv", "/workspace/.venv", None),
        ("/.venv", "/workspace/.venv", None),
        ("/r/.git/objects", "/workspace-objects", None),
    ] {
        let line = mounted(from, to);
        match origin {
            Some(path) => has(&line, &format!("--symlink /workspace {path} ")),
            None => assert!(!line.contains("--symlink /workspace"), "{from}: {line}"),
        }
    }
}

#[test]
fn shared_memory_can_be_used_by_the_owner() {
    has(
        &line(clone(true), true, (0, 6)),
        "--perms 1777 --tmpfs /dev/shm",
    );
}

#[test]
fn the_host_is_shown_read_only_and_nothing_else() {
    let line = line(Kind::Host, true, (0, 8));
    has(&line, "--ro-bind / / --dev /dev");
    assert!(!line.contains(" --bind "), "{line}");
    assert!(!line.contains("/workspace"), "{line}");
}

#[test]
fn a_scan_is_shown_its_side_of_the_host_and_nothing_else() {
    use crate::host_view::{HostView, Right};
    let view = HostView {
        paths: vec!["/var/log".into(), "/etc/ssl".into(), "/le/archive".into()],
        emptied: vec!["/etc/ssl/private".into()],
        masked: vec!["/le/archive/a/privkey1.pem".into()],
        walked: vec![],
        rights: vec![Right::ReadAll],
    };
    let root = line(Kind::Scan(view.clone()), true, (0, 8));
    has(&root, "--ro-bind /var/log /host/var/log");
    has(
        &root,
        "--tmpfs /host/etc/ssl/private --remount-ro /host/etc/ssl/private",
    );
    has(&root, "--ro-bind /dev/null /host/le/archive/a/privkey1.pem");
    has(&root, "--cap-add CAP_SETGID --cap-add CAP_DAC_READ_SEARCH");
    has(&root, "--unshare-pid --unshare-net");
    has(&root, "--remount-ro / --seccomp");
    assert!(
        !root.contains(" / / ") && !root.contains(" --bind "),
        "{root}"
    );
    assert!(
        !root.contains("PTRACE") && !root.contains("/h/work"),
        "{root}"
    );
    let user = line(Kind::Scan(view), false, (0, 8));
    assert!(!user.contains("--cap-add"), "{user}");
    let facts = line(Kind::Host, true, (0, 8));
    assert!(!facts.contains("DAC_READ_SEARCH"), "{facts}");
}

#[test]
fn a_sandbox_that_reaches_outside_sees_its_own_thing_and_nothing_else() {
    use crate::outside::{Database, Reach};
    let reach = |database, write| {
        line(
            Kind::Outside(Reach::Database {
                database,
                write,
                bound: protocol::acts::Bound::free(),
            }),
            true,
            (0, 8),
        )
    };
    let sqlite = |write| {
        let file = "/srv/db/shop.db".into();
        reach(Database::Sqlite { file }, write)
    };
    let url = "postgres://ann@/shop?host=/run/postgresql&sslrootcert=/etc/pg/ca.pem";
    let (address, _) = protocol::postgres::Address::parse(url).unwrap();
    let password = Some(crate::outside::Credential::new("hunter2"));
    let postgres = reach(Database::Postgres { address, password }, true);
    for path in ["/run/postgresql", "/etc/pg/ca.pem"] {
        assert!(
            postgres.contains(&format!("--ro-bind {path} {path}")),
            "{postgres}"
        );
    }
    assert!(sqlite(true).contains("--bind /srv/db /srv/db"));
    assert!(sqlite(false).contains("--ro-bind /srv/db /srv/db"));
    let url = "https://h".to_owned();
    let token = Some(crate::outside::Credential::new("hunter2"));
    let endpoint = line(Kind::Outside(Reach::Endpoint { url, token }), true, (0, 8));
    let (address, _) =
        protocol::postgres::Address::parse("postgres://shop@db.example/shop").unwrap();
    let password = None;
    let remote = reach(Database::Postgres { address, password }, true);
    // What needs none has no network of the host.
    for (line, shared) in [
        (&sqlite(true), false),
        (&postgres, false),
        (&remote, true),
        (&endpoint, true),
    ] {
        assert_eq!(!line.contains("--unshare-net"), shared, "{line}");
        assert!(!line.contains("/h/work"), "{line}");
        assert!(
            line.contains("--ro-bind /run/resolv /etc/resolv.conf"),
            "{line}"
        );
        assert!(
            line.contains("--remount-ro / ") && line.contains("--seccomp"),
            "{line}"
        );
    }
    assert!(
        !endpoint.contains("/srv/db") && !endpoint.contains("hunter2"),
        "{endpoint}"
    );
}
