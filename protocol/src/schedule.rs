//! Schedules as people and scripts are told of them.

use crate::ids::ShortId;
use crate::task_state::TaskState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the documents of `schedule … --json`.
pub const SCHEDULES_VERSION: u32 = 1;

/// What became of a time at which a schedule came round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its task is about to be kept.
    Owed,
    /// It has a task.
    Started,
    /// No task could be made of it.
    Refused,
    /// Nobody could start it in time.
    Missed,
    /// The run before had not ended.
    Overlap,
    /// What makes no task came to its end: a backup, a drill.
    Done,
    /// It did not.
    Failed,
}

impl Outcome {
    /// The word, as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Owed => "owed",
            Outcome::Started => "started",
            Outcome::Refused => "refused",
            Outcome::Missed => "missed",
            Outcome::Overlap => "overlap",
            Outcome::Done => "done",
            Outcome::Failed => "failed",
        }
    }

    /// The outcome of a word.
    pub fn of(word: &str) -> Option<Self> {
        let all = [
            Outcome::Owed,
            Outcome::Started,
            Outcome::Refused,
            Outcome::Missed,
            Outcome::Overlap,
            Outcome::Done,
            Outcome::Failed,
        ];
        all.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// A time at which a schedule came round, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleRun {
    /// When it was due; of one that a person asked for, when they did.
    pub due: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// How many runs this stands for; more than one only of runs that were left out, up to this one.
    pub number: u64,
    /// Who asked for it, where it did not begin by itself.
    pub asked_by: Option<String>,
    /// Why it was refused; of what makes no task, what it came to.
    pub reason: Option<String>,
    /// Its task.
    pub task: Option<ShortId>,
    /// Where that stands.
    pub state: Option<TaskState>,
}

/// A schedule, in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleLine {
    /// Its name.
    pub name: String,
    /// Its line of cron.
    pub when: String,
    /// The time zone of that line.
    pub zone: String,
    /// What a run does, as one line.
    pub does: String,
    /// When it begins next; `None` while it is paused.
    pub next: Option<Timestamp>,
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// The run that waits for the one before it to end.
    pub held: Option<Timestamp>,
    /// What became of the last time it came round.
    pub last: Option<ScheduleRun>,
}

/// `schedule list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleList {
    /// Version of this document.
    pub version: u32,
    /// By name.
    pub schedules: Vec<ScheduleLine>,
    /// Files that are not used, a sentence each.
    pub problems: Vec<String>,
}

/// `schedule show`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchedulePage {
    /// Version of this document.
    pub version: u32,
    /// The schedule.
    #[serde(flatten)]
    pub line: ScheduleLine,
    /// Where its file is.
    pub file: String,
    /// The next times it comes round.
    pub coming: Vec<Timestamp>,
    /// What became of the last times, newest first.
    pub runs: Vec<ScheduleRun>,
}
