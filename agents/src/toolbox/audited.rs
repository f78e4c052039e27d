//! The record around the door: no call is made, refused or found done without the warden's lines.

use super::Toolbox;
use crate::call_line::refusal;
use crate::steps::{LEAVE, Steps};
use crate::stop::Stop;
use guard::act::Act;
use guard::gate::{Decision, judge};
use guard::plan::plan;
use jiff::tz::TimeZone;
use protocol::approval::{Rule, TicketState};
use protocol::question::{Known, Question, TicketMark};
use protocol::tool::{ToolAnswer, ToolCall};
use protocol::walls::Wall;
use std::time::Duration;
use warden::client::Burned;
use warden::tickets::ticket::Ticket;

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
                self.grant.acts.insert(kind.to_owned(), Rule::Allow);
                judge(&act, &self.grant)
            }
            decision => decision,
        };
        if let Decision::Ask(kind) = decision {
            match self.leave(step, &act, kind).await? {
                Ok(ticket) => self.ticket = Some(ticket),
                Err(why) => {
                    self.witness.refused(step, call, Some(&act), &why).await;
                    return Ok(refusal(call, &format!("refused: {why}")));
                }
            }
        } else if let Decision::Deny(_) = decision {
            let answer = self.admit(steps, step, call, &act, timeout).await?;
            let why = &answer.text;
            self.witness.refused(step, call, Some(&act), why).await;
            return Ok(answer);
        }
        let ticket = self.ticket.as_ref().map(Burned::id);
        if let Err(why) = self.witness.before(step, call, &act, ticket).await {
            return Ok(refusal(call, &why));
        }
        let made = self.admit(steps, step, call, &act, timeout).await;
        self.ticket = None;
        let outcome = outcome(&made);
        self.witness.after(step, call, &act, &outcome).await;
        made
    }

    /// The ticket for an act that a rule asks about, used up. Where a person has not answered yet, the task
    /// is parked with the question; an outer error is that, an inner one says why there is no leave.
    async fn leave(
        &self,
        step: &str,
        act: &Act,
        kind: &'static str,
    ) -> Result<Result<Burned, String>, Stop> {
        if let Some(why) = self.witness.nobody_to_ask() {
            return Ok(Err(format!("{kind} needs a person's leave, and {why}")));
        }
        let claimed = &act.preview;
        let wanted = self.witness.wanted(step, act, kind, claimed);
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
                self.witness.burn(ticket.id, &wanted).await
            }
            TicketState::Denied if because.is_empty() => Err(format!("{by} denied {}", ticket.id)),
            TicketState::Denied => Err(format!("{by} denied {}: {because}", ticket.id)),
            TicketState::Expired => Err(format!("{} expired: nobody said yes in time", ticket.id)),
            TicketState::Cancelled => Err(format!("{} was cancelled", ticket.id)),
        })
    }
}

/// What the parked task asks. What exactly it is about, the warden shows.
fn question(step: &str, ticket: &Ticket, mark: String, host: Option<&str>) -> Question {
    let expires = ticket
        .expires
        .to_zoned(TimeZone::system())
        .strftime("%H:%M");
    Question {
        step: format!("{step}{LEAVE}"),
        text: format!(
            "asks leave for {} (ticket {} {mark}{}, until {expires})",
            ticket.wanted.kind,
            ticket.id,
            host.map_or_else(String::new, |host| format!(" on {host}"))
        ),
        known: vec![Known {
            what: "claimed".to_owned(),
            value: ticket.wanted.claimed.clone(),
        }],
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
