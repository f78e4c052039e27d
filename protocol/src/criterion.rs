//! What "done" means: atomic yes-or-no statements, each with a check that reads the world.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One statement about the end state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// `c1`, `c2`, …, unique in the task.
    pub id: String,
    /// The statement, for people.
    pub text: String,
    /// How it is checked.
    pub check: Check,
    /// A criterion of change must fail before the work; others may hold already.
    #[serde(default)]
    pub change: bool,
}

/// How a criterion is checked. Every kind reads a process, a file, a socket or a database after
/// the work; none reads what an agent wrote about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// Run a program in a throwaway copy and look at how it ended.
    Command {
        /// Program and arguments; never a shell string.
        argv: Vec<String>,
        /// What must be seen.
        #[serde(default)]
        expect: CommandExpect,
        /// Longest run time, in seconds.
        #[serde(default = "default_check_seconds")]
        timeout_s: u64,
    },
    /// Look at a file of the workspace.
    File {
        /// Path relative to the workspace.
        path: String,
        /// Must it exist?
        #[serde(default = "yes")]
        exists: bool,
        /// Text it must hold.
        #[serde(default)]
        contains: Option<String>,
        /// Text it must not hold.
        #[serde(default)]
        lacks: Option<String>,
        /// Lower-case hex SHA-256 of its content.
        #[serde(default)]
        sha256: Option<String>,
    },
    /// Run one of the executor's own tools again and judge its fresh answer.
    Tool {
        /// Tool name.
        name: String,
        /// Its input.
        #[serde(default)]
        input: Value,
        /// A `when`-style expression over `result` (the fresh answer) and the work's `steps` and
        /// `params`; the criterion holds when it is true.
        expect: String,
    },
}

fn yes() -> bool {
    true
}

fn default_check_seconds() -> u64 {
    600
}

/// What a command check must see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandExpect {
    /// Exit status.
    #[serde(default)]
    pub exit: i32,
    /// Text that standard output must hold.
    #[serde(default)]
    pub stdout_contains: Option<String>,
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Seen to hold.
    Passed,
    /// Seen not to hold.
    Failed,
    /// The check could not be made.
    Unknown,
}

/// Where the evidence was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// A process and how it ended.
    Process,
    /// A file's content.
    File,
    /// An answer over a socket.
    Socket,
    /// A database row.
    Database,
}

/// What was seen, when, and in which tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The criterion's id.
    pub criterion: String,
    /// The outcome.
    pub verdict: Verdict,
    /// Where it was read.
    pub source: EvidenceSource,
    /// What was seen, cut to a few lines.
    pub observed: String,
    /// When it was measured; always after the work.
    pub measured: Timestamp,
    /// Hash of the tree it was measured in, where there is a workspace.
    pub tree: Option<String>,
}
