//! Keeping a new task: a number that is never given again, one task per request id, and a bound
//! on how many may wait. A task is acknowledged only after this has committed. The write itself, of all who
//! ask in one moment, is in `together`.

use super::events::{self, Event, Happening};
use super::records::whole;
use super::standing::{from_json, micros, to_json};
use super::store::{Ledger, LedgerError};
use super::{moves, plan, workspaces};
use jiff::Timestamp;
use protocol::attachment::Attachment;
use protocol::ids::{RequestId, Role, ShortId, TaskId};
use protocol::money::MicroUsd;
use protocol::plan::Parent;
use protocol::task::{Ceiling, Effort, Principal, Task, Way};
use protocol::task_state::{TaskState, WaitReason};
use protocol::trace::Trace;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row};
use std::path::PathBuf;

/// A checked and routed request, not yet kept.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// The uuid it will have.
    pub id: TaskId,
    /// The caller's id.
    pub request_id: RequestId,
    /// Digest of what was asked; the same id with another digest is refused.
    pub asked: String,
    /// Who asked.
    pub principal: Principal,
    /// The words.
    pub request: String,
    /// Who will work.
    pub agent: Role,
    /// Why.
    pub routed_because: String,
    /// How.
    pub way: Way,
    /// The folder, absolute.
    pub workspace: Option<PathBuf>,
    /// The host it lives on.
    pub host: Option<String>,
    /// The most the task may do.
    pub ceiling: Option<Ceiling>,
    /// How much work it is worth.
    pub effort: Effort,
    /// Most it may cost.
    pub budget: Option<MicroUsd>,
    /// 1 to 10.
    pub priority: u8,
    /// When it must be over.
    pub deadline: Option<Timestamp>,
    /// Not to be begun before this time.
    pub due: Option<Timestamp>,
    /// The ended task that this one does again.
    pub retry_of: Option<ShortId>,
    /// Now.
    pub accepted: Timestamp,
    /// The plan it is part of.
    pub parent: Option<Parent>,
    /// The trace it belongs to.
    pub trace: Option<Trace>,
    /// Files handed in with it.
    pub attachments: Vec<Attachment>,
    /// What is known of its parts, where it is a plan; in the plan's order.
    pub parts: Vec<NewPart>,
}

/// What is known of a part when its plan is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewPart {
    /// Who does it and how; `None` where that depends on earlier parts.
    pub routed: Option<Routed>,
    /// The task of an earlier plan that did it already.
    pub done_by: Option<TaskId>,
}

/// Who does a part, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Routed {
    /// The role.
    pub agent: Role,
    /// The way.
    pub way: Way,
    /// Why.
    pub because: String,
}

impl NewTask {
    /// The task under a number.
    pub fn numbered(&self, short_id: ShortId) -> Task {
        let new = self.clone();
        Task {
            id: new.id,
            short_id,
            request_id: new.request_id,
            principal: new.principal,
            request: new.request,
            agent: new.agent,
            routed_because: new.routed_because,
            way: new.way,
            workspace: new.workspace,
            host: new.host,
            ceiling: new.ceiling,
            effort: new.effort,
            budget: new.budget,
            priority: new.priority,
            deadline: new.deadline,
            due: new.due,
            retry_of: new.retry_of,
            accepted: new.accepted,
            parent: new.parent,
            trace: new.trace,
            attachments: new.attachments,
        }
    }
}

/// What keeping came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// A new task, and what to tell followers.
    New(Box<Task>, Happening),
    /// The request id was seen before; this is its task.
    Again(Box<Task>),
}

impl Ledger {
    /// The task of a request id, when there is one. Refuses another digest under the same id.
    pub async fn asked_before(
        &self,
        request_id: &RequestId,
        asked: &str,
    ) -> Result<Option<Task>, LedgerError> {
        find_request(&mut *self.look().await?, request_id, asked).await
    }

    /// The task of a request id, whatever was asked under it.
    pub async fn of_request(&self, request_id: &RequestId) -> Result<Option<Task>, LedgerError> {
        let mut tx = self.look().await?;
        let row = sqlx::query("SELECT id, task FROM tasks WHERE request_id = $1")
            .bind(request_id.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        row.map(|row| {
            let id: String = row.try_get("id")?;
            from_json("task", &id, &row.try_get::<String, _>("task")?)
        })
        .transpose()
    }
}

/// Refuses where there is no room for `many` tasks beside those that stand at this state already.
pub(super) async fn has_room(
    tx: &mut AnyConnection,
    state: &TaskState,
    many: u64,
    queue_limit: u64,
) -> Result<(), LedgerError> {
    // Queued ones, and those whose host is lost: they come back to the queue with it. `''` is no state.
    let (plain, reason) = match moves::encode(state) {
        (name, None) => (name, "host".to_owned()),
        (_, Some(reason)) => ("", reason),
    };
    let numbers: i64 = sqlx::query_scalar(
        "SELECT value + 1 - COALESCE(
            (SELECT MIN(oldest) FROM (
                SELECT MIN(short_id) AS oldest FROM tasks
                WHERE ended_us IS NULL AND state = $1 AND reason IS NULL
                UNION ALL
                SELECT MIN(short_id) FROM tasks
                WHERE ended_us IS NULL AND state = 'waiting' AND reason = $2) AS of_both), value + 1)
         FROM meta WHERE key = 'short_id'",
    )
    .bind(plain)
    .bind(&reason)
    .fetch_one(&mut *tx)
    .await?;
    let most = whole(queue_limit) - whole(many);
    // There are no more of them than numbers since the oldest: only a long queue is counted.
    if numbers <= most {
        return Ok(());
    }
    let there: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM tasks WHERE ended_us IS NULL AND state = $1 AND reason IS NULL)
              + (SELECT COUNT(*) FROM tasks WHERE ended_us IS NULL AND state = 'waiting' AND reason = $2)",
    )
    .bind(plain)
    .bind(&reason)
    .fetch_one(&mut *tx)
    .await?;
    match there > most {
        true => Err(LedgerError::QueueFull(queue_limit)),
        false => Ok(()),
    }
}

/// Takes so many numbers; answers the first of them.
pub(super) async fn take_numbers(tx: &mut AnyConnection, many: u64) -> Result<u64, LedgerError> {
    let last: i64 = sqlx::query_scalar(
        "UPDATE meta SET value = value + $1 WHERE key = 'short_id' RETURNING value",
    )
    .bind(whole(many))
    .fetch_one(&mut *tx)
    .await?;
    Ok((last.max(0).unsigned_abs() + 1).saturating_sub(many))
}

/// Knows whoever asks, gives a task its number and writes it.
pub(super) async fn insert_new(
    tx: &mut AnyConnection,
    new: &NewTask,
) -> Result<(Task, Happening), LedgerError> {
    keep_principal(tx, &new.principal, new.accepted).await?;
    let number = take_numbers(tx, 1).await?;
    insert_numbered(tx, new, ShortId(number)).await
}

/// Writes a task under its number: waiting for its time where that is to come, else queued, or for its
/// parts where it is a plan.
pub(super) async fn insert_numbered(
    tx: &mut AnyConnection,
    new: &NewTask,
    number: ShortId,
) -> Result<(Task, Happening), LedgerError> {
    let task = new.numbered(number);
    let plan = plan::plan_of(&task);
    let state = match (plan, first_state(new)) {
        (Some(_), TaskState::Queued) => plan::WORKS,
        (_, first) => first,
    };
    insert(tx, &task, &new.asked, &state).await?;
    workspaces::worked_in(tx, &task).await?;
    if let Some(plan) = plan {
        plan::keep_parts(tx, &task, plan, &new.parts).await?;
        if state == plan::WORKS {
            plan::begins(tx, &task.id.to_string(), task.accepted).await?;
        }
    }
    let event = Event::State(state);
    events::first(tx, &task.id.to_string(), &event).await?;
    let happening = Happening {
        task: task.id,
        short_id: task.short_id,
        agent: task.agent.clone(),
        event,
    };
    Ok((task, happening))
}

pub(super) async fn find_request(
    tx: &mut AnyConnection,
    request_id: &RequestId,
    asked: &str,
) -> Result<Option<Task>, LedgerError> {
    let row = sqlx::query("SELECT id, asked, task FROM tasks WHERE request_id = $1")
        .bind(request_id.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let id: String = row.try_get("id")?;
    let task: Task = from_json("task", &id, &row.try_get::<String, _>("task")?)?;
    if row.try_get::<String, _>("asked")? != asked {
        return Err(LedgerError::OtherRequest {
            request_id: request_id.as_str().to_owned(),
            short_id: task.short_id,
        });
    }
    Ok(Some(task))
}

/// Knows a person from now on.
pub(super) async fn keep_principal(
    tx: &mut AnyConnection,
    who: &Principal,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO principals (uid, name, first_seen_us) VALUES ($1, $2, $3)
         ON CONFLICT (uid) DO NOTHING",
    )
    .bind(i64::from(who.uid))
    .bind(&who.name)
    .bind(micros(at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Where a new task stands: a due time that has passed is now.
pub(super) fn first_state(new: &NewTask) -> TaskState {
    match new.due {
        Some(due) if due > new.accepted => TaskState::Waiting {
            on: WaitReason::Time,
        },
        _ => TaskState::Queued,
    }
}

async fn insert(
    tx: &mut AnyConnection,
    task: &Task,
    asked: &str,
    state: &TaskState,
) -> Result<(), LedgerError> {
    let key = task.id.to_string();
    let (name, carried) = moves::encode(state);
    sqlx::query(
        "INSERT INTO tasks (id, short_id, request_id, asked, principal_uid, agent, task, state,
                            reason, due_us, accepted_us, deadline_us, parent, host)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&key)
    .bind(task.short_id.0 as i64)
    .bind(task.request_id.as_str())
    .bind(asked)
    .bind(i64::from(task.principal.uid))
    .bind(task.agent.as_str())
    .bind(to_json("task", &key, task)?)
    .bind(name)
    .bind(carried)
    .bind(task.due.filter(|_| *state != TaskState::Queued).map(micros))
    .bind(micros(task.accepted))
    .bind(task.deadline.map(micros))
    .bind(task.parent.as_ref().map(|parent| parent.task.to_string()))
    .bind(task.host.as_deref())
    .execute(&mut *tx)
    .await?;
    Ok(())
}
