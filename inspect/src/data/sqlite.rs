//! SQLite files: opened read-only and immutable, so that nothing is written beside them and no lock is taken. Where a log
//! or journal lies beside one, a copy of both is read instead: what was last written stands there.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, TypeInfo, ValueRef};

use super::{Cell, Class, Column, Flow, See, Shape, waiting};
use crate::limits::InspectError;
use crate::postgres::quoted;

/// Tables beyond these are not looked at.
const MOST_TABLES: i64 = 500;
/// Most bytes copied of a database with its log.
const MOST_COPIED: u64 = 1 << 30;
/// Written changes that are not in the database yet, and changes that must be undone.
const BESIDE: [&str; 2] = ["-wal", "-journal"];

/// Runs `work` over the database, open for reading.
pub(crate) fn with<T: Send>(
    path: &Path,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error> + Send,
) -> Result<T, InspectError> {
    let failed = |why: String| InspectError::not_read(path.display(), why);
    let copied = copied(path).map_err(failed)?;
    waiting(&path.display().to_string(), || async {
        let done = async {
            // A file of one's own may be written: SQLite brings a log and its database together before it reads.
            let (file, own) = copied
                .as_ref()
                .map_or((path, false), |(_, copy)| (copy.as_path(), true));
            let options = SqliteConnectOptions::new()
                .filename(file)
                .read_only(!own)
                .immutable(!own)
                .pragma("trusted_schema", "OFF");
            let mut db = options.disable_statement_logging().connect().await?;
            work(&mut db).await
        };
        done.await.map_err(|e: sqlx::Error| {
            let said = e.as_database_error().map(|said| said.message().to_owned());
            failed(format!(
                "{}; it may be damaged",
                said.unwrap_or_else(|| e.to_string())
            ))
        })
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

/// The names of the tables, in order.
pub(super) fn tables(path: &Path) -> Result<Vec<String>, InspectError> {
    with(path, async |db| names(db).await)
}

/// The same, of a database that is open.
pub(crate) async fn names(db: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'ai_infra_calls' ORDER BY name LIMIT $1",
    )
    .bind(MOST_TABLES)
    .fetch_all(db)
    .await
}

pub(super) fn shape(path: &Path, table: &str) -> Result<Shape, InspectError> {
    let (columns, count, known) = with(path, async |db| {
        let columns = sqlx::query("SELECT name, type, pk FROM pragma_table_info($1)")
            .bind(table)
            .fetch_all(&mut *db)
            .await?;
        if columns.is_empty() {
            return Ok((columns, 0, names(db).await?));
        }
        let count = format!("SELECT count(*) FROM {}", quoted(table));
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *db)
            .await?;
        Ok((columns, count, Vec::new()))
    })?;
    if columns.is_empty() {
        let why = format!("it has no table `{table}`, only {}", known.join(", "));
        return Err(InspectError::not_read(path.display(), why));
    }
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut found = Vec::new();
    let odd = |e: sqlx::Error| InspectError::not_read(path.display(), e.to_string());
    for row in &columns {
        let (name, declared): (String, String) =
            (row.try_get(0).map_err(odd)?, row.try_get(1).map_err(odd)?);
        let at: i64 = row.try_get(2).map_err(odd)?;
        if at > 0 {
            key.push((at, name.clone()));
        }
        found.push(Column {
            name,
            class: class(&declared),
            declared,
        });
    }
    key.sort();
    Ok(Shape {
        kind: "sqlite",
        name: table.to_owned(),
        columns: found,
        key: key.into_iter().map(|(_, name)| name).collect(),
        rows: u64::try_from(count).ok(),
    })
}

pub(super) fn rows(path: &Path, shape: &Shape, see: See<'_>) -> Result<bool, InspectError> {
    let names: Vec<String> = shape.columns.iter().map(|c| quoted(&c.name)).collect();
    let query = format!("SELECT {} FROM {}", names.join(", "), quoted(&shape.name));
    with(path, async |db| {
        let mut found = sqlx::query(AssertSqlSafe(query)).fetch(db);
        while let Some(row) = found.next().await {
            let row = row?;
            let cells: Vec<Cell> = (0..names.len()).map(|at| cell(&row, at)).collect();
            if see(&cells) == Flow::Enough {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn cell(row: &SqliteRow, at: usize) -> Cell<'_> {
    let kind = match row.try_get_raw(at) {
        Ok(raw) if !raw.is_null() => raw.type_info().name().to_owned(),
        _ => return Cell::Null,
    };
    let bytes = || row.try_get_unchecked::<&[u8], _>(at).unwrap_or_default();
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => Cell::Integer(row.try_get_unchecked(at).unwrap_or_default()),
        "REAL" => Cell::Real(row.try_get_unchecked(at).unwrap_or_default()),
        "BLOB" => Cell::Blob(Cow::Borrowed(bytes())),
        _ => Cell::Text(String::from_utf8_lossy(bytes())),
    }
}

/// SQLite's rules for declared types.
fn class(declared: &str) -> Class {
    let upper = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|w| upper.contains(w));
    match () {
        _ if upper.is_empty() => Class::Open,
        _ if has(&["BOOL"]) => Class::Boolean,
        _ if has(&["DATE", "TIME"]) => Class::Date,
        _ if has(&["INT"]) => Class::Integer,
        _ if has(&["CHAR", "CLOB", "TEXT", "JSON", "UUID"]) => Class::Text,
        _ if has(&["BLOB"]) => Class::Blob,
        _ => Class::Real,
    }
}

/// Makes a database for tests.
#[cfg(test)]
pub(crate) fn make(file: &Path, sql: &str) {
    make_and(file, sql, || ());
}

/// Makes a database for tests and does something before it is closed.
#[cfg(test)]
pub(crate) fn make_and(file: &Path, sql: &str, open: impl FnOnce()) {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true);
        let mut db = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_string()))
            .execute(&mut db)
            .await
            .unwrap();
        open();
        sqlx::Connection::close(db).await.unwrap();
    });
}
