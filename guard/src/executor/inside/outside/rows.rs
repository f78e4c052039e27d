//! How many rows a statement touches, seen from inside its transaction before anything is kept: table by table, with what
//! cascades and triggers did. PostgreSQL's own counters of the transaction say it, and SQLite's hook of changes.

use inspect::postgres as pg;
use protocol::acts::{Touched, Tried};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnection, SqliteOperation};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Tables that are told one by one; more are told as one.
const TABLES: usize = 50;
/// Rows from which on the server's own estimate stands for a count.
const MANY: f64 = 5_000_000.0;

/// Rows of a table: new ones, and those that were there.
type Counts = (i64, i64);

const TOUCHED: &str = "SELECT relid::bigint, n_tup_ins, n_tup_upd + n_tup_del, n_tup_del, \
    quote_ident(schemaname) || '.' || quote_ident(relname) \
    FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0";
const SHAPE: &str = "SELECT coalesce(md5(string_agg(c.oid || ':' || c.relfilenode || ':' || c.relnatts, ',' ORDER BY c.oid)), '') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
const SIZE: &str = "SELECT has_table_privilege(oid, 'SELECT'), reltuples::float8 FROM pg_class WHERE oid = $1::bigint::oid";

/// A PostgreSQL database before a statement.
pub(super) struct Before {
    counts: BTreeMap<i64, Counts>,
    shape: String,
}

async fn counts(
    connection: &mut PgConnection,
) -> Result<BTreeMap<i64, (Counts, i64, String)>, sqlx::Error> {
    let rows = sqlx::query(TOUCHED).fetch_all(connection).await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let counts = (row.try_get(1)?, row.try_get(2)?);
        Ok((row.try_get(0)?, (counts, row.try_get(3)?, row.try_get(4)?)))
    };
    rows.iter().map(one).collect()
}

impl Before {
    /// Looks.
    pub(super) async fn look(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let counts = counts(connection).await?;
        Ok(Self {
            counts: counts.into_iter().map(|(id, one)| (id, one.0)).collect(),
            shape: sqlx::query_scalar(SHAPE).fetch_one(connection).await?,
        })
    }

    /// Looks again, after it. `told` is the number of rows that the server says of the statement, where that means rows
    /// it changed.
    pub(super) async fn after(
        &self,
        connection: &mut PgConnection,
        told: Option<u64>,
        shaping: bool,
    ) -> Result<Tried, sqlx::Error> {
        // What waits for the commit is done now, so that it is counted too.
        sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE")
            .execute(&mut *connection)
            .await?;
        let mut tables = Vec::new();
        for (id, ((added, changed), removed, table)) in counts(connection).await? {
            let (added_before, changed_before) = self.counts.get(&id).copied().unwrap_or_default();
            let (added, changed) = (added - added_before, changed - changed_before);
            if added == 0 && changed == 0 {
                continue;
            }
            let of = match changed > 0 && tables.len() < TABLES {
                true => size(connection, id, &table)
                    .await?
                    .map(|now| now + removed - added),
                false => None,
            };
            tables.push(Touched {
                table,
                changed: natural(changed),
                added: natural(added),
                of: of.map(natural),
            });
        }
        let counted = tables.iter().map(|one| one.changed + one.added).sum();
        // A server that does not count (track_counts), a table that lies elsewhere.
        if let Some(told) = told.filter(|told| *told > counted) {
            tables.push(unnamed(told - counted));
        }
        let shape: String = sqlx::query_scalar(SHAPE).fetch_one(connection).await?;
        Ok(Tried {
            tables,
            shape: shaping || shape != self.shape,
        })
    }
}

/// Rows of a table as this transaction sees it; `None` where nobody may count or guess them.
async fn size(
    connection: &mut PgConnection,
    id: i64,
    table: &str,
) -> Result<Option<i64>, sqlx::Error> {
    let Some(row) = sqlx::query(SIZE)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?
    else {
        return Ok(None);
    };
    let (may, guess): (bool, f64) = (row.try_get(0)?, row.try_get(1)?);
    if guess >= MANY || !may {
        return Ok((guess >= 0.0).then_some(guess as i64));
    }
    // The name is the server's own, quoted by it.
    let count = format!("SELECT count(*) FROM {table}");
    let counted = sqlx::query_scalar(AssertSqlSafe(count));
    counted
        .persistent(false)
        .fetch_one(connection)
        .await
        .map(Some)
}

/// Whether trying took too long or would have waited for somebody, so that nothing is known.
pub(super) fn gave_up(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    ["57014", "55P03"]
        .contains(&code.as_ref())
        .then(|| pg::told(error))
}

fn unnamed(changed: u64) -> Touched {
    Touched {
        table: String::new(),
        changed,
        added: 0,
        of: None,
    }
}

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What a hook of SQLite's was told of a table.
#[derive(Debug, Default)]
struct Told {
    added: u64,
    /// Those that are removed among them.
    changed: u64,
    removed: u64,
}

/// A transaction of SQLite's that its statement cannot end: a commit in it fails, and that it was taken back is seen.
pub(super) struct Unended {
    ended: Arc<AtomicBool>,
}

impl Unended {
    /// From now on.
    pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let ended = Arc::new(AtomicBool::new(false));
        let (committed, taken_back) = (ended.clone(), ended.clone());
        let mut handle = connection.lock_handle().await?;
        handle.set_commit_hook(move || {
            committed.store(true, Ordering::SeqCst);
            false
        });
        handle.set_rollback_hook(move || taken_back.store(true, Ordering::SeqCst));
        Ok(Self { ended })
    }

    /// Whether it was ended, or tried to be, all the same: then nothing of it is kept. It can be committed from now on.
    pub(super) async fn end(self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let mut handle = connection.lock_handle().await?;
        handle.remove_commit_hook();
        handle.remove_rollback_hook();
        Ok(self.ended.load(Ordering::SeqCst))
    }
}

/// A count that a hook of SQLite's keeps while a statement runs.
pub(super) struct Hooked {
    seen: Arc<Mutex<BTreeMap<String, Told>>>,
    total: i64,
    shape: i64,
    empty: BTreeSet<String>,
}

impl Hooked {
    /// Begins to count.
    pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let hooked = Self {
            seen: Arc::default(),
            total: total(connection).await?,
            shape: shape(connection).await?,
            empty: empty(connection).await?,
        };
        let seen = hooked.seen.clone();
        let mut handle = connection.lock_handle().await?;
        handle.set_update_hook(move |change| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = seen.entry(change.table.to_owned()).or_default();
            match change.operation {
                SqliteOperation::Insert => counts.added += 1,
                SqliteOperation::Delete => {
                    counts.changed += 1;
                    counts.removed += 1;
                }
                _ => counts.changed += 1,
            }
        });
        Ok(hooked)
    }

    /// Ends it.
    pub(super) async fn end(self, connection: &mut SqliteConnection) -> Result<Tried, sqlx::Error> {
        connection.lock_handle().await?.remove_update_hook();
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tables = Vec::new();
        let mut sum = 0;
        for (table, told) in seen {
            let Told {
                added,
                changed,
                removed,
            } = told;
            sum += added + changed;
            let of = match changed > 0 {
                true => Some((count(connection, &table).await? + removed).saturating_sub(added)),
                false => None,
            };
            tables.push(Touched {
                table,
                changed,
                added,
                of,
            });
        }
        // A table that is emptied whole, and one without row ids, have no hook: the total tells.
        let rest = natural(total(connection).await? - self.total).saturating_sub(sum);
        if rest > 0 {
            let now = empty(connection).await?;
            let emptied: Vec<&String> = now.difference(&self.empty).collect();
            tables.push(match emptied.as_slice() {
                [table] => Touched {
                    table: (*table).clone(),
                    of: Some(rest),
                    ..unnamed(rest)
                },
                _ => unnamed(rest),
            });
        }
        Ok(Tried {
            tables,
            shape: shape(connection).await? != self.shape,
        })
    }
}

async fn total(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let total = sqlx::query_scalar("SELECT total_changes()");
    total.fetch_one(connection).await
}

async fn shape(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let version = sqlx::query_scalar("PRAGMA schema_version");
    version.fetch_one(connection).await
}

fn quoted(table: &str) -> String {
    format!("\"{}\"", table.replace('"', "\"\""))
}

async fn count(connection: &mut SqliteConnection, table: &str) -> Result<u64, sqlx::Error> {
    let count = format!("SELECT count(*) FROM {}", quoted(table));
    let counted = sqlx::query_scalar(AssertSqlSafe(count));
    let counted: i64 = counted.fetch_one(connection).await?;
    Ok(natural(counted))
}

/// Tables that hold nothing.
async fn empty(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut empty = BTreeSet::new();
    for name in names {
        let any = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quoted(&name));
        if sqlx::query_scalar(AssertSqlSafe(any))
            .fetch_one(&mut *connection)
            .await?
        {
            empty.insert(name);
        }
    }
    Ok(empty)
}
