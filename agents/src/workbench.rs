//! What one held task works with: the task, the journal, the way out, the door to the tools.

use crate::outbox::Outbox;
use crate::record::Record;
use crate::steps::Steps;
use crate::stop::Stop;
use crate::team_call;
use crate::toolbox::Toolbox;
use bus::connect::Bus;
use config::settings::{AgentSettings, Settings};
use jiff::Timestamp;
use protocol::envelope::{Envelope, micros};
use protocol::journal::EntryKind;
use protocol::phase::Phase;
use protocol::report::Progress;
use protocol::task::Task;
use protocol::tool::{ToolAnswer, ToolCall};
use std::sync::Arc;
use std::time::Duration;

/// Everything a brain may use.
pub struct Workbench {
    /// The task as accepted.
    pub task: Task,
    /// The team's settings.
    pub settings: Arc<Settings>,
    /// The agent's own text and grants.
    pub agent: AgentSettings,
    /// The bus.
    pub bus: Bus,
    /// This process's name.
    pub instance: String,
    /// The journal.
    pub steps: Steps,
    /// The way to the supervisor.
    pub outbox: Outbox,
    /// The one door.
    pub toolbox: Toolbox,
    /// How many phases were entered so far.
    pub entered: u32,
    /// How often criteria were measured so far.
    pub measured: u32,
}

/// The step that holds the clone's tree before the work.
pub const BASE: &str = "observe/tree";

impl Workbench {
    /// Makes a call through the door.
    pub async fn call(
        &mut self,
        record: &mut Record,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        if team_call::is(call) {
            return team_call::make(self, record, step, call).await;
        }
        self.toolbox
            .call(&mut self.steps, &self.outbox, record, step, call, timeout)
            .await
    }

    /// Enters a phase; a phase entered before the last holder was lost keeps its time.
    pub async fn enter(&mut self, record: &mut Record, phase: Phase) -> Result<(), Stop> {
        crate::stop::check(&self.toolbox.watch)?;
        self.entered += 1;
        let step = format!("phase/{}/{}", self.entered, phase.as_str());
        if let Some(at) = self.steps.recorded_at(&step) {
            record.enter(phase, at);
            return Ok(());
        }
        tracing::info!(%phase, "enters");
        let at = micros(Timestamp::now());
        let left = record.phases.last().map(|span| span.phase);
        record.enter(phase, at);
        let ended = left.map(|phase| Progress::PhaseEnded { phase, at });
        let told: Vec<Envelope> = ended
            .iter()
            .chain([&Progress::PhaseStarted { phase, at }])
            .map(|progress| self.outbox.word(progress))
            .collect::<Result<_, _>>()?;
        let entered = serde_json::json!({"phase": phase});
        self.steps
            .record_and_tell(&step, EntryKind::Phase, &entered, &told)
            .await
    }

    /// Whether a holder before has gone on to this phase from here.
    pub fn went_on_to(&self, phase: Phase) -> bool {
        let step = format!("phase/{}/{}", self.entered + 1, phase.as_str());
        self.steps.recorded_at(&step).is_some()
    }

    /// The name of the next measurement. Criteria measured again are another step, also within one
    /// phase: evidence is never taken from an earlier look.
    pub fn measurement(&mut self, phase: &str) -> String {
        self.measured += 1;
        format!("{phase}/{}", self.measured)
    }

    /// The tree of the clone before the work, where it was kept.
    pub fn base(&self) -> Result<Option<String>, Stop> {
        let kept = self.steps.recorded::<serde_json::Value>(BASE)?;
        Ok(kept.and_then(|kept| kept["tree"].as_str().map(str::to_owned)))
    }

    /// Puts the clone back to how it was before the work, once for `step`.
    pub async fn start_over(&mut self, step: &str) -> Result<(), Stop> {
        let Some(tree) = self.base()? else {
            return Ok(());
        };
        if self.steps.recorded_at(step).is_none() {
            self.toolbox.reset(&tree).await?;
            let done = serde_json::json!({"tree": tree});
            self.steps.record(step, EntryKind::Result, &done).await?;
        }
        Ok(())
    }

    /// A line for people.
    pub async fn note(&self, text: String) -> Result<(), Stop> {
        self.outbox.progress(&Progress::Note { text }).await
    }
}
