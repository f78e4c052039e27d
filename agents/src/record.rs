//! What is known of a task while it is worked on; it outlives the drive, so that a cancelled or
//! failed task still reports what it did.

use crate::screen::Screen;
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
    /// Where a person sees it grow.
    pub screen: Screen,
}

impl Record {
    /// An empty one that is shown while it grows.
    pub fn on(screen: &Screen) -> Self {
        Self {
            screen: screen.clone(),
            ..Self::default()
        }
    }

    /// Ends the open phase and begins another.
    pub fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.leave(at);
        self.phases.push(PhaseSpan {
            phase,
            started: at,
            ended: None,
        });
        self.screen.of_task(|held| held.phase = Some((phase, at)));
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
        self.spent(&Usage {
            requests: 1,
            cost,
            ..Usage::default()
        });
    }

    /// The criteria were written.
    pub fn written(&mut self, criteria: &[Criterion]) {
        self.criteria = criteria.to_vec();
        self.screen.of_task(|held| held.criteria(criteria));
    }

    /// A call ended, or its answer was taken from the journal.
    pub fn called(&mut self, line: CallLine) {
        self.screen.of_task(|held| held.called(&line));
        self.calls.push(line);
    }

    /// A model call was paid for.
    pub fn spent(&mut self, usage: &Usage) {
        self.usage.add(usage);
        self.screen.of_task(|held| held.spent(&self.usage));
    }

    /// Keeps the newest measurement of a criterion.
    pub fn measured(&mut self, evidence: Evidence) {
        self.screen.of_task(|held| held.measured(&evidence));
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
            wait: None,
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
