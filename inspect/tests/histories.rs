//! Branches, large blobs and changes of histories with planted truth and decoys.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod planted;

use inspect::limits::Limits;
use inspect::repos::{branches, changes, large};
use planted::{ask, commit, dated, git, now, repository, told, write};
use serde_json::{Value, json};

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
