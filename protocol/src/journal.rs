//! The journal of one task: what a new holder folds to go on where the last one stopped.

use crate::ids::Epoch;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the entry format; a newer one is refused by an older binary.
/// 2 brought `parked` and `answer`, 3 several entries of one call in one entry of the stream and
/// `model_failed`, 4 `word`.
pub const JOURNAL_VERSION: u32 = 4;

/// What an entry says about its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A holder took the task.
    Claimed,
    /// A phase began.
    Phase,
    /// A model is about to be called; the body names the reservation.
    ModelRequest,
    /// The reply of an engine, verbatim.
    ModelReply,
    /// A model call came to nothing, and what it cost is settled; the body says why.
    ModelFailed,
    /// An effect is about to be made; the body holds the act and what was seen before it.
    Intent,
    /// The outcome of a step, verbatim.
    Result,
    /// A holder let go of a task that has to wait.
    Parked,
    /// What the task waited for: the answer to the question its step asked.
    Answer,
    /// A person said something to the task; its step is the word's number.
    Word,
    /// The task ended; nothing follows. Not written any more: the record says so.
    End,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Format version.
    pub v: u32,
    /// The epoch under which it was written.
    pub epoch: Epoch,
    /// When.
    pub at: Timestamp,
    /// The step's name, such as `execute/1/call/toolu_01`; the same on every run of the task.
    pub step: String,
    /// What it says.
    pub kind: EntryKind,
    /// What it carries. Larger than 4 kB travels as a blob and is put back by the reader.
    pub body: Value,
}
