//! What is known of the team's other hosts, and the tasks that wait for one that is lost. Nothing is
//! moved: a task of a lost host keeps its place on the bus, only the ledger says what it waits for.

use super::events::Happening;
use super::plan::note;
use super::standing::{self, Standing, from_json, micros, shift, time, to_json, unreadable};
use super::store::{Ledger, LedgerError, Write};
use jiff::Timestamp;
use protocol::ids::{Role, TaskId};
use protocol::phase::Phase;
use protocol::task_state::{StateName, TaskState, WaitReason};
use sqlx::{AnyConnection, Row};

/// How many tasks one transaction moves.
const PAGE: i64 = 200;

/// A task that waits for its host.
pub(crate) const FOR_HOST: TaskState = TaskState::Waiting {
    on: WaitReason::Host,
};

/// The tasks of a host that an agent may begin or has begun. One that the bus must still be told to go
/// on with is told first: what is owed is looked for among the queued ones.
const QUEUED_OR_RUNNING: &str = "SELECT id FROM tasks WHERE host = $1
    AND state IN ('queued', 'running') AND resume_owed = 0 AND agent <> 'supervisor'
    ORDER BY short_id LIMIT $2";
/// Those that wait for it.
const WAITING: &str = "SELECT id FROM tasks WHERE host = $1
    AND state = 'waiting' AND reason = 'host' ORDER BY short_id LIMIT $2";

/// What is known of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHost {
    /// What the team calls it.
    pub name: String,
    /// When it was seen last, to the minute while it is there.
    pub seen: Option<Timestamp>,
    /// Since when it counts as lost; `None` while it does not.
    pub lost: Option<Timestamp>,
    /// The agents it said it runs; `None` where it never said.
    pub roles: Option<Vec<Role>>,
}

impl Ledger {
    /// Everything that is known of hosts, by name.
    pub async fn hosts(&self) -> Result<Vec<KnownHost>, LedgerError> {
        let mut tx = self.look().await?;
        let rows = sqlx::query("SELECT * FROM hosts ORDER BY name")
            .fetch_all(&mut *tx)
            .await?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get("name")?;
                let at = |column: &str| -> Result<Option<Timestamp>, LedgerError> {
                    let us: Option<i64> = row.try_get(column)?;
                    us.map(|us| time(&name, us)).transpose()
                };
                let roles: Option<String> = row.try_get("roles")?;
                Ok(KnownHost {
                    seen: at("seen_us")?,
                    lost: at("lost_us")?,
                    roles: roles
                        .map(|roles| from_json("roles", &name, &roles))
                        .transpose()?,
                    name,
                })
            })
            .collect()
    }

    /// What is known of one host; nothing where it was never heard of.
    pub async fn host(&self, name: &str) -> Result<KnownHost, LedgerError> {
        let known = self.hosts().await?.into_iter().find(|h| h.name == name);
        Ok(known.unwrap_or_else(|| KnownHost {
            name: name.to_owned(),
            ..KnownHost::default()
        }))
    }

    /// Keeps what is known of a host, in place of what was.
    pub async fn keep_host(&self, host: &KnownHost) -> Result<(), LedgerError> {
        let roles = host.roles.as_ref();
        let roles = roles.map(|roles| to_json("roles", &host.name, roles));
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO hosts (name, seen_us, lost_us, roles) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET seen_us = $2, lost_us = $3, roles = $4",
        )
        .bind(&host.name)
        .bind(host.seen.map(micros))
        .bind(host.lost.map(micros))
        .bind(roles.transpose()?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// How many tasks wait for a host.
    pub async fn waiting_for(&self, host: &str) -> Result<u64, LedgerError> {
        let mut tx = self.look().await?;
        let many: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM tasks WHERE host = $1 AND state = 'waiting' AND reason = 'host'",
        )
        .bind(host)
        .fetch_one(&mut *tx)
        .await?;
        Ok(many.max(0) as u64)
    }

    /// Has the queued and running tasks of a lost host wait for it, some at a time; the sentence
    /// becomes a note of each. Answers what followers hear; nothing once all of them wait.
    pub async fn wait_for_host(
        &self,
        host: &str,
        sentence: &str,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let Some((mut tx, all)) = self.of_host(QUEUED_OR_RUNNING, host).await? else {
            return Ok(Vec::new());
        };
        let mut told = Vec::new();
        for mut standing in all {
            let begun_or_not = [StateName::Queued, StateName::Running];
            if begun_or_not.contains(&standing.state.name()) {
                told.extend(shift(&mut tx, &mut standing, FOR_HOST, at, None).await?);
                told.push(note(&mut tx, &standing, sentence).await?);
            }
        }
        tx.commit().await?;
        Ok(told)
    }

    /// Puts tasks that waited for a host back to where they stood, some at a time: queued where
    /// nobody has begun them, else running. The same answer as of [`Self::wait_for_host`].
    pub async fn host_is_back(
        &self,
        host: &str,
        sentence: &str,
        at: Timestamp,
    ) -> Result<Vec<Happening>, LedgerError> {
        let Some((mut tx, all)) = self.of_host(WAITING, host).await? else {
            return Ok(Vec::new());
        };
        let mut told = Vec::new();
        for mut standing in all.into_iter().filter(|one| one.state == FOR_HOST) {
            let to = match standing.epoch {
                0 => TaskState::Queued,
                _ => TaskState::Running {
                    phase: last_phase(&mut tx, &standing.key()).await?,
                },
            };
            told.push(note(&mut tx, &standing, sentence).await?);
            told.extend(shift(&mut tx, &mut standing, to, at, None).await?);
        }
        tx.commit().await?;
        Ok(told)
    }

    /// Some tasks of a host, inside a write of the caller's. No write is begun where there are none.
    async fn of_host(
        &self,
        which: &'static str,
        host: &str,
    ) -> Result<Option<(Write, Vec<Standing>)>, LedgerError> {
        let mut tx = self.read().await?;
        let ids: Vec<String> = sqlx::query_scalar(which)
            .bind(host)
            .bind(PAGE)
            .fetch_all(&mut *tx)
            .await?;
        if ids.is_empty() {
            return Ok(None);
        }
        drop(tx);
        let mut tx = self.write().await?;
        let mut all = Vec::with_capacity(ids.len());
        for id in &ids {
            let task: TaskId = id.parse().map_err(|e| unreadable("task id", id, e))?;
            // It may have moved since it was read.
            all.extend(standing::find(&mut tx, task).await?);
        }
        Ok(Some((tx, all)))
    }
}

/// The phase that was begun last.
async fn last_phase(tx: &mut AnyConnection, key: &str) -> Result<Phase, LedgerError> {
    let name: Option<String> = sqlx::query_scalar(
        "SELECT phase FROM phases WHERE task = $1 ORDER BY started_us DESC, phase DESC LIMIT 1",
    )
    .bind(key)
    .fetch_optional(&mut *tx)
    .await?;
    let phase = name.as_deref().and_then(Phase::from_name);
    Ok(phase.unwrap_or(Phase::Observe))
}
