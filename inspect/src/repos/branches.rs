//! Branches that may be over: merged into the main one, with nothing in them that it lacks, or not
//! touched for long. Nothing is deleted here; what is said is what a person needs to decide.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Asked, Git, cut, is_repository, moment, records};
use crate::limits::InspectError;

/// Most branches compared with the main one.
const MOST: usize = 1000;
/// Names a main branch has where nothing else tells, most likely first.
const MAIN: [&str; 5] = ["main", "master", "trunk", "develop", "development"];

/// How much of a branch the main one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Every commit of it.
    Merged,
    /// Not its commits, but every change in them: squashed, rebased or picked.
    Contained,
    /// Not all of it.
    Open,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its name, with the remote's for a remote one.
    pub name: String,
    /// True for what is known of a remote's.
    pub remote: bool,
    /// Who wrote its newest commit.
    pub author: String,
    /// When that was committed, RFC 3339.
    pub at: String,
    /// Whole days since.
    pub age_days: u64,
    /// Subject of its newest commit.
    pub subject: String,
    /// Its commit in hex.
    pub head: String,
    /// Commits on it that the main branch lacks.
    pub ahead: u64,
    /// Commits on the main branch that it lacks.
    pub behind: u64,
    /// How much of it the main branch holds.
    pub state: State,
    /// The branch it follows; none where it follows none.
    pub upstream: Option<String>,
    /// The followed branch is gone from its remote, as of the last fetch.
    pub upstream_gone: bool,
    /// It is checked out here or in another work tree.
    pub checked_out: bool,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branches {
    /// False where there is no repository with a commit.
    pub repository: bool,
    /// What the others are compared with; empty where there is none.
    pub base: String,
    /// From how many days on a branch counts as old.
    pub days: u64,
    /// Merged or contained ones, local before remote, oldest first.
    pub over: Vec<Branch>,
    /// Open ones that are old, in the same order.
    pub old: Vec<Branch>,
    /// Open ones that are not old.
    pub young: Vec<String>,
    /// Local branches in all, the main one too.
    pub local: u64,
    /// Remote branches in all, the main one too.
    pub remote: u64,
    /// Branches that were not looked at, for there are too many.
    pub passed: u64,
}

const REFS: [&str; 4] = [
    "for-each-ref",
    "--format=%(refname)%00%(objectname)%00%(committerdate:unix)%00%(authorname)%00%(symref)%00%(upstream)%00%(upstream:track,nobracket)%00%(worktreepath)%00%(subject)",
    "refs/heads",
    "refs/remotes",
];

/// One line of [`REFS`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ref {
    full: String,
    head: String,
    seconds: i64,
    author: String,
    symref: String,
    upstream: String,
    gone: bool,
    checked_out: bool,
    subject: String,
}

fn parse(text: &str) -> Vec<Ref> {
    records::<9>(text)
        .filter(|[full, ..]| full.starts_with("refs/heads/") || full.starts_with("refs/remotes/"))
        .map(
            |[
                full,
                head,
                seconds,
                author,
                symref,
                upstream,
                track,
                tree,
                subject,
            ]| Ref {
                full: full.to_owned(),
                head: head.to_owned(),
                seconds: seconds.parse().unwrap_or(0),
                author: cut(author, 100),
                symref: symref.to_owned(),
                upstream: upstream.to_owned(),
                gone: track == "gone",
                checked_out: !tree.is_empty(),
                subject: cut(subject, 200),
            },
        )
        .collect()
}

/// A name as people say it.
fn short(full: &str) -> String {
    let name = full
        .strip_prefix("refs/heads/")
        .or(full.strip_prefix("refs/remotes/"))
        .unwrap_or(full);
    cut(name, 200)
}

/// The main branch: what a remote's HEAD names (the local one of that name where it is there), a
/// usual name, else what is checked out.
fn base<'r>(refs: &'r [Ref], current: &str) -> Option<&'r Ref> {
    let find = |full: &str| refs.iter().find(|r| r.full == full && r.symref.is_empty());
    let mut heads: Vec<&Ref> = refs
        .iter()
        .filter(|r| r.full.ends_with("/HEAD") && !r.symref.is_empty())
        .collect();
    heads.sort_by_key(|r| r.full != "refs/remotes/origin/HEAD");
    let named = heads.iter().find_map(|head| {
        let target = find(&head.symref)?;
        let name = head.symref.strip_prefix(head.full.strip_suffix("HEAD")?)?;
        let local = find(&format!("refs/heads/{name}"));
        // A local one that fell behind would call merged branches open.
        Some(
            local
                .filter(|l| l.seconds >= target.seconds)
                .unwrap_or(target),
        )
    });
    let usual = || {
        MAIN.iter()
            .find_map(|name| find(&format!("refs/heads/{name}")))
    };
    let remote = || {
        MAIN.iter()
            .find_map(|name| find(&format!("refs/remotes/origin/{name}")))
    };
    named
        .or_else(usual)
        .or_else(remote)
        .or_else(|| find(&format!("refs/heads/{current}")))
        .or_else(|| refs.iter().find(|r| r.symref.is_empty()))
}

/// Looks at every branch; `days` old is old, as seen at `now`.
pub fn scan(
    root: &Path,
    days: u64,
    now: Timestamp,
    git: &mut Git<'_>,
) -> Result<Branches, InspectError> {
    let mut all = Branches {
        days,
        ..Branches::default()
    };
    if !is_repository(root, git) {
        return Ok(all);
    }
    let asked = Asked {
        folder: root,
        options: &[],
    };
    let failed = |why: String| InspectError::Git { why };
    let refs = parse(&asked.of(git, &REFS).map_err(failed)?);
    let current = asked
        .of(git, &["symbolic-ref", "-q", "--short", "HEAD"])
        .unwrap_or_default();
    let Some(base) = base(&refs, current.trim()) else {
        return Ok(all);
    };
    all.repository = true;
    all.base = short(&base.full);
    let store = asked
        .of(git, &["rev-parse", "--git-path", "objects"])
        .map(|path| root.join(path.trim()))
        .map_err(failed)?;
    let real: Vec<&Ref> = refs.iter().filter(|r| r.symref.is_empty()).collect();
    all.local = real
        .iter()
        .filter(|r| r.full.starts_with("refs/heads/"))
        .count() as u64;
    all.remote = real.len() as u64 - all.local;
    // The main branch under its other names: a remote's, or the local one that fell behind.
    let name = leaf(&base.full);
    let others = real
        .iter()
        .filter(|r| r.full != base.full && leaf(&r.full) != name);
    let others: Vec<&&Ref> = others.collect();
    all.passed = others.len().saturating_sub(MOST) as u64;
    for one in others.into_iter().take(MOST) {
        let branch = compare(one, base, &asked, &store, now, git).map_err(failed)?;
        if branch.state != State::Open {
            all.over.push(branch);
        } else if branch.age_days >= days {
            all.old.push(branch);
        } else {
            all.young.push(branch.name);
        }
    }
    for list in [&mut all.over, &mut all.old] {
        list.sort_by(|a, b| (a.remote, &a.at, &a.name).cmp(&(b.remote, &b.at, &b.name)));
    }
    Ok(all)
}

/// The name without the remote's.
fn leaf(full: &str) -> &str {
    match full.strip_prefix("refs/remotes/") {
        Some(rest) => rest.split_once('/').map_or(rest, |(_, name)| name),
        None => full.strip_prefix("refs/heads/").unwrap_or(full),
    }
}

fn compare(
    one: &Ref,
    base: &Ref,
    asked: &Asked<'_>,
    store: &Path,
    now: Timestamp,
    git: &mut Git<'_>,
) -> Result<Branch, String> {
    let range = format!("{}...{}", base.head, one.head);
    let said = asked.of(git, &["rev-list", "--left-right", "--count", &range, "--"])?;
    let mut numbers = said.split_whitespace().map(|n| n.parse().unwrap_or(0));
    let (behind, ahead) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let state = match ahead {
        0 => State::Merged,
        _ if adds_nothing(one, base, asked, store, git) => State::Contained,
        _ => State::Open,
    };
    Ok(Branch {
        name: short(&one.full),
        remote: one.full.starts_with("refs/remotes/"),
        author: one.author.clone(),
        at: moment(&one.seconds.to_string()),
        age_days: u64::try_from((now.as_second() - one.seconds) / 86_400).unwrap_or(0),
        subject: one.subject.clone(),
        head: one.head.clone(),
        ahead,
        behind,
        state,
        upstream: Some(short(&one.upstream)).filter(|u| !u.is_empty()),
        upstream_gone: one.gone,
        checked_out: one.checked_out,
    })
}

/// Whether merging it would change nothing: the way to see what was squashed or picked.
fn adds_nothing(one: &Ref, base: &Ref, asked: &Asked<'_>, store: &Path, git: &mut Git<'_>) -> bool {
    let words = [
        "merge-tree",
        "--write-tree",
        "--no-messages",
        &base.head,
        &one.head,
    ];
    let Ok(merged) = asked.scratch(git, store, &words) else {
        return false;
    };
    let tree = format!("{}^{{tree}}", base.head);
    asked
        .of(git, &["rev-parse", &tree])
        .is_ok_and(|tree| !tree.trim().is_empty() && tree.trim() == merged.trim())
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn one(full: &str, symref: &str, seconds: i64) -> String {
        format!("{full}\0abc\0{seconds}\0Ann\0{symref}\0\0\0\0subject\n")
    }

    fn check(lines: &[(&str, &str, i64)], current: &str, expected: &str) {
        let text: String = lines.iter().map(|(f, s, t)| one(f, s, *t)).collect();
        let refs = parse(&text);
        assert_eq!(base(&refs, current).unwrap().full, expected, "{text}");
    }

    #[test]
    fn the_main_branch_is_found() {
        let head = ("refs/remotes/origin/HEAD", "refs/remotes/origin/dev", 5);
        let dev = ("refs/remotes/origin/dev", "", 5);
        let main = ("refs/heads/main", "", 1);
        check(&[head, dev, main], "main", "refs/remotes/origin/dev");
        check(
            &[head, dev, ("refs/heads/dev", "", 7)],
            "x",
            "refs/heads/dev",
        );
        check(
            &[head, dev, ("refs/heads/dev", "", 4)],
            "x",
            "refs/remotes/origin/dev",
        );
        check(&[main, ("refs/heads/a", "", 9)], "a", "refs/heads/main");
        check(
            &[("refs/heads/a", "", 9), ("refs/heads/b", "", 9)],
            "b",
            "refs/heads/b",
        );
        check(
            &[("refs/remotes/origin/master", "", 9)],
            "",
            "refs/remotes/origin/master",
        );
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text in "(?s)(refs/heads/|refs/remotes/|\0|\n|[a-zA-Z0-9/]|.){0,160}") {
            let refs = parse(&text);
            base(&refs, "main");
            prop_assert!(refs.iter().all(|r| r.full.starts_with("refs/")));
        }
    }
}
