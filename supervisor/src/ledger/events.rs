//! Everything that happened to a task, in order. A follower reads it from where it stopped, so it
//! sees no gap and nothing twice, however slow it is; the message id keeps a message from being
//! folded twice.

use super::plan;
use super::standing;
use super::store::{Ledger, LedgerError};
use protocol::ids::{Role, ShortId, TaskId};
use protocol::report::Progress;
use protocol::task_state::TaskState;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};

/// Most events kept of one task; what an agent says beyond is not kept.
pub const EVENTS_PER_TASK: i64 = 20_000;
/// How many events one read returns at most.
pub const EVENTS_PER_READ: usize = 200;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// What its agent said.
    Progress(Progress),
    /// A new state.
    State(TaskState),
}

/// One thing that happened, and to which task.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Uuid.
    pub task: TaskId,
    /// Number for people.
    pub short_id: ShortId,
    /// Who works on it.
    pub agent: Role,
    /// What.
    pub event: Event,
}

/// What a follower reads in one go.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Position and event, in order.
    pub events: Vec<(i64, Event)>,
    /// Where the task stands after the last event that is kept.
    pub state: TaskState,
    /// It gets no further by itself: it has ended, or waits for a person.
    pub rests: bool,
    /// It is a plan: its parts have events of their own.
    pub plan: bool,
    /// More is there to be read at once.
    pub more: bool,
}

/// How an event was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    New,
    Again,
    TooMany,
}

/// Appends an event under a message id; the same id again changes nothing.
pub(super) async fn append(
    tx: &mut AnyConnection,
    task: &str,
    message: Option<&str>,
    event: &Event,
) -> Result<Appended, LedgerError> {
    let next: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(position), 0) + 1 FROM events WHERE task = $1")
            .bind(task)
            .fetch_one(&mut *tx)
            .await?;
    if next > EVENTS_PER_TASK && matches!(event, Event::Progress(_)) {
        return Ok(Appended::TooMany);
    }
    let own = format!("ledger/{next}");
    let body = standing::to_json("event", task, event)?;
    let rows = sqlx::query(
        "INSERT INTO events (task, position, message, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (task, message) DO NOTHING",
    )
    .bind(task)
    .bind(next)
    .bind(message.unwrap_or(&own))
    .bind(body)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    Ok(if rows == 1 {
        Appended::New
    } else {
        Appended::Again
    })
}

/// The first event of a task that is kept in the same write.
pub(super) async fn first(
    tx: &mut AnyConnection,
    task: &str,
    event: &Event,
) -> Result<(), LedgerError> {
    let body = standing::to_json("event", task, event)?;
    sqlx::query(
        "INSERT INTO events (task, position, message, body) VALUES ($1, 1, 'ledger/1', $2)",
    )
    .bind(task)
    .bind(body)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl Ledger {
    /// The events of a task after a position (0 = from the start), and where it stands, read in
    /// one consistent view. At most [`EVENTS_PER_READ`].
    pub async fn events_after(&self, task: TaskId, position: i64) -> Result<Page, LedgerError> {
        let key = task.to_string();
        let mut tx = self.read().await?;
        let row = standing::find(&mut tx, task)
            .await?
            .ok_or_else(|| LedgerError::NoTask(key.clone()))?;
        let rows = sqlx::query(
            "SELECT position, body FROM events WHERE task = $1 AND position > $2
             ORDER BY position LIMIT $3",
        )
        .bind(&key)
        .bind(position)
        .bind(EVENTS_PER_READ as i64)
        .fetch_all(&mut *tx)
        .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let body: String = row.try_get("body")?;
            events.push((
                row.try_get("position")?,
                standing::from_json("event", &key, &body)?,
            ));
        }
        let rests = match row.state {
            plan::WORKS => !plan::moves(&mut tx, &key).await?,
            ref state => state.rests(),
        };
        Ok(Page {
            rests,
            plan: row.is_plan(),
            more: events.len() == EVENTS_PER_READ,
            events,
            state: row.state,
        })
    }
}
