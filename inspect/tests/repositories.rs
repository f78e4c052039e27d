//! Work that is nowhere else, with planted truth and decoys: exactly what is planted is named.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod planted;

use inspect::limits::Limits;
use inspect::repos::unpushed;
use planted::{ask, commit, git, pushed, repository, told, write};
use serde_json::{Value, json};

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
