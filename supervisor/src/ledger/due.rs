//! Tasks that wait for their time: which is next, and which are due now. The bus hands them out; the
//! ledger only says that they are queued once their time has come.

use super::events::Happening;
use super::resume::{OwedResume, resume_in};
use super::standing::{self, micros, shift, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::TaskId;
use protocol::task_state::{TaskState, WaitReason};

/// How many tasks one look takes.
const PAGE: i64 = 500;

impl Ledger {
    /// Queues the tasks whose time has come: what followers hear, and whom of those that were
    /// parked the bus is to go on with. Writes only where there is one.
    pub async fn queue_due(
        &self,
        now: Timestamp,
    ) -> Result<(Vec<Happening>, Vec<OwedResume>), LedgerError> {
        let mut tx = self.read().await?;
        let due: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE state = 'waiting' AND reason = 'time' AND due_us <= $1
             ORDER BY due_us, short_id LIMIT $2",
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
            let waits = TaskState::Waiting {
                on: WaitReason::Time,
            };
            // It may have been claimed, or cancelled, since it was read.
            let Some(mut standing) = standing::find(&mut tx, task).await? else {
                continue;
            };
            if standing.state != waits {
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
