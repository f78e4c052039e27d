//! Tasks that waited and go on. `resume_owed` remembers, over any crash, whom the bus must still be
//! told about; the epoch a task was parked under keeps a late word from resuming a later park.

use super::events::Happening;
use super::records::whole;
use super::standing::{self, Standing, from_json, shift, to_json};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::{Epoch, Role, TaskId};
use protocol::journal::JournalEntry;
use protocol::task_state::{StateName, TaskState};
use sqlx::{AnyConnection, Row};

/// A task that goes on, and that the bus may not know of yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OwedResume {
    /// Which.
    pub task: TaskId,
    /// The claim it was parked under.
    pub parked: Epoch,
    /// The answer it waited for.
    pub answer: Option<JournalEntry>,
    /// From which role to which it moves, where it was handed on.
    pub handed: Option<Box<(Role, Role)>>,
}

impl Ledger {
    /// Lets a waiting task go on, with an answer for its journal where there is one: it is queued
    /// here, and the bus is owed a word. `None` when it does not wait.
    pub async fn resume(
        &self,
        task: TaskId,
        answer: Option<&JournalEntry>,
        at: Timestamp,
    ) -> Result<Option<(OwedResume, Vec<Happening>)>, LedgerError> {
        let mut tx = self.write().await?;
        let mut standing = standing::find(&mut tx, task)
            .await?
            .ok_or_else(|| LedgerError::NoTask(task.to_string()))?;
        // A plan waits for its parts, not for a word from anybody.
        if standing.state.name() != StateName::Waiting || standing.is_plan() {
            return Ok(None);
        }
        let resumed = resume_in(&mut tx, &mut standing, answer, at).await?;
        tx.commit().await?;
        Ok(Some(resumed))
    }

    /// Tasks that go on and that the bus must still be told about, oldest first, at most `limit`.
    pub async fn resumes_owed(&self, limit: u32) -> Result<Vec<OwedResume>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT id, agent, handed_from, parked_epoch, resume_answer FROM tasks
             WHERE resume_owed = 1 AND stop_owed = 0 AND state = 'queued' ORDER BY short_id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter()
            .map(|row| {
                let id: String = row.try_get("id")?;
                let answer: Option<String> = row.try_get("resume_answer")?;
                let role = |name: String| {
                    name.parse::<Role>()
                        .map_err(|e| standing::unreadable("role", &id, e))
                };
                let from = row
                    .try_get::<Option<String>, _>("handed_from")?
                    .map(role)
                    .transpose()?;
                let to = role(row.try_get("agent")?)?;
                Ok(OwedResume {
                    handed: from.map(|from| Box::new((from, to))),
                    task: id
                        .parse()
                        .map_err(|e| standing::unreadable("task id", &id, e))?,
                    parked: Epoch(row.try_get::<i64, _>("parked_epoch")?.max(0) as u64),
                    answer: answer
                        .map(|text| from_json("answer", &id, &text))
                        .transpose()?,
                })
            })
            .collect()
    }

    /// The bus does not have the park: the task fails, unless a person is stopping it anyway.
    pub async fn resume_lost(
        &self,
        owed: &OwedResume,
        reason: &str,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let mut tx = self.write().await?;
        // The bus is told to forget what it may still have of it.
        let mine = sqlx::query(
            "UPDATE tasks SET resume_owed = 0, stop_owed = 1 WHERE id = $1 AND parked_epoch = $2
             AND resume_owed = 1 AND stop_owed = 0 AND state = 'queued'",
        )
        .bind(owed.task.to_string())
        .bind(whole(owed.parked.0))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let standing = standing::find(&mut tx, owed.task).await?;
        let (1, Some(mut standing)) = (mine, standing) else {
            return Ok(Vec::new());
        };
        let to = TaskState::Failed {
            reason: reason.to_owned(),
        };
        let told = shift(&mut tx, &mut standing, to, at, None).await?;
        tx.commit().await?;
        Ok(told)
    }

    /// The bus was told to go on from that park.
    pub async fn resumed(&self, task: TaskId, parked: Epoch) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE tasks SET resume_owed = 0 WHERE id = $1 AND parked_epoch = $2")
            .bind(task.to_string())
            .bind(whole(parked.0))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The move itself, inside a transaction of the caller's.
pub(super) async fn resume_in(
    tx: &mut AnyConnection,
    standing: &mut Standing,
    answer: Option<&JournalEntry>,
    at: Timestamp,
) -> Result<(OwedResume, Vec<Happening>), LedgerError> {
    let key = standing.key();
    let text = answer
        .map(|entry| to_json("answer", &key, entry))
        .transpose()?;
    let parked: i64 = sqlx::query_scalar(
        "UPDATE tasks SET resume_owed = 1, resume_answer = $2, question = NULL, handed_from = NULL
         WHERE id = $1 RETURNING parked_epoch",
    )
    .bind(&key)
    .bind(text)
    .fetch_one(&mut *tx)
    .await?;
    let told = shift(tx, standing, TaskState::Queued, at, None).await?;
    let owed = OwedResume {
        task: standing.id,
        parked: Epoch(parked.max(0) as u64),
        answer: answer.cloned(),
        handed: None,
    };
    Ok((owed, told))
}

/// Remembers the claim a task was parked under. `false` when that park is known already: the
/// report came again, and it may have gone on since.
pub(super) async fn parked(
    tx: &mut AnyConnection,
    standing: &Standing,
    epoch: Option<Epoch>,
) -> Result<bool, LedgerError> {
    let Some(epoch) = epoch else {
        return Ok(true);
    };
    let rows = sqlx::query(
        "UPDATE tasks SET parked_epoch = $2, resume_owed = 0, resume_answer = NULL
         WHERE id = $1 AND parked_epoch < $2",
    )
    .bind(standing.key())
    .bind(whole(epoch.0))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    Ok(rows == 1)
}
