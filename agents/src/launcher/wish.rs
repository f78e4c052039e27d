//! What an agent can ask of its launcher. A wish names tasks, digests and operations; where they lie and what they
//! reach follows from the home and the settings on the launcher's side.

use crate::disk::File;
use config::bus_access::BusUser;
use guard::act::Operation;
use guard::deadline::Deadline;
use protocol::approval::TicketId;
use protocol::attachment::Attachment;
use protocol::ids::{ShortId, TaskId};
use protocol::trace::Trace;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use warden::audit::line::Entry;

/// One wish; each is answered in the conversation it came in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// Takes a task up, which the launcher has the supervisor's word for: the name of the project it is about, `Option<String>`.
    /// Wishes that name a task by its number are granted after this alone.
    TakeUp {
        /// The task.
        task: TaskId,
    },
    /// Where the bus is and who the agent is there: [`Arrival`].
    Arrive,
    /// A connection to the bus, beside, where that is a socket of this host. Nothing was said on it yet.
    Redis,
    /// Whether the disk of the home is nearly full: `bool`.
    IsLow,
    /// A file: whether it is there, with its content beside.
    Read {
        /// Which.
        file: File,
    },
    /// Writes a file whole and safe, from the content beside.
    Write {
        /// Which.
        file: File,
    },
    /// Keeps a blob, where it is not there yet.
    Keep {
        /// Its digest.
        name: String,
    },
    /// Lays attached files out of their blobs beside the task's clone: the folder.
    LayOut {
        /// The task.
        task: ShortId,
        /// The files.
        files: Vec<Attachment>,
    },
    /// The text of a file of canned replies, where the settings allow such an engine: `String`.
    Script {
        /// The file.
        script: PathBuf,
    },
    /// Texts of all playbooks: `Vec<String>`.
    Playbooks,
    /// The workspace of a task as it is to be named, where it may be one: `PathBuf`.
    Check {
        /// The task.
        task: ShortId,
    },
    /// Clones the workspace of a task, anew: the clone. Refused with `ETIME` where it could not begin in time.
    Clone {
        /// The task.
        task: ShortId,
        /// Until when it may begin: as long as the task is surely held.
        until: Deadline,
    },
    /// Makes the task's clone look newer than whatever was built.
    Freshen {
        /// The task.
        task: ShortId,
    },
    /// Copies the task's clone, for checks: the copy. Refused as [`Wish::Clone`] is.
    Copy {
        /// The task.
        task: ShortId,
        /// As above.
        until: Deadline,
    },
    /// Starts a sandbox; it lives as long as the conversation.
    Sandbox(Box<Wanted>),
    /// Starts the proxy of a task, with the hosts and registries of the role's grants: the path of the socket that is bound
    /// into the task's sandboxes, and the conversation with the proxy beside. It lives as long as this one.
    WayOut {
        /// The task.
        task: ShortId,
    },
    /// A connection to this home's warden, beside, to speak of this task alone.
    Warden {
        /// The task.
        task: ShortId,
    },
    /// Whether the daemon has found another key where secrets are kept: `bool`.
    AnotherKey,
    /// From now on this conversation carries lines of the log, and no answers.
    Log,
}

impl Wish {
    /// Whether it is waited for beside everything else. Pure.
    pub fn may_take_time(&self) -> bool {
        matches!(
            self,
            Wish::Clone { .. }
                | Wish::Freshen { .. }
                | Wish::Copy { .. }
                | Wish::Sandbox(_)
                | Wish::WayOut { .. }
                | Wish::Warden { .. }
                | Wish::Redis
        )
    }

    /// The task it is about, where it is about one. Pure.
    pub fn task(&self) -> Option<ShortId> {
        match self {
            Wish::Read { file } | Wish::Write { file } => file.task(),
            Wish::LayOut { task, .. }
            | Wish::Check { task }
            | Wish::Clone { task, .. }
            | Wish::Freshen { task }
            | Wish::Copy { task, .. }
            | Wish::WayOut { task }
            | Wish::Warden { task } => Some(*task),
            Wish::Sandbox(wanted) => Some(wanted.task),
            Wish::TakeUp { .. }
            | Wish::Arrive
            | Wish::Redis
            | Wish::IsLow
            | Wish::Keep { .. }
            | Wish::Script { .. }
            | Wish::Playbooks
            | Wish::AnotherKey
            | Wish::Log => None,
        }
    }
}

/// A sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// The task.
    pub task: ShortId,
    /// What it is for.
    pub on: On,
    /// Files that were handed in with the request are shown.
    pub attachments: bool,
    /// What programs inside are told.
    pub trace: Option<Trace>,
}

/// What a sandbox is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum On {
    /// The task's clone.
    Clone {
        /// It is written.
        writable: bool,
        /// Its programs reach hosts, through the task's proxy.
        online: bool,
    },
    /// The copy of it that was made last.
    Copy {
        /// As above.
        writable: bool,
        /// As above.
        online: bool,
    },
    /// Facts of the host.
    Host,
    /// What one operation scans of the host, or reaches outside: as the settings grant it, once.
    Act(Box<ForAct>),
}

/// One act that looks at the host or reaches outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForAct {
    /// Which.
    pub operation: Operation,
    /// It sees the files of the task's clone, where it reads files.
    pub files: bool,
    /// It is tried, and taken back.
    pub trial: bool,
    /// The ticket that was used up for it.
    pub ticket: Option<TicketId>,
    /// What the record says of it first: tool, level, ticket and summary are the launcher's own words, whatever stands here.
    pub entry: Entry,
}

/// What an agent needs to enter the bus.
#[derive(Serialize, Deserialize)]
pub struct Arrival {
    /// Where Redis is.
    pub url: String,
    /// It is a socket of this host, and the launcher opens connections: [`Wish::Redis`].
    pub is_socket: bool,
    /// Who may sign its certificate.
    pub ca: Option<String>,
    /// Who the agent is there.
    pub user: BusUser,
    /// The team's own name.
    pub team: String,
    /// What must be masked in all that it says.
    pub secrets: Vec<String>,
}
