//! How backups stand, as people and scripts are told of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How the backups of a home stand; part of the team's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Why nothing is backed up, with the line that changes it; `None` where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset: Option<String>,
    /// The jobs that have a place, by name.
    #[serde(default)]
    pub jobs: Vec<BackupJobLine>,
    /// The last drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drilled>,
    /// What is wrong, a sentence each, with its next step.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// What should be known, a sentence each, with its next step.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A job of the backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupJobLine {
    /// Its name.
    pub job: String,
    /// Where it is kept, without credentials.
    pub place: String,
    /// When the newest good snapshot was begun.
    pub made: Option<Timestamp>,
    /// When it comes round next; `None` where it does not begin by itself, or is paused.
    pub next: Option<Timestamp>,
}

/// What a drill came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// When it ended.
    pub at: Timestamp,
    /// The snapshot that was restored.
    pub snapshot: String,
    /// Whether it was whole and equal.
    pub good: bool,
    /// The same in one line.
    pub said: String,
}
