//! The ledger as a file of its own, for a backup: one consistent state, while the supervisor works on. One
//! on a server is carried into a file, read in one transaction of the server.

use super::carry::{CarryError, carry};
use super::place::Place;
use super::store::{Ledger, LedgerError};
use sqlx::{AnyPool, Row};
use std::path::{Path, PathBuf};

impl Ledger {
    /// Copies the ledger as it is now to a file that is not there yet.
    pub async fn copy_to(&self, to: &Path) -> Result<(), LedgerError> {
        match self.place() {
            Place::File(_) => copied(&self.reader, to).await,
            place @ Place::Server(_) => carried(place, to).await,
        }
    }
}

/// The same for the ledger of a team that is down.
pub async fn copy(place: &Place, to: &Path) -> Result<(), LedgerError> {
    if let Place::Server(_) = place {
        return carried(place, to).await;
    }
    let reader = place.reader().await?;
    let came = copied(&reader, to).await;
    reader.close().await;
    came
}

async fn carried(place: &Place, to: &Path) -> Result<(), LedgerError> {
    if to.exists() {
        return Err(LedgerError::Copy(format!(
            "{} is there already",
            to.display()
        )));
    }
    match carry(place, &Place::file(to)).await {
        Ok(_) => Ok(()),
        Err(CarryError::Ledger(error)) => Err(error),
        Err(error) => Err(LedgerError::Copy(error.to_string())),
    }
}

async fn copied(reader: &AnyPool, to: &Path) -> Result<(), LedgerError> {
    let Some(name) = to.to_str() else {
        return Err(LedgerError::Copy("its path is not UTF-8".to_owned()));
    };
    if to.exists() {
        return Err(LedgerError::Copy(format!("{name} is there already")));
    }
    let mut connection = reader.acquire().await?;
    sqlx::query("VACUUM INTO $1")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The folders of a host that the team works in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worked {
    /// Those that tasks were about, and those on the list; each once.
    pub folders: Vec<PathBuf>,
    /// Those on the list, with their names.
    pub named: Vec<(String, PathBuf)>,
}

/// The folders of a host that the team works in: those that tasks were about, and those on the list of workspaces.
pub async fn workspaces(place: &Place, host: &str) -> Result<Worked, LedgerError> {
    let reader = place.reader().await?;
    let rows = sqlx::query(
        "SELECT DISTINCT json_extract(task, '$.workspace') AS folder FROM tasks
         WHERE json_extract(task, '$.workspace') IS NOT NULL AND (host IS NULL OR host = $1)",
    )
    .bind(host)
    .fetch_all(&reader)
    .await;
    // Those that were added by name; a ledger of before that has no such table.
    let added = sqlx::query(
        "SELECT name, path AS folder FROM workspaces WHERE host = '' OR host = $1 ORDER BY name",
    )
    .bind(host)
    .fetch_all(&reader)
    .await
    .unwrap_or_default();
    reader.close().await;
    let folder = |row: &sqlx::any::AnyRow| row.try_get::<String, _>("folder").map(PathBuf::from);
    let named: Result<Vec<(String, PathBuf)>, sqlx::Error> = (added.iter())
        .map(|row| Ok((row.try_get("name")?, folder(row)?)))
        .collect();
    let named = named?;
    let folders: Result<Vec<PathBuf>, sqlx::Error> = rows?.iter().map(folder).collect();
    let mut folders = folders?;
    folders.extend(named.iter().map(|(_, folder)| folder.clone()));
    folders.sort();
    folders.dedup();
    Ok(Worked { folders, named })
}
