//! How much an analyser may read and report, and what can go wrong while it does. One set of bounds for all of them, so
//! that a huge or hostile tree costs a known amount of time and memory.

use std::path::{Path, PathBuf};

/// Bounds of one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files looked at before the walk stops (the rest are counted as skipped).
    pub files: usize,
    /// Bytes of the largest file whose content is read; larger ones are counted as skipped.
    pub file_bytes: u64,
    /// Findings listed; the total is still counted.
    pub findings: usize,
    /// Folder depth below the root.
    pub depth: usize,
    /// Rows of a CSV file or of a table read by a profile.
    pub rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            files: 200_000,
            file_bytes: 2 << 20,
            findings: 1000,
            depth: 64,
            rows: 5_000_000,
        }
    }
}

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The operating system refused.
    #[error("cannot read {}: {source}; check that it exists and may be read", path.display())]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A folder was expected.
    #[error("{} is not a folder; name the folder to look at", .0.display())]
    NotAFolder(PathBuf),
    /// Git did not answer as it must.
    #[error("git could not tell: {why}")]
    Git {
        /// What it said.
        why: String,
    },
    /// A table or a database cannot be read.
    #[error("cannot read {what}: {why}")]
    NotRead {
        /// The file, or the server.
        what: String,
        /// What is wrong with it, and the next step.
        why: String,
    },
    /// What was asked for makes no sense; the sentence says what does.
    #[error("{0}")]
    Asked(String),
    /// A database server does not let anybody in.
    #[error("{0}")]
    NoDatabase(String),
    /// No command can run this suite.
    #[error("no way to run the {kind} tests in {dir}: {why}")]
    NoCommand {
        /// The suite's kind.
        kind: String,
        /// The suite's folder.
        dir: String,
        /// What is missing, and the next step.
        why: String,
    },
}

impl InspectError {
    /// The error for a table or a database.
    pub fn not_read(what: impl std::fmt::Display, why: impl Into<String>) -> Self {
        InspectError::NotRead {
            what: what.to_string(),
            why: why.into(),
        }
    }

    /// The error for a path the operating system refused.
    pub fn unreadable(path: &Path, source: std::io::Error) -> Self {
        InspectError::Unreadable {
            path: path.to_path_buf(),
            source,
        }
    }
}
