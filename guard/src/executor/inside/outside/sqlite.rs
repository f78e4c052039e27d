//! Statements for an SQLite file. A change runs in one transaction with its key, in a table of the
//! database itself: either both are there or neither, so the same key never changes anything twice.

use super::super::serve::Done;
use super::contained::{CALLS, Contained, alone};
use super::counted::Counted;
use super::{Failed, told_changed, told_taken_back};
use protocol::acts::{Bound, Tried};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Batch, Connection, Error, ErrorCode, OpenFlags, OptionalExtension, Row, Statement};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for another writer.
const BUSY: Duration = Duration::from_secs(10);
/// Between two looks at the time, in steps of SQLite's machine.
const STEPS: i32 = 10_000;

fn open(file: &Path, write: bool, most: Duration) -> Result<Connection, Failed> {
    let mode = match write {
        true => OpenFlags::SQLITE_OPEN_READ_WRITE,
        false => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let until = Instant::now() + most;
    let opened = Connection::open_with_flags(file, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let opened = opened.and_then(|connection| {
        connection.busy_timeout(BUSY.min(most))?;
        connection.pragma_update(None, "foreign_keys", true)?;
        alone(&connection)?;
        connection.progress_handler(STEPS, Some(move || Instant::now() >= until))?;
        Ok(connection)
    });
    opened.map_err(|error| {
        let uid = nix::unistd::geteuid();
        let said = match error {
            Error::SqliteFailure(error, _) => error.to_string(),
            other => other.to_string(),
        };
        Failed::Refused(format!(
            "{} cannot be opened as user {uid}: {said}; that user must be able to enter its folder and to read it (to write both, where it is changed)",
            file.display()
        ))
    })
}

/// The one statement of a text.
fn one<'c>(connection: &'c Connection, text: &str) -> Result<Statement<'c>, Failed> {
    let mut all = Batch::new(connection, text);
    let first = all.next().map_err(refused)?;
    let first = first.ok_or_else(|| Failed::Refused("there is no statement in it".to_owned()))?;
    match all.next() {
        Ok(None) => Ok(first),
        Ok(Some(_)) | Err(_) => Err(Failed::Refused(
            "it is more than one statement: say them one by one".to_owned(),
        )),
    }
}

/// Puts values in the placeholders: `?`, `?2` or `$2`.
fn bind(statement: &mut Statement<'_>, params: &[Value]) -> Result<(), Failed> {
    for at in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(at) {
            None => Some(at),
            Some(name) => name
                .strip_prefix(['?', '$'])
                .and_then(|number| number.parse().ok()),
        };
        let Some(number) = number else {
            return Err(Failed::Refused(
                "a placeholder is ? or $ with a number: $1".to_owned(),
            ));
        };
        let value = usize::checked_sub(number, 1).and_then(|at| params.get(at));
        let value = value.ok_or_else(|| {
            Failed::Refused(format!(
                "the statement has a placeholder {number}, and {} values came with it",
                params.len()
            ))
        })?;
        let bound = statement.raw_bind_parameter(at, cell_of(value));
        bound.map_err(refused)?;
    }
    Ok(())
}

fn cell_of(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Integer((*flag).into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(real)) => Cell::Real(real),
            (None, None) => Cell::Null,
        },
        Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Text(other.to_string()),
    }
}

fn refused(error: Error) -> Failed {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return Failed::Refused(
            "it took too long and was broken off: nothing was changed".to_owned(),
        );
    }
    Failed::Refused(match error {
        Error::SqliteFailure(_, Some(said)) => {
            format!("the database refused it: {said}")
        }
        other => format!("the statement cannot be carried out: {other}"),
    })
}

/// The same for the caller's statement, with what it was found to do.
fn not_taken(contained: &Contained<'_>, failed: Failed) -> Failed {
    match contained.found().denied {
        Some(why) => Failed::Refused(format!("the statement is not taken: {why}")),
        None => failed,
    }
}

/// Reads; the connection itself cannot write.
pub(super) fn query(
    file: &Path,
    statement: &str,
    params: &[Value],
    limit: u64,
    most: Duration,
) -> Result<Done, Failed> {
    let connection = open(file, false, most)?;
    let contained = Contained::begin(&connection).map_err(refused)?;
    let found = (|| {
        let mut statement = one(&connection, statement)?;
        bind(&mut statement, params)?;
        let columns: Vec<String> = statement
            .column_names()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let (mut rows, mut truncated) = (Vec::new(), false);
        let mut all = statement.raw_query();
        while let Some(row) = all.next().map_err(refused)? {
            truncated = rows.len() as u64 >= limit;
            if truncated {
                break;
            }
            rows.push(Value::Object(object(row, &columns)));
        }
        Ok((rows, truncated))
    })();
    let (rows, truncated) = found.map_err(|failed| not_taken(&contained, failed))?;
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    Ok(Done {
        is_error: false,
        text: text.join("\n"),
        data: json!({"rows": rows, "truncated": truncated}),
    })
}

fn object(row: &Row<'_>, columns: &[String]) -> Map<String, Value> {
    let cells = columns.iter().enumerate();
    cells
        .map(|(at, name)| (name.clone(), row.get_ref(at).map_or(Value::Null, cell)))
        .collect()
}

fn cell(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(whole) => whole.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => json!(format!("{} bytes", bytes.len())),
    }
}

/// Changes, once for the key; or tries, and takes it back.
pub(super) fn execute(
    file: &Path,
    statement: &str,
    params: &[Value],
    key: &str,
    bound: &Bound,
    most: Duration,
) -> Result<Done, Failed> {
    let connection = open(file, true, most)?;
    // The write lock is taken first: nobody else can put the key in between. Dropped, the connection takes all of it back.
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(refused)?;
    if !bound.trial {
        let before = made_before(&connection, key).map_err(refused)?;
        if let Some(changed) = before {
            return Ok(told_changed(changed, true));
        }
    }
    let (changed, tried) = changed(&connection, statement, params, bound)?;
    if connection.is_autocommit() {
        return Err(Failed::Refused(
            "the statement ended its transaction: nothing was changed".to_owned(),
        ));
    }
    if let Some(tried) = tried
        && (bound.trial || bound.broken_by(&tried).is_some())
    {
        connection.execute_batch("ROLLBACK").map_err(refused)?;
        return Ok(told_taken_back(&tried, bound));
    }
    let kept = format!("INSERT INTO main.{CALLS} (key, changed) VALUES (?1, ?2)");
    connection.execute(&kept, (key, changed)).map_err(refused)?;
    // A commit that fails may be there all the same, unless its transaction stands still (a reference that is looked at
    // last, a reader in the way); the key tells whoever asks again.
    match connection.execute_batch("COMMIT") {
        Ok(()) => Ok(told_changed(changed, false)),
        Err(error) if !connection.is_autocommit() => Err(refused(error)),
        Err(error) => Err(Failed::Unknown(format!("the commit failed: {error}"))),
    }
}

/// How many rows were changed under this key, where that was done already.
fn made_before(connection: &Connection, key: &str) -> Result<Option<i64>, Error> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS main.{CALLS} \
         (key TEXT NOT NULL PRIMARY KEY, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, changed BIGINT NOT NULL)"
    ))?;
    let before = format!("SELECT changed FROM main.{CALLS} WHERE key = ?1");
    connection
        .query_row(&before, [key], |row| row.get(0))
        .optional()
}

/// Carries the statement out: how many rows it says that it changed, and what it touched where that is bounded.
fn changed(
    connection: &Connection,
    text: &str,
    params: &[Value],
    bound: &Bound,
) -> Result<(i64, Option<Tried>), Failed> {
    let contained = Contained::begin(connection).map_err(refused)?;
    let done = (|| {
        let mut statement = one(connection, text)?;
        bind(&mut statement, params)?;
        let counted = match bound.counts() {
            true => Some(Counted::begin(connection, &contained.found(), text).map_err(refused)?),
            false => None,
        };
        {
            let mut rows = statement.raw_query();
            while rows.next().map_err(refused)?.is_some() {}
        }
        let writes = !contained.found().shape && !statement.readonly();
        let changed = match writes {
            true => i64::try_from(connection.changes()).unwrap_or(i64::MAX),
            false => 0,
        };
        drop(statement);
        let tried = counted.map(|counted| counted.end(connection, &contained.found()));
        Ok((changed, tried.transpose().map_err(refused)?))
    })();
    done.map_err(|failed| not_taken(&contained, failed))
}
