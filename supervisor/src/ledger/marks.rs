//! What the ledger remembers of its Redis: up to which entry it has folded each out stream. It is
//! written with the fold itself, so it is never ahead of what Redis has acknowledged.

use super::away::FOR_HOST;
use super::questions;
use super::standing::{self, shift, unreadable};
use super::store::{Ledger, LedgerError};
use crate::ledger::events::Happening;
use bus::incarnation::Mark;
use jiff::Timestamp;
use protocol::ids::{ShortId, TaskId};
use protocol::question::{Choice, Question};
use protocol::task_state::{TaskState, WaitReason};
use sqlx::{AnyConnection, Row};

/// What is known of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whether this ledger ever took a Redis for its own.
    pub found: bool,
    /// Up to where each role's out stream was folded.
    pub marks: Vec<Mark>,
    /// When the newest of them was folded.
    pub at: Option<Timestamp>,
}

/// Where a task stands that goes on at its time.
const LATER: TaskState = TaskState::Waiting {
    on: WaitReason::Time,
};

impl Ledger {
    /// What is known of Redis.
    pub async fn known_of_bus(&self) -> Result<Known, LedgerError> {
        let mut tx = self.read().await?;
        let found: i64 = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'bus_found'")
            .fetch_one(&mut *tx)
            .await?;
        let rows = sqlx::query("SELECT role, ms, seq, folded_us FROM bus_marks")
            .fetch_all(&mut *tx)
            .await?;
        let mut known = Known {
            found: found > 0,
            marks: Vec::new(),
            at: None,
        };
        for row in rows {
            let role: String = row.try_get("role")?;
            let at = standing::time("bus_marks", row.try_get("folded_us")?)?;
            known.at = known.at.max(Some(at));
            let (ms, seq): (i64, i64) = (row.try_get("ms")?, row.try_get("seq")?);
            known.marks.push(Mark {
                entry: format!("{ms}-{seq}"),
                role: role
                    .parse()
                    .map_err(|e| unreadable("role of a mark", &role, e))?,
            });
        }
        Ok(known)
    }

    /// Redis is taken as it is: what was folded before says nothing about it any more.
    pub async fn take_bus(&self, at: Timestamp) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM bus_marks")
            .execute(&mut *tx)
            .await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'bus_found'")
            .bind(standing::micros(at))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// No task gets a number up to this one: a ledger that was put back does not know who had them.
    pub async fn skip_numbers(&self, highest: u64) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'short_id' AND value < $1")
            .bind(i64::try_from(highest).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest number that was given to a task.
    pub async fn newest_number(&self) -> Result<ShortId, LedgerError> {
        let mut tx = self.read().await?;
        let newest: i64 = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'short_id'")
            .fetch_one(&mut *tx)
            .await?;
        Ok(ShortId(newest.max(0) as u64))
    }

    /// Lets an open task wait for a person. What the bus had of it is gone, so an answer starts it
    /// anew. Does nothing to one that has ended, is being stopped, or waits for anything but its time
    /// or its host.
    pub async fn ask_person(
        &self,
        task: TaskId,
        text: &str,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let mut tx = self.write().await?;
        let Some(mut standing) = standing::find(&mut tx, task).await? else {
            return Ok(Vec::new());
        };
        let mut told = match standing.state {
            TaskState::Queued | TaskState::Running { .. } => Vec::new(),
            LATER | FOR_HOST => shift(&mut tx, &mut standing, TaskState::Queued, at, None).await?,
            _ => return Ok(Vec::new()),
        };
        let to = TaskState::Waiting {
            on: WaitReason::Input,
        };
        let question = Question {
            step: "begin".to_owned(),
            text: format!("{text}; `again` starts it anew in a fresh clone of its workspace"),
            known: Vec::new(),
            choices: vec![Choice::Again],
            ticket: None,
        };
        questions::ask(&mut tx, &standing, &to, Some(&question), at).await?;
        told.extend(shift(&mut tx, &mut standing, to, at, None).await?);
        sqlx::query(
            "UPDATE tasks SET question = $2, parked_epoch = 0, resume_owed = 0,
                              resume_answer = NULL WHERE id = $1",
        )
        .bind(task.to_string())
        .bind(&question.text)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(told)
    }
}

/// Writes how far the out streams are folded, in the transaction of the fold. A message that comes
/// again does not put a mark back.
pub(super) async fn fold_marks(
    tx: &mut AnyConnection,
    marks: &[Mark],
    at: Timestamp,
) -> Result<(), LedgerError> {
    for mark in marks {
        let parts = mark.entry.split_once('-').and_then(|(ms, seq)| {
            let (ms, seq): (i64, i64) = (ms.parse().ok()?, seq.parse().ok()?);
            Some((ms, seq))
        });
        let Some((ms, seq)) = parts else { continue };
        sqlx::query(
            "INSERT INTO bus_marks (role, ms, seq, folded_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (role) DO UPDATE
             SET ms = excluded.ms, seq = excluded.seq, folded_us = excluded.folded_us
             WHERE excluded.ms > bus_marks.ms
                OR (excluded.ms = bus_marks.ms AND excluded.seq > bus_marks.seq)",
        )
        .bind(mark.role.as_str())
        .bind(ms)
        .bind(seq)
        .bind(standing::micros(at))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
