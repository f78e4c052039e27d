//! Where a task stands, as the ledger's row says, and the one place that changes it: every move
//! is checked against the table in `protocol`.

use super::events::{self, Event, Happening};
use super::moves;
use super::plan;
use super::spends;
use super::store::LedgerError;
use jiff::Timestamp;
use protocol::ids::{Role, ShortId, TaskId};
use protocol::task_state::TaskState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// A task's row, as far as moves need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Uuid.
    pub id: TaskId,
    /// Number for people.
    pub short_id: ShortId,
    /// Who works on it.
    pub agent: Role,
    /// Where it stands.
    pub state: TaskState,
    /// The highest epoch of its attempts; 0 before the first.
    pub epoch: u64,
    /// The plan it is part of.
    pub parent: Option<TaskId>,
}

impl Standing {
    /// Whether it is a plan: the supervisor's own, never an agent's.
    pub(super) fn is_plan(&self) -> bool {
        self.agent == Role::supervisor()
    }

    /// The key of its rows.
    pub(super) fn key(&self) -> String {
        self.id.to_string()
    }

    pub(super) fn happening(&self, event: Event) -> Happening {
        Happening {
            task: self.id,
            short_id: self.short_id,
            agent: self.agent.clone(),
            event,
        }
    }
}

pub(super) fn to_json<T: Serialize>(
    what: &'static str,
    task: &str,
    value: &T,
) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|e| unreadable(what, task, e))
}

pub(super) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    task: &str,
    text: &str,
) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|e| unreadable(what, task, e))
}

pub(super) fn unreadable(
    what: &'static str,
    task: &str,
    why: impl std::fmt::Display,
) -> LedgerError {
    LedgerError::Unreadable {
        what,
        task: task.to_owned(),
        why: why.to_string(),
    }
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn time(task: &str, us: i64) -> Result<Timestamp, LedgerError> {
    Timestamp::from_microsecond(us).map_err(|e| unreadable("time", task, e))
}

/// Reads the state columns of a row.
pub(super) fn state_of(row: &AnyRow, task: &str) -> Result<TaskState, LedgerError> {
    let name: String = row.try_get("state")?;
    let reason: Option<String> = row.try_get("reason")?;
    moves::decode(&name, reason.as_deref()).ok_or_else(|| unreadable("state", task, name))
}

/// Finds a task's row.
pub(super) async fn find(
    tx: &mut AnyConnection,
    task: TaskId,
) -> Result<Option<Standing>, LedgerError> {
    let key = task.to_string();
    let row = sqlx::query(
        "SELECT short_id, agent, state, reason, parent,
                (SELECT COALESCE(MAX(epoch), 0) FROM attempts WHERE task = $1) AS epoch
         FROM tasks WHERE id = $1",
    )
    .bind(&key)
    .fetch_optional(&mut *tx)
    .await?;
    row.map(|row| {
        let agent: String = row.try_get("agent")?;
        Ok(Standing {
            id: task,
            short_id: ShortId(row.try_get::<i64, _>("short_id")?.max(0) as u64),
            agent: agent.parse().map_err(|e| unreadable("agent", &key, e))?,
            state: state_of(&row, &key)?,
            epoch: row.try_get::<i64, _>("epoch")?.max(0) as u64,
            parent: row
                .try_get::<Option<String>, _>("parent")?
                .map(|id| id.parse().map_err(|e| unreadable("parent", &key, e)))
                .transpose()?,
        })
    })
    .transpose()
}

/// Moves a task to `to`, by the moves the table allows; refuses what it does not. Writes the
/// row, keeps an event when the state's name changed (the last one under `message`, the id of what
/// caused it), and stamps the end of a final state. The end of a plan's part is the plan's too.
pub(super) async fn shift(
    tx: &mut AnyConnection,
    standing: &mut Standing,
    to: TaskState,
    at: Timestamp,
    message: Option<&str>,
) -> Result<Vec<Happening>, LedgerError> {
    let Some(path) = moves::path(&standing.state, &to) else {
        return Err(LedgerError::IllegalMove {
            short_id: standing.short_id,
            from: standing.state.to_string(),
            to: to.to_string(),
        });
    };
    let key = standing.key();
    let mut told = Vec::new();
    for next in path {
        if next.name() != standing.state.name() {
            let event = Event::State(next.clone());
            let cause = message.filter(|_| next == to);
            events::append(tx, &key, cause, &event).await?;
            told.push(standing.happening(event));
        }
        standing.state = next;
    }
    let (name, reason) = moves::encode(&standing.state);
    let ended = standing.state.is_final().then(|| micros(at));
    sqlx::query(
        "UPDATE tasks SET state = $2, reason = $3, ended_us = $4,
                due_us = CASE WHEN $2 = 'waiting' AND $3 = 'time' THEN due_us END WHERE id = $1",
    )
    .bind(&key)
    .bind(name)
    .bind(reason)
    .bind(ended)
    .execute(&mut *tx)
    .await?;
    if standing.state.is_final() {
        spends::ended(tx, &key).await?;
        if standing.is_plan() {
            plan::close(tx, standing, at).await?;
        }
        if let Some(parent) = standing.parent {
            told.extend(Box::pin(plan::child_ended(tx, parent, standing, at)).await?);
        }
    }
    Ok(told)
}
