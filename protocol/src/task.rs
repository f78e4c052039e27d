//! What a person asked for, as it is kept in the ledger and carried on the bus.

use crate::attachment::Attachment;
use crate::ids::{RequestId, Role, ShortId, TaskId};
use crate::level::Level;
use crate::money::MicroUsd;
use crate::plan::{Parent, Plan};
use crate::trace::Trace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// How much work a task is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// The shortest way.
    Quick,
    /// The default.
    #[default]
    Standard,
    /// Turn every stone.
    Deep,
}

/// Which lane of a queue a task waits in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Priorities 8 to 10.
    Urgent,
    /// Priorities 4 to 7.
    #[default]
    Normal,
    /// Priorities 1 to 3.
    Background,
}

impl Class {
    /// Every class, most urgent first.
    pub const ALL: [Class; 3] = [Class::Urgent, Class::Normal, Class::Background];

    /// The class of a priority from 1 to 10.
    pub fn of_priority(priority: u8) -> Class {
        match priority {
            8.. => Class::Urgent,
            4..=7 => Class::Normal,
            _ => Class::Background,
        }
    }

    /// The name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Urgent => "urgent",
            Class::Normal => "normal",
            Class::Background => "background",
        }
    }
}

/// Who asked, proven by the kernel (peer uid of the control socket).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    /// Numeric user id.
    pub uid: u32,
    /// Login name where the system knows one, else the number.
    pub name: String,
}

/// How the work will be done, decided by routing before the task is queued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "engine")]
pub enum Way {
    /// A playbook, by name, with its parameters bound.
    Playbook {
        /// The playbook's name.
        name: String,
        /// Bound and checked parameters.
        params: Map<String, Value>,
        /// SHA-256 of its text as it was when the task was accepted: no other text is worked by.
        /// `None` in a task of an older team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// Claude through the Messages API.
    Anthropic,
    /// A plan: the supervisor makes a task of each part. No agent ever gets one.
    Plan {
        /// The plan as accepted.
        plan: Box<Plan>,
    },
    /// Canned replies from a file; tests only.
    Scripted {
        /// The file of replies.
        script: PathBuf,
    },
}

/// The most a task may do, by the rules of the team's first host. A host that works on it lays its
/// own rules over this; the stricter wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ceiling {
    /// Highest level.
    pub level: Level,
    /// Whether facts of the host may be read.
    pub host_read: bool,
}

impl Ceiling {
    /// No bound.
    pub const HIGHEST: Ceiling = Ceiling {
        level: Level::Privileged,
        host_read: true,
    };
}

/// A task as accepted: never changed afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Uuid v7.
    pub id: TaskId,
    /// Number for people.
    pub short_id: ShortId,
    /// The caller's id; the same one twice is one task.
    pub request_id: RequestId,
    /// Who asked.
    pub principal: Principal,
    /// The words.
    pub request: String,
    /// The role that works on it.
    pub agent: Role,
    /// Why routing chose that role and way, for `task show`.
    pub routed_because: String,
    /// How the work is done.
    pub way: Way,
    /// The folder it is about, absolute.
    pub workspace: Option<PathBuf>,
    /// The host that folder lives on: the task is worked on there and nowhere else. `None` for a
    /// task without a folder.
    #[serde(default)]
    pub host: Option<String>,
    /// The most it may do; `None` for a task of an older team.
    #[serde(default)]
    pub ceiling: Option<Ceiling>,
    /// How much work it is worth.
    pub effort: Effort,
    /// Most it may cost.
    pub budget: Option<MicroUsd>,
    /// 1 (background) to 10 (urgent).
    pub priority: u8,
    /// When it must be over.
    pub deadline: Option<Timestamp>,
    /// Not to be begun before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The ended task that this one does again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ShortId>,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// The plan it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The trace it belongs to; `None` for a task of an older team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Files handed in with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}
