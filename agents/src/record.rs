//! What is known of a task while it is worked on; it outlives the drive, so that a cancelled or
//! failed task still reports what it did.

use jiff::Timestamp;
use protocol::criterion::{Criterion, Evidence};
use protocol::ids::{Role, TaskId};
use protocol::money::MicroUsd;
use protocol::phase::Phase;
use protocol::question::Question;
use protocol::report::{Artifact, CallLine, PhaseSpan, Recalled, TaskReport, Usage};
use protocol::task_state::TaskState;

/// The report in the making.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Phases so far.
    pub phases: Vec<PhaseSpan>,
    /// Criteria, once BUILD wrote them.
    pub criteria: Vec<Criterion>,
    /// The last measurement of each.
    pub evidence: Vec<Evidence>,
    /// Tool calls so far.
    pub calls: Vec<CallLine>,
    /// Tokens and money so far.
    pub usage: Usage,
    /// Files left.
    pub artifacts: Vec<Artifact>,
    /// What OBSERVE brought back.
    pub recalled: Vec<Recalled>,
    /// What LEARN wrote.
    pub learned: Vec<String>,
    /// The text of the work, for the person.
    pub text: String,
}

impl Record {
    /// Ends the open phase and begins another.
    pub fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.leave(at);
        self.phases.push(PhaseSpan {
            phase,
            started: at,
            ended: None,
        });
    }

    /// Ends the open phase.
    pub fn leave(&mut self, at: Timestamp) {
        if let Some(open) = self.phases.last_mut().filter(|span| span.ended.is_none()) {
            open.ended = Some(at);
        }
    }

    /// The phase it is in.
    pub fn phase(&self) -> Phase {
        self.phases.last().map_or(Phase::Observe, |span| span.phase)
    }

    /// A model call that was paid for and whose answer nobody has.
    pub fn lost(&mut self, cost: MicroUsd) {
        self.usage.add(&Usage {
            requests: 1,
            cost,
            ..Usage::default()
        });
    }

    /// Keeps the newest measurement of a criterion.
    pub fn measured(&mut self, evidence: Evidence) {
        self.evidence.retain(|e| e.criterion != evidence.criterion);
        self.evidence.push(evidence);
    }

    /// The report in its wire form.
    pub fn report(
        self,
        task_id: TaskId,
        agent: Role,
        state: TaskState,
        asked: Option<Question>,
    ) -> TaskReport {
        TaskReport {
            task_id,
            agent,
            state,
            question: asked.as_ref().map(|question| question.text.clone()),
            asked,
            handoff: None,
            phases: self.phases,
            criteria: self.criteria,
            evidence: self.evidence,
            result: self.text,
            artifacts: self.artifacts,
            usage: self.usage,
            learned: self.learned,
            recalled: self.recalled,
            calls: self.calls,
        }
    }
}
