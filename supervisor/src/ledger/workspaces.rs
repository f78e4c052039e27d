//! Folders that the team works in, under names. A folder is registered by its first task, in the
//! transaction that keeps the task, or by a person; the newest task there is remembered.

use super::standing::{micros, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::ShortId;
use protocol::task::Task;
use protocol::workspace::{self, Workspace};
use sqlx::{AnyConnection, Row};

/// Most names that are tried for one folder.
const TRIES: u32 = 1000;

/// What naming a folder came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// It has this name now.
    New(String),
    /// It had this name already.
    Already(String),
    /// It had the first name and has the second now.
    Renamed(String, String),
    /// Another folder, on this host, has the name.
    Taken(String, String),
}

/// Remembers that a task was accepted for its folder.
pub(super) async fn worked_in(tx: &mut AnyConnection, task: &Task) -> Result<(), LedgerError> {
    let Some(path) = task.workspace.as_deref().and_then(|path| path.to_str()) else {
        return Ok(());
    };
    let host = task.host.as_deref().unwrap_or_default();
    let known = sqlx::query(
        "UPDATE workspaces SET last_task = $3, last_us = $4 WHERE host = $1 AND path = $2",
    )
    .bind(host)
    .bind(path)
    .bind(task.short_id.0 as i64)
    .bind(micros(task.accepted))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if known > 0 {
        return Ok(());
    }
    let name = workspace::name_of(path);
    for number in 1..=TRIES {
        let name = match number {
            1 => name.clone(),
            more => format!("{name}-{more}"),
        };
        let last = Some((task.short_id, task.accepted));
        if insert(tx, &name, host, path, task.accepted, last).await? {
            break;
        }
    }
    Ok(())
}

async fn insert(
    tx: &mut AnyConnection,
    name: &str,
    host: &str,
    path: &str,
    at: Timestamp,
    last: Option<(ShortId, Timestamp)>,
) -> Result<bool, LedgerError> {
    let rows = sqlx::query(
        "INSERT INTO workspaces (name, host, path, added_us, last_task, last_us)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(host)
    .bind(path)
    .bind(micros(at))
    .bind(last.map(|(task, _)| task.0 as i64))
    .bind(last.map(|(_, at)| micros(at)))
    .execute(&mut *tx)
    .await?;
    Ok(rows.rows_affected() == 1)
}

impl Ledger {
    /// Every registered folder, by name.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("SELECT * FROM workspaces ORDER BY name")
            .fetch_all(&mut *tx)
            .await?;
        let moment = |name: &str, us: i64| {
            Timestamp::from_microsecond(us).map_err(|e| unreadable("workspace", name, e))
        };
        let one = |row: &sqlx::any::AnyRow| {
            let name: String = row.try_get("name")?;
            let last: Option<i64> = row.try_get("last_us")?;
            Ok(Workspace {
                host: row.try_get("host")?,
                path: row.try_get("path")?,
                added: moment(&name, row.try_get("added_us")?)?,
                last_task: row
                    .try_get::<Option<i64>, _>("last_task")?
                    .map(|number| ShortId(number.max(0).unsigned_abs())),
                last: last.map(|us| moment(&name, us)).transpose()?,
                kind: None,
                name,
            })
        };
        rows.iter().map(one).collect()
    }

    /// Gives a folder a name: the one that is asked for, else one of its own.
    pub async fn name_workspace(
        &self,
        host: &str,
        path: &str,
        name: Option<&str>,
        at: Timestamp,
    ) -> Result<Named, LedgerError> {
        let mut tx = self.write().await?;
        let had: Option<String> =
            sqlx::query_scalar("SELECT name FROM workspaces WHERE host = $1 AND path = $2")
                .bind(host)
                .bind(path)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(had) = &had
            && name.is_none_or(|name| name == had)
        {
            return Ok(Named::Already(had.clone()));
        }
        let holder: Option<String> = match name {
            None => None,
            Some(name) => {
                sqlx::query_scalar("SELECT path FROM workspaces WHERE name = $1")
                    .bind(name)
                    .fetch_optional(&mut *tx)
                    .await?
            }
        };
        let named = match (had, name, holder) {
            (_, Some(name), Some(other)) => return Ok(Named::Taken(name.to_owned(), other)),
            (Some(had), Some(name), None) => {
                sqlx::query("UPDATE workspaces SET name = $2 WHERE name = $1")
                    .bind(&had)
                    .bind(name)
                    .execute(&mut *tx)
                    .await?;
                Named::Renamed(had, name.to_owned())
            }
            (None, wanted, _) => {
                let base = wanted.map_or_else(|| workspace::name_of(path), str::to_owned);
                let mut number = 1;
                let mut name = base.clone();
                while !insert(&mut tx, &name, host, path, at, None).await? && number < TRIES {
                    number += 1;
                    name = format!("{base}-{number}");
                }
                Named::New(name)
            }
            (Some(had), None, _) => Named::Already(had),
        };
        tx.commit().await?;
        Ok(named)
    }

    /// Takes a folder off the list; says where it was, `None` where no folder has the name.
    pub async fn forget_workspace(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let mut tx = self.write().await?;
        let path = sqlx::query_scalar("DELETE FROM workspaces WHERE name = $1 RETURNING path")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(path)
    }
}
