//! Plans: one request as a small graph of tasks. What a plan file says, and how its parts stand.

use crate::ids::{Role, ShortId, TaskId};
use crate::task_state::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the plan grammar.
pub const PLAN_VERSION: u64 = 1;
/// Most parts of a plan.
pub const MOST_PARTS: usize = 50;
/// Most tries that `on_failure: retry` may ask for beyond the first.
pub const MOST_RETRIES: u32 = 5;

/// What the failure of a part means for the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// Nothing new is started; what runs is left to its end.
    #[default]
    Stop,
    /// What depends on it is left out; the rest goes on.
    Skip,
    /// It is tried again, `retries` times; then as `stop`.
    Retry,
}

/// One part of a plan: a request in words, or a playbook with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name inside the plan.
    pub id: String,
    /// The request, as a template over earlier parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// The playbook, instead of words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// The playbook's parameters; texts are templates over earlier parts.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// The role that must do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Role>,
    /// The parts that must be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// What its failure means.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How often it is tried again under `on_failure: retry`; 1 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

impl Part {
    /// How many tasks may work on it in all, one after the other.
    pub fn tries(&self) -> u32 {
        match self.on_failure {
            OnFailure::Retry => 1 + self.retries.unwrap_or(1).min(MOST_RETRIES),
            OnFailure::Stop | OnFailure::Skip => 1,
        }
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the grammar.
    pub plan: u64,
    /// Its name, for people.
    pub name: String,
    /// Its parts.
    pub tasks: Vec<Part>,
    /// Template of the report; a table of the parts unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gather: Option<String>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    /// Something before it is not done.
    Waiting,
    /// A task is to be made for it.
    Ready,
    /// A task works on it.
    Running,
    /// Its task is done.
    Done,
    /// Its last task ended otherwise, or none could be made.
    Failed,
    /// It was never started, and will not be.
    Left,
}

impl PartState {
    /// Every state.
    pub const ALL: [PartState; 6] = [
        PartState::Waiting,
        PartState::Ready,
        PartState::Running,
        PartState::Done,
        PartState::Failed,
        PartState::Left,
    ];

    /// Nothing moves from here again.
    pub fn is_final(self) -> bool {
        matches!(self, PartState::Done | PartState::Failed | PartState::Left)
    }

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            PartState::Waiting => "waiting",
            PartState::Ready => "ready",
            PartState::Running => "running",
            PartState::Done => "done",
            PartState::Failed => "failed",
            PartState::Left => "left",
        }
    }

    /// Reads a stored name.
    pub fn from_name(name: &str) -> Option<PartState> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The plan a task is part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The plan's task.
    pub task: TaskId,
    /// Its number for people.
    pub short_id: ShortId,
    /// The part's name.
    pub part: String,
    /// Which try this task is, counted from 1.
    pub number: u32,
}

/// A part as `--json` and `task show` tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartDocument {
    /// Its name.
    pub id: String,
    /// Where it stands.
    pub state: PartState,
    /// Why it failed or was left out.
    pub reason: Option<String>,
    /// The request in words, or `playbook NAME`; before it is started, as the plan says it.
    pub request: String,
    /// Who works on it, where that is known.
    pub agent: Option<Role>,
    /// The parts before it.
    pub after: Vec<String>,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// Its newest task.
    pub task: Option<ShortId>,
    /// Where that task stands.
    pub task_state: Option<TaskState>,
    /// How many tasks worked on it.
    pub tries: u32,
}

/// A plan as `--json` and `task show` tell it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// Its name.
    pub name: String,
    /// Its parts, in the order of the plan.
    pub parts: Vec<PartDocument>,
}
