//! Reads what git prints, and the plain files of `.git` that need no git at all. Git itself is run by the caller with
//! the commands named here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Prints the state of the work tree for [`parse_status`].
pub const STATUS: &[&str] = &["git", "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"];
/// Prints what changed since the last commit for [`parse_diff`].
pub const DIFF: &[&str] = &["git", "diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD"];
/// Prints the newest commit for [`parse_log`].
pub const LOG: &[&str] = &["git", "log", "-1", "--no-show-signature", "--format=%H%x00%cI%x00%s"];

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
pub fn parse_status(_exit: Option<i32>, _stdout: &str) -> GitStatus {
    GitStatus::default()
}

/// Reads the output of [`DIFF`].
pub fn parse_diff(_stdout: &str) -> GitDiff {
    GitDiff::default()
}

/// Reads the output of [`LOG`]; none when there is no commit.
pub fn parse_log(_stdout: &str) -> Option<Commit> {
    None
}

/// Reads `HEAD` without git; none when the folder is not the top of a work tree.
pub fn read_head(_root: &Path) -> Option<Head> {
    let _: PathBuf;
    None
}
