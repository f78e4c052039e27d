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
use guard::redact::Redactor;
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
        told(&bench.task.request, &how, outcome, &bench.toolbox.redactor)
    }
}

/// What is remembered of a task, without secrets: title and body. Pure.
fn told(request: &str, how: &str, outcome: &Outcome, redactor: &Redactor) -> (String, String) {
    let asked = redactor.text(request);
    let short: String = asked.chars().take(100).collect();
    let (word, text) = match outcome {
        Outcome::Done { text } => ("done", text.clone()),
        Outcome::Failed { reason, text } => ("failed", format!("{reason}\n\n{text}")),
        Outcome::Refused { reason } => ("refused", reason.clone()),
    };
    let body = format!("Asked: {asked}\n\nBy: {how}\n\n{}", redactor.text(&text));
    (format!("{short} ({word})"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_holds_no_secret_also_where_its_title_is_cut() {
        let secret = "hunter2-hunter2";
        let redactor = Redactor::new([secret.to_owned()]);
        let request = format!("{} {secret} and more", "x".repeat(91));
        let outcome = Outcome::Done {
            text: format!("set to {secret}"),
        };
        let (title, body) = told(&request, "model m", &outcome, &redactor);
        assert_eq!(title, format!("{} [secret] (done)", "x".repeat(91)));
        assert_eq!(
            body,
            format!(
                "Asked: {} [secret] and more\n\nBy: model m\n\nset to [secret]",
                "x".repeat(91)
            )
        );
    }
}
