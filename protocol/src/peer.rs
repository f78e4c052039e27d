//! What one agent asks another, and what it answers.

use crate::ids::TaskId;
use crate::money::MicroUsd;
use crate::report::Usage;
use serde::{Deserialize, Serialize};

/// Version of both.
pub const PEER_VERSION: u32 = 2;
/// Longest question, in bytes.
pub const QUESTION_BYTES: usize = 2000;
/// Longest answer, in bytes.
pub const ANSWER_BYTES: usize = 4000;
/// The action of the envelope that carries one.
pub const ASK: &str = "peer";

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerQuestion {
    /// [`PEER_VERSION`].
    pub v: u32,
    /// For which task: what the answer costs is that task's.
    pub task: TaskId,
    /// The most that task may cost.
    pub task_cap: MicroUsd,
    /// The words.
    pub question: String,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerAnswer {
    /// [`PEER_VERSION`].
    pub v: u32,
    /// The words; why there is no answer, where it is `refused`.
    pub text: String,
    /// There is no answer.
    #[serde(default)]
    pub refused: bool,
    /// The model that was asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
}
