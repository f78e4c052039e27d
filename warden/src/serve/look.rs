//! What the warden looks at before a person is asked: the hands show what a duty would do, and that is kept until nothing can be
//! done by it any more. Looks change nothing, so several are made at once, and no more than a few.

use super::Office;
use crate::operations::child::carried_out;
use crate::operations::copies;
use crate::operations::judge::{duty_of, is_duty};
use crate::tickets::shown::joined;
use crate::tickets::ticket::Wanted;
use crate::wire::Ask;
use jiff::Timestamp;
use protocol::duty::Duty;
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde_json::Value;
use tokio::sync::Semaphore;

/// How many hands look at once: whoever asks for many looks waits, and the host has room for other things.
pub(super) const LOOKS: usize = 4;
/// Most that a person is shown of what hands saw, in bytes: with the ticket it is one line of the wire.
const SEEN: usize = 90_000;

/// Does something in its turn, a few at once.
async fn in_turn<T>(few: &Semaphore, work: impl Future<Output = T>) -> T {
    // It is never closed.
    let _one = few.acquire().await;
    work.await
}

impl Office {
    /// Has the hands do what changes nothing.
    pub(super) async fn looked(&self, order: &Order) -> Outcome {
        in_turn(&self.looks, carried_out(order, self.frozen.subscribe())).await
    }

    /// Before leave is asked for a duty: it is judged, looked at, and what a person is to see is kept.
    pub(super) async fn look_first(&self, ask: &mut Ask) -> Result<(), String> {
        let Ask::Request { wanted } = ask else {
            return Ok(());
        };
        wanted.seen = None;
        if !is_duty(&wanted.action) {
            return Ok(());
        }
        let (duty, _) = duty_of(wanted, self.walls)?;
        let terms = self.judged(wanted, &duty)?.1;
        let digest = wanted.digest(&self.host);
        // Asked again, the same is shown: the yes is bound to it.
        if self.plans.get(&digest).is_none() {
            let runs = self.home.warden().join(copies::FOLDER);
            if matches!(duty, Duty::HostRun { .. }) && copies::many(&runs) {
                return Err("too many programs wait for an answer already: answer some first, ai-infra approvals list".to_owned());
            }
            let order = self.order(Wish::Look, &duty, &terms, &digest, Value::Null);
            let look = self.looked(&order).await;
            if look.end != End::Done {
                return Err(look.text);
            }
            let more = look.before["unshown"].as_u64().unwrap_or(0);
            let seen = joined(look.shown.clone());
            if more > 0 || seen.iter().map(|(_, text)| text.len()).sum::<usize>() > SEEN {
                return Err(
                    "the change is longer than a person is shown before a yes: make it in parts"
                        .to_owned(),
                );
            }
            let bound = look.before["bound"].clone();
            self.plans
                .keep(&digest, look.shown, bound, Timestamp::now())?;
        }
        wanted.seen = self.plans.get(&digest).map(|planned| planned.seal());
        Ok(())
    }

    /// Nobody is asked about what was looked at: nothing of it is kept.
    pub(super) fn forget_look(&self, wanted: &Wanted) {
        let digest = wanted.digest(&self.host);
        if !self.tickets.borrow().all().any(|one| one.digest == digest) {
            self.plans.forget(&digest);
            copies::let_go(
                &self.home.warden().join(copies::FOLDER),
                Timestamp::now(),
                |one, _| one != digest,
            );
        }
    }

    /// Takes away the copies of files that nothing can be run from any more.
    pub(super) fn let_copies_go(&self, now: Timestamp) {
        let (tickets, deeds) = (self.tickets.borrow(), self.deeds.borrow());
        copies::let_go(
            &self.home.warden().join(copies::FOLDER),
            now,
            |digest, age| {
                let ticket = tickets.all().rev().find(|ticket| ticket.digest == digest);
                copies::stays(age, ticket, deeds.of(digest), now)
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn however_many_ask_few_look_at_once() {
        let (few, now, most) = (Semaphore::new(LOOKS), Cell::new(0), Cell::new(0));
        let look = async || {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            tokio::task::yield_now().await;
            now.set(now.get() - 1);
        };
        let local = tokio::task::LocalSet::new();
        let all = async {
            let many = || in_turn(&few, look());
            tokio::join!(
                many(),
                many(),
                many(),
                many(),
                many(),
                many(),
                many(),
                many()
            );
        };
        local.run_until(all).await;
        assert_eq!((now.get(), most.get()), (0, LOOKS));
    }
}
