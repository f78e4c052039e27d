//! What changed since a tag, a branch, a commit or a date: commits by author and by area, and the
//! files that changed most. Raw material for release notes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{Asked, Git, cut, is_repository};
use crate::limits::InspectError;

/// Most commits listed; all are counted.
const COMMITS: usize = 200;
/// Most authors, areas and files listed.
const LISTED: usize = 30;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its name in hex.
    pub hash: String,
    /// When it was committed, RFC 3339.
    pub at: String,
    /// Who wrote it.
    pub author: String,
    /// First line of its message.
    pub subject: String,
}

/// Commits of somebody, of an area or of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The author, the top folder, or the file.
    pub name: String,
    /// Commits, merges left out.
    pub commits: u64,
    /// Lines added; binary files have none.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// False where there is no repository with a commit.
    pub repository: bool,
    /// Since what, as it was found: a tag, branch, commit or date; empty for the whole history.
    pub since: String,
    /// Newest commit in hex.
    pub head: String,
    /// The branch; empty when detached.
    pub branch: String,
    /// Commits, merges left out.
    pub commits: u64,
    /// Merges.
    pub merges: u64,
    /// Lines added in all of them.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
    /// Different files touched.
    pub files: u64,
    /// By author, most commits first.
    pub authors: Vec<Share>,
    /// By top folder, most changed lines first.
    pub areas: Vec<Share>,
    /// By file, most changed lines first.
    pub most: Vec<Share>,
    /// The commits, newest first.
    pub list: Vec<Commit>,
}

/// What `since` turned out to be.
enum Since {
    Commit(String),
    Date(String),
    Beginning,
}

/// Looks at what changed; without `since`, since the newest tag, or from the beginning.
pub fn scan(root: &Path, since: Option<&str>, git: &mut Git<'_>) -> Result<Changes, InspectError> {
    let mut all = Changes::default();
    if !is_repository(root, git) {
        return Ok(all);
    }
    let asked = Asked {
        folder: root,
        options: &[],
    };
    let Ok(head) = asked.of(git, &["rev-parse", "-q", "--verify", "HEAD"]) else {
        return Ok(all);
    };
    all.repository = true;
    all.head = head.trim().to_owned();
    all.branch = asked
        .of(git, &["symbolic-ref", "-q", "--short", "HEAD"])
        .unwrap_or_default()
        .trim()
        .to_owned();
    let failed = |why: String| InspectError::Git { why };
    let start = start(&asked, since, git).map_err(failed)?;
    let range = match &start {
        Since::Commit(name) => {
            all.since = name.clone();
            format!("{name}..HEAD")
        }
        Since::Date(date) => {
            all.since = date.clone();
            format!("--since={date}")
        }
        Since::Beginning => "HEAD".to_owned(),
    };
    let tail = |range: &str| match start {
        Since::Date(_) => vec![range.to_owned(), "HEAD".to_owned()],
        _ => vec![range.to_owned()],
    };
    let range = tail(&range);
    let mut words = LOG.to_vec();
    words.extend(range.iter().map(String::as_str));
    words.push("--");
    let log = asked.long(git, &words).map_err(failed)?;
    let mut words = vec!["rev-list", "--count", "--merges"];
    words.extend(range.iter().map(String::as_str));
    words.push("--");
    all.merges = asked.count(git, &words).map_err(failed)?;
    add_up(&log, &mut all);
    Ok(all)
}

const LOG: [&str; 6] = [
    "log",
    "--no-merges",
    "--no-renames",
    "--no-show-signature",
    "--numstat",
    "--format=%x1e%H%x00%cI%x00%aN%x00%s",
];

fn start(asked: &Asked<'_>, since: Option<&str>, git: &mut Git<'_>) -> Result<Since, String> {
    let Some(since) = since.map(str::trim).filter(|s| !s.is_empty()) else {
        let tag = asked.of(git, &["describe", "--tags", "--abbrev=0"]);
        return Ok(tag.map_or(Since::Beginning, |tag| Since::Commit(tag.trim().to_owned())));
    };
    let bare = since.strip_prefix("the ").unwrap_or(since);
    if matches!(
        bare,
        "last tag" | "last release" | "last version" | "newest tag"
    ) {
        return start(asked, None, git);
    }
    let plain = |c: char| c.is_alphanumeric() || " ./-_@^~+#".contains(c);
    if since.starts_with('-') || !since.chars().all(plain) || since.contains("..") {
        return Err(format!(
            "`{}` is no tag, branch, commit or date",
            cut(since, 60)
        ));
    }
    let name = format!("{since}^{{commit}}");
    if asked
        .of(git, &["rev-parse", "-q", "--verify", &name])
        .is_ok()
    {
        return Ok(Since::Commit(since.to_owned()));
    }
    date(since).map(Since::Date).ok_or_else(|| {
        format!(
            "`{}` is no tag, branch or commit here, and no date: write 2026-08-01 or `2 weeks ago`",
            cut(since, 60)
        )
    })
}

/// The times git reads that mean one thing: git itself takes any text for a date.
fn date(text: &str) -> Option<String> {
    static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^(?i)(?:\d{4}-\d{2}-\d{2}|yesterday|(?:last|a|one|\d{1,4})[ -](?:hour|day|week|month|year)s?(?:[ -]ago)?)$").ok()
    });
    let known = DATE.as_ref()?.is_match(text);
    let iso = text.parse::<jiff::civil::Date>().is_ok()
        || !text.starts_with(|c: char| c.is_ascii_digit())
        || !text.contains('-');
    (known && iso).then(|| match text.len() {
        // Without a time of day git takes the present one.
        10 if text.parse::<jiff::civil::Date>().is_ok() => format!("{text} 00:00:00"),
        _ => text.to_lowercase(),
    })
}

/// Lines added, lines removed, and the file.
type Changed = (u64, u64, String);

#[derive(Default)]
struct Sum {
    commits: HashSet<usize>,
    added: u64,
    removed: u64,
}

fn add_up(log: &str, all: &mut Changes) {
    let mut authors: HashMap<String, Sum> = HashMap::new();
    let mut areas: BTreeMap<String, Sum> = BTreeMap::new();
    let mut files: BTreeMap<String, Sum> = BTreeMap::new();
    for (number, record) in log.split('\u{1e}').skip(1).enumerate() {
        let Some((commit, changes)) = parse(record) else {
            continue;
        };
        all.commits += 1;
        let author = authors.entry(commit.author.clone()).or_default();
        author.commits.insert(number);
        for (added, removed, path) in changes {
            let area = path
                .split_once('/')
                .map_or("(top folder)", |(first, _)| first);
            let mut sums = [
                areas.entry(area.to_owned()).or_default(),
                files.entry(path.clone()).or_default(),
            ];
            for sum in sums.iter_mut() {
                sum.commits.insert(number);
                sum.added = sum.added.saturating_add(added);
                sum.removed = sum.removed.saturating_add(removed);
            }
            author.added = author.added.saturating_add(added);
            author.removed = author.removed.saturating_add(removed);
            all.added = all.added.saturating_add(added);
            all.removed = all.removed.saturating_add(removed);
        }
        if all.list.len() < COMMITS {
            all.list.push(commit);
        }
    }
    all.files = files.len() as u64;
    let lines = |s: &Share| s.added.saturating_add(s.removed);
    all.authors = shares(authors);
    all.authors
        .sort_by(|a, b| (b.commits, &a.name).cmp(&(a.commits, &b.name)));
    for (from, to) in [(areas, &mut all.areas), (files, &mut all.most)] {
        *to = shares(from);
        to.sort_by(|a, b| (lines(b), &a.name).cmp(&(lines(a), &b.name)));
    }
    for list in [&mut all.authors, &mut all.areas, &mut all.most] {
        list.truncate(LISTED);
    }
}

fn shares(from: impl IntoIterator<Item = (String, Sum)>) -> Vec<Share> {
    from.into_iter()
        .map(|(name, sum)| Share {
            name: cut(&name, 200),
            commits: sum.commits.len() as u64,
            added: sum.added,
            removed: sum.removed,
        })
        .collect()
}

/// One commit with the lines each file gained and lost.
fn parse(record: &str) -> Option<(Commit, Vec<Changed>)> {
    let (head, body) = record.split_once('\n').unwrap_or((record, ""));
    let mut fields = head.split('\0');
    let mut next = || fields.next();
    let commit = Commit {
        hash: next()?.to_owned(),
        at: next()?.to_owned(),
        author: cut(next()?, 100),
        subject: cut(next()?, 200),
    };
    let changed = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let (added, removed, path) = (parts.next()?, parts.next()?, parts.next()?);
        // A binary file has `-` for both.
        let number = |text: &str| text.parse().unwrap_or(0);
        Some((number(added), number(removed), path.to_owned()))
    };
    Some((commit, body.lines().filter_map(changed).collect()))
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_log_is_added_up() {
        let log = "\u{1e}a1\x002026-01-02T00:00:00Z\0Ann\0second\n\n3\t1\tsrc/a.rs\n-\t-\tlogo.png\n\
                   \u{1e}a0\x002026-01-01T00:00:00Z\0Bob\0first\n\n10\t0\tsrc/a.rs\n2\t0\tREADME.md\n";
        let mut all = Changes::default();
        add_up(log, &mut all);
        assert_eq!(
            (all.commits, all.added, all.removed, all.files),
            (2, 15, 1, 3)
        );
        let told: Vec<_> = all
            .areas
            .iter()
            .map(|s| (s.name.as_str(), s.commits, s.added))
            .collect();
        assert_eq!(told, [("src", 2, 13), ("(top folder)", 2, 2)]);
        assert_eq!(all.most[0].name, "src/a.rs");
        assert_eq!(all.authors[0].name, "Ann");
    }

    #[test]
    fn dates_are_told_from_words() {
        for (text, expected) in [
            ("2026-08-01", Some("2026-08-01 00:00:00")),
            ("2 weeks ago", Some("2 weeks ago")),
            ("Last week", Some("last week")),
            ("yesterday", Some("yesterday")),
            ("v1.2", None),
            ("2026-13-41", None),
            ("whenever", None),
            ("", None),
        ] {
            assert_eq!(date(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_log_is_survived(log in "(?s)(\u{1e}|\0|\n|\t|[0-9]{1,25}|-|.){0,160}") {
            let mut all = Changes::default();
            add_up(&log, &mut all);
            for record in log.split('\u{1e}') {
                parse(record);
            }
        }
    }
}
