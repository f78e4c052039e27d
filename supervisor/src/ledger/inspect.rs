//! A look at a ledger file from outside, for `doctor`: whether it is whole and of a schema this
//! binary knows. Reads only; a supervisor may be writing meanwhile.

use super::store::SCHEMA;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::time::Duration;

/// What a ledger file is.
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
}

/// Looks at the ledger of a home.
pub async fn inspect(file: &Path) -> Seen {
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
    use crate::ledger::store::Ledger;

    #[tokio::test]
    async fn each_state_of_a_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.db");
        assert_eq!(inspect(&file).await, Seen::None);
        let ledger = Ledger::open(&file).await.unwrap();
        assert_eq!(inspect(&file).await, Seen::Good(SCHEMA), "while it is open");
        sqlx::query("UPDATE meta SET value = 99 WHERE key = 'schema'")
            .execute(&mut *ledger.writer_for_tests().await)
            .await
            .unwrap();
        assert_eq!(inspect(&file).await, Seen::Newer(99));
        ledger.close().await;
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(inspect(&file).await, Seen::Damaged(_)));
        std::fs::write(
            &file,
            "not a database at all, but long enough to be looked at".repeat(40),
        )
        .unwrap();
        assert!(matches!(inspect(&file).await, Seen::Damaged(_)));
    }
}
