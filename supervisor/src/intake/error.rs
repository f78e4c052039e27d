//! Why a request was not accepted, as a sentence with the next step, an exit code, and what is asked
//! back.

use crate::ledger::store::LedgerError;
use crate::route::RouteError;
use config::error::ConfigError;
use guard::clone::CloneError;
use jiff::Timestamp;
use pai::plan::PlanError;
use protocol::attachment::AttachmentError;
use protocol::exit;
use protocol::ids::ShortId;
use protocol::limits::REQUEST_BYTES;
use protocol::proposal::Proposal;
use protocol::task_state::TaskState;
use std::path::PathBuf;

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// No words.
    #[error("the request is empty: say in a sentence what should be true")]
    Empty,
    /// Too many words.
    #[error(
        "the request has {0} bytes, at most {REQUEST_BYTES} are accepted: put long text into a file of the workspace and name it"
    )]
    TooLong(usize),
    /// A character that cannot be seen.
    #[error("the request holds the control character U+{0:04X}: send plain text")]
    Control(u32),
    /// Out of range.
    #[error("priority {0} is not between 1 (background) and 10 (urgent)")]
    Priority(u8),
    /// The budget is no amount, or more than may be spent.
    #[error("a budget of ${given} cannot be kept: {why}")]
    Budget {
        /// As given.
        given: f64,
        /// Why.
        why: String,
    },
    /// The month's money is gone.
    #[error(
        "this month's budget of ${limit:.2} is spent (${spent:.2}): raise budget.month_usd, or use a playbook, which costs nothing"
    )]
    Spent {
        /// What was spent, in dollars.
        spent: f64,
        /// The limit, in dollars.
        limit: f64,
    },
    /// It was over before it began.
    #[error("the deadline {0} has passed already")]
    Late(Timestamp),
    /// Not an absolute path, or not there.
    #[error("the workspace {} {why}", .path.display())]
    Workspace {
        /// As given.
        path: PathBuf,
        /// What is wrong and the next step.
        why: String,
    },
    /// A host that cannot do it.
    #[error("{0}")]
    Host(String),
    /// A folder that is never worked on.
    #[error(transparent)]
    Guarded(#[from] CloneError),
    /// A plan of which nothing is left to be tried again.
    #[error(
        "every part of {0} is done, so nothing of it is left to retry: hand the plan in again to run it whole"
    )]
    PlanDone(ShortId),
    /// Only an ended task is done again.
    #[error(
        "{short_id} has not ended, it is {state}: wait for it, or end it: ai-infra task cancel {short_id}"
    )]
    NotEnded {
        /// Which.
        short_id: ShortId,
        /// Where it stands.
        state: TaskState,
    },
    /// Nobody can do it.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The plan cannot work.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// One part of a plan cannot be done.
    #[error("the plan's task `{part}`: {error}")]
    Part {
        /// Which.
        part: String,
        /// Why.
        error: Box<IntakeError>,
    },
    /// The text of its playbook could not be kept.
    #[error(transparent)]
    Text(#[from] ConfigError),
    /// Files that cannot go with it.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// An attached file is not here.
    #[error("the content of `{name}` is not kept here any more: attach it again")]
    NotKept {
        /// Its name.
        name: String,
    },
    /// Attached files are too large to travel.
    #[error(
        "attached files of {bytes} bytes are too much for host {host}: at most 8 MiB travel there; put them on {host} and name the folder"
    )]
    TooFar {
        /// Where to.
        host: String,
        /// Their size.
        bytes: u64,
    },
    /// Attached files without a folder to work in.
    #[error(
        "files go with a request that is about a folder: say which, --workspace DIR or /workspace DIR"
    )]
    NoFolder,
    /// It could not be kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl IntakeError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            IntakeError::Ledger(error) => error.exit_code(),
            IntakeError::Text(error) => error.exit_code(),
            IntakeError::Spent { .. } => exit::REFUSED,
            IntakeError::Late(_) => exit::DEADLINE,
            // A question about one part cannot be answered alone: the plan is mended.
            IntakeError::Part { error, .. } if error.asks().is_some() => exit::USAGE,
            IntakeError::Part { error, .. } => error.exit_code(),
            IntakeError::NotEnded { .. } => exit::FAILED,
            IntakeError::Route(error) if error.asks().is_some() => exit::WAITS,
            _ => exit::USAGE,
        }
    }

    /// What is asked back.
    pub fn asks(&self) -> Option<Proposal> {
        match self {
            IntakeError::Route(error) => error.asks(),
            _ => None,
        }
    }

    /// Nearest things that would work.
    pub fn hints(&self) -> Vec<String> {
        match self {
            IntakeError::Route(error) => error.hints(),
            IntakeError::Part { error, .. } => error.hints(),
            _ => Vec::new(),
        }
    }
}
