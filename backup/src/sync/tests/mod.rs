//! Two sides of a configuration: a home, and a person with a clone of the repository.

mod bounds;
mod edits;
mod odd;
mod settled;

use super::tree::Tree;
use super::{Judge, Objection, Place, Report, sync};
use crate::error::BackupError;
use crate::store::login::Login;
use config::home::Home;
use config::in_force;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Both sides and the repository between them.
struct Room {
    folder: tempfile::TempDir,
    home: Home,
}

/// Git as a person runs it, in a folder.
fn git(folder: &Path, words: &[&str]) -> (bool, String) {
    let done = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada@x",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .output()
        .expect("git is needed: apt-get install git");
    let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&done.stderr));
    (done.status.success(), said)
}

/// A judge with marks of its own: `KEY` is a secret, `broken` stops the team, `wider` permits more.
fn judged<T>(work: impl FnOnce(&Judge<'_>) -> T) -> T {
    let secrets = |text: &str| {
        let lines = (1..).zip(text.lines());
        let found = lines.filter(|(_, line)| line.contains("KEY"));
        found.map(|(line, _)| (line, "a key".to_owned())).collect()
    };
    let weigh = |home: &Home| {
        let mut objections = Vec::new();
        for (path, text) in files(&home.root.join("config")) {
            for (word, broken) in [("broken", true), ("wider", false)] {
                if text.contains(word) {
                    objections.push(Objection {
                        path: Some(format!("config/{path}")),
                        broken,
                        why: format!("it is {word}"),
                    });
                }
            }
        }
        objections
    };
    work(&Judge {
        secrets: &secrets,
        weigh: &weigh,
    })
}

/// Files below a folder that are no left-overs, as text.
fn files(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    all.insert(name, fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
    }
    all
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (made, said) = git(folder.path(), &["init", "-q", "--bare", "there.git"]);
        assert!(made, "{said}");
        let (made, said) = git(folder.path(), &["clone", "-q", "there.git", "person"]);
        assert!(made, "{said}");
        git(
            &folder.path().join("person"),
            &["checkout", "-q", "-B", "main"],
        );
        let home = Home::at(folder.path().join("home"));
        home.ensure().unwrap();
        Self { folder, home }
    }

    fn place(&self) -> Place {
        Place {
            url: format!("file://{}", self.folder.path().join("there.git").display()),
            login: Login::default(),
            host: "web1".to_owned(),
        }
    }

    fn person(&self) -> PathBuf {
        self.folder.path().join("person")
    }

    fn try_sync(&self, watch: in_force::Watch<'_>) -> Result<Report, BackupError> {
        judged(|judge| sync(&self.home, &self.place(), judge, watch))
    }

    fn sync(&self) -> Report {
        self.try_sync(&mut |_| Ok(())).unwrap()
    }

    /// The person's clone as it is there, with nothing of its own.
    fn pull(&self) {
        let person = self.person();
        git(&person, &["fetch", "-q", "origin"]);
        git(&person, &["reset", "-q", "--hard", "origin/main"]);
    }

    /// Sends what the person did, as an editor would: merged with what came meanwhile.
    fn push(&self) {
        let person = self.person();
        git(&person, &["add", "-A"]);
        git(&person, &["commit", "-q", "--allow-empty", "-m", "by hand"]);
        let (done, said) = git(&person, &["push", "-q", "origin", "main"]);
        assert!(done, "{said}");
    }

    /// The person writes a file and sends it.
    fn there(&self, path: &str, text: &str) {
        self.pull();
        write(&self.person(), path, text);
        self.push();
    }

    fn here(&self, path: &str, text: &str) {
        write(&self.home.root, path, text);
    }

    /// The configuration as it lies here.
    fn ours(&self) -> BTreeMap<String, String> {
        let mut all = files(&self.home.root);
        all.retain(|path, _| super::scope::is_inside(path));
        all
    }

    /// The configuration as it lies there.
    fn theirs(&self) -> BTreeMap<String, String> {
        self.pull();
        let mut all = files(&self.person());
        all.retain(|path, _| super::scope::is_inside(path));
        all
    }
}

fn waiting(report: &Report) -> Vec<&str> {
    report.waiting.iter().map(|w| w.path.as_str()).collect()
}

#[test]
fn changes_of_both_sides_meet() {
    let room = Room::new();
    room.here("config/ai-infra.yaml", "a: 1\nb: 2\nc: 3\n");
    room.here("agents/writer/AGENT.md", "write\n");
    room.here("secrets/github-pat", "KEY");
    let first = room.sync();
    assert_eq!(
        first.sent,
        ["agents/writer/AGENT.md", "config/ai-infra.yaml"]
    );
    assert_eq!(room.theirs(), room.ours());
    assert_eq!(room.ours().len(), 2, "secrets never leave");
    // One side each.
    room.there("TELOS/goals.md", "be useful\n");
    room.here("playbooks/p.yaml", "p\n");
    // Both, in lines that do not touch.
    room.there("config/ai-infra.yaml", "a: 1\nb: 2\nc: 4\n");
    room.here("config/ai-infra.yaml", "a: 0\nb: 2\nc: 3\n");
    // What does not belong to it stays as it is.
    room.there("README.md", "ours alone");
    let second = room.sync();
    assert_eq!(second.came, ["TELOS/goals.md"]);
    assert_eq!(second.sent, ["playbooks/p.yaml"]);
    assert_eq!(second.merged, ["config/ai-infra.yaml"]);
    assert_eq!(room.ours()["config/ai-infra.yaml"], "a: 0\nb: 2\nc: 4\n");
    assert_eq!(room.theirs(), room.ours());
    assert!(room.person().join("README.md").exists());
    // Removed on one side each.
    fs::remove_file(room.home.root.join("agents/writer/AGENT.md")).unwrap();
    fs::remove_file(room.person().join("TELOS/goals.md")).unwrap();
    room.push();
    let third = room.sync();
    assert_eq!((third.sent.len(), third.came.len()), (1, 1), "{third:?}");
    assert_eq!(room.theirs(), room.ours());
    assert_eq!(room.ours().len(), 2);
    let last = room.sync();
    assert_eq!(
        (last.sent.len(), last.came.len(), last.problem()),
        (0, 0, None)
    );
    assert_eq!(Report::last(&room.home), Some(last));
}

#[test]
fn the_same_lines_changed_on_both_sides_wait_and_both_are_kept() {
    let room = Room::new();
    room.here("config/a.yaml", "x: 1\n");
    room.here("config/b.yaml", "b\n");
    room.here("config/c.yaml", "c\n");
    room.sync();
    room.there("config/a.yaml", "x: theirs\n");
    room.here("config/a.yaml", "x: ours\n");
    fs::remove_file(room.home.root.join("config/b.yaml")).unwrap();
    room.there("config/b.yaml", "b2\n");
    room.here("config/c.yaml", "c2\n");
    room.pull();
    fs::remove_file(room.person().join("config/c.yaml")).unwrap();
    room.push();
    for _ in 0..2 {
        let report = room.sync();
        assert_eq!(
            waiting(&report),
            ["config/a.yaml", "config/b.yaml", "config/c.yaml"]
        );
        assert!(report.waiting.iter().all(|waiting| waiting.conflict));
        assert!(report.problem().unwrap().contains("3 files wait"));
        assert_eq!((report.sent.len(), report.came.len()), (0, 0));
        assert_eq!(room.ours()["config/a.yaml"], "x: ours\n");
        assert_eq!(room.theirs()["config/a.yaml"], "x: theirs\n");
    }
    // Whoever makes both the same settles it too.
    room.here("config/a.yaml", "x: theirs\n");
    assert_eq!(waiting(&room.sync()), ["config/b.yaml", "config/c.yaml"]);
}

/// What both sides are said to know is forgotten.
fn forget(home: &Home) {
    fs::remove_dir_all(super::report::folder(home)).unwrap();
}

#[test]
fn a_forgotten_base_makes_conflicts_and_loses_nothing() {
    let room = Room::new();
    room.here("config/a.yaml", "1\n");
    room.here("config/b.yaml", "same\n");
    room.sync();
    room.there("config/a.yaml", "2\n");
    room.here("config/a.yaml", "3\n");
    room.here("config/c.yaml", "new\n");
    forget(&room.home);
    let report = room.sync();
    assert_eq!(waiting(&report), ["config/a.yaml"]);
    assert_eq!(report.sent, ["config/c.yaml"]);
    assert_eq!(room.ours()["config/a.yaml"], "3\n");
    assert_eq!(room.theirs()["config/a.yaml"], "2\n");
}

#[test]
fn what_is_empty_is_a_tree_without_files() {
    let room = Room::new();
    let report = room.sync();
    assert_eq!((report.version, report.sent), (None, vec![]));
    let shelf = room.place().shelf(&room.home).unwrap();
    assert_eq!(shelf.keep(&BTreeMap::new()).unwrap(), Tree::new());
    assert_eq!(shelf.contents(&Tree::new()).unwrap(), BTreeMap::new());
}
