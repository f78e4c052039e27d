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
use std::collections::HashMap;

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
    /// By step, how many of its lost model calls are in `usage`.
    lost: HashMap<String, usize>,
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

    /// The model calls of a step that were paid for and whose answers nobody has, oldest first; each
    /// is counted once, however often it is told.
    pub fn lost(&mut self, step: &str, costs: &[MicroUsd]) {
        let told = self.lost.insert(step.to_owned(), costs.len());
        for cost in costs.iter().skip(told.unwrap_or(0)) {
            self.spent(&Usage {
                requests: 1,
                cost: *cost,
                ..Usage::default()
            });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_call_is_counted_once() {
        let mut record = Record::default();
        let mut check = |step: &str, costs: &[u64], calls: u64, cost: u64| {
            let costs: Vec<MicroUsd> = costs.iter().copied().map(MicroUsd).collect();
            record.lost(step, &costs);
            let usage = (record.usage.requests, record.usage.cost.0);
            assert_eq!(usage, (calls, cost), "{step}");
        };
        check("a", &[5], 1, 5);
        check("a", &[5], 1, 5);
        check("b", &[7], 2, 12);
        // The call in hand was cancelled: all are told again, with the new one.
        check("a", &[5, 5], 3, 17);
        check("b", &[7], 3, 17);
        check("c", &[], 3, 17);
    }
}
