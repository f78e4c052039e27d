//! The brakes that a person pulled: the team is frozen, a role is paused. This is the truth about
//! them; what Redis holds is made from it.

use super::events::Happening;
use super::resume;
use super::standing::{self, micros, shift, time, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::document::BrakeLine;
use protocol::ids::{Epoch, Role, TaskId};
use protocol::task_state::{StateName, TaskState, WaitReason};
use sqlx::Row;

/// What is held back now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brakes {
    /// The team is frozen.
    pub frozen: Option<BrakeLine>,
    /// Roles that are paused, by name.
    pub paused: Vec<BrakeLine>,
}

impl Brakes {
    /// The brake on a role (or, without one, on the team), where it is pulled.
    pub fn on(&self, role: Option<&Role>) -> Option<&BrakeLine> {
        match role {
            None => self.frozen.as_ref(),
            Some(_) => self.paused.iter().find(|line| line.role.as_ref() == role),
        }
    }
}

fn key(role: Option<&Role>) -> (&'static str, &str) {
    role.map_or(("team", ""), |role| ("role", role.as_str()))
}

/// What is to be done about paused tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PausedTasks {
    /// Paused by a person, and still queued or running here.
    pub wanted: Vec<TaskId>,
    /// Waiting as paused, though nobody wants that (any more).
    pub unwanted: Vec<TaskId>,
}

impl Ledger {
    /// What is held back.
    pub async fn brakes(&self) -> Result<Brakes, LedgerError> {
        let mut tx = self.look().await?;
        let rows = sqlx::query("SELECT kind, name, since_us, by_whom FROM brakes ORDER BY name")
            .fetch_all(&mut *tx)
            .await?;
        let mut brakes = Brakes::default();
        for row in &rows {
            let name: String = row.try_get("name")?;
            let mut line = BrakeLine {
                role: None,
                since: time(&name, row.try_get("since_us")?)?,
                by: row.try_get("by_whom")?,
            };
            match row.try_get::<String, _>("kind")?.as_str() {
                "role" => {
                    let role = name.parse().map_err(|e| unreadable("brake", &name, e))?;
                    line.role = Some(role);
                    brakes.paused.push(line);
                }
                // Kept here too, and of no concern to agents: see `paused_tasks`.
                "task" => {}
                // One that a newer binary knows holds everything back.
                _ => brakes.frozen = Some(line),
            }
        }
        Ok(brakes)
    }

    /// Pulls a brake, once: who pulled it first is kept. Answers whether it was not pulled before.
    pub async fn pull_brake(
        &self,
        role: Option<&Role>,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        let (kind, name) = key(role);
        self.pull(kind, name, by, at).await
    }

    /// Notes that a person wants a task to pause; it holds until [`Ledger::release_task`].
    pub async fn pause_task(
        &self,
        task: TaskId,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.pull("task", &task.to_string(), by, at).await
    }

    /// Nobody wants a task to pause any more. Answers whether somebody did.
    pub async fn release_task(&self, task: TaskId) -> Result<bool, LedgerError> {
        self.release("task", &task.to_string()).await
    }

    /// Where wish and state of paused tasks differ. Wishes about tasks that have ended are dropped.
    pub async fn paused_tasks(&self) -> Result<PausedTasks, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT t.id, t.state, b.name AS wish FROM brakes b JOIN tasks t ON t.id = b.name
             WHERE b.kind = 'task'
             UNION ALL
             SELECT t.id, t.state, NULL FROM tasks t WHERE t.state = 'waiting'
             AND t.reason = 'paused' AND NOT EXISTS
             (SELECT 1 FROM brakes b WHERE b.kind = 'task' AND b.name = t.id)",
        )
        .fetch_all(&mut *tx)
        .await?;
        drop(tx);
        let mut paused = PausedTasks::default();
        for row in &rows {
            let id: String = row.try_get("id")?;
            let task: TaskId = id.parse().map_err(|e| unreadable("task id", &id, e))?;
            let wish: Option<String> = row.try_get("wish")?;
            match (wish, row.try_get::<String, _>("state")?.as_str()) {
                (None, _) => paused.unwanted.push(task),
                (Some(_), "queued" | "running") => paused.wanted.push(task),
                (Some(_), "waiting" | "cancelling") => {}
                (Some(_), _) => {
                    self.release_task(task).await?;
                }
            }
        }
        Ok(paused)
    }

    /// The bus took a paused task out of its queue, parked under this epoch.
    pub async fn parked_as_paused(
        &self,
        task: TaskId,
        epoch: Epoch,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let mut tx = self.write().await?;
        let Some(mut standing) = standing::find(&mut tx, task).await? else {
            return Ok(Vec::new());
        };
        if !matches!(
            standing.state.name(),
            StateName::Queued | StateName::Running
        ) {
            return Ok(Vec::new());
        }
        let _known_before = resume::parked(&mut tx, &standing, Some(epoch)).await?;
        let paused = TaskState::Waiting {
            on: WaitReason::Paused,
        };
        let told = shift(&mut tx, &mut standing, paused, at, None).await?;
        tx.commit().await?;
        Ok(told)
    }

    async fn pull(
        &self,
        kind: &str,
        name: &str,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "INSERT INTO brakes (kind, name, since_us, by_whom) VALUES ($1, $2, $3, $4)
             ON CONFLICT (kind, name) DO NOTHING",
        )
        .bind(kind)
        .bind(name)
        .bind(micros(at))
        .bind(by)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(rows == 1)
    }

    /// Lets go of a brake. Answers whether it was pulled.
    pub async fn release_brake(&self, role: Option<&Role>) -> Result<bool, LedgerError> {
        let (kind, name) = key(role);
        self.release(kind, name).await
    }

    async fn release(&self, kind: &str, name: &str) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let rows = sqlx::query("DELETE FROM brakes WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(rows == 1)
    }
}
