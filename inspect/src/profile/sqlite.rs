//! Profiles an SQLite database: opened read-only and immutable, so that nothing is written beside it and no lock is
//! taken. Where a log or journal lies beside it, a copy of both is read instead: what was last written stands there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::{ColumnProfile, Profile, TableProfile};
use crate::limits::{InspectError, Limits};

/// Tables and columns beyond these are not profiled.
const MOST_TABLES: i64 = 500;

/// Most bytes copied of a database with its log.
const MOST_COPIED: u64 = 1 << 30;
/// Written changes that are not in the database yet, and changes that must be undone.
const BESIDE: [&str; 2] = ["-wal", "-journal"];

/// Runs on a thread of its own, so that it may be called inside of an async runtime too.
pub(super) fn profile(file: &Path, limits: &Limits) -> Result<Profile, InspectError> {
    let failed = |why: String| InspectError::NotProfiled {
        path: file.to_path_buf(),
        why,
    };
    let copied = copied(file).map_err(&failed)?;
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        runtime
            .block_on(match &copied {
                Some((_, copy)) => read(copy, true, limits),
                None => read(file, false, limits),
            })
            .map_err(|e| format!("{e}; it may be damaged"))
    };
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    let tables = done
        .map_err(|_| failed("reading it failed".into()))?
        .map_err(failed)?;
    Ok(Profile {
        kind: "sqlite".into(),
        tables,
    })
}

/// `data.db-wal` for `data.db`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

/// A copy of the database with the logs beside it, and the folder that holds it; none where there is no log.
fn copied(file: &Path) -> Result<Option<(tempfile::TempDir, PathBuf)>, String> {
    let size = |path: &Path| {
        let meta = std::fs::symlink_metadata(path).ok()?;
        (meta.is_file() && meta.len() > 0).then_some(meta.len())
    };
    let logs = BESIDE.map(|suffix| (suffix, beside(file, suffix)));
    let sizes: Vec<u64> = logs.iter().filter_map(|(_, log)| size(log)).collect();
    if sizes.is_empty() {
        return Ok(None);
    }
    if sizes.iter().sum::<u64>() + size(file).unwrap_or(0) > MOST_COPIED {
        return Err("the latest changes stand in a log beside it, and it is too large to copy; run `PRAGMA wal_checkpoint(TRUNCATE)` on it first".into());
    }
    let cannot = |e: std::io::Error| format!("it cannot be copied together with its log: {e}");
    let folder = tempfile::tempdir().map_err(cannot)?;
    let copy = folder.path().join("copy.db");
    std::fs::copy(file, &copy).map_err(cannot)?;
    for (suffix, log) in logs.iter().filter(|(_, log)| size(log).is_some()) {
        std::fs::copy(log, beside(&copy, suffix)).map_err(cannot)?;
    }
    Ok(Some((folder, copy)))
}

/// `own` files may be written: SQLite brings a log and its database together before it reads.
async fn read(file: &Path, own: bool, limits: &Limits) -> Result<Vec<TableProfile>, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(!own)
        .immutable(!own)
        .pragma("trusted_schema", "OFF");
    let mut db = options.connect().await?;
    let names = sqlx::query(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT $1",
    )
    .bind(MOST_TABLES)
    .fetch_all(&mut db)
    .await?;
    let mut tables = Vec::new();
    for row in names {
        tables.push(table(&mut db, row.try_get(0)?, limits).await?);
    }
    Ok(tables)
}

async fn table(
    db: &mut SqliteConnection,
    name: String,
    limits: &Limits,
) -> Result<TableProfile, sqlx::Error> {
    let count = format!("SELECT count(*) FROM {}", quoted(&name));
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(&mut *db)
        .await?;
    let found = sqlx::query("SELECT name, type FROM pragma_table_info($1)")
        .bind(&name)
        .fetch_all(&mut *db)
        .await?;
    let mut columns = Vec::new();
    for row in found {
        let (column, declared): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        columns
            .push(column_profile(db, &name, column, &declared, rows as u64 > limits.rows).await?);
    }
    Ok(TableProfile {
        name,
        rows: rows as u64,
        columns,
    })
}

async fn column_profile(
    db: &mut SqliteConnection,
    table: &str,
    name: String,
    declared: &str,
    large: bool,
) -> Result<ColumnProfile, sqlx::Error> {
    let (column, table) = (quoted(&name), quoted(table));
    let distinct = if large {
        "NULL".into()
    } else {
        format!("count(DISTINCT {column})")
    };
    let extreme = |which: &str| {
        format!(
            "(SELECT typeof({which}({column})) FROM {table}), (SELECT CAST(substr({which}({column}), 1, 200) AS TEXT) FROM {table})"
        )
    };
    let query = format!(
        "SELECT count(*) - count({column}), {distinct}, {}, {} FROM {table}",
        extreme("min"),
        extreme("max")
    );
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(db).await?;
    let kind_of_max: String = row.try_get(4)?;
    let kind = kind(declared, &kind_of_max);
    let value = |kind_at: usize| -> Result<Value, sqlx::Error> {
        let held: String = row.try_get(kind_at)?;
        let text: Option<String> = if held == "blob" {
            None
        } else {
            row.try_get(kind_at + 1)?
        };
        Ok(json(&kind, &held, text))
    };
    let (min, max) = (value(2)?, value(4)?);
    let distinct: Option<i64> = row.try_get(1)?;
    let nulls: i64 = row.try_get(0)?;
    Ok(ColumnProfile {
        name,
        kind,
        nulls: nulls as u64,
        distinct: distinct.map(|d| d as u64),
        min,
        max,
    })
}

fn json(kind: &str, held: &str, text: Option<String>) -> Value {
    let Some(text) = text else { return Value::Null };
    match held {
        "integer" if kind != "real" => text.parse::<i64>().map_or(Value::from(text), Value::from),
        "integer" | "real" => text.parse::<f64>().map_or(Value::from(text), Value::from),
        _ => Value::from(text),
    }
}

/// SQLite's rules for declared types; without one, what the column holds.
fn kind(declared: &str, held: &str) -> String {
    let upper = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|w| upper.contains(w));
    let found = match () {
        _ if upper.is_empty() => {
            if held == "null" {
                "empty"
            } else {
                held
            }
        }
        _ if has(&["BOOL"]) => "boolean",
        _ if has(&["DATE", "TIME"]) => "date",
        _ if has(&["INT"]) => "integer",
        _ if has(&["CHAR", "CLOB", "TEXT", "JSON", "UUID"]) => "text",
        _ if has(&["BLOB"]) => "blob",
        _ => "real",
    };
    found.to_string()
}

/// A name as SQL reads it back, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes a database for tests.
#[cfg(test)]
pub(super) fn make(file: &Path, sql: &str) {
    make_and(file, sql, || ());
}

/// Makes a database for tests and does something before it is closed.
#[cfg(test)]
pub(super) fn make_and(file: &Path, sql: &str, open: impl FnOnce()) {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut db = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_string()))
            .execute(&mut db)
            .await
            .unwrap();
        open();
        sqlx::Connection::close(db).await.unwrap();
    });
}
