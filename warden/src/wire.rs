//! What may be asked of the warden, and what it answers: one JSON line each, in turn, over a
//! connection that may stay open. Whoever asks is known by the kernel, not by what is said.

use crate::audit::line::Entry;
use crate::audit::verify::Head;
use serde::{Deserialize, Serialize};

/// The version of the lines.
pub const WIRE_VERSION: u32 = 1;
/// Longest line, in bytes.
pub const LINE_BYTES: usize = 256 * 1024;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`WIRE_VERSION`].
    pub v: u32,
    /// What.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Write a line.
    Note {
        /// The line.
        entry: Box<Entry>,
        /// Answer only once a power cut cannot take it away.
        safe: bool,
    },
    /// How far the chain goes, every line of it safe.
    Head,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    /// The line is written.
    Written {
        /// Its number.
        seq: u64,
    },
    /// How far the chain goes.
    Head {
        /// Its end.
        head: Head,
    },
    /// No, and why.
    Refused {
        /// A sentence.
        why: String,
    },
}
