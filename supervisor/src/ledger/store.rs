//! Opens the ledger and hands out write transactions. Every one of them checks the epoch row, so
//! that a supervisor that was replaced while it slept changes nothing when it wakes up.

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Schema number this binary reads and writes (`meta.schema`).
pub const SCHEMA: i64 = 4;

/// How the tables are made, step by step.
static TABLES: Migrator = sqlx::migrate!("./migrations");

/// Why the ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Written by a newer binary.
    #[error(
        "the ledger has schema {0}, this binary knows up to {SCHEMA}: start the newer ai-infra that wrote it"
    )]
    Newer(i64),
    /// The same, by a binary whose newer tables an older one could not fill.
    #[error(
        "the ledger has tables up to number {found}, this binary knows up to {known}: start the newer ai-infra that wrote it"
    )]
    NewerTables {
        /// The newest that was made.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// Another supervisor was started on this ledger.
    #[error("another supervisor has taken over this ledger: this one writes no more and stops")]
    Superseded,
    /// The same request id with other words.
    #[error(
        "request id `{request_id}` was used for {short_id} with another request: use a new id, or repeat that request exactly"
    )]
    OtherRequest {
        /// The id.
        request_id: String,
        /// The task it names.
        short_id: protocol::ids::ShortId,
    },
    /// Too many tasks wait already.
    #[error(
        "{0} tasks are queued already, which is the limit (team.queue_limit): wait for some to end, or cancel some"
    )]
    QueueFull(u64),
    /// No such task.
    #[error("no task {0}: `ai-infra task list` shows what there is")]
    NoTask(String),
    /// An answer that does not fit, or comes too late.
    #[error("{short_id}: {why}; see `ai-infra task show {short_id}`")]
    Answer {
        /// The task.
        short_id: protocol::ids::ShortId,
        /// Why.
        why: String,
    },
    /// A stored value that this binary cannot read.
    #[error("the ledger holds an unreadable {what} for task {task}: {why}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Whose.
        task: String,
        /// Why.
        why: String,
    },
    /// The table of states forbids it.
    #[error("{short_id} is {from}: it cannot become {to}")]
    IllegalMove {
        /// The task.
        short_id: protocol::ids::ShortId,
        /// Where it stands.
        from: String,
        /// Where it was to go.
        to: String,
    },
    /// The database refused or failed.
    #[error("the ledger does not answer: {0}: check free disk space and that the file is intact")]
    Database(sqlx::Error),
    /// There is no space for another word.
    #[error(
        "the disk of the home is full, so nothing was kept: free some space, then say it again"
    )]
    DiskFull,
    /// The tables could not be made.
    #[error("the ledger's tables could not be made: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        // SQLITE_FULL
        let full = error
            .as_database_error()
            .and_then(|error| error.code())
            .is_some_and(|code| code == "13");
        match full {
            true => LedgerError::DiskFull,
            false => LedgerError::Database(error),
        }
    }
}

impl LedgerError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            LedgerError::OtherRequest { .. }
            | LedgerError::NoTask(_)
            | LedgerError::Newer(_)
            | LedgerError::NewerTables { .. } => protocol::exit::USAGE,
            LedgerError::QueueFull(_) | LedgerError::Answer { .. } => protocol::exit::REFUSED,
            LedgerError::IllegalMove { .. } => protocol::exit::FAILED,
            _ => protocol::exit::SERVICE,
        }
    }
}

/// The ledger, open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    writer: SqlitePool,
    reader: SqlitePool,
    epoch: i64,
    folding: Arc<Mutex<()>>,
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-512")
}

async fn pool(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(20))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
}

impl Ledger {
    /// Opens the ledger of a home, makes or migrates its tables, and raises the epoch: from now
    /// on every other supervisor of this ledger is refused. A newer schema is refused untouched.
    pub async fn open(file: &Path) -> Result<Ledger, LedgerError> {
        let writer = pool(options(file).create_if_missing(true)).await?;
        not_newer(&writer).await?;
        TABLES.run(&writer).await?;
        // In a transaction: a commit that fails, on a full disk say, is an error and not silence.
        let mut raise = writer.begin().await?;
        let epoch: i64 = sqlx::query_scalar(
            "UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value",
        )
        .fetch_one(&mut *raise)
        .await?;
        raise.commit().await?;
        let reader = pool(options(file).read_only(true)).await?;
        Ok(Ledger {
            writer,
            reader,
            epoch,
            folding: Arc::default(),
        })
    }

    /// Whether this binary may open the ledger of a home, which is not touched.
    ///
    /// # Errors
    /// When a newer binary wrote it, or it cannot be read.
    pub async fn check(file: &Path) -> Result<(), LedgerError> {
        let reader = pool(options(file).read_only(true)).await?;
        let checked = not_newer(&reader).await;
        reader.close().await;
        checked
    }

    /// Closes both connections; what was committed is on the disk already.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Held from folding messages until the bus has let go of them.
    pub fn folding(&self) -> &Mutex<()> {
        &self.folding
    }

    /// The epoch this opening raised.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Begins a write. The epoch is checked by a write of its own row, which also takes the lock.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        let mut tx = self.writer.begin().await?;
        let held = sqlx::query("UPDATE meta SET value = value WHERE key = 'epoch' AND value = $1")
            .bind(self.epoch)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if held == 1 {
            Ok(tx)
        } else {
            Err(LedgerError::Superseded)
        }
    }

    #[cfg(test)]
    pub(super) async fn writer_for_tests(&self) -> sqlx::pool::PoolConnection<Sqlite> {
        #![allow(clippy::unwrap_used)]
        self.writer.acquire().await.unwrap()
    }

    /// Begins a read of one consistent state.
    pub(super) async fn read(&self) -> Result<Transaction<'static, Sqlite>, LedgerError> {
        Ok(self.reader.begin().await?)
    }
}

/// Fails where a newer binary wrote it.
async fn not_newer(pool: &SqlitePool) -> Result<(), LedgerError> {
    if let Some(schema) = stored_schema(pool).await
        && schema > SCHEMA
    {
        return Err(LedgerError::Newer(schema));
    }
    let known = TABLES.iter().map(|made| made.version).max().unwrap_or(0);
    match newest_tables(pool).await {
        Some(found) if found > known => Err(LedgerError::NewerTables { found, known }),
        _ => Ok(()),
    }
}

/// The number of the newest tables that were made; `None` for a new file.
async fn newest_tables(pool: &SqlitePool) -> Option<i64> {
    sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
        .fetch_optional(pool)
        .await
        .ok()
        .flatten()
}

/// The schema a ledger says it has; `None` for a new file.
async fn stored_schema(pool: &SqlitePool) -> Option<i64> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = 'schema'")
        .fetch_optional(pool)
        .await
        .ok()
        .flatten()
}
