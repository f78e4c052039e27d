//! Statements for an SQLite file. A change runs in one transaction with its key, in a table of the
//! database itself: either both are there or neither, so the same key never changes anything twice.

use super::super::serve::Done;
use super::rows::{Hooked, Unended};
use super::{Failed, told_changed, told_taken_back};
use protocol::acts::Bound;
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};
use std::path::Path;
use std::time::Duration;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS ai_infra_calls \
    (key TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, changed BIGINT NOT NULL)";
/// Longest wait for another writer.
const BUSY: Duration = Duration::from_secs(10);

async fn open(file: &Path, write: bool) -> Result<SqliteConnection, Failed> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(!write)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .foreign_keys(true);
    let opened = options.disable_statement_logging().connect().await;
    opened.map_err(|e| Failed::Refused(format!("{} cannot be opened: {e}", file.display())))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// The statement is the caller's, as a whole; values go in its placeholders.
fn bound_to(statement: &str, params: &[Value]) -> Query<'static> {
    let mut query = sqlx::query(AssertSqlSafe(statement.to_owned()));
    for value in params {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Bool(flag) => query.bind(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => query.bind(whole),
                None => query.bind(number.as_f64()),
            },
            Value::String(text) => query.bind(text.clone()),
            other => query.bind(other.to_string()),
        };
    }
    query
}

fn refused(error: sqlx::Error) -> Failed {
    Failed::Refused(match error.as_database_error() {
        Some(said) => format!("the database refused it: {}", said.message()),
        None => format!("the statement cannot be carried out: {error}"),
    })
}

/// Reads; the connection itself cannot write.
pub(super) async fn query(
    file: &Path,
    statement: &str,
    params: &[Value],
    limit: u64,
) -> Result<Done, Failed> {
    use futures_util::StreamExt;
    let mut connection = open(file, false).await?;
    let mut rows = Vec::new();
    let mut truncated = false;
    {
        let mut found = bound_to(statement, params).fetch(&mut connection);
        while let Some(row) = found.next().await {
            truncated = rows.len() as u64 >= limit;
            if truncated {
                break;
            }
            rows.push(Value::Object(object(&row.map_err(refused)?)));
        }
    }
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    Ok(Done {
        is_error: false,
        text: text.join("\n"),
        data: json!({"rows": rows, "truncated": truncated}),
    })
}

fn object(row: &SqliteRow) -> Map<String, Value> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(at, column)| (column.name().to_owned(), cell(row, at)))
        .collect()
}

fn cell(row: &SqliteRow, at: usize) -> Value {
    let kind = match row.try_get_raw(at) {
        Ok(raw) if !raw.is_null() => raw.type_info().name().to_owned(),
        _ => return Value::Null,
    };
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get::<i64, _>(at).map_or(Value::Null, Value::from),
        "REAL" => row.try_get::<f64, _>(at).map_or(Value::Null, Value::from),
        "BLOB" => row
            .try_get::<Vec<u8>, _>(at)
            .map_or(Value::Null, |bytes| json!(format!("{} bytes", bytes.len()))),
        _ => row
            .try_get::<String, _>(at)
            .map_or(Value::Null, Value::from),
    }
}

/// Changes, once for the key; or tries, and takes it back.
pub(super) async fn execute(
    file: &Path,
    statement: &str,
    params: &[Value],
    key: &str,
    bound: &Bound,
) -> Result<Done, Failed> {
    let mut connection = open(file, true).await?;
    // The write lock is taken first: nobody else can put the key in between.
    let mut tx = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(refused)?;
    if !bound.trial {
        sqlx::query(TABLE)
            .execute(&mut *tx)
            .await
            .map_err(refused)?;
        let before: Option<i64> =
            sqlx::query_scalar("SELECT changed FROM ai_infra_calls WHERE key = $1")
                .bind(key)
                .fetch_optional(&mut *tx)
                .await
                .map_err(refused)?;
        if let Some(changed) = before {
            return Ok(told_changed(changed, true));
        }
    }
    let hooked = match bound.counts() {
        true => Some(Hooked::begin(&mut tx).await.map_err(refused)?),
        false => None,
    };
    let unended = Unended::begin(&mut tx).await.map_err(refused)?;
    let done = bound_to(statement, params).execute(&mut *tx).await;
    if unended.end(&mut tx).await.map_err(refused)? && done.is_ok() {
        return Err(Failed::Refused(
            "the statement ends its transaction: say one change, without BEGIN, COMMIT and ROLLBACK; nothing was changed"
                .to_owned(),
        ));
    }
    let changed = i64::try_from(done.map_err(refused)?.rows_affected()).unwrap_or(i64::MAX);
    if let Some(hooked) = hooked {
        let tried = hooked.end(&mut tx).await.map_err(refused)?;
        if bound.trial || bound.broken_by(&tried).is_some() {
            tx.rollback().await.map_err(refused)?;
            return Ok(told_taken_back(&tried, bound));
        }
    }
    sqlx::query("INSERT INTO ai_infra_calls (key, changed) VALUES ($1, $2)")
        .bind(key)
        .bind(changed)
        .execute(&mut *tx)
        .await
        .map_err(refused)?;
    // A commit that fails may be there all the same; the key tells whoever asks again.
    tx.commit()
        .await
        .map_err(|e| Failed::Unknown(format!("the commit failed: {e}")))?;
    Ok(told_changed(changed, false))
}
