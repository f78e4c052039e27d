//! Who decides inside the phases: a playbook (no model) or a model. Both answer the same
//! questions and make their calls through the same door.

pub(crate) mod claude;
mod model;
pub(crate) mod money;
pub(crate) mod patience;
mod playbook;
mod refused;

use crate::record::Record;
use crate::stop::Stop;
use crate::workbench::Workbench;
use pai::algorithm::{Choice, Limits, Outcome, Plan, Worked};
use protocol::criterion::{Criterion, Evidence};
use protocol::level::Level;
use protocol::memory::FoundMemory;
use protocol::task::Way;
use serde_json::Value;

pub use model::ModelBrain;
pub use playbook::PlaybookBrain;

/// The decider of one task.
pub enum Brain {
    /// Steps a person wrote.
    Playbook(Box<PlaybookBrain>),
    /// A model.
    Model(Box<ModelBrain>),
}

impl Brain {
    /// The brain for the way routing chose.
    pub async fn new(bench: &mut Workbench) -> Result<Self, Stop> {
        match bench.task.way.clone() {
            Way::Playbook {
                name,
                params,
                sha256,
            } => {
                let brain = PlaybookBrain::new(bench, &name, params, sha256.as_deref());
                brain.await.map(|brain| Brain::Playbook(Box::new(brain)))
            }
            Way::Plan { plan } => Err(Stop::Fail(format!(
                "the plan {} came to an agent: plans are the supervisor's own",
                plan.name
            ))),
            Way::Anthropic => Ok(Brain::Model(Box::new(ModelBrain::anthropic(bench)?))),
            Way::Scripted { script } => Ok(Brain::Model(Box::new(ModelBrain::scripted(
                bench, &script,
            )?))),
        }
    }

    /// How often the work may go back. A playbook does the same again; once more tells a chance
    /// failure from a real one.
    pub fn limits(&self) -> Limits {
        match self {
            Brain::Playbook(_) => Limits {
                execute_returns: 1,
                plan_returns: 0,
            },
            Brain::Model(_) => Limits::default(),
        }
    }

    /// Whether the task needs a clone of the workspace.
    pub fn needs_workspace(&self) -> bool {
        match self {
            Brain::Playbook(brain) => brain.needs_workspace(),
            Brain::Model(_) => true,
        }
    }

    /// The most its steps do.
    pub fn level(&self) -> Level {
        match self {
            Brain::Playbook(brain) => brain.level(),
            Brain::Model(_) => Level::Privileged,
        }
    }

    /// Whether what the work changes in the clone is its result.
    pub fn keeps_changes(&self) -> bool {
        match self {
            Brain::Playbook(brain) => brain.writes(),
            Brain::Model(_) => true,
        }
    }

    /// OBSERVE: what is known before anything is done.
    pub async fn observe(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        memories: &[FoundMemory],
    ) -> Result<String, Stop> {
        match self {
            Brain::Playbook(brain) => Ok(brain.observe(&bench.task)),
            Brain::Model(brain) => brain.observe(bench, record, memories).await,
        }
    }

    /// THINK: the options.
    pub async fn options(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
    ) -> Result<Vec<Choice>, Stop> {
        match self {
            Brain::Playbook(brain) => Ok(brain.options()),
            Brain::Model(brain) => brain.options(bench, record).await,
        }
    }

    /// PLAN: one of them.
    pub async fn plan(&mut self, bench: &mut Workbench, record: &mut Record) -> Result<Plan, Stop> {
        match self {
            Brain::Playbook(brain) => Ok(brain.plan()),
            Brain::Model(brain) => brain.plan(bench, record).await,
        }
    }

    /// BUILD: the criteria, mended where there is a complaint.
    pub async fn criteria(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        complaint: Option<String>,
    ) -> Result<Vec<Criterion>, Stop> {
        match self {
            Brain::Playbook(brain) => brain.criteria(),
            Brain::Model(brain) => brain.criteria(bench, record, complaint).await,
        }
    }

    /// EXECUTE: the work.
    pub async fn work(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        round: u32,
        feedback: &[Evidence],
    ) -> Result<Worked, Stop> {
        match self {
            Brain::Playbook(brain) => brain.work(bench, record, round).await,
            Brain::Model(brain) => brain.work(bench, record, round, feedback).await,
        }
    }

    /// What checks may refer to: parameters and the answers of the work's steps.
    pub fn context(&self) -> Result<Value, Stop> {
        match self {
            Brain::Playbook(brain) => brain.context(),
            Brain::Model(_) => Ok(serde_json::json!({"params": {}, "steps": {}})),
        }
    }

    /// LEARN: a title and a body worth keeping.
    pub fn lesson(&self, bench: &Workbench, outcome: &Outcome) -> (String, String) {
        let how = match self {
            Brain::Playbook(brain) => format!("playbook {}", brain.name()),
            Brain::Model(brain) => format!("model {}", brain.model_name()),
        };
        let request: String = bench.task.request.chars().take(100).collect();
        let (word, text) = match outcome {
            Outcome::Done { text } => ("done", text.clone()),
            Outcome::Failed { reason, text } => ("failed", format!("{reason}\n\n{text}")),
            Outcome::Refused { reason } => ("refused", reason.clone()),
        };
        let title = format!("{request} ({word})");
        (
            title,
            format!("Asked: {}\n\nBy: {how}\n\n{text}", bench.task.request),
        )
    }
}
