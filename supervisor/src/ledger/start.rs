//! Starting the parts of a plan: which are to be started, with how much money, and the one step
//! that keeps the task of a part and the part as running.

use super::events::Happening;
use super::keep::{self, NewTask, Routed};
use super::parts;
use super::plan::{Stored, WORKS, load, note, plan_of, restored, settle};
use super::standing::{self, Standing, from_json, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use pai::plan::fill::Came;
use protocol::ids::TaskId;
use protocol::money::MicroUsd;
use protocol::plan::{Part, PartState};
use protocol::task::{Task, Way};
use sqlx::{AnyConnection, Row};

/// A part that a task is to be made for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyPart {
    /// The plan's task.
    pub plan: Task,
    /// The part as the plan says it.
    pub part: Part,
    /// Its place in the plan.
    pub position: usize,
    /// Which try the task will be, counted from 1.
    pub number: u32,
    /// Who does it and how, where that was known before.
    pub routed: Option<Routed>,
}

impl Ledger {
    /// Parts that a task is to be made for, oldest plan first, at most `limit`.
    pub async fn ready_parts(&self, limit: u32) -> Result<Vec<ReadyPart>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT p.plan, p.position FROM parts p JOIN tasks t ON t.id = p.plan
             WHERE p.state = 'ready' AND t.state = 'waiting' AND t.reason = 'children'
             ORDER BY t.short_id, p.position LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut ready = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: String = row.try_get("plan")?;
            let position = row.try_get::<i64, _>("position")?.max(0) as usize;
            let id = key.parse().map_err(|e| unreadable("part", &key, e))?;
            let Some((task, mut stored)) = load(&mut tx, id).await? else {
                continue;
            };
            let part = plan_of(&task).and_then(|plan| plan.tasks.get(position).cloned());
            if let (Some(part), true) = (part, position < stored.len()) {
                let stored = stored.swap_remove(position);
                ready.push(ReadyPart {
                    plan: task,
                    part,
                    position,
                    number: stored.standing.tries + 1,
                    routed: stored.routed,
                });
            }
        }
        Ok(ready)
    }

    /// The tasks that did the parts of a plan, in its order; `None` for a part that is not done.
    pub async fn parts_done(&self, plan: TaskId) -> Result<Vec<Option<TaskId>>, LedgerError> {
        let mut tx = self.read().await?;
        let stored = load(&mut tx, plan).await?;
        let stored = stored.map(|(_, stored)| stored).unwrap_or_default();
        let done = |part: &Stored| part.standing.state == PartState::Done;
        Ok(stored
            .iter()
            .map(|part| part.task.filter(|_| done(part)))
            .collect())
    }

    /// What the parts of a plan came to so far.
    pub async fn parts_came(&self, plan: TaskId) -> Result<Vec<Came>, LedgerError> {
        let mut tx = self.read().await?;
        match load(&mut tx, plan).await? {
            Some((task, stored)) => match plan_of(&task) {
                Some(plan) => parts::came(&mut tx, plan, &stored).await,
                None => Ok(Vec::new()),
            },
            None => Ok(Vec::new()),
        }
    }

    /// Keeps the task of a part, queued, and the part as running, in one step. `None`, and nothing
    /// changed, where no such task is wanted any more.
    pub async fn start_part(
        &self,
        ready: &ReadyPart,
        new: &NewTask,
        queue_limit: u64,
    ) -> Result<Option<(Task, Vec<Happening>)>, LedgerError> {
        let mut tx = self.write().await?;
        let Some((mut parent, task, stored)) = wanted(&mut tx, ready).await? else {
            return Ok(None);
        };
        let Some(plan) = plan_of(&task) else {
            return Ok(None);
        };
        let mut graph = restored(plan, &stored, &parent.state);
        if !graph.started(ready.position) {
            return Ok(None);
        }
        keep::has_room(
            &mut tx,
            &protocol::task_state::TaskState::Queued,
            1,
            queue_limit,
        )
        .await?;
        let (child, queued) = keep::insert_new(&mut tx, new).await?;
        sqlx::query("UPDATE parts SET task = $3 WHERE plan = $1 AND position = $2")
            .bind(parent.key())
            .bind(ready.position as i64)
            .bind(child.id.to_string())
            .execute(&mut *tx)
            .await?;
        let mut told = settle(&mut tx, &mut parent, plan, &graph, new.accepted).await?;
        let text = format!("{} is {}: {}", ready.part.id, child.short_id, child.agent);
        told.push(note(&mut tx, &parent, &text).await?);
        told.push(queued);
        tx.commit().await?;
        Ok(Some((child, told)))
    }

    /// No task can be made for a part: it has failed.
    pub async fn part_unstartable(
        &self,
        ready: &ReadyPart,
        reason: &str,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let mut tx = self.write().await?;
        let Some((mut parent, task, stored)) = wanted(&mut tx, ready).await? else {
            return Ok(Vec::new());
        };
        let Some(plan) = plan_of(&task) else {
            return Ok(Vec::new());
        };
        let mut graph = restored(plan, &stored, &parent.state);
        if !graph.unstartable(ready.position, reason) {
            return Ok(Vec::new());
        }
        let told = settle(&mut tx, &mut parent, plan, &graph, at).await?;
        tx.commit().await?;
        Ok(told)
    }

    /// What the tasks of a plan have spent or may still spend, and how many parts that may cost
    /// something were not started yet.
    pub async fn plan_money(&self, plan: TaskId) -> Result<(MicroUsd, u64), LedgerError> {
        let mut tx = self.read().await?;
        let Some((task, stored)) = load(&mut tx, plan).await? else {
            return Ok((MicroUsd(0), 0));
        };
        let tasks = plan_of(&task).map_or(&[][..], |plan| &plan.tasks[..]);
        let open = tasks.iter().zip(&stored).filter(|(part, stored)| {
            let free = part.playbook.is_some()
                || matches!(&stored.routed, Some(routed) if matches!(routed.way, Way::Playbook { .. }));
            !free && matches!(stored.standing.state, PartState::Waiting | PartState::Ready)
        });
        let open = open.count() as u64;
        let rows =
            sqlx::query("SELECT task, ended_us, cost_micro_usd FROM tasks WHERE parent = $1")
                .bind(plan.to_string())
                .fetch_all(&mut *tx)
                .await?;
        let mut taken = 0u64;
        for row in &rows {
            let spent = row.try_get::<i64, _>("cost_micro_usd")?.max(0) as u64;
            let ended: Option<i64> = row.try_get("ended_us")?;
            let child: String = row.try_get("task")?;
            let child: Task = from_json("task", &plan.to_string(), &child)?;
            taken += match (ended, child.budget) {
                (None, Some(budget)) => budget.0.max(spent),
                _ => spent,
            };
        }
        Ok((MicroUsd(taken), open))
    }

    /// The tasks of a plan that have not ended, oldest first.
    pub async fn live_children(&self, plan: TaskId) -> Result<Vec<TaskId>, LedgerError> {
        let mut tx = self.read().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM tasks WHERE parent = $1
             AND state NOT IN ('done', 'failed', 'refused', 'cancelled') ORDER BY short_id",
        )
        .bind(plan.to_string())
        .fetch_all(&mut *tx)
        .await?;
        ids.iter()
            .map(|id| id.parse().map_err(|e| unreadable("task id", id, e)))
            .collect()
    }
}

/// The plan of a ready part, where the very try it was listed for is still to be made.
async fn wanted(
    tx: &mut AnyConnection,
    ready: &ReadyPart,
) -> Result<Option<(Standing, Task, Vec<Stored>)>, LedgerError> {
    let parent = standing::find(tx, ready.plan.id).await?;
    let loaded = load(tx, ready.plan.id).await?;
    Ok(match (parent, loaded) {
        (Some(parent), Some((task, stored))) if parent.state == WORKS => {
            let same = stored
                .get(ready.position)
                .is_some_and(|part| part.standing.tries + 1 == ready.number);
            same.then_some((parent, task, stored))
        }
        _ => None,
    })
}
