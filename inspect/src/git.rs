//! Reads what git prints, and the plain files of `.git` that need no git at all. Git itself is run by the caller with
//! the commands named here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Prints the state of the work tree for [`parse_status`].
pub const STATUS: &[&str] = &[
    "git",
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=all",
];
/// Prints what changed since the last commit for [`parse_diff`].
pub const DIFF: &[&str] = &[
    "git",
    "diff",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "HEAD",
];
/// Prints the newest commit for [`parse_log`].
pub const LOG: &[&str] = &[
    "git",
    "log",
    "-1",
    "--no-show-signature",
    "--format=%H%x00%cI%x00%s",
];

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its id in hex.
    pub hash: String,
    /// When, RFC 3339.
    pub at: String,
    /// First line of its message.
    pub subject: String,
}

/// A file that differs from the last commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DirtyFile {
    /// File, relative to the top of the work tree.
    pub path: String,
    /// `modified`, `added`, `deleted`, `renamed`, `copied`, `type-changed`, `conflicted` or `untracked`.
    pub status: String,
}

/// State of a work tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitStatus {
    /// False when there is no repository.
    pub repository: bool,
    /// Branch; empty when detached.
    pub branch: String,
    /// Commit in hex; empty before the first one.
    pub head: String,
    /// Files that differ, in order of path.
    pub dirty: Vec<DirtyFile>,
}

/// A difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitDiff {
    /// The patch, as git prints it.
    pub patch: String,
    /// Files it touches, in its order.
    pub files: Vec<String>,
}

/// Where `HEAD` stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Branch; empty when detached.
    pub branch: String,
    /// Commit in hex; empty before the first one.
    pub head: String,
    /// The commit itself, where the reflog tells it.
    pub newest: Option<Commit>,
}

/// Reads the output of [`STATUS`]. A failing exit code, as outside of a repository, gives `repository: false`.
pub fn parse_status(exit: Option<i32>, stdout: &str) -> GitStatus {
    let mut status = GitStatus {
        repository: exit == Some(0),
        ..GitStatus::default()
    };
    let mut records = stdout.split('\0').filter(|r| !r.is_empty());
    while let Some(record) = records.next() {
        if let Some(oid) = record.strip_prefix("# branch.oid ") {
            status.head = if oid == "(initial)" {
                String::new()
            } else {
                oid.to_string()
            };
        } else if let Some(branch) = record.strip_prefix("# branch.head ") {
            status.branch = if branch == "(detached)" {
                String::new()
            } else {
                branch.to_string()
            };
        } else if let Some(file) = dirty(record) {
            status.dirty.push(file);
        }
        if record.starts_with("2 ") {
            records.next();
        }
    }
    status.dirty.sort();
    status
}

/// One changed file: `1 .M N... 100644 …`, `2` for a rename, `u` for a conflict, `?` for an untracked file.
fn dirty(record: &str) -> Option<DirtyFile> {
    let (kind, rest) = record.split_once(' ')?;
    let fields = match kind {
        "1" => 8,
        "2" => 9,
        "u" => 10,
        "?" => {
            return Some(DirtyFile {
                path: rest.to_string(),
                status: "untracked".into(),
            });
        }
        _ => return None,
    };
    let path = rest.splitn(fields, ' ').nth(fields - 1)?.to_string();
    let letters = rest.split(' ').next().unwrap_or_default();
    let word = match (kind, letters.chars().find(|c| *c != '.')) {
        ("u", _) => "conflicted",
        (_, Some('A')) => "added",
        (_, Some('D')) => "deleted",
        (_, Some('R')) => "renamed",
        (_, Some('C')) => "copied",
        (_, Some('T')) => "type-changed",
        _ => "modified",
    };
    Some(DirtyFile {
        path,
        status: word.into(),
    })
}

/// Reads the output of [`DIFF`].
pub fn parse_diff(stdout: &str) -> GitDiff {
    let mut diff = GitDiff {
        patch: stdout.to_string(),
        files: Vec::new(),
    };
    let mut header = false;
    for line in stdout.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            header = true;
            diff.files.push(same_name(names));
        } else if line.starts_with("@@") {
            header = false;
        } else if header && let Some(name) = header_name(line) {
            let last = diff.files.len() - 1;
            diff.files[last] = name;
        }
    }
    diff
}

/// `a/x y b/x y` names one file twice; where the names differ a later line tells.
fn same_name(names: &str) -> String {
    let half = names.len() / 2;
    match (names.get(..half), names.get(half + 1..)) {
        (Some(old), Some(new)) if unquote(old).get(2..) == unquote(new).get(2..) => {
            unquote(new)[2..].to_string()
        }
        _ => names.rsplit(" b/").next().unwrap_or(names).to_string(),
    }
}

fn header_name(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("rename to ") {
        return Some(unquote(name));
    }
    let name = unquote(
        line.strip_prefix("--- ")
            .or(line.strip_prefix("+++ "))?
            .trim_end_matches('\t'),
    );
    name.strip_prefix("a/")
        .or(name.strip_prefix("b/"))
        .map(String::from)
}

/// Undoes git's quoting of unusual names: `"caf\303\251"`.
fn unquote(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) else {
        return name.to_string();
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let octal = rest
            .get(..3)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match (octal, rest.first()) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            (None, Some(&c)) => {
                bytes.push(match c {
                    b'n' => b'\n',
                    b't' => b'\t',
                    other => other,
                });
                rest = &rest[1..];
            }
            (None, None) => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the output of [`LOG`]; none when there is no commit.
pub fn parse_log(stdout: &str) -> Option<Commit> {
    let mut parts = stdout.trim_end_matches('\n').splitn(3, '\0');
    let (hash, at, subject) = (parts.next()?, parts.next()?, parts.next()?);
    is_hash(hash).then(|| Commit {
        hash: hash.into(),
        at: at.into(),
        subject: subject.into(),
    })
}

fn is_hash(text: &str) -> bool {
    (text.len() == 40 || text.len() == 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Reads `HEAD` without git; none when the folder is not the top of a work tree.
pub fn read_head(root: &Path) -> Option<Head> {
    let folder = folder(root)?;
    let head = read(&folder.join("HEAD"))?;
    let shared = read(&folder.join("commondir")).map_or(folder.clone(), |c| folder.join(c.trim()));
    let mut at = Head::default();
    match head.trim().strip_prefix("ref: ") {
        None => at.head = Some(head.trim()).filter(|h| is_hash(h))?.to_string(),
        Some(name) if name.starts_with("refs/") && !name.contains("..") => {
            at.branch = name.strip_prefix("refs/heads/").unwrap_or(name).to_string();
            let loose = [&folder, &shared]
                .iter()
                .find_map(|f| read(&f.join(name)))
                .map(|t| t.trim().to_string());
            at.head = loose
                .or_else(|| packed(&shared, name))
                .filter(|h| is_hash(h))
                .unwrap_or_default();
        }
        Some(_) => return None,
    }
    at.newest = newest(&folder, &at.head);
    Some(at)
}

/// `.git` itself, or where the file `.git` of a work tree points to.
fn folder(root: &Path) -> Option<PathBuf> {
    let at = root.join(".git");
    if at.is_dir() {
        return Some(at);
    }
    read(&at)?
        .trim()
        .strip_prefix("gitdir: ")
        .map(|p| root.join(p))
}

fn read(path: &Path) -> Option<String> {
    crate::walk::read_text(path, 16 << 20)
}

fn packed(folder: &Path, name: &str) -> Option<String> {
    let refs = read(&folder.join("packed-refs"))?;
    refs.lines()
        .filter_map(|l| l.split_once(' '))
        .find(|(_, n)| *n == name)
        .map(|(hash, _)| hash.to_string())
}

/// The last line of the reflog, when it tells of a commit being made and `HEAD` is still there.
fn newest(folder: &Path, head: &str) -> Option<Commit> {
    let log = read(&folder.join("logs/HEAD"))?;
    let (facts, said) = log.lines().last()?.split_once('\t')?;
    let (_, subject) = said
        .split_once(": ")
        .filter(|(verb, _)| verb.starts_with("commit"))?;
    let mut words = facts.split(' ');
    let hash = words.nth(1).filter(|h| *h == head)?;
    let seconds = words.rev().nth(1)?.parse().ok()?;
    let at = jiff::Timestamp::from_second(seconds).ok()?.to_string();
    Some(Commit {
        hash: hash.into(),
        at,
        subject: subject.into(),
    })
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn reads_status_records() {
        let h = "0123456789012345678901234567890123456789";
        let out = format!(
            "# branch.oid {h}\0# branch.head main\0# branch.ab +1 -0\01 .M N... 100644 100644 100644 {h} {h} src/a b.rs\0\
             2 R. N... 100644 100644 100644 {h} {h} R100 new.rs\0old.rs\0u UU N... 1 2 3 4 {h} {h} {h} both.rs\0? un tracked\0\
             1 A. N... 0 1 1 {h} {h} added\0"
        );
        let status = parse_status(Some(0), &out);
        assert!(status.repository);
        assert_eq!((status.branch.as_str(), status.head.as_str()), ("main", h));
        let seen: Vec<_> = status
            .dirty
            .iter()
            .map(|d| (d.path.as_str(), d.status.as_str()))
            .collect();
        let expected = [
            ("added", "added"),
            ("both.rs", "conflicted"),
            ("new.rs", "renamed"),
            ("src/a b.rs", "modified"),
            ("un tracked", "untracked"),
        ];
        assert_eq!(seen, expected);
        assert!(!parse_status(Some(128), "").repository);
    }

    #[test]
    fn reads_names_of_a_diff() {
        let patch = "diff --git a/x y.rs b/x y.rs\nindex 1..2 100644\n--- a/x y.rs\t\n+++ b/x y.rs\t\n@@ -1,2 +1,2 @@\n--- a/not a header\n+++ b/nor this\n\
                     diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
                     diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n\
                     diff --git \"a/caf\\303\\251\" \"b/caf\\303\\251\"\nBinary files differ\ndiff --git a/m b/m\nold mode 100644\nnew mode 100755\n";
        assert_eq!(
            parse_diff(patch).files,
            ["x y.rs", "gone", "new", "café", "m"]
        );
    }

    #[test]
    fn reads_log_and_head() {
        let h = "0123456789abcdef0123456789abcdef01234567";
        let commit = parse_log(&format!("{h}\02026-01-02T03:04:05+00:00\0it works\n")).unwrap();
        assert_eq!(
            (commit.hash.as_str(), commit.subject.as_str()),
            (h, "it works")
        );
        assert_eq!(parse_log(""), None);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_head(dir.path()), None);
        let git = dir.path().join(".git");
        std::fs::create_dir_all(git.join("logs")).unwrap();
        std::fs::write(git.join("HEAD"), "ref: refs/heads/feature/x\n").unwrap();
        std::fs::write(
            git.join("packed-refs"),
            format!("# pack-refs\n{h} refs/heads/feature/x\n"),
        )
        .unwrap();
        std::fs::write(
            git.join("logs/HEAD"),
            format!("{h} {h} A B <a@b> 1700000000 +0100\tcommit: done: now\n"),
        )
        .unwrap();
        let head = read_head(dir.path()).unwrap();
        assert_eq!((head.branch.as_str(), head.head.as_str()), ("feature/x", h));
        let newest = head.newest.unwrap();
        assert_eq!(
            (newest.at.as_str(), newest.subject.as_str()),
            ("2023-11-14T22:13:20Z", "done: now")
        );
    }
}
