//! Money is a gate in front of the call: it is taken before a model is asked, and put right after.
//! A call that is lost in flight stays charged at its reservation. What a month has cost is known to the
//! ledger: a Redis that has not heard it from there (it is new, or forgot everything) lets no call through.
//! What a task has cost it hears with the task, where that is sent to it anew.

use crate::connect::{Again, Bus, Call};
use crate::error::{BusError, Cap};
use crate::scripts;
use crate::spoiled::Kind;
use protocol::ids::TaskId;
use protocol::money::MicroUsd;
use std::time::Duration;
use uuid::Uuid;

/// How long sums are kept after they last changed.
pub(crate) const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Leave to spend. Made here alone, once for each call, and used up by [`Bus::settle`].
#[derive(Debug, PartialEq, Eq)]
pub struct Reservation {
    id: Uuid,
    task: TaskId,
    amount: MicroUsd,
    month: String,
}

impl Reservation {
    /// The task it is for.
    pub fn task(&self) -> TaskId {
        self.task
    }
    /// The most the call is expected to cost.
    pub fn amount(&self) -> MicroUsd {
        self.amount
    }
    /// Its id, for the journal.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Bus {
    /// Takes `amount` from the task's and the month's (`2026-11`) budget, both or none. A limit that
    /// was told to the task since holds in the place of `task_cap`. Fails with
    /// [`BusError::Budget`] where a cap does not cover it, and with [`BusError::Unsettled`] until
    /// [`Bus::month_is`] was said of the month.
    pub async fn reserve(
        &self,
        task: TaskId,
        amount: MicroUsd,
        task_cap: MicroUsd,
        month_cap: MicroUsd,
        month: &str,
    ) -> Result<Reservation, BusError> {
        if !is_month(month) {
            return Err(BusError::Refused(format!(
                "`{}` is not a month such as 2026-11",
                month.escape_debug()
            )));
        }
        let id = Uuid::now_v7();
        let call = Call::on([self.keys().task_spend(task), self.keys().month_spend(month)])
            .arg(id)
            .arg(amount.0)
            .arg(task_cap.0)
            .arg(month_cap.0)
            .arg(KEPT.as_millis());
        let (answer, spent, cap): (String, u64, u64) =
            self.run(&scripts::RESERVE, &call, Again::No).await?;
        let (cap, limit) = match answer.as_str() {
            "ok" => {
                return Ok(Reservation {
                    id,
                    task,
                    amount,
                    month: month.to_owned(),
                });
            }
            "unknown" => {
                return Err(BusError::Unsettled(format!(
                    "redis does not know yet what {month} has cost: no model is called until the supervisor has said it"
                )));
            }
            "task" => (Cap::Task, MicroUsd(cap)),
            _ => (Cap::Month, month_cap),
        };
        Err(BusError::Budget {
            cap,
            limit,
            spent: MicroUsd(spent),
            wanted: amount,
        })
    }

    /// Says what the ledger knows was spent or set aside in a month (`2026-11`). The sum here is never lowered by it.
    pub async fn month_is(&self, month: &str, spent: MicroUsd) -> Result<(), BusError> {
        self.is_spent(self.keys().month_spend(month), spent).await
    }

    /// Says what the ledger knows was spent or set aside by a task, before it is sent anew to a Redis that has
    /// forgotten it. The sum here is never lowered by it.
    pub async fn task_is(&self, task: TaskId, spent: MicroUsd) -> Result<(), BusError> {
        self.is_spent(self.keys().task_spend(task), spent).await
    }

    async fn is_spent(&self, key: String, spent: MicroUsd) -> Result<(), BusError> {
        let call = Call::on([key.clone()]).arg(spent.0).arg(KEPT.as_millis());
        let said = self.run::<i64>(&scripts::SPENT, &call, Again::Yes).await;
        match said {
            // The ledger is the truth: what is no sum is written anew.
            Err(error) if error.is_wrong_type() => {
                self.clear(&key, Kind::Hash).await?;
                let again = self.run::<i64>(&scripts::SPENT, &call, Again::Yes).await;
                again.map(drop)
            }
            said => said.map(drop),
        }
    }

    /// Puts what the call really cost in the place of its reservation.
    pub async fn settle(&self, reservation: Reservation, actual: MicroUsd) -> Result<(), BusError> {
        let call = Call::on([
            self.keys().task_spend(reservation.task),
            self.keys().month_spend(&reservation.month),
        ])
        .arg(reservation.id)
        .arg(actual.0);
        self.run::<i64>(&scripts::SETTLE, &call, Again::Yes)
            .await
            .map(drop)
    }

    /// Spent and reserved by a task so far.
    pub async fn spent_by(&self, task: TaskId) -> Result<MicroUsd, BusError> {
        self.spent(self.keys().task_spend(task)).await
    }

    /// Spent and reserved by the team in a month.
    pub async fn spent_in(&self, month: &str) -> Result<MicroUsd, BusError> {
        self.spent(self.keys().month_spend(month)).await
    }

    async fn spent(&self, key: String) -> Result<MicroUsd, BusError> {
        let spent: Option<u64> = self
            .query(redis::cmd("HGET").arg(key).arg("spent"), Again::Yes)
            .await?;
        Ok(MicroUsd(spent.unwrap_or(0)))
    }
}

fn is_month(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 7
        && bytes.iter().enumerate().all(|(at, b)| match at {
            4 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::is_month;

    #[test]
    fn months_are_checked() {
        for (text, good) in [
            ("2026-11", true),
            ("2026-1", false),
            ("2026:11", false),
            ("", false),
        ] {
            assert_eq!(is_month(text), good, "{text}");
        }
    }
}
