//! The tables of the ledger: made step by step by the files in `migrations/`, the same ones for SQLite and for
//! PostgreSQL, and never opened by a binary that is older than they are.

use super::error::LedgerError;
use super::place::Place;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool};

/// Schema number this binary reads and writes (`meta.schema`).
pub const SCHEMA: i64 = 4;

/// How the tables are made, step by step.
static TABLES: Migrator = sqlx::migrate!("./migrations");

/// The number of the newest tables this binary knows.
pub(super) fn known() -> i64 {
    TABLES.iter().map(|made| made.version).max().unwrap_or(0)
}

/// Makes what is missing of the tables; a newer ledger is refused untouched.
pub(super) async fn make(place: &Place, writer: &AnyPool) -> Result<(), LedgerError> {
    not_newer(writer).await?;
    place.prepare(writer).await?;
    TABLES.run(writer).await?;
    Ok(())
}

/// Fails where a newer binary wrote it.
pub(super) async fn not_newer(pool: &AnyPool) -> Result<(), LedgerError> {
    let mut connection = pool.acquire().await?;
    if let Some(schema) = stored_schema(&mut connection).await?
        && schema > SCHEMA
    {
        return Err(LedgerError::Newer(schema));
    }
    let known = known();
    match newest_tables(&mut connection).await? {
        Some(found) if found > known => Err(LedgerError::NewerTables { found, known }),
        _ => Ok(()),
    }
}

/// The number of the newest tables that were made; `None` where there are none.
pub(super) async fn newest_tables(
    connection: &mut AnyConnection,
) -> Result<Option<i64>, LedgerError> {
    let found = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
        .fetch_optional(connection)
        .await;
    Ok(where_there_is(found)?.flatten())
}

/// The schema a ledger says it has; `None` where there are no tables.
pub(super) async fn stored_schema(
    connection: &mut AnyConnection,
) -> Result<Option<i64>, LedgerError> {
    let found = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'schema'")
        .fetch_optional(connection)
        .await;
    Ok(where_there_is(found)?)
}

/// Nothing where the table is not there yet.
fn where_there_is<T>(found: Result<Option<T>, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match found {
        Err(sqlx::Error::Database(said))
            if said.code().as_deref() == Some("42P01")
                || said.message().starts_with("no such table") =>
        {
            Ok(None)
        }
        other => other,
    }
}
