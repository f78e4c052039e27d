//! Ends that do not come from an agent: a person cancels, a deadline passes, the bus has lost a
//! task that was being stopped. `stop_owed` remembers, over any crash, whom the bus must still be
//! told about.

use super::away::FOR_HOST;
use super::events::Happening;
use super::plan;
use super::standing::{self, micros, shift};
use super::store::{Ledger, LedgerError};
use bus::cancel::CancelOutcome;
use jiff::Timestamp;
use protocol::ids::TaskId;
use protocol::task_state::TaskState;
use sqlx::AnyConnection;

/// What cancelling came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// Where the task stands now.
    pub state: TaskState,
    /// What followers hear; empty when it had ended, or was being stopped, before.
    pub told: Vec<Happening>,
}

impl Ledger {
    /// Notes, before anything is done, that a task is to be stopped: whatever is killed from now
    /// on, the outbox tells the bus and then cancels.
    pub async fn owe_stop(&self, task: TaskId) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        owe(&mut tx, task, true).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Cancels, by what the bus `met`: a task nobody holds ends at once, one that is held is being stopped and ends with its
    /// agent's report. With none the bus is still to be told, later: until then one that runs, or was begun on a lost host, may
    /// be held.
    pub async fn cancel(
        &self,
        task: TaskId,
        met: Option<CancelOutcome>,
        at: Timestamp,
    ) -> Result<Stopped, LedgerError> {
        let free = met == Some(CancelOutcome::Removed);
        let held = met == Some(CancelOutcome::Told);
        let owed = met.is_none();
        let mut tx = self.write().await?;
        let mut standing = standing::find(&mut tx, task)
            .await?
            .ok_or_else(|| LedgerError::NoTask(task.to_string()))?;
        let mut told = Vec::new();
        let to = match &standing.state {
            state if state.is_final() => None,
            // It was given back, and nobody takes it from the queue any more.
            TaskState::Cancelling if free => Some(TaskState::Cancelled),
            TaskState::Cancelling => None,
            _ if standing.is_plan() => {
                let (live, said) = plan::stop(&mut tx, &standing, "the plan was cancelled").await?;
                told = said;
                Some(match live {
                    true => TaskState::Cancelling,
                    false => TaskState::Cancelled,
                })
            }
            TaskState::Running { .. } if !free => Some(TaskState::Cancelling),
            _ if held => Some(TaskState::Cancelling),
            state if *state == FOR_HOST && owed && standing.epoch > 0 => {
                Some(TaskState::Cancelling)
            }
            _ => Some(TaskState::Cancelled),
        };
        owe(&mut tx, task, owed).await?;
        if let Some(to) = to {
            told.extend(shift(&mut tx, &mut standing, to, at, None).await?);
        }
        tx.commit().await?;
        Ok(Stopped {
            state: standing.state,
            told,
        })
    }

    /// Ends a task by itself: its deadline passed, or it was being stopped and nobody has it any
    /// more. Does nothing to one that has ended. The bus is owed a word in any case.
    pub async fn end(
        &self,
        task: TaskId,
        to: TaskState,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let mut tx = self.write().await?;
        let Some(mut standing) = standing::find(&mut tx, task).await? else {
            return Ok(Vec::new());
        };
        if standing.state.is_final() {
            return Ok(Vec::new());
        }
        owe(&mut tx, task, true).await?;
        let mut told = Vec::new();
        if standing.is_plan() {
            told = plan::stop(&mut tx, &standing, "the plan has ended")
                .await?
                .1;
        }
        told.extend(shift(&mut tx, &mut standing, to, at, None).await?);
        tx.commit().await?;
        Ok(told)
    }

    /// Tasks the bus must still be told to stop, oldest first, at most `limit`.
    pub async fn stops_owed(&self, limit: u32) -> Result<Vec<TaskId>, LedgerError> {
        let mut tx = self.read().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE stop_owed = 1 ORDER BY short_id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        parsed(ids)
    }

    /// Tasks that are not over although their deadline has passed.
    pub async fn overdue(&self, now: Timestamp) -> Result<Vec<TaskId>, LedgerError> {
        let mut tx = self.read().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE deadline_us <= $1
             AND ended_us IS NULL ORDER BY deadline_us, short_id LIMIT 1000",
        )
        .bind(micros(now))
        .fetch_all(&mut *tx)
        .await?;
        parsed(ids)
    }
}

/// Whether the bus is still to be told to stop a task.
pub(super) async fn owe(
    tx: &mut AnyConnection,
    task: TaskId,
    owed: bool,
) -> Result<(), LedgerError> {
    sqlx::query("UPDATE tasks SET stop_owed = $2 WHERE id = $1")
        .bind(task.to_string())
        .bind(i64::from(owed))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn parsed(ids: Vec<String>) -> Result<Vec<TaskId>, LedgerError> {
    ids.iter()
        .map(|id| {
            id.parse()
                .map_err(|e| standing::unreadable("task id", id, e))
        })
        .collect()
}
