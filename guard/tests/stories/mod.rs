//! What the stories share: a workspace, a clone, an executor over it, and running a tool.

mod apply;
mod backups;
mod borrowed;
mod changes;
mod clones;
mod contained;
mod ends;
mod frost;
mod handed;
mod nested;
mod output;
mod outside;
mod postgres;
mod proxy;
mod pushes;
mod registries;
mod rows;
mod scans;
mod tools;
mod user;
mod walls;
mod way_out;
mod web;

use guard::act::{Act, Operation};
use guard::clone::{self, Clone};
use guard::executor::{Executor, Outcome};
use guard::gate::{Decision, Grant, judge};
use guard::launcher::walls::User;
use guard::proxy::holder::{Proxy, Recorder};
use guard::proxy::words::Pace;
use guard::proxy::{Allowed, Terms};
use guard::sandbox::spec::{Kind, Limits, Owner, SandboxSpec};
use protocol::level::Level;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The binary that serves as executor; another copy of it where the stories run as another user.
pub fn exe() -> PathBuf {
    std::env::var_os("GUARD_EXE").map_or(
        env!("CARGO_BIN_EXE_guard-executor-for-tests").into(),
        PathBuf::from,
    )
}

pub const SERVICE: Owner = Owner {
    uid: 64321,
    gid: 64321,
};
/// Who proxies are where root tells the stories.
const PROXY_USER: User = User {
    uid: 64323,
    gid: 64323,
};
pub const LONG: Duration = Duration::from_secs(60);

/// The proxy of a task, told these terms.
pub fn proxied(terms: &Terms, owner: Owner, pace: Pace, record: Recorder) -> Proxy {
    let pace = tokio::sync::watch::channel(pace).1;
    Proxy::start(&exe(), owner, terms, pace, record).unwrap()
}

/// Terms of a proxy that reaches nothing.
pub fn terms(faults: &str) -> Terms {
    Terms {
        allowed: Allowed::default(),
        doors: Default::default(),
        user: Some(PROXY_USER),
        faults: match faults {
            "" => Default::default(),
            faults => faults.parse().unwrap(),
        },
    }
}

/// Nobody freezes it and the lease runs on.
pub fn unhurried() -> Pace {
    Pace {
        frozen: false,
        until: guard::deadline::Deadline::after(LONG * 10),
    }
}

/// Says why a story cannot be told here, as the test runner shows it.
pub fn can_sandbox() -> bool {
    let there = Command::new("bwrap").arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: no bwrap; `apt-get install bubblewrap` gets it");
    }
    there
}

pub struct Stage {
    pub dir: TempDir,
    pub workspace: PathBuf,
    pub clone: Clone,
}

impl Stage {
    /// A workspace filled by `fill`, and a clone of it.
    pub fn new(fill: impl FnOnce(&Path)) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("shop");
        std::fs::create_dir(&workspace).unwrap();
        fill(&workspace);
        let owner = clone::owner_of(&workspace, SERVICE).unwrap();
        let clone = clone::make(&workspace, &dir.path().join("t1"), owner).unwrap();
        Stage {
            dir,
            workspace,
            clone,
        }
    }

    pub fn spec(&self) -> SandboxSpec {
        SandboxSpec {
            exe: exe(),
            kind: Kind::Workspace {
                work: self.clone.work.clone(),
                snapshots: self.clone.snapshots.clone(),
                writable: true,
                read_only: self.clone.read_only.clone(),
                fixed: self.clone.fixed.clone(),
                cache: None,
            },
            owner: self.clone.owner,
            toolchains: false,
            home: home(),
            limits: Limits::default(),
            most: protocol::task::Ceiling::HIGHEST,
            deadline: guard::deadline::Deadline::after(LONG),
            proxy: None,
            only: None,
            trace: None,
        }
    }

    pub async fn executor(&self) -> Executor {
        Executor::start(self.spec()).await.unwrap()
    }
}

/// The home of whoever runs the tests.
pub fn home() -> PathBuf {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap();
    user.map_or("/nonexistent".into(), |user| user.dir)
}

pub fn grant(level: Level) -> Grant {
    Grant {
        level,
        tools: vec![],
        host_read: true,
        outside: guard::outside::Outside::default(),
        acts: ["http.change", "sql.change", "git.push"]
            .map(|kind| (kind.to_owned(), protocol::approval::Rule::Allow))
            .into(),
    }
}

pub async fn run(executor: &mut Executor, operation: Operation, timeout: Duration) -> Outcome {
    let act = Act::of(operation);
    let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
        panic!("{} is not allowed", act.tool);
    };
    executor.run(&act, leave, timeout).await.unwrap()
}

pub fn shell(command: &str) -> Operation {
    Operation::Bash {
        argv: vec!["bash".into(), "-c".into(), command.into()],
        cwd: ".".into(),
        timeout_ms: None,
    }
}

/// Runs a shell command and answers what it said.
pub async fn sh(executor: &mut Executor, command: &str) -> String {
    run(executor, shell(command), LONG).await.text
}

/// Runs git on the host over a folder of the test, with nothing of the tester's configuration.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "safe.directory=*"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub fn write(folder: &Path, path: &str, content: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Processes of the machine whose command line holds these words.
pub fn processes_with(words: &str) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                String::from_utf8_lossy(&line)
                    .replace('\0', " ")
                    .contains(words)
            })
        })
        .collect()
}

/// Waits until something is so, at most a few seconds; false when it never was.
pub async fn until(mut so: impl FnMut() -> bool) -> bool {
    for _ in 0..500 {
        if so() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
