//! One act that reaches outside or looks at the host: whether it may be done and how much it may do, by the settings and the
//! warden's word, and the line of the record before it. An agent's own gate says the same first; here it is said by whoever
//! opens the sandbox.

use super::assigned::Taken;
use super::sandboxes::Workshop;
use super::wish::ForAct;
use crate::granted::grant;
use guard::act::{Act, Operation, Place};
use guard::gate::{Decision, Grant, judge, to_try};
use guard::redact::Redactor;
use protocol::acts::Bound;
use protocol::approval::{Rule, TicketState};
use protocol::effect::EffectClass;
use protocol::fault::Faults;
use protocol::ids::{ShortId, TaskId};
use protocol::walls::Wall;
use std::io;
use std::time::Duration;
use warden::audit::line::{Entry, Stage};
use warden::blocking::ask;
use warden::tickets::ticket::{Ticket, Wanted};
use warden::wire::{Ask, Reply};

/// How long a warden that is being started again is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said to an agent that may not do it.
pub(super) fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why.into())
}

impl Workshop {
    /// How much an act may do, where it may be done.
    ///
    /// # Errors
    /// Why it may not, or that the warden is away.
    pub fn bound(&self, wanted: &ForAct, act: &Act, taken: &Taken) -> io::Result<Bound> {
        let grant = grant(&self.agent, taken.ceiling);
        let faults = self.faults;
        if !faults.stands(Wall::OneAct) {
            return Ok(match wanted.trial {
                true => Bound::trial(),
                false => Bound::free(),
            });
        }
        let ticket = wanted.ticket.filter(|_| faults.stands(Wall::Leave));
        let ticket = match ticket {
            None => None,
            Some(id) => match ask(&self.home, Ask::StillCounts { id }, PATIENCE) {
                Ok(Reply::Ticket { ticket, .. }) => Some(ticket),
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) => return Err(refused(error.to_string())),
            },
        };
        if let Some(ticket) = &ticket {
            let role = self.agent.name.as_str();
            is_for(ticket, act, role, taken.id, faults).map_err(refused)?;
        }
        let bound = allowed(act, &grant, wanted.trial, ticket.as_deref(), faults);
        let bound = bound.map_err(refused)?;
        if ticket.is_none() && !wanted.trial {
            self.within_the_hour(wanted, act, taken, &grant)?;
        }
        Ok(bound)
    }

    /// An act that nobody said yes to is counted, where its kind is bounded by the hour. One that its agent has counted is
    /// counted once.
    fn within_the_hour(
        &self,
        wanted: &ForAct,
        act: &Act,
        taken: &Taken,
        grant: &Grant,
    ) -> io::Result<()> {
        let kind = act.operation.kind();
        let bounded = kind.filter(|kind| {
            grant
                .acts
                .at_most(kind)
                .is_some_and(|most| most.per_hour.is_some())
        });
        let (Some(kind), Some(task), true) = (bounded, taken.id, self.faults.stands(Wall::Leave))
        else {
            return Ok(());
        };
        let wanted = Box::new(Wanted {
            task: task.to_string(),
            short: wanted.entry.task.clone(),
            step: wanted.entry.call.clone(),
            agent: self.agent.name.to_string(),
            principal: wanted.entry.principal.clone(),
            level: u8::from(act.level),
            kind: kind.to_owned(),
            action: act.action(),
            undo: None,
            claimed: String::new(),
            foreseen: None,
            above: None,
            seen: None,
        });
        let count = true;
        match ask(&self.home, Ask::Hour { wanted, count }, PATIENCE) {
            Ok(Reply::Hour { above: None }) => Ok(()),
            Ok(Reply::Hour {
                above: Some((_, why)),
            }) => Err(refused(why)),
            Ok(_) => Err(io::ErrorKind::InvalidData.into()),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// Writes the line before an act. One that changes something outside is begun only when a power cut cannot take it away.
    ///
    /// # Errors
    /// Why it cannot be written: then the act is not made.
    pub fn record(&self, wanted: &ForAct, task: ShortId) -> io::Result<()> {
        if !self.faults.stands(Wall::Record) {
            return Ok(());
        }
        let act = Act::of(wanted.operation.clone());
        let role = self.agent.name.as_str();
        if wanted.entry.agent.split('@').next() != Some(role) {
            return Err(refused(format!("the agent {role} writes as itself alone")));
        }
        let safe = act.operation.place() == Place::Outside && act.effect != EffectClass::Pure;
        let entry = Box::new(line(wanted, &act, task, &self.redactor));
        match ask(&self.home, Ask::Note { entry, safe }, PATIENCE) {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "not done: the record cannot be written");
                let why = format!("nothing is done without a record, and {error}");
                Err(refused(why))
            }
        }
    }
}

/// What the record says before an act: instance, person, step, claim and digest of the arguments as the agent says them, tool,
/// level, ticket and summary of what is done. Pure.
fn line(wanted: &ForAct, act: &Act, task: ShortId, redactor: &Redactor) -> Entry {
    let summary = match wanted.trial {
        true => act.shown_as_trial(redactor),
        false => act.shown(redactor),
    };
    let ticket = wanted.ticket.map(|id| id.to_string());
    Entry {
        task: task.to_string(),
        level: u8::from(act.level),
        ticket: ticket.unwrap_or_default(),
        tool: act.tool.clone(),
        summary,
        stage: Stage::Before,
        outcome: String::new(),
        ..wanted.entry.clone()
    }
}

/// Whether a ticket was used up for exactly this act of this agent's task. Pure.
///
/// # Errors
/// Why not.
fn is_for(
    ticket: &Ticket,
    act: &Act,
    role: &str,
    task: Option<TaskId>,
    faults: Faults,
) -> Result<(), String> {
    let wanted = &ticket.wanted;
    let of_task = task.is_none_or(|task| wanted.task == task.to_string());
    let same = of_task
        && wanted.agent == role
        && act.operation.kind() == Some(wanted.kind.as_str())
        && wanted.action == act.action();
    if !same && faults.stands(Wall::Bound) {
        return Err(format!("{} was given for something else", ticket.id));
    }
    if ticket.grown.is_some() {
        return Err(format!(
            "{} was given for less than it would have changed: ask anew",
            ticket.id
        ));
    }
    match ticket.state {
        TicketState::Used => Ok(()),
        _ if !faults.stands(Wall::Answered) => Ok(()),
        state => Err(format!("{} is {state} and was not used", ticket.id)),
    }
}

/// How much an act may do: what a person said yes to, else what the rule allows. A yes to a kind for the whole task is one to as
/// much of it as the rule allows. Pure.
///
/// # Errors
/// Why it may not be done at all.
fn allowed(
    act: &Act,
    grant: &Grant,
    trial: bool,
    ticket: Option<&Ticket>,
    faults: Faults,
) -> Result<Bound, String> {
    if trial {
        return to_try(act, grant).map(|_leave| Bound::trial());
    }
    let rule = act
        .operation
        .kind()
        .and_then(|kind| grant.acts.at_most(kind));
    match (judge(act, grant), ticket) {
        (Decision::Deny(why), _) => Err(why),
        _ if !faults.stands(Wall::Leave) => Ok(Bound::free()),
        (Decision::Allow(_) | Decision::Ask(_), Some(ticket)) => {
            let Ticket { wanted, said, .. } = ticket;
            if wanted.foreseen.is_none() && matches!(act.operation, Operation::SqlExecute { .. }) {
                return Err(format!("{} does not say what would change", ticket.id));
            }
            let for_task =
                said.as_ref().is_some_and(|said| said.for_task) && wanted.above.is_none();
            let denies = rule.is_some_and(|rule| rule.above == Rule::Deny);
            let bound = Bound::of_leave(wanted.foreseen.as_ref());
            Ok(match for_task || denies {
                true => bound.within(&Bound::of_rule(rule)),
                false => bound,
            })
        }
        (Decision::Allow(_), None) => Ok(Bound::of_rule(rule)),
        (Decision::Ask(kind), None) => {
            Err(format!("{kind} needs a person's leave, and there is none"))
        }
    }
}

#[cfg(test)]
#[path = "acts_tests.rs"]
mod tests;
