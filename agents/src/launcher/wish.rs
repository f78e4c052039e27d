//! What an agent can ask of its launcher. A wish names tasks, digests and operations; where they lie and what they
//! reach follows from the home and the settings on the launcher's side.

use crate::disk::File;
use config::bus_access::BusUser;
use guard::act::Operation;
use guard::deadline::Deadline;
use protocol::acts::Bound;
use protocol::attachment::Attachment;
use protocol::ids::ShortId;
use protocol::trace::Trace;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One wish; each is answered in the conversation it came in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// Where the bus is and who the agent is there: [`Arrival`]. The folder of the team's own Redis is beside.
    Arrive,
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
    /// The name of the project a workspace belongs to.
    Project {
        /// The workspace.
        workspace: PathBuf,
    },
    /// The workspace as it is to be named, where it may be one.
    Check {
        /// The workspace.
        workspace: PathBuf,
    },
    /// Clones a workspace for a task, anew: the clone. Refused with `ETIME` where it could not begin in time.
    Clone {
        /// The task.
        task: ShortId,
        /// The workspace.
        workspace: PathBuf,
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
    /// A connection to this home's warden, beside.
    Warden,
    /// Whether the daemon has found another key where secrets are kept: `bool`.
    AnotherKey,
    /// From now on this conversation carries lines of the log, and no answers.
    Log,
}

/// A sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// The task.
    pub task: ShortId,
    /// What it is for.
    pub on: On,
    /// The project whose caches are used.
    pub project: String,
    /// Files that were handed in with the request are shown.
    pub attachments: bool,
    /// Until when it lives without an extension.
    pub deadline: Deadline,
    /// What programs inside are told.
    pub trace: Option<Trace>,
}

/// What a sandbox is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum On {
    /// The task's clone.
    Clone {
        /// Whether it may be written.
        writable: bool,
        /// Its programs reach hosts, through the task's proxy.
        online: bool,
    },
    /// The copy of it that was made last.
    Copy {
        /// As above.
        online: bool,
    },
    /// Facts of the host.
    Host,
    /// What one operation scans of the host, or reaches outside: as the settings grant it.
    Act {
        /// Which.
        operation: Box<Operation>,
        /// It sees the files of the task's clone, where it reads files.
        files: bool,
        /// How much a change of a database may do, where it is bounded.
        bound: Option<Box<Bound>>,
    },
}

/// What an agent needs to enter the bus.
#[derive(Serialize, Deserialize)]
pub struct Arrival {
    /// Where Redis is.
    pub url: String,
    /// It is the socket of this name in the folder beside.
    pub socket: Option<String>,
    /// Who may sign its certificate.
    pub ca: Option<String>,
    /// Who the agent is there.
    pub user: BusUser,
    /// The team's own name.
    pub team: String,
    /// What must be masked in all that it says.
    pub secrets: Vec<String>,
}
