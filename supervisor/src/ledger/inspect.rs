//! A look at a ledger from outside, for `doctor`: whether it is whole and of a schema this
//! binary knows. Reads only; a supervisor may be writing meanwhile.

use super::error::LedgerError;
use super::place::Place;
use super::store::SCHEMA;
use super::tables;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::time::Duration;

/// What a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There is none yet.
    None,
    /// Whole, with this schema.
    Good(i64),
    /// Written by a newer binary, with this schema.
    Newer(i64),
    /// Damaged: what SQLite says.
    Damaged(String),
    /// It cannot be looked at: what was seen.
    Unreadable(String),
    /// Good, with this schema, and on a server that may lose what it acknowledged: why.
    Weak(i64, String),
}

/// Looks at the ledger of a home.
pub async fn inspect(place: &Place) -> Seen {
    match place {
        Place::File(file) => inspect_file(file).await,
        Place::Server(_) => match look_at_server(place).await {
            Ok((None, _)) => Seen::None,
            Ok((Some(schema), None)) => Seen::Good(schema),
            Ok((Some(schema), Some(weak))) => Seen::Weak(schema, weak),
            Err(LedgerError::Newer(schema)) => Seen::Newer(schema),
            Err(error) => Seen::Unreadable(error.to_string()),
        },
    }
}

/// The schema, and what is weak about its server.
async fn look_at_server(place: &Place) -> Result<(Option<i64>, Option<String>), LedgerError> {
    let pool = place.reader().await?;
    let looked = async {
        tables::not_newer(&pool).await?;
        let mut connection = pool.acquire().await?;
        let schema = tables::stored_schema(&mut connection).await?;
        if schema.is_some() {
            place.is_ours(&mut connection).await?;
        }
        let off: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(name AS TEXT) FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY 1",
        )
        .fetch_all(&mut *connection)
        .await?;
        let weak = format!("{} is off", off.join(" and "));
        Ok((schema, (!off.is_empty()).then_some(weak)))
    };
    let looked = looked.await;
    pool.close().await;
    looked
}

async fn inspect_file(file: &Path) -> Seen {
    match file.try_exists() {
        Ok(false) => return Seen::None,
        Ok(true) => {}
        Err(error) => return Seen::Unreadable(error.to_string()),
    }
    match look(file).await {
        Ok((_, said)) if said != "ok" => Seen::Damaged(said),
        Ok((Some(schema), _)) if schema > SCHEMA => Seen::Newer(schema),
        Ok((Some(schema), _)) => Seen::Good(schema),
        Ok((None, _)) => Seen::Damaged("it holds no tables of a ledger".to_owned()),
        Err(error) => failed(&error),
    }
}

async fn look(file: &Path) -> Result<(Option<i64>, String), sqlx::Error> {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(Duration::from_secs(1))
        .connect()
        .await?;
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut connection)
        .await?;
    let schema = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'schema'")
        .fetch_optional(&mut connection)
        .await;
    // Where the check is passed, only a table that is not there is left to fail.
    let schema: Option<i64> = schema.unwrap_or(None);
    connection.close().await?;
    Ok((schema, said))
}

fn failed(error: &sqlx::Error) -> Seen {
    let code = error.as_database_error().and_then(|e| e.code());
    match code.as_deref() {
        // SQLITE_CORRUPT, SQLITE_NOTADB
        Some("11" | "26") => Seen::Damaged(error.to_string()),
        _ => Seen::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::ledger::place::Place;
    use crate::ledger::store::Ledger;

    #[tokio::test]
    async fn each_state_of_a_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.db");
        let place = Place::file(&file);
        assert_eq!(inspect(&place).await, Seen::None);
        let ledger = Ledger::open(&place).await.unwrap();
        assert_eq!(
            inspect(&place).await,
            Seen::Good(SCHEMA),
            "while it is open"
        );
        sqlx::query("UPDATE meta SET value = 99 WHERE key = 'schema'")
            .execute(&mut *ledger.writer_for_tests().await)
            .await
            .unwrap();
        assert_eq!(inspect(&place).await, Seen::Newer(99));
        ledger.close().await;
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(inspect(&place).await, Seen::Damaged(_)));
        std::fs::write(
            &file,
            "not a database at all, but long enough to be looked at".repeat(40),
        )
        .unwrap();
        assert!(matches!(inspect(&place).await, Seen::Damaged(_)));
    }
}
