//! The record around the door: no call is made, refused or found done without the warden's lines.

use super::Toolbox;
use super::alone::is_alone;
use super::bounded::{Trial, more};
use crate::call_line::refusal;
use crate::steps::{LEAVE, Steps};
use crate::stop::Stop;
use guard::act::Act;
use guard::gate::{Decision, judge};
use guard::plan::plan;
use jiff::tz::TimeZone;
use protocol::acts::{AtMost, Bound, Foreseen};
use protocol::approval::{Rule, TicketState};
use protocol::question::{Known, Question, TicketMark};
use protocol::tool::{ToolAnswer, ToolCall};
use protocol::walls::Wall;
use std::time::Duration;
use warden::client::Burned;
use warden::tickets::ticket::{Ticket, Wanted};

/// How often a change may turn out to be more than what was asked for before it is given up.
const GROWN: u32 = 3;
/// How an answer begins that says why nothing was done.
const REFUSED: &str = "refused: ";

impl Toolbox {
    /// Makes a call between its two lines, or refuses it with one.
    pub(super) async fn witnessed(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        let act = match plan(call, &self.view(step)) {
            Ok(act) => act,
            Err(error) => {
                let why = error.to_string();
                self.witness.refused(step, call, None, &why).await;
                return Ok(refusal(call, &why));
            }
        };
        let decision = match judge(&act, &self.grant) {
            Decision::Ask(kind) if !self.sandboxes.hold.faults().stands(Wall::Leave) => {
                self.grant.acts.set(kind, Rule::Allow);
                judge(&act, &self.grant)
            }
            decision => decision,
        };
        let (decision, above) = self.bounded(step, &act, decision).await;
        match decision {
            Decision::Allow(_) => {}
            Decision::Ask(kind) => {
                if let Err(why) = self.leave(step, call, &act, kind, above, None).await? {
                    self.witness.refused(step, call, Some(&act), &why).await;
                    return Ok(refusal(call, &format!("refused: {why}")));
                }
            }
            Decision::Deny(why) => {
                self.witness.refused(step, call, Some(&act), &why).await;
                return Ok(refusal(call, &format!("refused: {why}")));
            }
        }
        let made = self.made(steps, step, call, &act, timeout).await;
        self.ticket = None;
        made
    }

    /// Makes a call that may be made. A change that turns out to be more than it may be is taken back by whoever makes
    /// it; then a person is asked for exactly that, or it is refused, as the rule says.
    async fn made(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        for _ in 0..GROWN {
            let ticket = self.ticket.as_ref().map(Burned::id);
            self.begun = !is_alone(act);
            if self.begun
                && let Err(why) = self.witness.before(step, call, act, ticket).await
            {
                return Ok(refusal(call, &why));
            }
            let made = self.admit(steps, step, call, act, timeout).await;
            self.ended(step, call, act, &made).await;
            let (Some((tried, why)), Some(kind)) = (more(&made), act.operation.kind()) else {
                return made;
            };
            let foreseen = Foreseen::Tried(tried);
            if let Some(ticket) = self.ticket.take() {
                if let Err(why) = self.witness.grown(ticket.id(), step, act, &foreseen).await {
                    return Ok(refusal(call, &format!("refused: {why}")));
                }
            } else if self.grant.acts.at_most(kind).map(|most| most.above) == Some(Rule::Deny) {
                return made;
            }
            let asked = self.leave(step, call, act, kind, Some(why), Some(foreseen));
            if let Err(why) = asked.await? {
                self.witness.refused(step, call, Some(act), &why).await;
                return Ok(refusal(
                    call,
                    &format!("refused: {why}; nothing was changed"),
                ));
            }
        }
        let why = "what it would change grew each time it was tried: nothing was changed";
        Ok(refusal(call, &format!("refused: {why}")))
    }

    /// Writes how a call ended. Where nothing was begun under this claim, that it was refused, or what became of what an earlier
    /// holder began.
    async fn ended(&self, step: &str, call: &ToolCall, act: &Act, made: &Result<ToolAnswer, Stop>) {
        let outcome = outcome(made);
        let known = self.begun || matches!(made, Ok(_) | Err(Stop::AskPerson(_)));
        match outcome.strip_prefix(REFUSED) {
            Some(why) if !self.begun => self.witness.refused(step, call, Some(act), why).await,
            _ if known => self.witness.after(step, call, act, &outcome).await,
            _ => {}
        }
    }

    /// The ticket for an act that a rule asks about, used up. Where a person has not answered yet, the task
    /// is parked with the question; an outer error is that, an inner one says why there is no leave.
    async fn leave(
        &mut self,
        step: &str,
        call: &ToolCall,
        act: &Act,
        kind: &'static str,
        above: Option<String>,
        foreseen: Option<Foreseen>,
    ) -> Result<Result<(), String>, Stop> {
        if let Some(why) = self.witness.nobody_to_ask(kind) {
            let because = above.map_or_else(String::new, |above| format!(" ({above})"));
            return Ok(Err(format!(
                "{kind} needs a person's leave{because}, and {why}"
            )));
        }
        let mut wanted = self.witness.wanted(step, act, kind);
        wanted.above = above;
        wanted.foreseen = foreseen;
        if wanted.foreseen.is_none() {
            // Once it was asked for, what was seen then is what the yes is for.
            match self.witness.known(&wanted).await {
                Ok(true) => {}
                Ok(false) => match self.would(step, call, act).await? {
                    Some(Trial::Refused(why)) => return Ok(Err(why)),
                    Some(Trial::Foreseen(seen)) => wanted.foreseen = Some(seen),
                    None => {}
                },
                Err(why) => return Ok(Err(why)),
            }
        }
        let rule = self.grant.acts.at_most(kind);
        let denies = rule.is_some_and(|rule| rule.above == Rule::Deny);
        if let Some(why) = above_of(&wanted, rule) {
            if denies {
                return Ok(Err(why));
            }
            wanted.above = wanted.above.or(Some(why));
        }
        let (ticket, mark) = match self.witness.leave(&wanted).await {
            Ok(asked) => asked,
            Err(why) => return Ok(Err(why)),
        };
        let by = ticket
            .said
            .as_ref()
            .map_or("nobody", |said| said.by.as_str());
        let because = ticket
            .said
            .as_ref()
            .map_or("", |said| said.because.as_str());
        Ok(match ticket.state {
            TicketState::Requested => {
                let question = question(step, &ticket, mark, self.witness.far());
                return Err(Stop::AskPerson(Box::new(question)));
            }
            TicketState::Approved | TicketState::Used => {
                match self.witness.burn(ticket.id, &wanted).await {
                    Ok(burned) => {
                        self.ticket = Some(burned);
                        Ok(())
                    }
                    Err(why) => Err(why),
                }
            }
            TicketState::Denied if because.is_empty() => Err(format!("{by} denied {}", ticket.id)),
            TicketState::Denied => {
                Err(format!("{by} denied {}: {}", ticket.id, self.hide(because)))
            }
            TicketState::Expired => Err(format!("{} expired: nobody said yes in time", ticket.id)),
            TicketState::Cancelled => Err(format!("{} was cancelled", ticket.id)),
        })
    }
}

/// Why what leave is asked for is more than a rule allows without asking: a yes to its kind does not hold for it.
fn above_of(wanted: &Wanted, rule: Option<AtMost>) -> Option<String> {
    let bound = Bound::of_rule(rule);
    match wanted.foreseen.as_ref()? {
        Foreseen::Tried(tried) => bound.broken_by(tried),
        Foreseen::Untried(_) if rule.is_some_and(|rule| rule.above == Rule::Deny) => None,
        Foreseen::Untried(_) => bound
            .counts()
            .then(|| "nobody knows how much it changes".to_owned()),
    }
}

/// What the parked task asks. What exactly it is about, the warden shows.
fn question(step: &str, ticket: &Ticket, mark: String, host: Option<&str>) -> Question {
    let expires = ticket
        .expires
        .to_zoned(TimeZone::system())
        .strftime("%H:%M");
    let mut known = vec![Known {
        what: "claimed".to_owned(),
        value: ticket.wanted.claimed.clone(),
    }];
    if let Some(foreseen) = &ticket.wanted.foreseen {
        known.push(Known {
            what: "would change".to_owned(),
            value: foreseen.line(),
        });
    }
    Question {
        step: format!("{step}{LEAVE}"),
        text: format!(
            "asks leave for {} (ticket {} {mark}{}, until {expires})",
            ticket.wanted.kind,
            ticket.id,
            host.map_or_else(String::new, |host| format!(" on {host}"))
        ),
        known,
        choices: Vec::new(),
        ticket: Some(TicketMark {
            id: ticket.id,
            mark,
            expires: ticket.expires,
            host: host.map(str::to_owned),
        }),
    }
}

/// How a call ended, as the record says it: no contents.
fn outcome(made: &Result<ToolAnswer, Stop>) -> String {
    match made {
        Ok(answer) if !answer.is_error => format!("ok, {} ms", answer.took_ms),
        Ok(answer) => match answer.text.lines().next() {
            Some(first) if first.starts_with("refused") => first.to_owned(),
            _ => format!("error, {} ms", answer.took_ms),
        },
        Err(Stop::AskPerson(_)) => "nobody knows whether it happened: a person is asked".to_owned(),
        Err(stop) => format!("left: {stop}"),
    }
}
