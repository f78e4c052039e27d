//! What the warden does about duties: it judges by rules read now, and has them done between two lines of the record, once for
//! their key. What a person is shown before is in `look`.

use super::Office;
use super::run::too_late;
use crate::audit::book::note;
use crate::audit::line::{Entry, Stage};
use crate::operations::book::{DEED_VERSION, Deed, stands};
use crate::operations::child::{carried_out, carried_out_until};
use crate::operations::copies;
use crate::operations::judge::{duty_of, judge};
use crate::tickets::ticket::{Ticket, Wanted};
use crate::wire::Reply;
use jiff::Timestamp;
use protocol::approval::{Rule, TicketState};
use protocol::duty::Duty;
use protocol::duty::order::{End, ORDER_VERSION, Order, Outcome, Wish};
use protocol::duty::terms::Terms;
use protocol::walls::Wall;
use serde_json::{Value, json};
use std::rc::Rc;
use tokio::sync::watch;

/// There while the team is frozen, in the warden's folder.
pub(super) const FROZEN: &str = "frozen";

/// Largest answer, in bytes: it has to fit a line of the wire.
const ANSWER: usize = 200 * 1024;

impl Office {
    /// Whether the rules let it be done at all: the agent's level, its terms, the kind.
    pub(super) fn allowed(&self, wanted: &Wanted, duty: &Duty) -> Result<(Rule, Terms), String> {
        let rules = self.rules(wanted)?;
        let rule = judge(duty, &rules, self.walls)?;
        Ok((rule, rules.terms))
    }

    pub(super) fn judged(&self, wanted: &Wanted, duty: &Duty) -> Result<(Rule, Terms), String> {
        let (rule, terms) = self.allowed(wanted, duty)?;
        let rule = match duty
            .kind()
            .map(|_| self.above_hour(wanted, Timestamp::now()))
        {
            Some(above) => match above? {
                Some((Rule::Deny, why)) => return Err(why),
                Some(_) => Rule::Ask,
                None => rule,
            },
            None => rule,
        };
        Ok((rule, terms))
    }

    pub(super) fn order(
        &self,
        wish: Wish,
        duty: &Duty,
        terms: &Terms,
        digest: &str,
        before: Value,
    ) -> Order {
        let own = self.home.warden();
        Order {
            v: ORDER_VERSION,
            wish,
            duty: duty.clone(),
            terms: terms.clone(),
            kept: own.join("kept").display().to_string(),
            id: None,
            before,
            copies: Some(own.join(copies::FOLDER).join(digest).display().to_string()),
            walls: self.walls,
        }
    }

    /// Does a duty.
    pub(super) async fn operate(&self, wanted: &Wanted, epoch: u64) -> Result<Reply, String> {
        let (duty, key) = duty_of(wanted, self.walls)?;
        let outcome = match duty.kind() {
            None => {
                self.goes_on(wanted)?;
                let terms = self.judged(wanted, &duty)?.1;
                let digest = wanted.digest(&self.host);
                let order = self.order(Wish::Make, &duty, &terms, &digest, Value::Null);
                self.looked(&order).await
            }
            Some(_) if matches!(duty, Duty::HostRun { .. }) => {
                self.run(wanted, &duty, &key, epoch).await?
            }
            Some(_) => {
                let (_stays, never) = watch::channel(false);
                self.once(wanted, &duty, &key, never).await?
            }
        };
        Ok(Reply::Operated {
            outcome: Box::new(bounded(outcome)),
        })
    }

    /// The team is frozen, or goes on.
    pub(super) fn freeze(&self, frozen: bool) -> Result<Reply, String> {
        let file = self.home.warden().join(FROZEN);
        let kept = match frozen {
            true => std::fs::write(&file, ""),
            false => std::fs::remove_file(&file).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        // What runs stops whether the next warden will know or not.
        self.frozen
            .send_if_modified(|was| std::mem::replace(was, frozen) != frozen);
        kept.map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        Ok(Reply::Done)
    }

    /// The right to change the host, once the team is not frozen.
    async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        let mut frozen = self.frozen.subscribe();
        loop {
            // The other end lies in this office.
            drop(frozen.wait_for(|frozen| !frozen).await);
            let turn = self.turn.lock().await;
            if !*frozen.borrow_and_update() {
                return turn;
            }
        }
    }

    /// A change, once for its key; one at a time on this host. Where its task is `over` before it was begun, it is not.
    pub(super) async fn once(
        &self,
        wanted: &Wanted,
        duty: &Duty,
        key: &str,
        over: watch::Receiver<bool>,
    ) -> Result<Outcome, String> {
        let _turn = tokio::select! {
            turn = self.turn() => turn,
            () = self.over_before(key, over.clone()) => return Ok(too_late()),
        };
        let digest = wanted.digest(&self.host);
        let known = self.deeds.borrow().get(key).cloned();
        match known {
            Some(deed) if deed.digest != digest => {
                return Err("something else was done under this key: nothing was done".to_owned());
            }
            Some(deed) => match deed.outcome.clone() {
                Some(outcome) if stands(&outcome) => return Ok(outcome),
                // It was begun, and nobody heard how it ended.
                None => return self.settle(deed).await,
                Some(outcome) if outcome.end == End::Unknown => return self.settle(deed).await,
                Some(_) => {}
            },
            None => {}
        }
        if *over.borrow() || self.goes_on(wanted).is_err() {
            return Ok(too_late());
        }
        let (rule, terms) = self.judged(wanted, duty)?;
        let planned = self.plans.get(&digest);
        if rule == Rule::Ask && self.walls.stands(Wall::Leave) {
            let seen = self.used(wanted, &digest)?;
            let shown = planned
                .as_ref()
                .ok_or("nobody was shown what would be done: ask for leave again")?;
            if seen.is_some_and(|seen| seen != shown.seal()) && self.walls.stands(Wall::Bound) {
                return Err(
                    "what was shown is not what is kept of it: ask for leave again".to_owned(),
                );
            }
        }
        // What a program runs from was copied when leave was asked for: that is looked at, not the files again.
        let then = match (duty, &planned) {
            (Duty::HostRun { .. }, Some(planned)) => json!({"bound": planned.bound}),
            _ => Value::Null,
        };
        let order = self.order(Wish::Look, duty, &terms, &digest, then);
        let look = carried_out(&order, self.frozen.subscribe()).await;
        if look.end != End::Done {
            return Ok(look);
        }
        // The task may have ended during the look, as before it.
        if *over.borrow() || self.goes_on(wanted).is_err() {
            return Ok(too_late());
        }
        self.counted(wanted)?;
        if planned.is_some_and(|planned| planned.bound != look.before["bound"]) {
            return Ok(Outcome::not(
                "what it is about changed since leave was asked for: nothing was done; ask again",
            ));
        }
        let deed = Deed {
            v: DEED_VERSION,
            key: key.to_owned(),
            digest,
            at: Timestamp::now(),
            agent: wanted.agent.clone(),
            principal: wanted.principal.clone(),
            task: wanted.short.clone(),
            step: wanted.step.clone(),
            duty: duty.clone(),
            terms: terms.clone(),
            id: self.deeds.borrow().next_id(),
            before: look.before.clone(),
            outcome: None,
        };
        self.line(&deed, Stage::Before, "").await?;
        self.deeds.borrow_mut().write(deed.clone())?;
        if *over.borrow() {
            return self.ended(deed, too_late()).await;
        }
        let order = Order {
            id: Some(deed.id.clone()),
            ..self.order(Wish::Make, duty, &terms, &deed.digest, look.before)
        };
        let outcome = carried_out_until(&order, self.frozen.subscribe(), over).await;
        match outcome.end {
            // It stays open, and is settled when the team goes on.
            End::Unknown if *self.frozen.borrow() => Ok(unheard(outcome)),
            End::Unknown => self.settle(deed).await,
            _ => self.ended(deed, outcome).await,
        }
    }

    /// That a ticket was given for exactly this, and just used for it; answers the digest of what was shown. What was begun has an
    /// end to be told, however long ago that was; this is about beginning it. A step that is recovered uses its ticket again, and that
    /// makes it no younger: else whoever has it could keep it for another day.
    fn used(&self, wanted: &Wanted, digest: &str) -> Result<Option<String>, String> {
        let tickets = self.tickets.borrow();
        let given = tickets.all().rev().find(|ticket| {
            ticket.state == TicketState::Used
                && ticket.digest == digest
                && ticket.wanted.step == wanted.step
        });
        match given {
            Some(ticket)
                if !ticket.is_just_used(Timestamp::now()) && self.walls.stands(Wall::Expiry) =>
            {
                Err(format!(
                    "{} was used for this more than half an hour ago, and nothing was begun: ask for leave again, in another step",
                    ticket.id
                ))
            }
            Some(ticket) => Ok(ticket.wanted.seen.clone()),
            None => Err(format!(
                "{} needs a person's leave, and there is no used ticket for it",
                wanted.kind
            )),
        }
    }

    /// Finds out how something ended that was begun, and puts back what is half done.
    async fn settle(&self, deed: Deed) -> Result<Outcome, String> {
        // What it was begun under may have been taken back since; it is brought to an end all the same.
        let before = deed.before.clone();
        let order = Order {
            id: Some(deed.id.clone()),
            ..self.order(Wish::Settle, &deed.duty, &deed.terms, &deed.digest, before)
        };
        let outcome = carried_out(&order, self.frozen.subscribe()).await;
        if outcome.end == End::Unknown && *self.frozen.borrow() {
            return Ok(unheard(outcome));
        }
        self.ended(deed, outcome).await
    }

    async fn ended(&self, deed: Deed, outcome: Outcome) -> Result<Outcome, String> {
        let outcome = match outcome.end {
            End::Unknown => unheard(outcome),
            _ => outcome,
        };
        let outcome = bounded(outcome);
        let deed = Deed {
            outcome: Some(outcome.clone()),
            ..deed
        };
        self.deeds.borrow_mut().write(deed.clone())?;
        self.let_copies_go(Timestamp::now());
        let how = match outcome.end {
            End::Done => "done",
            End::Not => "not done",
            End::Failed if outcome.data["over"] == true => {
                "ended: its task was cancelled or is over"
            }
            End::Failed => "failed",
            End::Undone => "undone",
            End::Unknown => "nobody knows",
        };
        // That it happened cannot be undone by a record that fails now: the next one is not begun.
        if let Err(error) = self.line(&deed, Stage::After, how).await {
            tracing::error!(error, "not in the record");
        }
        Ok(outcome)
    }

    async fn line(&self, deed: &Deed, stage: Stage, outcome: &str) -> Result<(), String> {
        let ticket = {
            let tickets = self.tickets.borrow();
            let used = |one: &&Ticket| one.state == TicketState::Used && one.digest == deed.digest;
            tickets.all().rev().find(used).map(|one| one.id.to_string())
        };
        let entry = Entry {
            ticket: ticket.unwrap_or_default(),
            principal: deed.principal.clone(),
            task: deed.task.clone(),
            call: deed.step.clone(),
            level: u8::from(deed.duty.level()),
            tool: deed.duty.tool().to_owned(),
            args_sha256: deed.digest.clone(),
            stage,
            outcome: outcome.to_owned(),
            ..note("warden", &deed.duty.in_the_record())
        };
        let seq = self.book.borrow_mut().append(entry, Timestamp::now());
        self.make_safe(seq.map_err(|error| error.to_string())?)
            .await
    }
}

/// After a start, and after each freeze: what was begun and has no end is settled before anything else is begun.
pub(super) async fn settle_open(office: Rc<Office>) {
    let mut frozen = office.frozen.subscribe();
    loop {
        settle_all(&office).await;
        if frozen.wait_for(|frozen| *frozen).await.is_err() {
            return;
        }
    }
}

async fn settle_all(office: &Office) {
    let _turn = office.turn().await;
    let open = office.deeds.borrow().open_ones();
    for deed in open {
        let what = deed.duty.in_the_record();
        match office.settle(deed).await {
            Ok(outcome) => {
                tracing::warn!(what, end = ?outcome.end, "an interrupted duty was settled")
            }
            Err(error) => tracing::error!(what, error, "an interrupted duty is not settled"),
        }
    }
}

fn unheard(outcome: Outcome) -> Outcome {
    Outcome {
        data: json!({"unknown": true, "about": outcome.data}),
        ..outcome
    }
}

fn bounded(mut outcome: Outcome) -> Outcome {
    outcome.shown = Vec::new();
    outcome.before = Value::Null;
    let size = |data: &Value| data.to_string().len();
    if size(&outcome.data) + outcome.text.len() > ANSWER {
        outcome.text = outcome.text.chars().take(ANSWER / 8).collect();
        let mut data = json!({"cut": "the answer is too long"});
        for word in KEPT {
            if let Some(value) = outcome.data.get(word).filter(|value| is_small(value)) {
                data[word] = value.clone();
            }
        }
        outcome.data = data;
    }
    outcome
}

/// What says how it ended stays in an answer that is too long: the record, and whoever asked, read it there.
const KEPT: [&str; 7] = [
    "over", "stopped", "unknown", "late", "exit", "signal", "left",
];

fn is_small(value: &Value) -> bool {
    value.is_boolean() || value.is_number() || value.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_long_still_says_how_it_ended() {
        let data = json!({"over": true, "stopped": true, "exit": null, "left": 2, "late": "x".repeat(ANSWER), "output": "x".repeat(ANSWER)});
        let cut = bounded(Outcome::of(End::Failed, "ended", data));
        let kept = json!({"cut": "the answer is too long", "over": true, "stopped": true, "exit": null, "left": 2});
        assert_eq!(cut.data, kept);
        // It is cut again on its way out.
        assert_eq!(bounded(cut.clone()), cut);
        let about = json!({"output": "x".repeat(ANSWER)});
        let doubt = unheard(Outcome::of(End::Unknown, "nobody knows", about));
        assert_eq!(bounded(doubt).data["unknown"], true);
    }
}
