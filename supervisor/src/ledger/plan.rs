//! Plans in the ledger: the parts of each, and what an end of one means for the others, decided by
//! `pai` and written in the very transaction that writes the end. So a supervisor that is killed
//! anywhere goes on from what is stored: a part that is `ready` has no task yet, one that is
//! `running` has exactly one.

use super::events::{self, Event, Happening};
use super::keep::{NewPart, Routed};
use super::standing::{self, Standing, from_json, shift, to_json, unreadable};
use super::store::LedgerError;
use super::{parts, records};
use jiff::Timestamp;
use pai::plan::graph::{self, End, Graph};
use pai::plan::{fill::Came, gather};
use protocol::ids::TaskId;
use protocol::phase::Phase;
use protocol::plan::{PartState, Plan};
use protocol::report::Progress;
use protocol::task::{Task, Way};
use protocol::task_state::{TaskState, WaitReason};
use sqlx::{AnyConnection, Row};

/// Where a plan rests while its parts are worked on.
pub(super) const WORKS: TaskState = TaskState::Waiting {
    on: WaitReason::Children,
};

/// One stored part.
pub(super) struct Stored {
    pub(super) standing: graph::Standing,
    pub(super) task: Option<TaskId>,
    pub(super) routed: Option<Routed>,
}

/// The plan inside a task.
pub fn plan_of(task: &Task) -> Option<&Plan> {
    match &task.way {
        Way::Plan { plan } => Some(plan),
        _ => None,
    }
}

/// Keeps the parts of a plan that was just accepted.
pub(super) async fn keep_parts(
    tx: &mut AnyConnection,
    task: &Task,
    plan: &Plan,
    new: &[NewPart],
) -> Result<(), LedgerError> {
    let key = task.id.to_string();
    let carried = |at: usize| new.get(at).and_then(|part| part.done_by);
    let done: Vec<&str> = plan
        .tasks
        .iter()
        .enumerate()
        .filter(|(at, _)| carried(*at).is_some())
        .map(|(_, part)| part.id.as_str())
        .collect();
    let graph = Graph::new(plan, &done);
    for (at, standing) in graph.parts().iter().enumerate() {
        let routed = new.get(at).and_then(|part| part.routed.as_ref());
        let routed = routed.map(|r| to_json("part", &key, r)).transpose()?;
        sqlx::query(
            "INSERT INTO parts (plan, position, state, reason, tries, task, routed)
             VALUES ($1, $2, $3, $4, 0, $5, $6)",
        )
        .bind(&key)
        .bind(at as i64)
        .bind(standing.state.as_str())
        .bind(&standing.reason)
        .bind(carried(at).map(|id| id.to_string()))
        .bind(routed)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// A plan begins: its parts may start from now on.
pub(super) async fn begins(
    tx: &mut AnyConnection,
    plan: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    records::phase_started(tx, plan, Phase::Execute, at).await
}

/// A plan's task and its parts in order; `None` where it is no plan.
pub(super) async fn load(
    tx: &mut AnyConnection,
    plan: TaskId,
) -> Result<Option<(Task, Vec<Stored>)>, LedgerError> {
    let key = plan.to_string();
    let json: Option<String> = sqlx::query_scalar("SELECT task FROM tasks WHERE id = $1")
        .bind(&key)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(json) = json else {
        return Ok(None);
    };
    let task: Task = from_json("task", &key, &json)?;
    if plan_of(&task).is_none() {
        return Ok(None);
    }
    let rows = sqlx::query(
        "SELECT state, reason, tries, task, routed FROM parts WHERE plan = $1 ORDER BY position",
    )
    .bind(&key)
    .fetch_all(&mut *tx)
    .await?;
    let mut stored = Vec::with_capacity(rows.len());
    for row in &rows {
        let state: String = row.try_get("state")?;
        let id: Option<String> = row.try_get("task")?;
        let routed: Option<String> = row.try_get("routed")?;
        stored.push(Stored {
            standing: graph::Standing {
                state: PartState::from_name(&state)
                    .ok_or_else(|| unreadable("part", &key, &state))?,
                reason: row.try_get("reason")?,
                tries: row.try_get::<i64, _>("tries")?.max(0) as u32,
            },
            task: id
                .map(|id| id.parse().map_err(|e| unreadable("part", &key, e)))
                .transpose()?,
            routed: routed.map(|r| from_json("part", &key, &r)).transpose()?,
        });
    }
    Ok(Some((task, stored)))
}

pub(super) fn restored<'p>(plan: &'p Plan, stored: &[Stored], state: &TaskState) -> Graph<'p> {
    let parts = stored.iter().map(|part| part.standing.clone()).collect();
    Graph::restore(plan, parts, *state != WORKS)
}

/// The task of a part has ended: the parts after it may start, and the whole may end.
pub(super) async fn child_ended(
    tx: &mut AnyConnection,
    plan: TaskId,
    child: &Standing,
    at: Timestamp,
) -> Result<Vec<Happening>, LedgerError> {
    let (Some(mut parent), Some((task, stored))) =
        (standing::find(tx, plan).await?, load(tx, plan).await?)
    else {
        return Ok(Vec::new());
    };
    let Some(plan) = plan_of(&task) else {
        return Ok(Vec::new());
    };
    let mut graph = restored(plan, &stored, &parent.state);
    let part = stored.iter().position(|part| part.task == Some(child.id));
    if !part.is_some_and(|part| graph.ended(part, &child.state)) {
        return Ok(Vec::new());
    }
    settle(tx, &mut parent, plan, &graph, at).await
}

/// Writes how the parts stand now, and ends the whole where it has come to its end.
pub(super) async fn settle(
    tx: &mut AnyConnection,
    parent: &mut Standing,
    plan: &Plan,
    graph: &Graph<'_>,
    at: Timestamp,
) -> Result<Vec<Happening>, LedgerError> {
    let mut told = write_parts(tx, parent, plan, graph).await?;
    if parent.state.is_final() {
        return Ok(told);
    }
    let to = match graph.end() {
        None => return Ok(told),
        Some(_) if parent.state == TaskState::Cancelling => TaskState::Cancelled,
        Some(End::Done) => TaskState::Done,
        Some(End::Cancelled) => TaskState::Cancelled,
        Some(End::Failed { reason }) => TaskState::Failed {
            reason: records::cut(&reason, records::LINE_BYTES),
        },
    };
    told.extend(Box::pin(shift(tx, parent, to, at, None)).await?);
    Ok(told)
}

/// Writes how the parts stand now and says what changed.
async fn write_parts(
    tx: &mut AnyConnection,
    parent: &Standing,
    plan: &Plan,
    graph: &Graph<'_>,
) -> Result<Vec<Happening>, LedgerError> {
    let Some((_, before)) = load(tx, parent.id).await? else {
        return Ok(Vec::new());
    };
    let came = parts::came(tx, plan, &before).await?;
    let mut told = Vec::new();
    for (at, (now, was)) in graph.parts().iter().zip(&before).enumerate() {
        if *now == was.standing {
            continue;
        }
        let reason = now.reason.as_deref();
        sqlx::query(
            "UPDATE parts SET state = $3, reason = $4, tries = $5
             WHERE plan = $1 AND position = $2",
        )
        .bind(parent.key())
        .bind(at as i64)
        .bind(now.state.as_str())
        .bind(reason.map(|reason| records::cut(reason, records::LINE_BYTES)))
        .bind(i64::from(now.tries))
        .execute(&mut *tx)
        .await?;
        if let Some(text) = came.get(at).and_then(|came| said(came, now)) {
            told.push(note(tx, parent, &text).await?);
        }
    }
    Ok(told)
}

/// The line about a part that changed.
fn said(came: &Came, now: &graph::Standing) -> Option<String> {
    let id = &came.id;
    let task = came.task.map(|id| format!(" ({id})")).unwrap_or_default();
    let why = now.reason.as_deref().unwrap_or("no reason was given");
    match now.state {
        PartState::Waiting | PartState::Running => None,
        PartState::Ready if now.tries > 0 => {
            Some(format!("{id}{task} failed: {why}; it is tried again"))
        }
        PartState::Ready => None,
        PartState::Done => Some(format!("{id}{task} is done")),
        PartState::Failed => Some(format!("{id}{task} failed: {why}")),
        PartState::Left => Some(format!("{id} is not started: {why}")),
    }
}

pub(super) async fn note(
    tx: &mut AnyConnection,
    parent: &Standing,
    text: &str,
) -> Result<Happening, LedgerError> {
    let key = parent.key();
    let text = records::cut(text, records::LINE_BYTES);
    records::note(tx, &key, &text).await?;
    let event = Event::Progress(Progress::Note { text });
    events::append(tx, &key, None, &event).await?;
    Ok(parent.happening(event))
}

/// A plan has come to its end: its report is made of what its parts came to.
pub(super) async fn close(
    tx: &mut AnyConnection,
    parent: &Standing,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let Some((task, stored)) = load(tx, parent.id).await? else {
        return Ok(());
    };
    let Some(plan) = plan_of(&task) else {
        return Ok(());
    };
    let report = gather::report(plan, &parts::came(tx, plan, &stored).await?);
    let key = parent.key();
    sqlx::query("UPDATE tasks SET result = $2 WHERE id = $1")
        .bind(&key)
        .bind(records::cut(&report, records::RESULT_BYTES))
        .execute(&mut *tx)
        .await?;
    records::phase_ended(tx, &key, Phase::Execute, at).await
}

/// Nothing new of a plan is started, and the bus is owed a word about what runs. Says whether
/// anything does; the plan itself is moved by whoever stops it.
pub(super) async fn stop(
    tx: &mut AnyConnection,
    parent: &Standing,
    reason: &str,
) -> Result<(bool, Vec<Happening>), LedgerError> {
    let Some((task, stored)) = load(tx, parent.id).await? else {
        return Ok((false, Vec::new()));
    };
    let Some(plan) = plan_of(&task) else {
        return Ok((false, Vec::new()));
    };
    let mut graph = restored(plan, &stored, &parent.state);
    graph.stop(reason);
    let told = write_parts(tx, parent, plan, &graph).await?;
    let live = sqlx::query(
        "UPDATE tasks SET stop_owed = 1 WHERE parent = $1
         AND state NOT IN ('done', 'failed', 'refused', 'cancelled')",
    )
    .bind(parent.key())
    .execute(&mut *tx)
    .await?
    .rows_affected();
    Ok((live > 0, told))
}

/// Whether a plan gets on without a person: something of it is worked on, or will be.
pub(super) async fn moves(tx: &mut AnyConnection, plan: &str) -> Result<bool, LedgerError> {
    let many: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM parts WHERE plan = $1 AND state = 'ready')
              + (SELECT COUNT(*) FROM tasks WHERE parent = $1
                 AND (state IN ('queued', 'running', 'cancelling')
                      OR (state = 'waiting' AND reason IN ('time', 'handoff', 'host'))))",
    )
    .bind(plan)
    .fetch_one(&mut *tx)
    .await?;
    Ok(many > 0)
}
