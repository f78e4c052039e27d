//! What the warden's record says of a task's acts: one line before each, one after, one for each
//! refusal. Digests of arguments, never the arguments; one redacted line for people. An act whose
//! first line cannot be written is not made.

use crate::blob::hex;
use crate::call_line::summary;
use bus::lease::Lease;
use config::home::Home;
use guard::act::{Act, Place};
use guard::redact::Redactor;
use protocol::effect::EffectClass;
use protocol::task::Task;
use protocol::tool::ToolCall;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::sync::Mutex;
use warden::audit::line::{Entry, Stage};
use warden::client::Client;

/// How long a warden that is being started again is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The witness of one held task.
#[derive(Debug)]
pub struct Witness {
    warden: Mutex<Client>,
    redactor: Redactor,
    principal: String,
    agent: String,
    task: String,
    epoch: u64,
}

impl Witness {
    /// Of a task under a claim.
    pub fn of(home: &Home, task: &Task, lease: &Lease, redactor: &Redactor) -> Self {
        Self {
            warden: Mutex::new(Client::new(home, PATIENCE)),
            redactor: redactor.clone(),
            principal: format!("{}({})", task.principal.name, task.principal.uid),
            agent: lease.instance.clone(),
            task: task.short_id.to_string(),
            epoch: lease.epoch.0,
        }
    }

    fn entry(&self, step: &str, call: &ToolCall, act: Option<&Act>) -> Entry {
        let words = act.map_or_else(|| summary(call), |act| act.preview.clone());
        Entry {
            principal: self.principal.clone(),
            agent: self.agent.clone(),
            task: self.task.clone(),
            call: step.to_owned(),
            epoch: self.epoch,
            level: act.map_or(0, |act| u8::from(act.level)),
            ticket: String::new(),
            tool: call.name.clone(),
            args_sha256: hex(&Sha256::digest(call.input.to_string())),
            summary: self.redactor.text(&words),
            stage: Stage::Before,
            outcome: String::new(),
        }
    }

    /// Writes that an act is about to be made. One that reaches outside and changes something there is
    /// begun only when a power cut cannot take the line away.
    ///
    /// # Errors
    /// A sentence: the act must not be made.
    pub async fn before(&self, step: &str, call: &ToolCall, act: &Act) -> Result<(), String> {
        let safe = act.operation.place() == Place::Outside && act.effect != EffectClass::Pure;
        let entry = self.entry(step, call, Some(act));
        let written = self.warden.lock().await.note(&entry, safe).await;
        written.map(drop).map_err(|error| {
            tracing::error!(%error, step, "not done: the record cannot be written");
            format!("refused: nothing is done without a record, and {error}")
        })
    }

    /// Writes how it ended. That it happened cannot be undone by a record that fails now: it is logged, and
    /// the next act is not begun.
    pub async fn after(&self, step: &str, call: &ToolCall, act: &Act, outcome: &str) {
        let entry = Entry {
            stage: Stage::After,
            outcome: self.redactor.text(outcome),
            ..self.entry(step, call, Some(act))
        };
        self.tell(&entry).await;
    }

    /// Writes that a call was refused, and why.
    pub async fn refused(&self, step: &str, call: &ToolCall, act: Option<&Act>, why: &str) {
        let entry = Entry {
            stage: Stage::Refused,
            outcome: self.redactor.text(why),
            ..self.entry(step, call, act)
        };
        self.tell(&entry).await;
    }

    async fn tell(&self, entry: &Entry) {
        if let Err(error) = self.warden.lock().await.note(entry, false).await {
            tracing::error!(%error, call = entry.call, outcome = entry.outcome, "not in the record");
        }
    }
}
