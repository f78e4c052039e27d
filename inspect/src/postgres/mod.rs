//! A connection to PostgreSQL that cannot surprise: settings from the grant alone, never from the environment, bounded in
//! time, and with errors that say what to do. Open `read` for transactions that cannot write.

use std::time::Duration;

use protocol::postgres::{Address, Tls};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// Longest wait for the server to take the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for somebody else's lock.
const LOCK: Duration = Duration::from_secs(10);
/// Names of tables shown where one is not found.
const MOST_NAMES: usize = 20;

/// Where to knock, and with which password.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// The database and its user.
    pub address: &'a Address,
    /// The user's password.
    pub password: Option<&'a str>,
}

impl Server<'_> {
    /// Connects; every statement of the session ends after `most` at the latest.
    ///
    /// # Errors
    /// A sentence about what is wrong and what to do.
    pub async fn connect(&self, most: Duration) -> Result<PgConnection, String> {
        let address = self.address;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port)
            .username(&address.user)
            .database(&address.database)
            .application_name("ai-infra")
            .ssl_mode(match address.tls {
                Tls::Off => PgSslMode::Disable,
                Tls::Require => PgSslMode::Require,
                Tls::VerifyCa => PgSslMode::VerifyCa,
                Tls::VerifyFull => PgSslMode::VerifyFull,
            });
        if address.is_socket() {
            options = options.socket(&address.host);
        }
        if let Some(authority) = &address.authority {
            options = options.ssl_root_cert(authority);
        }
        if let Some(password) = self.password {
            options = options.password(password);
        }
        let opened = options.disable_statement_logging();
        let opened = tokio::time::timeout(CONNECT, opened.connect()).await;
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => {
                return Err(format!(
                    "no answer from {address} in {} s",
                    CONNECT.as_secs()
                ));
            }
        };
        // A server that lost its client notices while it still works, where it can.
        let settings = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
             SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; \
             SET extra_float_digits = 1; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; \
             SELECT set_config('client_connection_check_interval', '2s', false) \
             WHERE current_setting('server_version_num')::int >= 140000",
            most.as_millis().max(1),
            LOCK.min(most).as_millis().max(1),
            most.as_millis() + 5000,
        );
        sqlx::raw_sql(AssertSqlSafe(settings))
            .execute(&mut connection)
            .await
            .map_err(|e| told(&e))?;
        Ok(connection)
    }

    /// Connects and begins a transaction that cannot write and sees one moment throughout.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn read(&self, most: Duration) -> Result<PgConnection, String> {
        let mut connection = self.connect(most).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut connection)
            .await
            .map_err(|e| told(&e))?;
        Ok(connection)
    }

    fn unreachable(&self, error: &sqlx::Error) -> String {
        let address = self.address;
        let code = error.as_database_error().and_then(|e| e.code());
        match code.as_deref() {
            Some("28P01") if self.password.is_none() => format!(
                "{address}: the server wants a password: keep one with `ai-infra secret set NAME` and write `password: {{secret: NAME}}` beside the source"
            ),
            Some("28P01") => format!(
                "{address}: the password is wrong: keep the right one with `ai-infra secret set NAME`, then `ai-infra restart`"
            ),
            Some("28000") => format!(
                "{address}: the server does not let this user in: {error}; its pg_hba.conf says who may"
            ),
            Some("3D000") => format!("{address}: the server has no such database"),
            Some("53300") => {
                format!("{address}: the server has no connection to spare; try again later")
            }
            _ => match error {
                sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
                    unprotected(address, why)
                }
                sqlx::Error::Io(why) => format!(
                    "{address} cannot be reached: {why}; check the host, the port and that the server runs"
                ),
                sqlx::Error::Tls(why) => unprotected(address, why),
                other => format!("{address}: {}", told(other)),
            },
        }
    }
}

fn unprotected(address: &Address, why: &dyn std::fmt::Display) -> String {
    format!(
        "{address}: no protected connection: {why}; `tls` and `authority` of the source say what is expected"
    )
}

/// What went wrong, as a sentence.
pub fn told(error: &sqlx::Error) -> String {
    let Some(said) = error.as_database_error() else {
        return match error {
            sqlx::Error::Io(why) => format!("the connection broke off: {why}"),
            other => format!("the statement cannot be carried out: {other}"),
        };
    };
    let message = said.message();
    match said.code().as_deref() {
        Some("57014") => format!(
            "it took too long and was stopped by the server, nothing is left of it ({message}); ask for less"
        ),
        Some("55P03") => format!("somebody else holds what it needs ({message}); try again later"),
        Some("25006") => {
            format!("the database refused it: {message}; this source is only read here")
        }
        Some("42501") => {
            format!("the database refused it: {message}; give its user that right, or do without")
        }
        Some("57P01" | "57P02" | "57P03") => {
            format!("the server is going down or coming up ({message}); try again later")
        }
        _ => {
            let mut text = format!("the database refused it: {message}");
            let more = said.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
            if let Some(hint) = more.and_then(|more| more.hint()) {
                text.push_str(&format!("; {hint}"));
            }
            text
        }
    }
}

/// Whether the error says that a table is not there.
pub fn is_no_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).as_deref() == Some("42P01")
}

/// The tables there are, for somebody who named another: `; it has a, b and c`.
pub async fn known_tables(connection: &mut PgConnection) -> String {
    let named = async {
        sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
        let query = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN relname::text ELSE nspname || '.' || relname END \
                     FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
                     WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema') \
                     AND nspname NOT LIKE 'pg\\_toast%' AND relname <> 'ai_infra_calls' ORDER BY 1 LIMIT 21";
        let rows = sqlx::query(query).fetch_all(&mut *connection).await?;
        rows.iter()
            .map(|row| row.try_get(0))
            .collect::<Result<Vec<String>, _>>()
    };
    match named.await {
        Ok(names) if names.is_empty() => "; it has no tables that this user sees".to_owned(),
        Ok(names) => {
            let more = if names.len() > MOST_NAMES {
                ", …"
            } else {
                ""
            };
            let shown: Vec<String> = names.into_iter().take(MOST_NAMES).collect();
            format!("; it has {}{more}", shown.join(", "))
        }
        Err(_) => String::new(),
    }
}

/// A name as SQL reads it back, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL reads it back, whatever is in it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Says goodbye; a server that is gone already is fine.
pub async fn close(connection: PgConnection) {
    let _ = connection.close().await;
}
