//! How much an act may do: the bounds of rules, and what is tried before anybody is asked.

use super::Toolbox;
use crate::stop::Stop;
use crate::workspace::Under;
use guard::act::{Act, Operation};
use guard::gate::{Decision, above, to_try};
use protocol::acts::{Foreseen, Tried};
use protocol::approval::Rule;
use protocol::tool::{ToolAnswer, ToolCall};
use protocol::walls::Wall;
use std::time::Duration;

/// Longest wait for a trial.
const TRIAL: Duration = Duration::from_secs(30);

/// What became of a trial.
pub(super) enum Trial {
    /// What it would change, or why nobody knows.
    Foreseen(Foreseen),
    /// It cannot be done at all, as the database says.
    Refused(String),
}

impl Toolbox {
    /// What the rules say of an act once its size and the acts of the last hour are looked at, and why it asks where
    /// that is because of them. An act that goes on is counted.
    pub(super) async fn bounded(
        &self,
        step: &str,
        act: &Act,
        decision: Decision,
    ) -> (Decision, Option<String>) {
        let size = above(act, &self.grant).map(|(_, why)| why);
        let Some(kind) = act.operation.kind() else {
            return (decision, size);
        };
        let by_hour = self.grant.acts.at_most(kind);
        let asked = by_hour.is_some_and(|most| most.per_hour.is_some()) && self.leave_stands();
        let count = match &decision {
            Decision::Deny(_) => return (decision, size),
            Decision::Allow(_) => true,
            Decision::Ask(_) => false,
        };
        if !asked {
            return (decision, size);
        }
        let wanted = self.witness.wanted(step, act, kind);
        match self.witness.hour(&wanted, count).await {
            Ok(None) => (decision, size),
            Ok(Some((Rule::Deny, why))) | Err(why) => (Decision::Deny(why), size),
            Ok(Some((_, why))) => (Decision::Ask(kind), Some(why)),
        }
    }

    fn leave_stands(&self) -> bool {
        self.sandboxes.hold.faults().stands(Wall::Leave)
    }

    /// What a change of a database would do, tried between two lines of the record and taken back; nothing for other acts.
    pub(super) async fn would(
        &mut self,
        step: &str,
        call: &ToolCall,
        act: &Act,
    ) -> Result<Option<Trial>, Stop> {
        if !matches!(act.operation, Operation::SqlExecute { .. }) {
            return Ok(None);
        }
        let untried = |why| Ok(Some(Trial::Foreseen(Foreseen::Untried(why))));
        let leave = match to_try(act, &self.grant) {
            Ok(leave) => leave,
            Err(why) => return untried(why),
        };
        self.stop().await;
        let under = Under {
            trial: true,
            ticket: None,
            entry: self.witness.begins_trial(step, call, act),
        };
        let opened = match self.sandboxes.open_for(act, under).await {
            Err(Stop::Refuse(why)) => return Ok(Some(Trial::Refused(why))),
            Err(stop) => {
                let left = format!("left: {stop}");
                self.witness.after_trial(step, call, act, &left).await;
                return Err(stop);
            }
            Ok(opened) => opened,
        };
        let ran = self.run_alone(opened, act, leave, TRIAL).await;
        let (found, told) = match ran {
            Err(error) => (Foreseen::Untried(error.to_string()), "not tried"),
            Ok(outcome) if outcome.is_error => {
                self.witness.after_trial(step, call, act, "refused").await;
                return Ok(Some(Trial::Refused(self.redactor.text(&outcome.text))));
            }
            Ok(outcome) => match serde_json::from_value(outcome.data["tried"].clone()) {
                Ok(tried) => (Foreseen::Tried(tried), "taken back"),
                Err(_) => (Foreseen::Untried(outcome.text), "not tried"),
            },
        };
        self.witness.after_trial(step, call, act, told).await;
        Ok(Some(Trial::Foreseen(found)))
    }
}

/// What a change would have been that was taken back because it is more than it may be, and why.
pub(super) fn more(made: &Result<ToolAnswer, Stop>) -> Option<(Tried, String)> {
    let data = &made.as_ref().ok()?.data;
    let why = data["above"].as_str()?.to_owned();
    let tried = serde_json::from_value(data["tried"].clone()).ok()?;
    Some((tried, why))
}
