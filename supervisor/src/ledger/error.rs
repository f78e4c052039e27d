//! Why the ledger could not be read or written, in words for people. What a database says is sorted here: what
//! will pass (a server that is away), what will not (a text it never takes), and what a person must mend.

use protocol::ids::ShortId;
use sqlx::postgres::PgDatabaseError;

use super::tables::SCHEMA;

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
        short_id: ShortId,
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
        short_id: ShortId,
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
        short_id: ShortId,
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
    /// The database is on a server that cannot be reached or asks for patience.
    #[error(
        "the ledger's database does not answer: {0}; nothing was kept: say it again when it does"
    )]
    Away(String),
    /// The server of the ledger has no space.
    #[error(
        "the disk of the ledger's server is full, so nothing was kept: free some space there, then say it again"
    )]
    ServerFull,
    /// A standby, or a database that was set so.
    #[error(
        "the ledger's database takes no writes, it is a standby or set to read-only: `ledger.url` must name the primary"
    )]
    OnlyRead,
    /// A value that the database never takes.
    #[error("the ledger's database cannot keep it: {0}")]
    NotTaken(String),
    /// The server refused, or cannot be used for a ledger; a sentence.
    #[error("the ledger's database: {0}")]
    Server(String),
    /// The settings name another ledger than the home's; a sentence.
    #[error("{0}")]
    Elsewhere(String),
    /// The database of another team's home.
    #[error(
        "the ledger of a team `{team}` in {at} belongs to another home: give this team another name (`team.name`), or, where that home is gone for good, `ai-infra ledger take`"
    )]
    OtherHome {
        /// The team.
        team: String,
        /// Which database.
        at: String,
    },
    /// The database went back to an older state while it was used.
    #[error(
        "the ledger was put back to an older state while it was used: the supervisor starts anew and compares it with redis"
    )]
    PutBack,
    /// No copy could be made.
    #[error("the ledger was not copied: {0}")]
    Copy(String),
    /// The tables could not be made.
    #[error("the ledger's tables could not be made: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        let said = match &error {
            sqlx::Error::Database(said) => said,
            sqlx::Error::Io(why) => return LedgerError::Away(why.to_string()),
            sqlx::Error::Tls(why) => return LedgerError::Away(why.to_string()),
            sqlx::Error::PoolTimedOut => {
                return LedgerError::Away("no connection in time".to_owned());
            }
            _ => return LedgerError::Database(error),
        };
        let message = || said.message().to_owned();
        let of_server = said.try_downcast_ref::<PgDatabaseError>().is_some();
        match said.code().as_deref() {
            Some(code) if !of_server => match of_sqlite(code) {
                SQLITE_FULL => LedgerError::DiskFull,
                SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH => {
                    LedgerError::NotTaken(message())
                }
                _ => LedgerError::Database(error),
            },
            Some("53100") => LedgerError::ServerFull,
            Some("25006") => LedgerError::OnlyRead,
            Some(code) if passes(code) => LedgerError::Away(message()),
            // What cannot be stored, however often it is tried.
            Some(code) if matches!(code.get(..2), Some("22" | "23" | "54")) => {
                LedgerError::NotTaken(message())
            }
            _ if of_server => LedgerError::Server(message()),
            _ => LedgerError::Database(error),
        }
    }
}

// <https://sqlite.org/rescode.html>
const SQLITE_FULL: u32 = 13;
const SQLITE_TOOBIG: u32 = 18;
const SQLITE_CONSTRAINT: u32 = 19;
const SQLITE_MISMATCH: u32 = 20;

/// The primary code of an SQLite error, which is the low byte of an extended one; 0 where it is no number.
fn of_sqlite(code: &str) -> u32 {
    code.parse::<u32>().map_or(0, |code| code & 0xff)
}

/// Whether an error of a PostgreSQL server (an SQLSTATE) is about the moment and not about what was asked: lost
/// connections, a server that goes down or comes up, no connection or memory to spare, somebody else's lock.
fn passes(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
        || matches!(code, "55P03" | "25P03" | "55000")
}

impl LedgerError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            LedgerError::OtherRequest { .. }
            | LedgerError::NoTask(_)
            | LedgerError::Newer(_)
            | LedgerError::NewerTables { .. }
            | LedgerError::OtherHome { .. }
            | LedgerError::Elsewhere(_) => protocol::exit::USAGE,
            LedgerError::QueueFull(_) | LedgerError::Answer { .. } => protocol::exit::REFUSED,
            LedgerError::IllegalMove { .. } => protocol::exit::FAILED,
            _ => protocol::exit::SERVICE,
        }
    }
}
