//! Where a ledger is kept, and how it is reached: a file of the home (SQLite), or a database on a server
//! (PostgreSQL), where each team has a schema of its own name.

use super::error::LedgerError;
use super::server::{self, Server};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL.
    Server(Box<Server>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file) => write!(f, "{}", file.display()),
            Place::Server(server) => write!(f, "{server}"),
        }
    }
}

impl Place {
    /// A file.
    pub fn file(path: impl AsRef<Path>) -> Place {
        Place::File(path.as_ref().to_path_buf())
    }

    /// Opens it to be written, by one connection. A file is made where there is none.
    pub(super) async fn writer(&self) -> Result<AnyPool, LedgerError> {
        match self {
            Place::File(file) => {
                let pool = of_file(file, "rwc").await?;
                sqlx::raw_sql("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512")
                    .execute(&pool)
                    .await?;
                Ok(pool)
            }
            Place::Server(server) => server.pool().await,
        }
    }

    /// Opens it to be read, by another connection.
    pub(super) async fn reader(&self) -> Result<AnyPool, LedgerError> {
        match self {
            Place::File(file) => {
                let pool = of_file(file, "ro").await?;
                sqlx::raw_sql("PRAGMA cache_size = -512")
                    .execute(&pool)
                    .await?;
                Ok(pool)
            }
            Place::Server(server) => server.pool().await,
        }
    }

    /// How a read of one consistent state begins.
    pub(super) fn begin_read(&self) -> &'static str {
        match self {
            Place::File(_) => "BEGIN",
            Place::Server(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// What must be there before the tables.
    pub(super) async fn prepare(&self, writer: &AnyPool) -> Result<(), LedgerError> {
        match self {
            Place::File(_) => Ok(()),
            Place::Server(server) => server.prepare(writer).await,
        }
    }

    /// Refuses a database that can only be read.
    pub(super) async fn takes_writes(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<(), LedgerError> {
        match self {
            Place::File(_) => Ok(()),
            Place::Server(_) => server::takes_writes(connection).await,
        }
    }

    /// Refuses the ledger of another home, and changes nothing.
    pub(super) async fn is_ours(&self, connection: &mut AnyConnection) -> Result<(), LedgerError> {
        match self {
            Place::File(_) => Ok(()),
            Place::Server(server) => server.is_ours(connection).await,
        }
    }

    /// Takes a ledger that nobody has for the home; refuses that of another one. A file lies in its home.
    pub(super) async fn claim(&self, tx: &mut AnyConnection) -> Result<(), LedgerError> {
        match self {
            Place::File(_) => Ok(()),
            Place::Server(server) => server.claim(tx).await,
        }
    }
}

/// A connection to a file that stays, so that what was set for it stays.
async fn of_file(file: &Path, mode: &str) -> Result<AnyPool, LedgerError> {
    let url = format!(
        "sqlite://{}?mode={mode}",
        encoded(file.as_os_str().as_bytes())
    );
    Ok(AnyPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(20))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options(&url)?)
        .await?)
}

/// How to connect by an address that this program wrote.
pub(super) fn options(url: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    // A second time is the same.
    sqlx::any::install_default_drivers();
    Ok(url
        .parse::<AnyConnectOptions>()?
        .disable_statement_logging())
}

/// Any bytes as a part of an address: what is not a plain letter or digit becomes `%41`.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}
