//! A ledger that a drill restored, beside the one it was copied from: every table is there and can be read,
//! and every task that had ended by then is the same in both.

use super::catalog;
use super::place::Place;
use super::store::{Ledger, LedgerError};
use super::tables;
use jiff::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::BTreeMap;

/// Most differences of tasks that are told.
const MOST: usize = 20;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Tasks in the restored one.
    pub tasks: u64,
    /// Tasks in the living one, which has gone on since.
    pub tasks_now: u64,
    /// Rows of the restored one, by table.
    pub rows: BTreeMap<String, u64>,
    /// What differs, as sentences.
    pub differences: Vec<String>,
}

/// Compares a restored ledger, made at `made`, with the living one. Tables of newer files are made in the
/// restored one first, as its team would.
///
/// # Errors
/// When the living one cannot be read. What is wrong with the restored one is a difference.
pub async fn compare(
    restored: &Place,
    live: &Place,
    made: Timestamp,
) -> Result<Compared, LedgerError> {
    let mut found = Compared::default();
    match Ledger::open(restored).await {
        Ok(ledger) => ledger.close().await,
        Err(error) => {
            found.differences.push(format!("the ledger: {error}"));
            return Ok(found);
        }
    }
    let (ours, theirs) = (live.reader().await?, restored.reader().await?);
    let result = async {
        tables::not_newer(&ours).await?;
        let mut here = ours.acquire().await?;
        let mut there = theirs.acquire().await?;
        between((live, &mut here), (restored, &mut there), made, &mut found).await
    };
    let result = result.await;
    ours.close().await;
    theirs.close().await;
    result.map(|()| found)
}

async fn between(
    (live, here): (&Place, &mut AnyConnection),
    (restored, there): (&Place, &mut AnyConnection),
    made: Timestamp,
    found: &mut Compared,
) -> Result<(), LedgerError> {
    if let Place::File(_) = restored {
        let said: Result<String, _> = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut *there)
            .await;
        match said.as_deref() {
            Ok("ok") => {}
            Ok(said) => found.differences.push(format!("the ledger's file: {said}")),
            Err(error) => found
                .differences
                .push(format!("the ledger's file: {error}")),
        }
    }
    let back = catalog::tables(restored, there).await?;
    for table in catalog::tables(live, here).await? {
        let same = |other: &&catalog::Table| other.name == table.name;
        let Some(other) = back.iter().find(same) else {
            let said = format!("the ledger lacks its table {}", table.name);
            found.differences.push(said);
            continue;
        };
        if other.columns != table.columns {
            let said = format!("the ledger's table {} has other columns", table.name);
            found.differences.push(said);
            continue;
        }
        let count = format!("SELECT COUNT(*) FROM \"{}\"", table.name);
        let rows = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count));
        match rows.fetch_one(&mut *there).await {
            Ok(rows) => {
                found.rows.insert(table.name, rows.max(0).unsigned_abs());
            }
            Err(error) => {
                let said = format!("the ledger's table {} cannot be read: {error}", table.name);
                found.differences.push(said);
            }
        }
    }
    if !found.rows.contains_key("tasks") {
        return Ok(());
    }
    tasks(here, there, made, found).await
}

/// Tasks that had ended before the backup was begun do not change any more.
async fn tasks(
    here: &mut AnyConnection,
    there: &mut AnyConnection,
    made: Timestamp,
    found: &mut Compared,
) -> Result<(), LedgerError> {
    let now = ended(here, made).await?;
    let then = ended(there, made).await?;
    let different = now.iter().filter(|(id, what)| then.get(*id) != Some(what));
    for (id, _) in different.take(MOST) {
        let why = match then.contains_key(id) {
            true => "is another one in the backup",
            false => "is not in the backup, though it had ended before it was made",
        };
        found.differences.push(format!("t{id} {why}"));
    }
    for id in then.keys().filter(|id| !now.contains_key(*id)).take(MOST) {
        let said = format!("t{id} is in the backup and not in this home");
        found.differences.push(said);
    }
    let count = "SELECT COUNT(*) FROM tasks";
    let number = |rows: i64| rows.max(0).unsigned_abs();
    found.tasks = number(sqlx::query_scalar(count).fetch_one(there).await?);
    found.tasks_now = number(sqlx::query_scalar(count).fetch_one(here).await?);
    Ok(())
}

/// Tasks that ended before a moment, by number: what they were asked, how and when they ended.
async fn ended(
    connection: &mut AnyConnection,
    made: Timestamp,
) -> Result<BTreeMap<i64, (String, String, i64)>, LedgerError> {
    let rows = sqlx::query(
        "SELECT short_id, id, state, ended_us FROM tasks WHERE ended_us IS NOT NULL AND ended_us < $1",
    )
    .bind(made.as_microsecond())
    .fetch_all(connection)
    .await?;
    let task = |row: &sqlx::any::AnyRow| {
        let what = (
            row.try_get("id")?,
            row.try_get("state")?,
            row.try_get("ended_us")?,
        );
        Ok((row.try_get("short_id")?, what))
    };
    let tasks: Result<_, sqlx::Error> = rows.iter().map(task).collect();
    Ok(tasks?)
}
