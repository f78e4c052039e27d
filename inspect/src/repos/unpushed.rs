//! Work that exists nowhere else: files that differ from the last commit, untracked files, stashes,
//! and commits that no remote is known to hold. As of the last fetch: nobody is asked.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::find::{Kind, Repositories, Repository, Unread, repositories};
use super::{Asked, Git, cut, moment, records};
use crate::git::{DirtyFile, parse_status};
use crate::limits::{InspectError, Limits};

/// Most files named of one repository; all are counted.
const FILES: usize = 20;
/// Most branches of one repository whose commits are counted.
const BRANCHES: usize = 200;
/// Most stashes named of one repository.
const STASHES: usize = 20;

/// A stash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stash {
    /// What it says.
    pub subject: String,
    /// When it was made, RFC 3339.
    pub at: String,
}

/// A branch with commits that no remote holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Its name.
    pub name: String,
    /// The branch it follows; none where it follows none.
    pub upstream: Option<String>,
    /// The followed branch is gone.
    pub upstream_gone: bool,
    /// Commits on it that no remote holds.
    pub commits: u64,
    /// Subject of its newest commit.
    pub subject: String,
    /// When that was committed, RFC 3339.
    pub at: String,
}

/// What one repository holds that is nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Relative to the folder looked at, `.` for itself.
    pub path: String,
    /// `work-tree`, `linked`, `submodule` or `bare`.
    pub kind: Kind,
    /// The branch; none where HEAD is detached.
    pub branch: Option<String>,
    /// Names of its remotes.
    pub remotes: Vec<String>,
    /// Files with changes that are not committed, untracked ones left out.
    pub changed: u64,
    /// Untracked files and folders that are not ignored.
    pub untracked: u64,
    /// The first of both.
    pub files: Vec<DirtyFile>,
    /// Stashes in all.
    pub stashes: u64,
    /// The newest of them.
    pub stashed: Vec<Stash>,
    /// Different commits on local branches or a detached HEAD that no remote holds.
    pub commits: u64,
    /// The branches they are on.
    pub branches: Vec<Ahead>,
    /// Commits that only a detached HEAD holds: no branch keeps them.
    pub detached: u64,
    /// What was begun and not ended: `merge`, `rebase`, `cherry-pick`, `revert` or `bisect`.
    pub unfinished: Option<String>,
}

impl Work {
    fn is_nothing(&self) -> bool {
        let sum = self.changed + self.untracked + self.stashes + self.commits + self.detached;
        sum == 0 && self.unfinished.is_none()
    }
}

/// What lies below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpushed {
    /// Repositories with such work, in order of path.
    pub work: Vec<Work>,
    /// Paths of repositories in which there is none.
    pub clean: Vec<String>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Repositories found, unreadable ones too.
    pub total: u64,
    /// A limit was reached: there may be more.
    pub cut_off: bool,
}

/// Looks through every repository below a folder.
pub fn scan(root: &Path, limits: &Limits, git: &mut Git<'_>) -> Result<Unpushed, InspectError> {
    if !root.is_dir() {
        return Err(InspectError::NotAFolder(root.to_path_buf()));
    }
    let Repositories {
        found,
        unread,
        cut_off,
    } = repositories(root, limits);
    let mut all = Unpushed {
        total: (found.len() + unread.len()) as u64,
        unread,
        cut_off,
        ..Unpushed::default()
    };
    for repository in &found {
        match one(repository, git) {
            Ok(work) if work.is_nothing() => all.clean.push(work.path),
            Ok(work) => all.work.push(work),
            Err(why) => all.unread.push(Unread {
                path: repository.path.clone(),
                why: cut(why.trim(), 300),
            }),
        }
    }
    all.unread.sort();
    Ok(all)
}

fn one(repository: &Repository, git: &mut Git<'_>) -> Result<Work, String> {
    let asked = Asked {
        folder: &repository.folder,
        options: &repository.options,
    };
    let mut work = Work {
        path: repository.path.clone(),
        kind: repository.kind,
        branch: None,
        remotes: Vec::new(),
        changed: 0,
        untracked: 0,
        files: Vec::new(),
        stashes: 0,
        stashed: Vec::new(),
        commits: 0,
        branches: Vec::new(),
        detached: 0,
        unfinished: unfinished(&repository.git),
    };
    // A bare repository is where others push to: its branches are nobody's unpushed work.
    if repository.kind == Kind::Bare {
        asked.of(git, &["rev-parse", "--git-dir"])?;
        return Ok(work);
    }
    let said = asked.of(git, &STATUS)?;
    let status = parse_status(Some(0), &said);
    work.branch = Some(status.branch).filter(|b| !b.is_empty());
    work.untracked = status
        .dirty
        .iter()
        .filter(|f| f.status == "untracked")
        .count() as u64;
    work.changed = status.dirty.len() as u64 - work.untracked;
    work.files = status.dirty;
    work.files
        .sort_by_key(|f| (f.status == "untracked", f.path.clone()));
    work.files.truncate(FILES);
    if status.head.is_empty() {
        return Ok(work);
    }
    if work.branch.is_none() {
        let words = [
            "rev-list",
            "--count",
            "HEAD",
            "--not",
            "--remotes",
            "--branches",
        ];
        work.detached = asked.count(git, &words)?;
        work.commits = work.detached;
    }
    // Branches and stashes are the main work tree's; told once.
    if repository.kind != Kind::Linked {
        stashes(&asked, git, &mut work)?;
        commits(&asked, git, &mut work)?;
    }
    Ok(work)
}

/// Untracked folders are one entry; submodules are looked at on their own.
const STATUS: [&str; 6] = [
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=normal",
    "--ignore-submodules=all",
];

fn stashes(asked: &Asked<'_>, git: &mut Git<'_>, work: &mut Work) -> Result<(), String> {
    if asked
        .of(git, &["rev-parse", "-q", "--verify", "refs/stash"])
        .is_err()
    {
        return Ok(());
    }
    let log = asked.of(
        git,
        &["log", "-g", "--format=%ct%x00%gs", "refs/stash", "--"],
    )?;
    let mut found = parse_stashes(&log);
    if found.is_empty() {
        let words = ["log", "-1", "--format=%ct%x00%s", "refs/stash", "--"];
        found = parse_stashes(&asked.of(git, &words)?);
    }
    work.stashes = found.len() as u64;
    found.truncate(STASHES);
    work.stashed = found;
    Ok(())
}

fn parse_stashes(log: &str) -> Vec<Stash> {
    records::<2>(log)
        .map(|[at, subject]| Stash {
            subject: cut(subject, 200),
            at: moment(at),
        })
        .collect()
}

const HEADS: [&str; 3] = [
    "for-each-ref",
    "--format=%(refname)%00%(upstream:short)%00%(upstream:track,nobracket)%00%(committerdate:unix)%00%(subject)",
    "refs/heads",
];

fn commits(asked: &Asked<'_>, git: &mut Git<'_>, work: &mut Work) -> Result<(), String> {
    let remotes = asked.of(git, &["remote"])?;
    work.remotes = remotes.lines().map(|name| cut(name, 100)).collect();
    let words = ["rev-list", "--count", "--branches", "--not", "--remotes"];
    let on_branches = asked.count(git, &words)?;
    work.commits += on_branches;
    if on_branches == 0 {
        return Ok(());
    }
    let heads = asked.of(git, &HEADS)?;
    for (name, mut ahead) in parse_heads(&heads).into_iter().take(BRANCHES) {
        let words = ["rev-list", "--count", &name, "--not", "--remotes", "--"];
        ahead.commits = asked.count(git, &words)?;
        if ahead.commits > 0 {
            work.branches.push(ahead);
        }
    }
    Ok(())
}

/// Full name and branch, the commits not counted yet.
fn parse_heads(text: &str) -> Vec<(String, Ahead)> {
    let one = |[name, upstream, track, at, subject]: [&str; 5]| {
        let short = name.strip_prefix("refs/heads/")?;
        let ahead = Ahead {
            name: cut(short, 200),
            upstream: Some(cut(upstream, 200)).filter(|u| !u.is_empty()),
            upstream_gone: track == "gone",
            commits: 0,
            subject: cut(subject, 200),
            at: moment(at),
        };
        Some((name.to_owned(), ahead))
    };
    records::<5>(text).filter_map(one).collect()
}

fn unfinished(git: &Path) -> Option<String> {
    let marks = [
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("BISECT_LOG", "bisect"),
    ];
    marks
        .iter()
        .find(|(file, _)| git.join(file).symlink_metadata().is_ok())
        .map(|(_, word)| (*word).to_owned())
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_and_stashes_are_read() {
        let lines = [
            "refs/heads/a/b|origin/a|gone|1700000000|fix: x",
            "refs/remotes/o/x|||0||no",
            "refs/heads/c||||",
        ];
        let text = lines.join("\n").replace('|', "\0");
        let text = text.as_str();
        let read = parse_heads(text);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].1.name, "a/b");
        assert!(read[0].1.upstream_gone && read[1].1.upstream.is_none());
        assert_eq!(read[0].1.at, "2023-11-14T22:13:20Z");
        let stashes = parse_stashes("1700000000\x00WIP on main: 1 x\n");
        assert_eq!(stashes[0].subject, "WIP on main: 1 x");
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text in "(?s)(refs/heads/|\0|\n|[a-z0-9é]|.){0,120}") {
            for (name, ahead) in parse_heads(&text) {
                prop_assert!(name.starts_with("refs/heads/"));
                prop_assert!(!ahead.name.contains('\n'));
            }
            parse_stashes(&text);
        }
    }
}
