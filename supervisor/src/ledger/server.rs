//! A ledger in PostgreSQL: how the server is reached and what is asked of it. Everything that makes a session
//! safe is said when it is opened, so that none is ever used without.

use super::error::LedgerError;
use super::place::{Place, encoded, options};
use super::tables;
use config::secret::Secret;
use protocol::ids::TeamName;
use protocol::postgres::{Address, Tls};
use sha2::{Digest, Sha256};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection};
use std::fmt;
use std::time::Duration;

/// Oldest server that is taken, as it counts itself.
const OLDEST: i64 = 140_000;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that lay about for longer is asked whether it still lives before it is used.
pub(super) const FRESH: Duration = Duration::from_millis(5);

/// What every session of the ledger is opened with. Whoever died in the middle of a write is ended by the server,
/// so that the next one does not wait for ever; a commit is on the disk whatever the database's own default says.
const SESSION: [(&str, &str); 9] = [
    ("synchronous_commit", "on"),
    ("lock_timeout", "15s"),
    ("statement_timeout", "60s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("client_connection_check_interval", "2s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("client_encoding", "UTF8"),
];

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it is, and who enters.
    pub address: Address,
    /// The password; `None` where none is asked for, or where it stands in the user's password file.
    pub password: Option<Secret>,
    /// Whose ledger: the schema has the team's name.
    pub team: TeamName,
    /// The id of the home the ledger belongs to.
    pub home: String,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, schema {}", self.address, self.team.as_str())
    }
}

impl Server {
    /// One connection, made anew whenever it was lost.
    pub(super) async fn pool(&self) -> Result<AnyPool, LedgerError> {
        let opened = AnyPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT)
            .test_before_acquire(false)
            .before_acquire(|connection, since| {
                Box::pin(async move {
                    // One that was used a moment ago is asked by being used: each question is a round trip.
                    if since.idle_for > FRESH {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options(&self.url())?)
            .await;
        let pool = opened.map_err(|error| self.unreachable(error))?;
        match self.fit(&pool).await {
            Ok(()) => Ok(pool),
            Err(error) => {
                pool.close().await;
                Err(error)
            }
        }
    }

    /// The address as libpq reads it, with the password: for the driver alone.
    fn url(&self) -> String {
        let address = &self.address;
        let text = |text: &str| encoded(text.as_bytes());
        let password = self.password.as_ref();
        let password = password.map(|secret| format!(":{}", text(secret.reveal())));
        let session = SESSION
            .iter()
            .map(|(key, value)| format!("-c {key}={value} "));
        let session: String = session.collect();
        let session = format!("{session}-c search_path=\"{}\"", self.team.as_str());
        let authority = address.authority.as_ref();
        format!(
            "postgres://{}{}@localhost/{}?host={}&port={}&sslmode={}{}&application_name=ai-infra&options={}",
            text(&address.user),
            password.unwrap_or_default(),
            text(&address.database),
            text(&address.host),
            address.port,
            match address.tls {
                Tls::Off => "disable",
                Tls::Require => "require",
                Tls::VerifyCa => "verify-ca",
                Tls::VerifyFull => "verify-full",
            },
            authority
                .map(|file| format!("&sslrootcert={}", text(file)))
                .unwrap_or_default(),
            text(&session),
        )
    }

    /// Whether the server can hold a ledger.
    async fn fit(&self, pool: &AnyPool) -> Result<(), LedgerError> {
        let asked = "SELECT current_setting(name) FROM (VALUES (1, 'server_version_num'), (2, 'server_encoding'),
            (3, 'server_version')) AS wanted (at, name) ORDER BY at";
        let said: Vec<String> = sqlx::query_scalar(asked).fetch_all(pool).await?;
        let [number, encoding, version] = said.as_slice() else {
            return Err(LedgerError::Server("it does not say what it is".to_owned()));
        };
        match unfit(number, encoding, version) {
            Some(why) => Err(LedgerError::Server(format!("{}: {why}", self.address))),
            None => Ok(()),
        }
    }

    /// Makes the team's schema, and in it the one word of SQLite that the tables' files use and PostgreSQL lacks.
    pub(super) async fn prepare(&self, writer: &AnyPool) -> Result<(), LedgerError> {
        let mut tx = writer.begin().await?;
        takes_writes(&mut tx).await?;
        let there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
                .bind(self.team.as_str())
                .fetch_one(&mut *tx)
                .await?;
        if !there {
            let schema = AssertSqlSafe(format!("CREATE SCHEMA \"{}\"", self.team.as_str()));
            sqlx::raw_sql(schema).execute(&mut *tx).await?;
        }
        let there: bool = sqlx::query_scalar("SELECT to_regproc('json_extract') IS NOT NULL")
            .fetch_one(&mut *tx)
            .await?;
        if !there {
            sqlx::raw_sql(
                "CREATE FUNCTION json_extract(document TEXT, path TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT
                 AS $$ SELECT document::json #>> string_to_array(substr(path, 3), '.') $$",
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes a ledger that no home has yet; refuses another home's.
    pub(super) async fn claim(&self, tx: &mut AnyConnection) -> Result<(), LedgerError> {
        let mine =
            sqlx::query("UPDATE meta SET value = $1 WHERE key = 'home' AND value IN (0, $1)")
                .bind(mark(&self.home))
                .execute(tx)
                .await?
                .rows_affected();
        match mine {
            1 => Ok(()),
            _ => Err(self.of_another()),
        }
    }

    /// Takes a ledger from whatever home it belongs to.
    pub(super) async fn take(&self, place: &Place) -> Result<(), LedgerError> {
        let pool = self.pool().await?;
        let taken = async {
            tables::make(place, &pool).await?;
            sqlx::query("UPDATE meta SET value = $1 WHERE key = 'home'")
                .bind(mark(&self.home))
                .execute(&pool)
                .await?;
            Ok(())
        };
        let taken = taken.await;
        pool.close().await;
        taken
    }

    /// Refuses the ledger of another home. Tables that are older than the mark are nobody's yet.
    pub(super) async fn is_ours(&self, connection: &mut AnyConnection) -> Result<(), LedgerError> {
        let home: Option<i64> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'home'")
            .fetch_optional(connection)
            .await?;
        match home.is_none_or(|home| home == 0 || home == mark(&self.home)) {
            true => Ok(()),
            false => Err(self.of_another()),
        }
    }

    fn of_another(&self) -> LedgerError {
        LedgerError::OtherHome {
            team: self.team.as_str().to_owned(),
            at: self.address.to_string(),
        }
    }

    /// Why no connection was made.
    fn unreachable(&self, error: sqlx::Error) -> LedgerError {
        let address = &self.address;
        let said = |why: &dyn fmt::Display| LedgerError::Server(format!("{address}: {why}"));
        let code = error.as_database_error().and_then(|e| e.code());
        match (code.as_deref(), &error) {
            (Some("28P01"), _) if self.password.is_none() => said(
                &"the server wants a password: keep one with `ai-infra secret set NAME` and write `password: {secret: NAME}` beside `ledger.url`",
            ),
            (Some("28P01"), _) => said(
                &"the password is wrong: keep the right one with `ai-infra secret set NAME`, then `ai-infra restart`",
            ),
            (Some("28000"), _) => said(&format!(
                "the server does not let this user in: {error}; its pg_hba.conf says who may"
            )),
            (Some("3D000"), _) => said(&format!(
                "the server has no such database: createdb {}",
                address.database
            )),
            (Some("55000"), _) => LedgerError::Away(format!("{address} takes no connections now")),
            (Some("53300"), _) => {
                LedgerError::Away(format!("{address} has no connection to spare"))
            }
            (_, sqlx::Error::Tls(why)) => said(&format!(
                "no protected connection: {why}; `sslmode` and `sslrootcert` in `ledger.url` say what is expected"
            )),
            (_, sqlx::Error::Io(why)) if why.kind() == std::io::ErrorKind::InvalidData => {
                said(&format!(
                    "no protected connection: {why}; `sslmode` and `sslrootcert` in `ledger.url` say what is expected"
                ))
            }
            (_, sqlx::Error::Io(why)) => {
                LedgerError::Away(format!("{address} cannot be reached: {why}"))
            }
            (_, sqlx::Error::PoolTimedOut) => LedgerError::Away(format!(
                "no connection to {address} in {} s",
                CONNECT.as_secs()
            )),
            _ => error.into(),
        }
    }
}

/// Refuses a standby, and a database that was set so.
pub(super) async fn takes_writes(connection: &mut AnyConnection) -> Result<(), LedgerError> {
    let only_read: bool =
        sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'on'")
            .fetch_one(connection)
            .await?;
    match only_read {
        true => Err(LedgerError::OnlyRead),
        false => Ok(()),
    }
}

/// A home's id as the ledger keeps it.
fn mark(home: &str) -> i64 {
    let digest = Sha256::digest(home.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    // 0 is nobody's.
    (i64::from_be_bytes(first) & i64::MAX).max(1)
}

/// Why a server cannot hold a ledger.
fn unfit(number: &str, encoding: &str, version: &str) -> Option<String> {
    if number.parse::<i64>().is_ok_and(|number| number < OLDEST) {
        return Some(format!(
            "the server is PostgreSQL {version}: a ledger needs {} or newer",
            OLDEST / 10_000
        ));
    }
    (encoding != "UTF8").then(|| {
        format!("the database is encoded in {encoding}: a ledger needs one in UTF8, createdb -E UTF8 -T template0 NAME")
    })
}
