//! Repositories with planted truth and decoys, made by git itself: exactly what is planted is named.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use inspect::limits::Limits;
use inspect::repos::{Ask, branches, changes, large, unpushed};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const NOW: &str = "2026-11-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn run(folder: &Path, env: &[(&str, String)], words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ])
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for (name, value) in env {
        command.env(name, value);
    }
    let output = command.output().expect("git runs");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    run(folder, &[], words).unwrap_or_else(|why| panic!("git {words:?}: {why}"))
}

/// As a command of long ago.
fn dated(folder: &Path, days_ago: i64, words: &[&str]) -> String {
    let at = (now() - (24 * days_ago).hours()).to_string();
    let env = [("GIT_COMMITTER_DATE", at.clone()), ("GIT_AUTHOR_DATE", at)];
    run(folder, &env, words).unwrap_or_else(|why| panic!("git {words:?}: {why}"))
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn commit(folder: &Path, days_ago: i64, file: &str, text: &str) {
    write(folder, file, text);
    git(folder, &["add", "-A"]);
    dated(
        folder,
        days_ago,
        &["commit", "-qm", &format!("change {file}")],
    );
}

fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q"]);
    commit(folder, 400, "README.md", "hello\n");
}

/// A repository that follows a remote and has everything there.
fn pushed(all: &Path, name: &str) -> std::path::PathBuf {
    let folder = all.join(name);
    repository(&folder);
    let bare = all.join(format!("remotes/{name}.git"));
    git(
        all,
        &[
            "clone",
            "-q",
            "--bare",
            folder.to_str().unwrap(),
            bare.to_str().unwrap(),
        ],
    );
    git(
        &folder,
        &["remote", "add", "origin", bare.to_str().unwrap()],
    );
    git(&folder, &["fetch", "-q", "origin"]);
    git(&folder, &["branch", "-q", "-u", "origin/main", "main"]);
    git(&folder, &["remote", "set-head", "origin", "main"]);
    folder
}

fn ask(question: &Ask) -> Result<String, String> {
    let env: Vec<(&str, String)> = match &question.borrow {
        None => Vec::new(),
        Some(store) => {
            let scratch =
                std::env::temp_dir().join(format!("scratch-objects-{}", std::process::id()));
            std::fs::create_dir_all(&scratch).unwrap();
            vec![
                ("GIT_OBJECT_DIRECTORY", scratch.display().to_string()),
                (
                    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                    store.display().to_string(),
                ),
            ]
        }
    };
    let words: Vec<&str> = question.words.iter().map(String::as_str).collect();
    run(&question.folder, &env, &words)
}

fn told(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// What is unpushed, as short lines.
fn lines(all: &Value) -> Vec<String> {
    let one = |w: &Value| {
        let branches: Vec<String> = w["branches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|b| format!("{}:{}", b["name"].as_str().unwrap(), b["commits"]))
            .collect();
        format!(
            "{} {} changed {} untracked {} stashes {} commits {} detached {} [{}] {}",
            w["path"].as_str().unwrap(),
            w["kind"].as_str().unwrap(),
            w["changed"],
            w["untracked"],
            w["stashes"],
            w["commits"],
            w["detached"],
            branches.join(" "),
            w["unfinished"].as_str().unwrap_or("-"),
        )
    };
    all["work"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn work_that_is_nowhere_else_is_named_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let all = dir.path();
    pushed(all, "clean");
    let ignored = pushed(all, "ignored-files-are-no-work");
    write(&ignored, ".git/info/exclude", "*.log\n");
    write(&ignored, "x.log", "noise");
    let elsewhere = pushed(all, "ahead-but-on-another-remote-branch");
    commit(&elsewhere, 3, "a", "a");
    git(&elsewhere, &["push", "-q", "origin", "main:topic"]);
    let dirty = pushed(all, "dirty");
    write(&dirty, "README.md", "changed\n");
    write(&dirty, "staged", "x");
    git(&dirty, &["add", "staged"]);
    write(&dirty, "new/one", "1");
    write(&dirty, "new/two", "2");
    let stash = pushed(all, "group/stash");
    for text in ["one\n", "two\n"] {
        write(&stash, "README.md", text);
        git(&stash, &["stash", "-q"]);
    }
    let ahead = pushed(all, "ahead");
    commit(&ahead, 5, "a", "a");
    git(&ahead, &["checkout", "-qb", "feature/x"]);
    commit(&ahead, 4, "b", "b");
    git(&ahead, &["checkout", "-q", "main"]);
    let detached = pushed(all, "detached");
    git(&detached, &["checkout", "-q", "--detach"]);
    commit(&detached, 2, "lost", "x");
    let gone = pushed(all, "gone");
    git(&gone, &["checkout", "-qb", "old"]);
    commit(&gone, 2, "o", "x");
    git(&gone, &["push", "-qu", "origin", "old"]);
    git(&gone, &["push", "-q", "origin", "--delete", "old"]);
    repository(&all.join("no-remote"));
    std::fs::create_dir(all.join("empty")).unwrap();
    git(&all.join("empty"), &["init", "-q"]);
    let main = pushed(all, "trees");
    git(&main, &["worktree", "add", "-qb", "side", "../trees-side"]);
    write(&all.join("trees-side"), "s", "s");
    let sub = pushed(all, "with-sub");
    let bare = all.join("remotes/clean.git");
    git(
        &sub,
        &["submodule", "add", "-q", bare.to_str().unwrap(), "lib"],
    );
    git(&sub, &["commit", "-qm", "lib"]);
    git(&sub, &["push", "-q", "origin", "main"]);
    commit(&sub.join("lib"), 1, "in-lib", "x");
    let merging = pushed(all, "merging");
    write(
        &merging,
        ".git/MERGE_HEAD",
        &git(&merging, &["rev-parse", "HEAD"]),
    );
    write(all, "broken/.git/HEAD", "ref: refs/heads/main\n");
    write(
        all,
        "astray/.git",
        "gitdir: /nowhere/.git/worktrees/astray\n",
    );
    write(all, "node_modules/pkg/.git/HEAD", "x");
    write(all, "notes.txt", "not a repository");

    let found = told(unpushed::scan(all, &Limits::default(), &mut ask).unwrap());
    let expected = [
        "ahead work-tree changed 0 untracked 0 stashes 0 commits 2 detached 0 [feature/x:2 main:1] -",
        "detached work-tree changed 0 untracked 0 stashes 0 commits 1 detached 1 [] -",
        "dirty work-tree changed 2 untracked 1 stashes 0 commits 0 detached 0 [] -",
        "gone work-tree changed 0 untracked 0 stashes 0 commits 1 detached 0 [old:1] -",
        "group/stash work-tree changed 0 untracked 0 stashes 2 commits 0 detached 0 [] -",
        "merging work-tree changed 0 untracked 0 stashes 0 commits 0 detached 0 [] merge",
        "no-remote work-tree changed 0 untracked 0 stashes 0 commits 1 detached 0 [main:1] -",
        "trees-side linked changed 0 untracked 1 stashes 0 commits 0 detached 0 [] -",
        "with-sub/lib submodule changed 0 untracked 0 stashes 0 commits 1 detached 0 [main:1] -",
    ];
    assert_eq!(lines(&found), expected, "{found:#}");
    let unread: Vec<&str> = found["unread"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["path"].as_str().unwrap())
        .collect();
    assert_eq!(unread, ["astray", "broken"], "{found:#}");
    let clean: Vec<&str> = found["clean"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let in_work_trees: Vec<&str> = clean
        .iter()
        .copied()
        .filter(|p| !p.starts_with("remotes/"))
        .collect();
    assert_eq!(
        in_work_trees,
        [
            "ahead-but-on-another-remote-branch",
            "clean",
            "empty",
            "ignored-files-are-no-work",
            "trees",
            "with-sub"
        ]
    );
    assert_eq!(found["total"], json!(clean.len() + expected.len() + 2));
    assert_eq!(
        found["work"][3]["branches"][0]["upstream_gone"], true,
        "{found:#}"
    );
    assert_eq!(found["work"][6]["remotes"], json!([]));

    // Moved to another place, a linked work tree still finds its way home.
    let moved = tempfile::tempdir().unwrap();
    for name in ["trees", "trees-side"] {
        std::fs::rename(all.join(name), moved.path().join(name)).unwrap();
    }
    let found = told(unpushed::scan(moved.path(), &Limits::default(), &mut ask).unwrap());
    assert_eq!(lines(&found).len(), 1, "{found:#}");
    assert_eq!(
        (&found["work"][0]["path"], &found["work"][0]["untracked"]),
        (&json!("trees-side"), &json!(1))
    );
}

#[test]
fn an_empty_folder_has_nothing_unpushed() {
    let dir = tempfile::tempdir().unwrap();
    let found = told(unpushed::scan(dir.path(), &Limits::default(), &mut ask).unwrap());
    assert_eq!((&found["total"], &found["work"]), (&json!(0), &json!([])));
}

fn names(list: &Value) -> Vec<String> {
    let one = |b: &Value| {
        format!(
            "{} {} {}",
            b["name"].as_str().unwrap(),
            b["state"].as_str().unwrap(),
            b["age_days"]
        )
    };
    list.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn branches_that_are_over_or_old_are_told_from_those_that_only_look_it() {
    let dir = tempfile::tempdir().unwrap();
    let w = dir.path();
    repository(w);
    let branch = |name: &str, days: i64, file: &str| {
        git(w, &["checkout", "-qb", name, "main"]);
        commit(w, days, file, "x\n");
        git(w, &["checkout", "-q", "main"]);
    };
    branch("merged", 120, "merged");
    dated(w, 119, &["merge", "-q", "--no-ff", "-m", "merge", "merged"]);
    branch("squashed", 110, "squashed");
    git(w, &["checkout", "-q", "squashed"]);
    commit(w, 109, "squashed", "x\ny\n");
    git(w, &["checkout", "-q", "main"]);
    git(w, &["merge", "-q", "--squash", "squashed"]);
    dated(w, 108, &["commit", "-qm", "squashed into one"]);
    branch("old-and-open", 200, "open");
    branch("a-day-too-young", 89, "young");
    branch("exactly-old", 90, "exact");
    branch("new-commit-on-an-old-branch", 300, "revived");
    git(w, &["checkout", "-q", "new-commit-on-an-old-branch"]);
    commit(w, 2, "revived", "again\n");
    git(w, &["checkout", "-q", "main"]);
    git(w, &["update-ref", "refs/remotes/origin/main", "main"]);
    git(
        w,
        &[
            "symbolic-ref",
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/main",
        ],
    );
    git(w, &["update-ref", "refs/remotes/origin/merged", "merged"]);
    git(
        w,
        &["update-ref", "refs/remotes/origin/theirs", "old-and-open"],
    );
    commit(w, 1, "newest", "x");
    let found = told(branches::scan(w, 90, now(), &mut ask).unwrap());
    assert_eq!(found["base"], "main", "{found:#}");
    assert_eq!(
        names(&found["over"]),
        [
            "merged merged 120",
            "squashed contained 109",
            "origin/merged merged 120"
        ],
        "{found:#}"
    );
    assert_eq!(
        names(&found["old"]),
        [
            "old-and-open open 200",
            "exactly-old open 90",
            "origin/theirs open 200"
        ],
        "{found:#}"
    );
    assert_eq!(
        found["young"],
        json!(["a-day-too-young", "new-commit-on-an-old-branch"])
    );
    assert_eq!((&found["local"], &found["remote"]), (&json!(7), &json!(3)));
    assert_eq!(
        (&found["old"][0]["ahead"], &found["old"][0]["behind"]),
        (&json!(1), &json!(1))
    );

    let fresh = tempfile::tempdir().unwrap();
    repository(fresh.path());
    let found = told(branches::scan(fresh.path(), 90, now(), &mut ask).unwrap());
    assert_eq!(
        (&found["repository"], &found["over"], &found["old"]),
        (&json!(true), &json!([]), &json!([]))
    );
    let nothing = tempfile::tempdir().unwrap();
    let found = told(branches::scan(nothing.path(), 90, now(), &mut ask).unwrap());
    assert_eq!(found["repository"], false);
}

#[test]
fn large_files_are_found_in_the_work_tree_and_in_the_past() {
    let dir = tempfile::tempdir().unwrap();
    let w = dir.path();
    repository(w);
    let noise = |n: usize| {
        (0..n)
            .map(|i| format!("{:x}", (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect::<String>()
    };
    let big = |n: usize| noise(n).chars().take(n).collect::<String>();
    commit(w, 30, "film.mp4", &big(300_000));
    commit(w, 30, "past/removed.bin", &big(200_001));
    commit(w, 29, "data/grows.csv", &big(150_000));
    commit(w, 28, "data/grows.csv", &big(160_000));
    commit(w, 28, "small.txt", &big(99_999));
    commit(w, 27, "edge.txt", &big(100_000));
    git(w, &["rm", "-q", "past/removed.bin"]);
    dated(w, 20, &["commit", "-qm", "gone"]);
    git(w, &["mv", "film.mp4", "movie.mp4"]);
    dated(w, 19, &["commit", "-qm", "renamed"]);
    write(w, ".git/info/exclude", "*.cache\n");
    write(w, "x.cache", &big(120_000));
    write(w, "run.log", &big(110_000));
    write(w, "node_modules/p/big.js", &big(500_000));
    let found = told(large::scan(w, 100_000, &Limits::default(), &mut ask).unwrap());
    let large: Vec<String> = found["large"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            format!(
                "{} {} {}",
                f["path"].as_str().unwrap(),
                f["bytes"],
                f["kept"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        large,
        [
            "movie.mp4 300000 tracked",
            "data/grows.csv 160000 tracked",
            "x.cache 120000 ignored",
            "run.log 110000 untracked",
            "edge.txt 100000 tracked"
        ],
        "{found:#}"
    );
    let old: Vec<String> = found["old"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| format!("{} {}", b["path"].as_str().unwrap(), b["bytes"]))
        .collect();
    assert_eq!(
        old,
        ["past/removed.bin 200001", "data/grows.csv 150000"],
        "{found:#}"
    );
    assert_eq!(found["history_unread"], Value::Null);
    let plain = tempfile::tempdir().unwrap();
    write(plain.path(), "a", "small");
    let found = told(large::scan(plain.path(), 100_000, &Limits::default(), &mut ask).unwrap());
    assert_eq!(
        (&found["large"], &found["largest"]["path"]),
        (&json!([]), &json!("a"))
    );
}

#[test]
fn what_changed_since_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let w = dir.path();
    repository(w);
    git(w, &["tag", "v1.0"]);
    commit(w, 10, "src/a.rs", "1\n2\n3\n");
    git(w, &["checkout", "-qb", "side"]);
    commit(w, 9, "docs/ü b.md", "1\n");
    git(w, &["checkout", "-q", "main"]);
    dated(
        w,
        8,
        &["merge", "-q", "--no-ff", "-m", "merge side", "side"],
    );
    commit(w, 7, "src/a.rs", "1\n2\n4\n");
    let found = told(changes::scan(w, None, &mut ask).unwrap());
    let facts =
        ["since", "commits", "merges", "added", "removed", "files"].map(|k| found[k].clone());
    assert_eq!(
        facts,
        [
            json!("v1.0"),
            json!(3),
            json!(1),
            json!(5),
            json!(1),
            json!(2)
        ],
        "{found:#}"
    );
    let since = |text: &str| changes::scan(w, Some(text), &mut ask);
    assert_eq!(told(since("v1.0").unwrap())["commits"], 3);
    assert_eq!(told(since("HEAD").unwrap())["commits"], 0);
    assert_eq!(
        told(since("2026-10-24").unwrap())["commits"],
        1,
        "{:#}",
        told(since("2026-10-24").unwrap())
    );
    for wrong in ["nonsense", "--all", "a..b", "v9 "] {
        let why = since(wrong).unwrap_err().to_string();
        assert!(why.contains("no tag"), "{why}");
    }
    git(w, &["tag", "v1.1"]);
    assert_eq!(told(since("last tag").unwrap())["commits"], 0);
    assert!(
        found["list"][0]["subject"] == "change src/a.rs"
            && found["list"][2]["subject"] == "change src/a.rs"
    );
}
