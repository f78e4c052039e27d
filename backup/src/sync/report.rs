//! What a run of the configuration came to, kept in the home for whoever asks how the team is.

use crate::error::BackupError;
use config::home::Home;
use config::private_file;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the file.
const VERSION: u64 = 1;
/// Largest file that is read, in bytes.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the file.
    pub v: u64,
    /// When it ended.
    pub at: Timestamp,
    /// The place, without credentials.
    pub place: String,
    /// The newest version there, as git names it.
    pub version: Option<String>,
    /// Files that were sent.
    pub sent: Vec<String>,
    /// Files that came in.
    pub came: Vec<String>,
    /// Files whose lines were merged.
    pub merged: Vec<String>,
    /// Files of which both sides are kept until a person decides.
    pub waiting: Vec<Waiting>,
    /// Files that are not sent.
    pub kept_back: Vec<KeptBack>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// A file that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its path below the home.
    pub path: String,
    /// Whether it was changed on both sides; else what came waits to be allowed.
    pub conflict: bool,
    /// Whether one of both can be taken with a word; else one has to be moved first.
    pub can_be_taken: bool,
    /// Why.
    pub why: String,
    /// Git's name of what lies there; `None` where it is gone there.
    pub theirs: Option<String>,
}

/// A file that is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBack {
    /// Its path below the home.
    pub path: String,
    /// Why, with the line.
    pub why: String,
}

/// Where the shelf and the report of a home lie.
pub fn folder(home: &Home) -> PathBuf {
    home.backup().join("configuration")
}

fn path(home: &Home) -> PathBuf {
    folder(home).join("last.json")
}

impl Report {
    /// The newest; `None` where there was none, or where it cannot be read.
    pub fn last(home: &Home) -> Option<Self> {
        let bytes = private_file::read(&path(home), FILE_BYTES).ok().flatten()?;
        let report: Report = serde_json::from_slice(&bytes).ok()?;
        (report.v == VERSION).then_some(report)
    }

    /// Keeps it.
    pub fn save(&mut self, home: &Home) -> Result<(), BackupError> {
        self.v = VERSION;
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| BackupError::damaged("last.json", error))?;
        Ok(private_file::write(Path::new(&path(home)), &text)?)
    }

    /// What a person has to know and do, in a line; `None` where there is nothing.
    pub fn problem(&self) -> Option<String> {
        let count = |number: usize, one: &str, more: &str| match number {
            1 => format!("1 {one}"),
            _ => format!("{number} {more}"),
        };
        if !self.waiting.is_empty() {
            let many = count(self.waiting.len(), "file waits", "files wait");
            return Some(format!(
                "configuration: {many} for your decision: ai-infra backup conflicts"
            ));
        }
        let first = self.kept_back.first()?;
        let many = count(self.kept_back.len(), "file is", "files are");
        Some(format!(
            "configuration: {many} not sent, such as {}: {}",
            first.path, first.why
        ))
    }
}
