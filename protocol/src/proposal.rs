//! What would be done with a request, said before it is handed in: so that a person sees the plan
//! first, is asked for what is missing, chooses where several things fit, and confirms what writes.

use crate::attachment::Attachment;
use crate::ids::Role;
use crate::level::Level;
use crate::plan::PlanDocument;
use crate::task::Way;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What handing a request in would lead to. Nothing was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "proposal")]
pub enum Proposal {
    /// It would be accepted.
    Ready(Box<Ready>),
    /// It asks something, and the team's model would answer it without any work; as a request it would
    /// be this.
    Talk(Box<Ready>),
    /// A playbook fits and needs more to be said.
    Missing {
        /// Its name.
        playbook: String,
        /// Whose it is.
        agent: Role,
        /// What is known already.
        params: Map<String, Value>,
        /// What is to be asked, in order; at least one.
        wanted: Vec<Wanted>,
    },
    /// Several playbooks fit equally well, or these only perhaps.
    Several {
        /// Which.
        candidates: Vec<Candidate>,
    },
    /// Nobody can do it.
    NoWay {
        /// The nearest playbooks, best first.
        nearest: Vec<Candidate>,
        /// How a model is had, as a sentence.
        model: String,
    },
}

/// A request that would be accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Who would work.
    pub agent: Role,
    /// How.
    pub way: Way,
    /// Why, as a sentence for people.
    pub because: String,
    /// The most any step of it may do; `None` for a plan.
    pub level: Option<Level>,
    /// The folder, without links.
    pub workspace: Option<PathBuf>,
    /// The host of that folder, where it is not the team's first one.
    pub host: Option<String>,
    /// What must be true afterwards; empty where the agent writes the criteria itself.
    pub criteria: Vec<String>,
    /// Most it may cost in dollars; 0 where no model is asked.
    pub budget_usd: f64,
    /// Why a person should be asked first, as a sentence; `None` where nothing is changed or the
    /// words say exactly that.
    pub confirm: Option<String>,
    /// The parts, where it is a plan.
    pub plan: Option<PlanDocument>,
    /// Files handed in with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A parameter that is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What kind of value, such as `a whole number, 1 to 90`.
    pub kind: String,
    /// What it is for; may be empty.
    pub about: String,
    /// The values there are, where it is a choice.
    pub choices: Vec<String>,
}

/// A playbook that may have been meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub playbook: String,
    /// Whose it is.
    pub agent: Role,
    /// What it does, a line.
    pub about: String,
    /// Words that surely mean it.
    pub example: String,
    /// Its parameters, as far as the request says them.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Words of the request that it knows nothing of.
    #[serde(default)]
    pub beside: Vec<String>,
}
