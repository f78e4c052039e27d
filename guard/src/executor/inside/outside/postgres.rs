//! Statements for a PostgreSQL database. One statement at a time, whatever the text holds: it is prepared by the extended
//! protocol, which takes no second one, and only what can be prepared is run that way. A change runs in one transaction
//! with its key: either both are there or neither.

use super::super::serve::Done;
use super::rows::{Before, Keys, gave_up};
use super::{Failed, told_changed, told_taken_back};
use crate::outside::Credential;
use futures_util::StreamExt;
use inspect::postgres::{self as pg, Server};
use protocol::acts::{Bound, Tried};
use protocol::limits::OUTPUT_BYTES;
use protocol::postgres::Address;
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};
use std::time::Duration;

/// Statements that only show something and cannot be prepared.
const SHOWN: [&str; 2] = ["explain", "show"];
/// Statements that change the shape of a database and cannot be prepared. None of them ends a transaction.
const SHAPING: [&str; 8] = [
    "create", "alter", "drop", "truncate", "comment", "refresh", "analyze", "grant",
];
/// What a transaction that only reads does not hold back; a name that ends in `*` stands for all that begin so. The last
/// ones run a text that they are given.
const BEYOND: &str = "pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile* pg_switch_wal pg_promote \
    pg_create_* pg_copy_* pg_drop_replication_slot pg_replication_slot_advance pg_logical_* pg_export_snapshot dblink* \
    lo_export lo_import lo_unlink lo_put lo_from_bytea lo_create pg_read_file pg_read_binary_file pg_ls_* pg_stat_file \
    pg_file_write pg_file_sync pg_file_rename pg_file_unlink pg_file_read pg_wal_replay_* pg_advisory_* pg_try_advisory_* pg_stat_reset* pg_stat_statements_reset query_to_xml* ts_stat ts_rewrite crosstab* connectby xpath_table";
const OWN_KEYS: &str = "the statement reaches for ai_infra_calls, where it is written which changes were made: nothing was changed; leave that table out of it";
/// How often a change is tried when nobody knows what became of it: its key says.
const TRIES: u32 = 3;
/// Longest trial.
const TRIAL: Duration = Duration::from_secs(10);

/// A statement with its values.
pub(super) struct Statement<'a> {
    pub(super) text: &'a str,
    pub(super) params: &'a [Value],
}

impl Statement<'_> {
    fn starts_with(&self, words: &[&str]) -> bool {
        let first: String = from_first_word(self.text)
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        words.contains(&first.to_ascii_lowercase().as_str())
    }

    /// The text to run; it is prepared where it can be.
    async fn ready(
        &self,
        connection: &mut PgConnection,
        plain: &[&str],
    ) -> Result<String, sqlx::Error> {
        if self.starts_with(plain) && self.params.is_empty() {
            return Ok(self.text.to_owned());
        }
        let text = self.text.trim_end().trim_end_matches(';');
        let prepare = format!("PREPARE ai_infra_statement AS {text}");
        sqlx::query(AssertSqlSafe(prepare))
            .persistent(false)
            .execute(connection)
            .await?;
        let values: Vec<String> = self.params.iter().map(value).collect();
        Ok(match values.is_empty() {
            true => "EXECUTE ai_infra_statement".to_owned(),
            false => format!("EXECUTE ai_infra_statement ({})", values.join(", ")),
        })
    }

    /// Runs it as a change; answers what the server counts of it.
    async fn run(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let ready = self.ready(connection, &SHAPING).await?;
        let done = match ready == self.text {
            true => {
                sqlx::query(AssertSqlSafe(ready))
                    .persistent(false)
                    .execute(&mut *connection)
                    .await?
            }
            false => {
                sqlx::raw_sql(AssertSqlSafe(ready))
                    .execute(&mut *connection)
                    .await?
            }
        };
        Ok(done.rows_affected())
    }

    /// The server's count, where it is of rows that are changed and not of rows that are read.
    fn told(&self, done: u64) -> Option<u64> {
        self.starts_with(&["insert", "update", "delete", "merge"])
            .then_some(done)
    }
}

/// A text from its first word on, as the server reads it: a comment before it may hold others.
fn from_first_word(text: &str) -> &str {
    let (mut at, mut open) = (0, 0);
    while let Some(rest) = text.as_bytes().get(at..) {
        let line = || rest.iter().position(|byte| b"\r\n".contains(byte));
        let (more, opened) = match rest {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] if open > 0 => (2, -1),
            [_, ..] if open > 0 => (1, 0),
            [b'-', b'-', ..] => (line().unwrap_or(rest.len()), 0),
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, ..] => (1, 0),
            _ => break,
        };
        (at, open) = (at + more, open + opened);
    }
    text.get(at..).unwrap_or_default()
}

/// What a query names that does more than read. Texts and comments are searched too: nothing has to be told apart.
fn beyond(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    if text.contains("u&\"") {
        return Some("U&\"…\", a name in escapes".to_owned());
    }
    let is = |word: &str, name: &str| match name.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == name,
    };
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(|word| BEYOND.split(' ').any(|name| is(word, name)))
        .map(str::to_owned)
}

/// A value as SQL reads it back; the server gives it the type that the statement asks for.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => pg::literal(text),
        other => pg::literal(&other.to_string()),
    }
}

fn server<'a>(address: &'a Address, password: Option<&'a Credential>) -> Server<'a> {
    Server {
        address,
        password: password.map(Credential::reveal),
    }
}

/// Why a statement failed; a table that is not there is told with those that are.
async fn refused(error: sqlx::Error, connection: &mut PgConnection) -> Failed {
    let mut why = pg::told(&error);
    if pg::is_no_table(&error) {
        why.push_str(&pg::known_tables(connection).await);
    }
    Failed::Refused(why)
}

/// Reads, in a transaction that cannot write.
pub(super) async fn query(
    address: &Address,
    password: Option<&Credential>,
    statement: &Statement<'_>,
    limit: u64,
    most: Duration,
) -> Result<Done, Failed> {
    if let Some(name) = beyond(statement.text) {
        return Err(Failed::Refused(format!(
            "a query only reads, and {name} may do more: ask a person to run it, or use SqlExecute with a rule that allows it"
        )));
    }
    let mut connection = server(address, password)
        .read(most)
        .await
        .map_err(Failed::Refused)?;
    let mut rows = Vec::new();
    let (mut truncated, mut bytes) = (false, 0);
    let ready = match statement.ready(&mut connection, &SHOWN).await {
        Ok(ready) => ready,
        Err(error) => return Err(refused(error, &mut connection).await),
    };
    {
        // What cannot be prepared goes by the extended protocol all the same: one statement.
        let mut found = match ready == statement.text {
            true => sqlx::query(AssertSqlSafe(ready))
                .persistent(false)
                .fetch(&mut connection),
            false => sqlx::raw_sql(AssertSqlSafe(ready)).fetch(&mut connection),
        };
        while let Some(row) = found.next().await {
            let row = row.map_err(|e| Failed::Refused(pg::told(&e)))?;
            let object = Value::Object(object(&row));
            bytes += object.to_string().len();
            truncated = rows.len() as u64 >= limit || bytes > OUTPUT_BYTES;
            if truncated {
                break;
            }
            rows.push(object);
        }
    }
    // What is still to come of a cut answer is not waited for.
    if !truncated {
        pg::close(connection).await;
    }
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    Ok(Done::good(
        text.join("\n"),
        json!({"rows": rows, "truncated": truncated}),
    ))
}

fn object(row: &PgRow) -> Map<String, Value> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(at, column)| (column.name().to_owned(), cell(row, at)))
        .collect()
}

/// A value as the server writes it: numbers stay numbers where none of their digits is lost.
fn cell(row: &PgRow, at: usize) -> Value {
    let Ok(raw) = row.try_get_raw(at) else {
        return Value::Null;
    };
    if raw.is_null() {
        return Value::Null;
    }
    let kind = raw.type_info().name().to_owned();
    let Ok(text) = raw.as_str() else {
        return Value::Null;
    };
    let as_text = || Value::from(text);
    match kind.as_str() {
        "BOOL" => Value::Bool(text == "t"),
        "INT2" | "INT4" | "INT8" | "OID" => {
            text.parse::<i64>().map_or_else(|_| as_text(), Value::from)
        }
        "FLOAT4" | "FLOAT8" | "NUMERIC" => number(text).unwrap_or_else(as_text),
        "JSON" | "JSONB" => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
        "BYTEA" => json!(format!("{} bytes", text.len().saturating_sub(2) / 2)),
        _ => as_text(),
    }
}

/// A decimal number that a double holds whole.
fn number(text: &str) -> Option<Value> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    (digits <= 17).then(|| json!(value))
}

/// Under which key a change is made, how much it may do, and how long it may take.
pub(super) struct Keyed<'a> {
    pub(super) key: &'a str,
    pub(super) bound: &'a Bound,
    pub(super) most: Duration,
}

/// Changes, once for the key; or tries, and takes it back.
pub(super) async fn execute(
    address: &Address,
    password: Option<&Credential>,
    statement: &Statement<'_>,
    keyed: &Keyed<'_>,
) -> Result<Done, Failed> {
    let server = server(address, password);
    if keyed.bound.trial {
        return tried(&server, statement, keyed).await;
    }
    let mut tried = 0;
    loop {
        tried += 1;
        match once(&server, statement, keyed).await {
            Err(Failed::Unknown(_)) if tried < TRIES => {}
            ended => return ended,
        }
    }
}

/// What became of a change before its commit.
enum Changed {
    /// The key is there already, with the count of the first time.
    Before(i64),
    /// So many rows.
    Now(i64),
    /// More than it may.
    More(Tried),
    /// It was reached for the keys.
    Keys,
}

async fn once(
    server: &Server<'_>,
    statement: &Statement<'_>,
    keyed: &Keyed<'_>,
) -> Result<Done, Failed> {
    let mut connection = server.connect(keyed.most).await.map_err(Failed::Refused)?;
    let changed = match change(&mut connection, statement, keyed).await {
        Ok(Changed::Now(changed)) => changed,
        Ok(Changed::Before(before)) => {
            pg::close(connection).await;
            return Ok(told_changed(before, true));
        }
        Ok(Changed::More(tried)) => {
            back(connection).await;
            return Ok(told_taken_back(&tried, keyed.bound));
        }
        Ok(Changed::Keys) => {
            back(connection).await;
            return Err(Failed::Refused(OWN_KEYS.to_owned()));
        }
        Err(error) => return Err(refused(error, &mut connection).await),
    };
    // A commit that fails may be there all the same; the key tells whoever asks again.
    if let Err(error) = sqlx::raw_sql("COMMIT").execute(&mut connection).await {
        return Err(match error.as_database_error() {
            Some(_) => Failed::Refused(pg::told(&error)),
            None => Failed::Unknown(format!("the commit failed: {error}")),
        });
    }
    pg::close(connection).await;
    Ok(told_changed(changed, false))
}

/// Takes everything back. A connection that breaks first has the same end.
async fn back(mut connection: PgConnection) {
    let _broken_off = sqlx::raw_sql("ROLLBACK").execute(&mut connection).await;
    pg::close(connection).await;
}

/// Does it, counts, and takes it back. It waits for nobody's lock for long, and is given up where it takes long.
async fn tried(
    server: &Server<'_>,
    statement: &Statement<'_>,
    keyed: &Keyed<'_>,
) -> Result<Done, Failed> {
    let most = keyed.most.min(TRIAL);
    let mut connection = server.connect(most).await.map_err(Failed::Refused)?;
    match try_out(&mut connection, statement).await {
        Ok(tried) => {
            back(connection).await;
            Ok(told_taken_back(&tried, keyed.bound))
        }
        Err(error) => match gave_up(&error) {
            Some(why) => Ok(Done::good(why.clone(), json!({ "untried": why }))),
            None => Err(refused(error, &mut connection).await),
        },
    }
}

async fn try_out(
    connection: &mut PgConnection,
    statement: &Statement<'_>,
) -> Result<Tried, sqlx::Error> {
    sqlx::raw_sql("BEGIN; SET LOCAL lock_timeout = '2s'")
        .execute(&mut *connection)
        .await?;
    let before = Before::look(connection, statement.starts_with(&SHAPING)).await?;
    let done = statement.run(connection).await?;
    before.after(connection, statement.told(done)).await
}

/// Everything but the commit.
async fn change(
    connection: &mut PgConnection,
    statement: &Statement<'_>,
    keyed: &Keyed<'_>,
) -> Result<Changed, sqlx::Error> {
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
    let keys = Keys::made(connection).await?;
    if let Some(before) = keys.take(connection, keyed.key).await? {
        return Ok(Changed::Before(before));
    }
    let shaping = statement.starts_with(&SHAPING);
    let before = match keyed.bound.counts() {
        true => Some(Before::look(connection, shaping).await?),
        false => None,
    };
    let touched = keys.touched(connection).await?;
    let done = statement.run(connection).await?;
    let tried = match before {
        Some(before) => Some(before.after(connection, statement.told(done)).await?),
        None => None,
    };
    if keys.touched(connection).await? != touched {
        return Ok(Changed::Keys);
    }
    if let Some(tried) = tried.filter(|tried| keyed.bound.broken_by(tried).is_some()) {
        return Ok(Changed::More(tried));
    }
    let changed = i64::try_from(done).unwrap_or(i64::MAX);
    Ok(match keys.note(connection, keyed.key, changed).await? {
        true => Changed::Now(changed),
        false => Changed::Keys,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_numbers_keep_their_digits() {
        for (given, expected) in [
            (json!(null), "NULL"),
            (json!(5), "'5'"),
            (json!(true), "'true'"),
            (json!("it's \\ '; DROP"), "'it''s \\ ''; DROP'"),
        ] {
            assert_eq!(value(&given), expected);
        }
        for (text, expected) in [
            ("12.50", Some(json!(12.5))),
            ("NaN", None),
            ("123456789012345678901", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn only_what_shows_or_shapes_goes_unprepared() {
        let starts = |text, words: &[&str]| Statement { text, params: &[] }.starts_with(words);
        for text in [" Explain SELECT 1", "--\r/*/*é*/**/\nshow x"] {
            assert!(starts(text, &SHOWN) && !starts(text, &SHAPING), "{text}");
        }
        assert!(starts("/**//* COMMIT */ CREATE TABLE a ()", &SHAPING));
        let others = "COMMIT|/* create */ COMMIT|created|rollback|SET x = 1|DO $$ $$|--\rCOMMIT\ncreate|\
            /* /* */ create */ COMMIT|/* create|-- create|/*/ create|\u{a0}create|";
        for text in others.split('|') {
            assert!(!starts(text, &SHAPING) && !starts(text, &SHOWN), "{text}");
        }
    }

    #[test]
    fn a_query_names_nothing_that_does_more_than_read() {
        let refused = "pg_catalog.PG_Terminate_Backend(1)|\"pg_ls_dir\"('.')|dblink_exec('','')|U&\"\\0070\"()|\
            u&\"a\"|pg_try_advisory_lock/**/(1)|query_to_xml('','t','t','')|pg_create_physical_replication_slot('')";
        for (texts, found) in [
            (refused, true),
            (
                "pg_replication_slots|my_dblink|pg_promoted|lo_orderdate|pg_stat_activity|'a' & \"b\"|",
                false,
            ),
        ] {
            for text in texts.split('|') {
                assert_eq!(beyond(&format!("SELECT {text}")).is_some(), found, "{text}");
            }
        }
    }
}
