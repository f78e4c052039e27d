//! Tasks that change hands: what an agent asked for when it parked its task, and the one step that
//! gives the task another role. The bus is owed the move like any other resume.

use super::events::{self, Event, Happening};
use super::records::{self, LINE_BYTES, cut};
use super::resume::{OwedResume, resume_in};
use super::standing::{self, Standing, from_json, micros, time, to_json, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::{Epoch, Role, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::report::{HandOff, Progress};
use protocol::task::Task;
use protocol::task_state::{TaskState, WaitReason};
use protocol::tool::ToolAnswer;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Row};

/// Where a task stands that is to change hands.
const HANDED: TaskState = TaskState::Waiting {
    on: WaitReason::Handoff,
};

/// A wish to hand a task on, not decided yet.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedHandOff {
    /// Which task.
    pub task: TaskId,
    /// How many were asked for of this task, this one included.
    pub number: u64,
    /// Who holds it.
    pub from: Role,
    /// What is wanted.
    pub wish: HandOff,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Keeps the wish of a task that was parked to be handed on.
pub(super) async fn ask(
    tx: &mut AnyConnection,
    standing: &Standing,
    to: &TaskState,
    wish: Option<&HandOff>,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (Some(wish), true) = (wish, *to == HANDED) else {
        return Ok(());
    };
    let key = standing.key();
    sqlx::query(
        "INSERT INTO handoffs (task, number, from_role, body, asked_us)
         VALUES ($1, (SELECT COUNT(*) + 1 FROM handoffs WHERE task = $1), $2, $3, $4)",
    )
    .bind(&key)
    .bind(standing.agent.as_str())
    .bind(to_json("hand-off", &key, wish)?)
    .bind(micros(at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl Ledger {
    /// Wishes to be decided, oldest first, at most `limit`.
    pub async fn handoffs_asked(&self, limit: u32) -> Result<Vec<AskedHandOff>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT h.task, h.number, h.from_role, h.body, h.asked_us FROM handoffs h
             JOIN tasks t ON t.id = h.task
             WHERE h.done = 0 AND t.state = 'waiting' AND t.reason = 'handoff'
             ORDER BY h.asked_us, h.task LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter()
            .map(|row| {
                let key: String = row.try_get("task")?;
                let from: String = row.try_get("from_role")?;
                Ok(AskedHandOff {
                    task: key.parse().map_err(|e| unreadable("task id", &key, e))?,
                    number: row.try_get::<i64, _>("number")?.max(0) as u64,
                    from: from.parse().map_err(|e| unreadable("role", &key, e))?,
                    wish: from_json("hand-off", &key, &row.try_get::<String, _>("body")?)?,
                    at: time(&key, row.try_get("asked_us")?)?,
                })
            })
            .collect()
    }

    /// Whether a task is this role's, or was before it was handed on.
    pub async fn was_of(&self, task: &Task, role: &Role) -> Result<bool, LedgerError> {
        if task.agent == *role {
            return Ok(true);
        }
        let mut tx = self.look().await?;
        let handed: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM handoffs WHERE task = $1 AND from_role = $2")
                .bind(task.id.to_string())
                .bind(role.as_str())
                .fetch_one(&mut *tx)
                .await?;
        Ok(handed > 0)
    }

    /// Decides a wish: the task is queued again, with the other role, or, where it is `refused`,
    /// with the same one; its journal gets the answer of the call. `None` where it was decided
    /// before, or the task does not wait for it any more.
    pub async fn hand_off(
        &self,
        asked: &AskedHandOff,
        refused: Option<&str>,
        at: Timestamp,
    ) -> Result<Option<(OwedResume, Vec<Happening>)>, LedgerError> {
        let mut tx = self.write().await?;
        let Some(mut standing) = standing::find(&mut tx, asked.task).await? else {
            return Ok(None);
        };
        let mine = sqlx::query(
            "UPDATE handoffs SET done = 1, refused = $3
             WHERE task = $1 AND number = $2 AND done = 0",
        )
        .bind(standing.key())
        .bind(asked.number as i64)
        .bind(refused.map(|why| cut(why, LINE_BYTES)))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if mine != 1 || standing.state != HANDED {
            return Ok(None);
        }
        let mut told = vec![say(&mut tx, &standing, asked, refused).await?];
        let entry = entry(&mut tx, &standing, asked, refused, at).await?;
        let (mut owed, moved) = resume_in(&mut tx, &mut standing, Some(&entry), at).await?;
        if refused.is_none() {
            sqlx::query("UPDATE tasks SET agent = $2, handed_from = $3 WHERE id = $1")
                .bind(standing.key())
                .bind(asked.wish.to.as_str())
                .bind(asked.from.as_str())
                .execute(&mut *tx)
                .await?;
            let roles = (asked.from.clone(), asked.wish.to.clone());
            owed.handed = Some(Box::new(roles));
        }
        told.extend(moved);
        tx.commit().await?;
        Ok(Some((owed, told)))
    }
}

async fn say(
    tx: &mut AnyConnection,
    standing: &Standing,
    asked: &AskedHandOff,
    refused: Option<&str>,
) -> Result<Happening, LedgerError> {
    let (from, to) = (&asked.from, &asked.wish.to);
    let text = match refused {
        None => format!("{from} hands it to {to}: {}", asked.wish.note),
        Some(why) => format!("{from} asked to hand it to {to}: {why}"),
    };
    let (key, text) = (standing.key(), cut(&text, LINE_BYTES));
    records::note(tx, &key, &text).await?;
    let event = Event::Progress(Progress::Note { text });
    events::append(tx, &key, None, &event).await?;
    Ok(standing.happening(event))
}

/// The answer of the call that asked for it, as the next holder finds it in the journal.
async fn entry(
    tx: &mut AnyConnection,
    standing: &Standing,
    asked: &AskedHandOff,
    refused: Option<&str>,
    at: Timestamp,
) -> Result<JournalEntry, LedgerError> {
    let key = standing.key();
    let epoch: i64 = sqlx::query_scalar("SELECT parked_epoch FROM tasks WHERE id = $1")
        .bind(&key)
        .fetch_one(&mut *tx)
        .await?;
    let wish = &asked.wish;
    let text = match refused {
        None => format!(
            "The task was handed from {} to {}, with the note: {}",
            asked.from, wish.to, wish.note
        ),
        Some(why) => format!("not handed on: {why}"),
    };
    let answer = ToolAnswer {
        id: wish.call.clone(),
        is_error: refused.is_some(),
        text,
        data: match refused {
            None => json!({"from": asked.from, "to": wish.to, "note": wish.note}),
            Some(_) => Value::Null,
        },
        took_ms: 0,
    };
    Ok(JournalEntry {
        v: JOURNAL_VERSION,
        epoch: Epoch(epoch.max(0) as u64),
        at: protocol::envelope::micros(at),
        step: wish.step.clone(),
        kind: EntryKind::Result,
        body: serde_json::to_value(answer).map_err(|e| unreadable("answer", &key, e))?,
    })
}
