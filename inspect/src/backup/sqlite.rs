//! A copy of an SQLite database as of one moment, and what is in it. The copy is made by SQLite's own online backup, over
//! the connection whose transaction the tables are read in: it holds exactly what was read, however busy the database is.
#![allow(unsafe_code)] // four calls of SQLite's backup interface, which sqlx does not offer

use std::path::Path;
use std::ptr::NonNull;
use std::time::Duration;

use futures_util::StreamExt;
use libsqlite3_sys as ffi;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, TypeInfo, ValueRef};

use super::{Contents, Rows, Table};
use crate::postgres::quoted;

/// Pages copied between two looks at whether to go on.
const PAGES: i32 = 2048;
/// Longest wait for somebody who writes.
const BUSY: Duration = Duration::from_secs(10);

/// Copies the database as it is at one moment to a new file and tells what it held then. `go_on` is asked now and then.
///
/// # Errors
/// A sentence about what went wrong; what is in the new file then is of no use.
pub async fn copy(file: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<Contents, String> {
    let mut source = open(file, true).await?;
    let failed = |e: sqlx::Error| format!("{} cannot be read: {}", file.display(), told(&e));
    // The transaction sees one moment; SQLite's backup over this connection copies that very moment.
    let mut moment = source.begin().await.map_err(failed)?;
    let held = contents(&mut moment, go_on).await?;
    let mut copy = open(to, false).await?;
    copied(&mut moment, &mut copy, go_on)
        .await
        .map_err(|why| format!("the copy could not be written: {why}"))?;
    moment.rollback().await.map_err(failed)?;
    // One file, whatever journal the database itself has.
    let plain = sqlx::raw_sql("PRAGMA journal_mode = DELETE")
        .execute(&mut copy)
        .await;
    let closed = match plain {
        Ok(_) => copy.close().await,
        Err(error) => Err(error),
    };
    closed.map_err(|e| format!("the copy could not be written: {}", told(&e)))?;
    Ok(held)
}

/// Opens a copy as a database of its own, checks its structure, and tells what is in it.
///
/// # Errors
/// A sentence about what is wrong with it.
pub async fn examine(file: &Path, go_on: &dyn Fn() -> bool) -> Result<Contents, String> {
    let mut db = open(file, true).await?;
    let failed = |e: sqlx::Error| format!("the copy cannot be read: {}", told(&e));
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)")
        .fetch_all(&mut db)
        .await
        .map_err(failed)?;
    if said != ["ok"] {
        return Err(format!("the copy is damaged: {}", said.join("; ")));
    }
    contents(&mut db, go_on).await
}

async fn open(file: &Path, read: bool) -> Result<SqliteConnection, String> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(read)
        .create_if_missing(!read)
        .busy_timeout(BUSY)
        .pragma("trusted_schema", "OFF");
    let opened = options.disable_statement_logging().connect().await;
    opened.map_err(|e| format!("{} cannot be opened: {}", file.display(), told(&e)))
}

fn told(error: &sqlx::Error) -> String {
    let said = error
        .as_database_error()
        .map(|said| said.message().to_owned());
    said.unwrap_or_else(|| error.to_string())
}

/// Every table with its rows, and how many there are of what else is made.
async fn contents(db: &mut SqliteConnection, go_on: &dyn Fn() -> bool) -> Result<Contents, String> {
    let failed = |e: sqlx::Error| format!("its tables cannot be read: {}", told(&e));
    // Virtual tables keep what they hold in plain ones, which are among these.
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') \
         AND name NOT IN ('sqlite_schema', 'sqlite_temp_schema') ORDER BY name",
    )
    .fetch_all(&mut *db)
    .await
    .map_err(failed)?;
    let mut all = Contents::default();
    for name in names {
        all.tables.push(table(db, name, go_on).await?);
    }
    let kinds: Vec<(String, i64)> =
        sqlx::query_as("SELECT type, count(*) FROM sqlite_schema GROUP BY type ORDER BY type")
            .fetch_all(&mut *db)
            .await
            .map_err(failed)?;
    let many = |kind: String| match kind.as_str() {
        "index" => "indexes".to_owned(),
        _ => format!("{kind}s"),
    };
    let others = kinds.into_iter().filter(|(kind, _)| kind != "table");
    all.objects = others
        .map(|(kind, count)| (many(kind), u64::try_from(count).unwrap_or_default()))
        .collect();
    Ok(all)
}

async fn table(
    db: &mut SqliteConnection,
    name: String,
    go_on: &dyn Fn() -> bool,
) -> Result<Table, String> {
    let mut all = Rows::default();
    let every = format!("SELECT * FROM {}", quoted(&name));
    let mut rows = sqlx::query(AssertSqlSafe(every))
        .persistent(false)
        .fetch(db);
    while let Some(row) = rows.next().await {
        let row = row.map_err(|e| format!("the table {name} cannot be read: {}", told(&e)))?;
        (0..row.len()).for_each(|at| add(&mut all, &row, at));
        all.end();
        if all.count.is_multiple_of(4096) && !go_on() {
            return Err(format!("it was stopped while it read the table {name}"));
        }
    }
    drop(rows);
    Ok(all.table(name))
}

fn add(all: &mut Rows, row: &SqliteRow, at: usize) {
    let kind = match row.try_get_raw(at) {
        Ok(raw) if !raw.is_null() => raw.type_info().name().to_owned(),
        _ => return all.value(0, &[]),
    };
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => {
            let number: i64 = row.try_get_unchecked(at).unwrap_or_default();
            all.value(1, &number.to_le_bytes());
        }
        "REAL" => {
            let number: f64 = row.try_get_unchecked(at).unwrap_or_default();
            all.value(2, &number.to_bits().to_le_bytes());
        }
        kind => {
            let bytes: &[u8] = row.try_get_unchecked(at).unwrap_or_default();
            all.value(if kind == "BLOB" { 4 } else { 3 }, bytes);
        }
    }
}

/// Copies page by page over two open connections.
async fn copied(
    from: &mut SqliteConnection,
    to: &mut SqliteConnection,
    go_on: &dyn Fn() -> bool,
) -> Result<(), String> {
    let mut from = from.lock_handle().await.map_err(|e| told(&e))?;
    let mut to = to.lock_handle().await.map_err(|e| told(&e))?;
    let (from, to) = (from.as_raw_handle(), to.as_raw_handle());
    // SAFETY: both connections are open, and locked against every other use until this returns.
    let started = NonNull::new(unsafe {
        ffi::sqlite3_backup_init(
            to.as_ptr(),
            c"main".as_ptr(),
            from.as_ptr(),
            c"main".as_ptr(),
        )
    });
    let Some(backup) = started else {
        // SAFETY: the connection is open; the number is all that is taken.
        return Err(code(unsafe { ffi::sqlite3_errcode(to.as_ptr()) }));
    };
    let mut stopped = false;
    let last = loop {
        // SAFETY: `backup` was made above and is finished below, once.
        match unsafe { ffi::sqlite3_backup_step(backup.as_ptr(), PAGES) } {
            ffi::SQLITE_OK if go_on() => {}
            ffi::SQLITE_OK => {
                stopped = true;
                break ffi::SQLITE_OK;
            }
            other => break other,
        }
    };
    // SAFETY: as above; nothing uses it afterwards.
    unsafe { ffi::sqlite3_backup_finish(backup.as_ptr()) };
    match last {
        ffi::SQLITE_DONE => Ok(()),
        _ if stopped => Err("it was stopped".to_owned()),
        other => Err(code(other)),
    }
}

/// A number of SQLite's in words.
fn code(number: i32) -> String {
    match number & 0xff {
        ffi::SQLITE_FULL => "the disk is full; free some space".to_owned(),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            "somebody else writes to the database all the time; try again later".to_owned()
        }
        ffi::SQLITE_IOERR => {
            "the disk does not take it: it is full, or a file may not grow this large".to_owned()
        }
        _ => format!("SQLite says {number}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::sqlite::make;

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work)
    }

    const SHOP: &str = "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, note TEXT, raw BLOB); \
        CREATE INDEX by_price ON orders (price); CREATE VIEW cheap AS SELECT * FROM orders WHERE price < 2; \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO orders SELECT i, i / 3.0, 'note ' || i, zeroblob(i % 7) FROM n; \
        CREATE TABLE log (text TEXT); INSERT INTO log VALUES ('a'), ('a'), (NULL)";

    #[test]
    fn a_copy_holds_what_was_read_also_while_somebody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, to) = (folder.path().join("a'b.db"), folder.path().join("copy.db"));
        make(&file, SHOP);
        let written = std::cell::Cell::new(false);
        let on = || {
            // Once, in the middle of the second table: the first has been read, the copy is not begun.
            if !written.replace(true) {
                let file = file.clone();
                let change =
                    "INSERT INTO log VALUES ('later'); DELETE FROM orders WHERE id % 2 = 0";
                std::thread::spawn(move || make(&file, change))
                    .join()
                    .unwrap();
            }
            true
        };
        let read = wait(copy(&file, &to, &on)).unwrap();
        assert!(written.get());
        let rows: Vec<_> = read
            .tables
            .iter()
            .map(|t| (t.name.as_str(), t.rows))
            .collect();
        assert_eq!(rows, [("log", 3), ("orders", 5000)]);
        assert_eq!(
            format!("{:?}", read.objects),
            r#"{"indexes": 1, "views": 1}"#
        );
        assert_eq!(
            read.differences(&wait(examine(&to, &|| true)).unwrap()),
            Vec::<String>::new()
        );
        let now = wait(examine(&file, &|| true)).unwrap();
        assert_eq!(read.differences(&now).len(), 2, "{now:?}");
    }

    #[test]
    fn a_damaged_copy_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (file, to) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        make(&file, SHOP);
        let read = wait(copy(&file, &to, &|| true)).unwrap();
        assert_eq!(wait(examine(&to, &|| true)).unwrap(), read);
        assert!(
            wait(copy(&file, &to, &|| false))
                .unwrap_err()
                .contains("stopped")
        );
        let bytes = std::fs::read(&to).unwrap();
        std::fs::write(&to, &bytes[..bytes.len() / 2]).unwrap();
        let why = wait(examine(&to, &|| true)).unwrap_err();
        assert!(
            why.contains("malformed") || why.contains("damaged"),
            "{why}"
        );
        std::fs::write(&to, "no database at all, only text").unwrap();
        assert!(
            wait(examine(&to, &|| true))
                .unwrap_err()
                .contains("not a database")
        );
    }
}
