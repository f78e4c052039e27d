//! The playbooks over repositories: their worlds, and their reports word for word.

use super::*;

/// Repositories with something to say.
pub(super) fn lively() -> World {
    let branch = |name: &str, remote: bool, state: &str, age: u64, ahead: u64| {
        json!({"name": name, "remote": remote, "author": "Ann", "at": "2026-05-01T10:00:00Z", "age_days": age, "subject": "s", "head": format!("head-{name}"),
            "ahead": ahead, "behind": 12, "state": state, "upstream": null, "upstream_gone": name == "squashed", "checked_out": name == "old"})
    };
    let package = |kind: &str,
                   name: &str,
                   version: &str,
                   direct: bool,
                   licence: Value,
                   duty: &str| {
        json!({"kind": kind, "name": name, "version": version, "direct": direct, "licence": licence, "duty": duty, "from": "Cargo.lock"})
    };
    json!({
        "Linters": {"checks": [
            {"name": "rustfmt", "dir": ".", "command": ["cargo", "fmt", "--all", "--check"], "state": "findings", "findings": 2, "files": 1,
                "places": [{"path": "src/a.rs", "line": 3, "rule": "", "message": "is formatted otherwise"}, {"path": "src/a.rs", "line": 9, "rule": "", "message": "is formatted otherwise"}], "note": null},
            {"name": "ruff", "dir": "tools", "command": ["ruff", "check", "."], "state": "clean", "findings": 0, "files": 0, "places": [], "note": null},
            {"name": "eslint", "dir": "web", "command": ["node_modules/.bin/eslint", "."], "state": "missing", "findings": 0, "files": 0, "places": [],
                "note": "eslint is set up and not installed: node_modules has none"}],
            "findings": 2, "clean": 1, "with_findings": 1, "not_run": 1, "changed": []},
        "Unpushed": {"total": 4, "cut_off": false, "clean": ["a", "b"],
            "unread": [{"path": "broken", "why": "its .git lacks objects or refs"}],
            "work": [{"path": "shop", "kind": "work-tree", "branch": "main", "remotes": ["origin"], "changed": 1, "untracked": 1,
                "files": [{"path": "src/a.rs", "status": "modified"}, {"path": "notes/", "status": "untracked"}], "stashes": 1,
                "stashed": [{"subject": "WIP on main", "at": "2026-06-01T10:00:00Z"}], "commits": 3,
                "branches": [{"name": "main", "upstream": "origin/main", "upstream_gone": false, "commits": 2, "subject": "fix", "at": "2026-07-01T10:00:00Z"},
                    {"name": "idea", "upstream": null, "upstream_gone": false, "commits": 1, "subject": "try", "at": "2026-07-02T10:00:00Z"}],
                "detached": 0, "unfinished": "rebase"}]},
        "Branches": {"repository": true, "base": "main", "days": 90, "over": [branch("merged", false, "merged", 200, 0), branch("squashed", false, "contained", 100, 2)],
            "old": [branch("old", true, "open", 90, 3)], "young": ["new"], "local": 4, "remote": 2, "passed": 0},
        "Inventory": {"packages": [package("cargo", "serde", "1.0.1", true, json!("MIT OR Apache-2.0"), "notice"), package("cargo", "syn", "1.0.0", false, json!("MIT"), "notice"),
                package("cargo", "syn", "2.0.0", false, json!("MIT"), "notice"), package("cargo", "x", "0.1.0", false, Value::Null, "unknown"), package("cargo", "y", "3.0.0", true, json!("GPL-3.0"), "works")],
            "total": 5, "kinds": [{"kind": "cargo", "packages": 5, "direct": 2, "unknown": 1, "from": ["Cargo.lock"]}],
            "licences": [{"licence": "MIT", "packages": 2, "duty": "notice"}, {"licence": "GPL-3.0", "packages": 1, "duty": "works"}, {"licence": "MIT OR Apache-2.0", "packages": 1, "duty": "notice"}],
            "unknown": 1, "notable": [package("cargo", "y", "3.0.0", true, json!("GPL-3.0"), "works")],
            "several": [{"kind": "cargo", "name": "syn", "versions": ["1.0.0", "2.0.0"]}],
            "unpinned": [{"path": "web/package.json", "asks": [{"name": "vue", "requirement": "^3"}]}], "unread": ["old/yarn.lock"]},
        "Links": {"documents": 12, "passed": 3, "tried": 140, "broken": [{"path": "README.md", "line": 7, "target": "docs/gone.md", "why": "there is no such file"},
                {"path": "docs/a.md", "line": 2, "target": "#nope", "why": "there is no such heading in this document"}], "broken_total": 2,
            "outside": 31, "addresses": ["https://x.org/a"], "addresses_total": 29, "hosts": [{"host": "x.org", "links": 20}, {"host": "y.org", "links": 11}], "other": 4},
        "LargeFiles": {"repository": true, "least": 1_000_000, "files": 300, "bytes": 9_000_000, "largest": {"path": "film.mp4", "bytes": 5_000_000, "kept": "tracked", "advice": "is binary: keep it in Git LFS"},
            "large": [{"path": "film.mp4", "bytes": 5_000_000, "kept": "tracked", "advice": "is binary: keep it in Git LFS"}, {"path": "x.cache", "bytes": 2_000_000, "kept": "ignored", "advice": null}],
            "large_total": 2, "old": [{"path": "past.bin", "bytes": 4_000_000, "stored": 3_500_000, "id": "0123456789abcdef"}], "old_total": 1, "old_stored": 3_500_000, "stored": 12_000_000,
            "history_unread": null, "cut_off": false},
        "Changes": {"repository": true, "since": "v1.0", "head": "9c1e2ab00112233445566778899aabbccddeeff0", "branch": "main", "commits": 2, "merges": 1, "added": 1200, "removed": 34, "files": 3,
            "authors": [{"name": "Ann", "commits": 2, "added": 1200, "removed": 34}], "areas": [{"name": "src", "commits": 2, "added": 1100, "removed": 30}, {"name": "(top folder)", "commits": 1, "added": 100, "removed": 4}],
            "most": [{"name": "src/a.rs", "commits": 2, "added": 1100, "removed": 30}],
            "list": [{"hash": "9c1e2ab00112233445566778899aabbccddeeff0", "at": "2026-08-02T10:00:00Z", "author": "Ann", "subject": "second"},
                {"hash": "8c1e2ab00112233445566778899aabbccddeeff0", "at": "2026-08-01T10:00:00Z", "author": "Ann", "subject": "first"}]},
    })
}

/// Nothing to find.
pub(super) fn bare() -> World {
    json!({
        "Linters": {"checks": [], "findings": 0, "clean": 0, "with_findings": 0, "not_run": 0, "changed": []},
        "Unpushed": {"total": 0, "cut_off": false, "clean": [], "unread": [], "work": []},
        "Branches": {"repository": false, "base": "", "days": 90, "over": [], "old": [], "young": [], "local": 0, "remote": 0, "passed": 0},
        "Inventory": {"packages": [], "total": 0, "kinds": [], "licences": [], "unknown": 0, "notable": [], "several": [], "unpinned": [], "unread": []},
        "Links": {"documents": 0, "passed": 0, "tried": 0, "broken": [], "broken_total": 0, "outside": 0, "addresses": [], "addresses_total": 0, "hosts": [], "other": 0},
        "LargeFiles": {"repository": false, "least": 1_000_000, "files": 0, "bytes": 0, "largest": null, "large": [], "large_total": 0, "old": [], "old_total": 0,
            "old_stored": 0, "stored": 0, "history_unread": null, "cut_off": false},
        "Changes": {"repository": false, "since": "", "head": "", "branch": "", "commits": 0, "merges": 0, "added": 0, "removed": 0, "files": 0, "authors": [], "areas": [], "most": [], "list": []},
    })
}

fn check(name: &str, world: &World, expected: &str) {
    assert_eq!(report(name, &nothing(), world), expected, "{name}");
}

/// A world in which one tool's answer has other values.
fn but(tool: &str, changes: Value) -> World {
    let mut world = lively();
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    for (key, value) in changes {
        world[tool][key] = value;
    }
    world
}

#[test]
fn format_and_lint() {
    check(
        "format-and-lint",
        &lively(),
        "\
2 findings from 1 of 2 checks; 1 more check could not be made:
- rustfmt: 2 findings in 1 file
  - src/a.rs:3: is formatted otherwise
  - src/a.rs:9: is formatted otherwise
- ruff in `tools`: nothing
- eslint in `web` was not run: eslint is set up and not installed: node_modules has none

Run: `cargo fmt --all --check`, `ruff check .` in `tools`. No file was changed.",
    );
    let clean = but(
        "Linters",
        json!({"checks": [{"name": "ruff", "dir": ".", "command": ["ruff"], "state": "clean", "findings": 0, "files": 0, "places": [], "note": null}],
        "findings": 0, "clean": 1, "with_findings": 0, "not_run": 0}),
    );
    check(
        "format-and-lint",
        &clean,
        "The one check that ran found nothing.\n\nRun: `ruff`. No file was changed.",
    );
    assert!(
        report("format-and-lint", &nothing(), &bare())
            .starts_with("No formatter or linter that I know is set up here")
    );
}

#[test]
fn unpushed_work() {
    check("unpushed-work", &lively(), "\
1 of 4 repositories holds work that exists only here:
- shop, on main: 1 changed file, 1 untracked file or folder, 1 stash, 3 commits on no remote, an unfinished rebase
  - main: 2 commits, the newest 2026-07-01 \"fix\"
  - idea: 1 commit, the newest 2026-07-02 \"try\"; it follows no remote branch
  - modified: src/a.rs
  - untracked: notes/
  - stash of 2026-06-01: WIP on main
- Could not be read: broken: its .git lacks objects or refs

Nothing in the other 2. \"On no remote\" is as of the last fetch; no remote was asked.");
    check("unpushed-work", &bare(), "I found no git repository here.");
    let clean = but("Unpushed", json!({"work": [], "unread": [], "total": 2}));
    check(
        "unpushed-work",
        &clean,
        "\
Nothing is only here: all 2 repositories are committed and pushed, without stashes.

\"On no remote\" is as of the last fetch; no remote was asked.",
    );
}

#[test]
fn stale_branches() {
    check("stale-branches", &lively(), "\
2 branches are merged and 1 more had no commit for 90 days; compared with main, 6 branches in all.

Merged, nothing in them is lost:
- merged: 2026-05-01, 200 days old, by Ann
- squashed: 2026-05-01, 100 days old, by Ann; squashed or picked, not merged as such; its remote branch is gone

Old, with commits that main lacks:
- old (remote): 2026-05-01, 90 days old, by Ann; 3 ahead, 12 behind; checked out

Nothing was deleted. Remote branches are as of the last fetch.");
    check(
        "stale-branches",
        &bare(),
        "There is no git repository with a commit here, so there are no branches.",
    );
    let none = but("Branches", json!({"over": [], "old": []}));
    check(
        "stale-branches",
        &none,
        "No stale branches: of 6 branches none is merged into main or without a commit for 90 days.",
    );
}

#[test]
fn dependency_inventory() {
    check(
        "dependency-inventory",
        &lively(),
        "\
5 packages in cargo; 1 of unknown licence; 1 with a licence worth a look; 1 in several versions.
- cargo: 5 packages, 2 asked for directly, 1 of unknown licence; from Cargo.lock
- Licences: MIT 2, GPL-3.0 1, MIT OR Apache-2.0 1

Licences worth a look:
- y 3.0.0 (cargo, direct): GPL-3.0, asks works that include it to stay under it

Unknown licence (not downloaded here, or the package tells none):
- x 0.1.0 (cargo)

In several versions:
- syn (cargo): 1.0.0, 2.0.0

Asked for directly:
- serde 1.0.1 (cargo): MIT OR Apache-2.0
- y 3.0.0 (cargo): GPL-3.0

Not pinned by a lock file or an installation:
- web/package.json: vue ^3
- Could not be read: old/yarn.lock",
    );
    check(
        "dependency-inventory",
        &bare(),
        "I found no dependencies: no lock file, no pinned requirements, no go.mod, no installation.",
    );
}

#[test]
fn broken_links() {
    check("broken-links", &lively(), "\
2 broken links of 140 tried, in 12 documents:
- README.md:7: `docs/gone.md`: there is no such file
- docs/a.md:2: `#nope`: there is no such heading in this document

Not tried, for this job has no network: 31 links to 29 addresses outside (most to x.org 20, y.org 11).
Not tried either: 4 links of other kinds (mail, places outside of this folder, templates).
Not read: 3 documents in folders of test data and of other people's code, or too large.");
    check(
        "broken-links",
        &bare(),
        "I found no document to read (Markdown, reStructuredText, HTML).",
    );
    let fine = but(
        "Links",
        json!({"broken": [], "broken_total": 0, "outside": 0, "other": 0, "passed": 0}),
    );
    check(
        "broken-links",
        &fine,
        "No broken links: all 140 links to files, headings and labels in 12 documents lead somewhere.",
    );
}

#[test]
fn large_files() {
    check("large-files", &lively(), "\
2 files of 1.0 MB or more here, of 300 files with 9.0 MB:
- film.mp4: 5.0 MB; is binary: keep it in Git LFS
- x.cache: 2.0 MB, ignored

In git's history but not in the newest commit, 1 blob of that size takes 3.5 MB of 12.0 MB on disk:
- past.bin: 4.0 MB, 3.5 MB packed (0123456789)
Every clone carries them; only rewriting the history (git filter-repo) removes them, which changes every later commit.

Not looked at: installed packages (node_modules, site-packages), and build folders that are ignored.");
    let small = but(
        "LargeFiles",
        json!({"large": [], "large_total": 0, "old": [], "old_total": 0, "old_stored": 0}),
    );
    check("large-files", &small, "\
No file here reaches 1.0 MB; the largest of 300 files is film.mp4 with 5.0 MB.

The history (12.0 MB on disk) holds no other blob of that size.

Not looked at: installed packages (node_modules, site-packages), and build folders that are ignored.");
}

#[test]
fn what_changed() {
    check("what-changed", &lively(), "\
2 commits since v1.0 and 1 merge: 1,200 lines added, 34 removed in 3 files; up to 9c1e2ab00112 on main.
- By: Ann 2 commits
- In: src (2 commits, +1,100 -30), (top folder) (1 commit, +100 -4)
- Changed most: src/a.rs (+1,100 -30)

Commits, newest first:
- 2026-08-02 second (Ann, 9c1e2ab001)
- 2026-08-01 first (Ann, 8c1e2ab001)");
    check(
        "what-changed",
        &bare(),
        "There is no git repository with a commit here.",
    );
    let none = but("Changes", json!({"commits": 0, "merges": 0}));
    check(
        "what-changed",
        &none,
        "Nothing changed since v1.0; main is at 9c1e2ab00112.",
    );
}
