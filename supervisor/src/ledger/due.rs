//! Tasks that wait for their time: which is next, and which are due now. The bus hands them out; the
//! ledger only says that they are queued once their time has come.

use super::events::Happening;
use super::plan;
use super::records::{LINE_BYTES, cut};
use super::resume::{OwedResume, resume_in};
use super::standing::{self, Standing, micros, shift, to_json, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::TaskId;
use protocol::report::Wait;
use protocol::task_state::{TaskState, WaitReason};
use sqlx::AnyConnection;

/// Where a task stands that goes on at its time.
const LATER: TaskState = TaskState::Waiting {
    on: WaitReason::Time,
};

/// How many tasks one look takes.
const PAGE: i64 = 500;

/// Keeps until when a task rests that was parked to be tried again, and why. One that names no time
/// goes on at once.
pub(super) async fn wait(
    tx: &mut AnyConnection,
    standing: &Standing,
    to: &TaskState,
    wait: Option<&Wait>,
    at: Timestamp,
) -> Result<(), LedgerError> {
    if *to != LATER {
        return Ok(());
    }
    let key = standing.key();
    let kept = wait.map(|wait| Wait {
        why: cut(&wait.why, LINE_BYTES),
        ..wait.clone()
    });
    sqlx::query("UPDATE tasks SET due_us = $2, wait = $3 WHERE id = $1")
        .bind(&key)
        .bind(micros(wait.map_or(at, |wait| wait.until)))
        .bind(kept.map(|wait| to_json("wait", &key, &wait)).transpose()?)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

impl Ledger {
    /// Queues the tasks whose time has come, and lets the parts of plans start: what followers hear, and whom of those that were
    /// parked the bus is to go on with. Writes only where there is one.
    pub async fn queue_due(
        &self,
        now: Timestamp,
    ) -> Result<(Vec<Happening>, Vec<OwedResume>), LedgerError> {
        let mut tx = self.read().await?;
        let due: Vec<String> = sqlx::query_scalar(
            // Only a task that waits for its time has one.
            "SELECT id FROM tasks WHERE due_us <= $1 ORDER BY due_us, short_id LIMIT $2",
        )
        .bind(micros(now))
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        drop(tx);
        if due.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut tx = self.write().await?;
        let (mut told, mut owed) = (Vec::new(), Vec::new());
        for id in &due {
            let task: TaskId = id.parse().map_err(|e| unreadable("task id", id, e))?;
            // It may have been claimed, or cancelled, since it was read.
            let Some(mut standing) = standing::find(&mut tx, task).await? else {
                continue;
            };
            if standing.state != LATER {
                continue;
            }
            if standing.is_plan() {
                told.extend(shift(&mut tx, &mut standing, TaskState::Queued, now, None).await?);
                told.extend(shift(&mut tx, &mut standing, plan::WORKS, now, None).await?);
                plan::begins(&mut tx, id, now).await?;
                continue;
            }
            // One that was never begun lies on the bus by its due time already.
            if standing.epoch == 0 {
                told.extend(shift(&mut tx, &mut standing, TaskState::Queued, now, None).await?);
            } else {
                let (one, said) = resume_in(&mut tx, &mut standing, None, now).await?;
                owed.push(one);
                told.extend(said);
            }
        }
        tx.commit().await?;
        Ok((told, owed))
    }
}
