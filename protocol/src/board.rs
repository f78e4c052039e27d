//! What a monitor shows besides the status of the team. It is asked for again and again, so it holds what
//! fits a screen and nothing that is costly to find out.

use crate::document::{TaskLine, TeamStatus};
use crate::ids::{Role, ShortId};
use crate::money::MicroUsd;
use crate::task::Class;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the document.
pub const BOARD_VERSION: u32 = 1;

/// The team at a glance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// Document version.
    pub version: u32,
    /// The supervisor's own view of the team.
    pub status: TeamStatus,
    /// The newest tasks, newest first; those that are held are among them, however old.
    pub tasks: Vec<TaskLine>,
    /// What waits in the queues.
    #[serde(default)]
    pub lanes: Vec<LaneLine>,
    /// The phases that tasks are in.
    #[serde(default)]
    pub phases: Vec<PhaseLine>,
    /// What happened last, oldest first.
    #[serde(default)]
    pub events: Vec<EventLine>,
    /// What this month has cost, with what running tasks have set aside.
    #[serde(default)]
    pub spent: MicroUsd,
    /// What a month may cost.
    #[serde(default)]
    pub budget: MicroUsd,
}

/// One lane of a role's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLine {
    /// Whose queue.
    pub role: Role,
    /// Which lane.
    pub class: Class,
    /// Tasks that nobody holds.
    pub waiting: u64,
}

/// Since when a task is in its phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseLine {
    /// Which task.
    pub task: ShortId,
    /// Since when.
    pub since: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// When.
    pub at: Timestamp,
    /// To which task; `None` where it is about the whole team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<ShortId>,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Role>,
    /// What, for people.
    pub text: String,
}
