//! What the supervisor and the daemon answer at the end of a conversation.

use crate::attachment::Attachment;
use crate::audit::AnchorLine;
use crate::board::Board;
use crate::costs::CostsDocument;
use crate::document::{
    DeadLetterLine, DeadLetterPage, RunDocument, TaskLine, TaskPage, TeamStatus,
};
use crate::memory::{FoundMemory, MemoryImported, MemoryStats};
use crate::proposal::Proposal;
use crate::schedule::{ScheduleList, SchedulePage};
use crate::talk;
use crate::workspace::Workspace;
use serde::{Deserialize, Serialize};

/// Answers that end a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum Answer {
    /// The team.
    Status {
        /// How it is.
        status: Box<TeamStatus>,
    },
    /// What would be done.
    Proposed {
        /// It.
        proposal: Box<Proposal>,
    },
    /// A question was answered.
    Talk {
        /// The answer, whole.
        reply: Box<talk::Reply>,
    },
    /// A file is kept.
    Kept {
        /// What a request names it by.
        attachment: Attachment,
    },
    /// The team at a glance.
    Board {
        /// All of it.
        board: Box<Board>,
    },
    /// What models cost.
    Costs {
        /// All of it.
        costs: Box<CostsDocument>,
    },
    /// A followed task rests.
    Run {
        /// Its document.
        document: Box<RunDocument>,
    },
    /// The newest tasks.
    Tasks {
        /// Newest first.
        tasks: Vec<TaskLine>,
    },
    /// One task.
    Task {
        /// All about it.
        page: Box<TaskPage>,
    },
    /// Plain text, such as a patch or a memory file.
    Text {
        /// The text.
        text: String,
    },
    /// The folders the team works in.
    Workspaces {
        /// By name.
        workspaces: Vec<Workspace>,
    },
    /// Memories.
    Memories {
        /// Best first.
        memories: Vec<FoundMemory>,
    },
    /// How the memory is.
    MemoryStats {
        /// All of it.
        stats: Box<MemoryStats>,
    },
    /// What an import came to.
    MemoryImported {
        /// The counts.
        came: MemoryImported,
    },
    /// Messages that nobody could read or finish.
    DeadLetters {
        /// Newest first.
        letters: Vec<DeadLetterLine>,
    },
    /// One of them.
    DeadLetter {
        /// All about it.
        letter: Box<DeadLetterPage>,
    },
    /// The schedules.
    Schedules {
        /// All of them.
        list: Box<ScheduleList>,
    },
    /// One schedule.
    Schedule {
        /// All about it.
        page: Box<SchedulePage>,
    },
    /// How far the records of all hosts were seen to go.
    AuditAnchors {
        /// By the ledger, then by Redis.
        anchors: Vec<AnchorLine>,
    },
    /// Variables that settings are made of, for a process of the team; some are secrets.
    Environment {
        /// By name.
        variables: std::collections::BTreeMap<String, String>,
    },
    /// Secrets were asked for once more.
    SecretsAgain {
        /// Whether one is another than the team's processes have: then those start anew by themselves.
        changed: bool,
    },
    /// Done, with a sentence about it.
    Ok {
        /// The sentence.
        message: String,
    },
}
