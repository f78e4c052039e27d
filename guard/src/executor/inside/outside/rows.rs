//! How many rows a statement for PostgreSQL touches, seen from inside its transaction before anything is kept: table by table,
//! with what cascades and triggers did, as the server's own counters of the transaction say it.

use inspect::postgres as pg;
use protocol::acts::{Touched, Tried, UNCOUNTED};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};
use std::collections::BTreeMap;

/// Tables that are told one by one; more are told as one.
const TABLES: usize = 50;
/// Rows from which on the server's own estimate stands for a count.
const MANY: f64 = 5_000_000.0;

/// Rows of a table: new ones, and those that were there.
type Counts = (i64, i64);

// What is asked behind a statement names its schema: the statement may have changed the search path.
const TOUCHED: &str = "SELECT relid::bigint, n_tup_ins, n_tup_upd + n_tup_del, n_tup_del, \
    pg_catalog.quote_ident(schemaname) || '.' || pg_catalog.quote_ident(relname) \
    FROM pg_catalog.pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd + n_tup_del > 0";
const SHAPE: &str = "SELECT coalesce(pg_catalog.md5(pg_catalog.string_agg(\
    c.oid || ':' || c.relfilenode || ':' || c.relnatts, ',' ORDER BY c.oid)), ''), \
    coalesce(pg_catalog.bool_or(c.relkind = 'f'), false) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
const SIZE: &str = "SELECT pg_catalog.has_table_privilege(oid, 'SELECT'), reltuples::pg_catalog.float8 \
    FROM pg_catalog.pg_class WHERE oid = $1::bigint::pg_catalog.oid";
const MAKE_KEYS: &str = "CREATE TABLE IF NOT EXISTS ai_infra_calls \
    (key TEXT NOT NULL PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now(), changed BIGINT NOT NULL)";
/// The lock under which the table of keys is made: two who make it at once would hinder one another.
const MAKING: &str = "SELECT pg_advisory_xact_lock(7231095506424)";
const KEYS: &str = "SELECT c.oid::bigint, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = pg_catalog.to_regclass('ai_infra_calls')";
const KEYS_TOUCHED: &str = "SELECT pg_catalog.concat_ws(' ', relnamespace, relname, relfilenode, relnatts, relhasrules, \
    relhastriggers, pg_catalog.pg_stat_get_xact_tuples_inserted(oid), \
    pg_catalog.pg_stat_get_xact_tuples_updated(oid), pg_catalog.pg_stat_get_xact_tuples_deleted(oid)) \
    FROM pg_catalog.pg_class WHERE oid = $1::bigint::pg_catalog.oid";

/// The table of keys of a PostgreSQL database, found before a statement.
pub(super) struct Keys {
    id: i64,
    /// With its schema, as SQL reads it back.
    name: String,
}

impl Keys {
    async fn find(connection: &mut PgConnection) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_as(KEYS).fetch_optional(connection).await?;
        Ok(row.map(|(id, name)| Self { id, name }))
    }

    /// Finds it; makes it where there is none.
    pub(super) async fn made(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        if let Some(keys) = Self::find(connection).await? {
            return Ok(keys);
        }
        sqlx::raw_sql(MAKING).execute(&mut *connection).await?;
        sqlx::raw_sql(MAKE_KEYS).execute(&mut *connection).await?;
        let made = Self::find(connection).await?;
        made.ok_or(sqlx::Error::RowNotFound)
    }

    /// Takes a key: whoever holds the same one in an open transaction is waited for. Answers what was noted of it, where
    /// it is there already.
    pub(super) async fn take(
        &self,
        connection: &mut PgConnection,
        key: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        let name = &self.name;
        let take =
            format!("INSERT INTO {name} (key, changed) VALUES ($1, -1) ON CONFLICT DO NOTHING");
        let taken = sqlx::query(AssertSqlSafe(take)).bind(key);
        if taken.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(None);
        }
        let noted = format!("SELECT changed FROM {name} WHERE key = $1");
        let noted = sqlx::query_scalar(AssertSqlSafe(noted)).bind(key);
        noted.fetch_one(connection).await.map(Some)
    }

    /// Notes what was changed under a key; says whether the key was there to note it.
    pub(super) async fn note(
        &self,
        connection: &mut PgConnection,
        key: &str,
        changed: i64,
    ) -> Result<bool, sqlx::Error> {
        let note = format!("UPDATE {} SET changed = $2 WHERE key = $1", self.name);
        let note = sqlx::query(AssertSqlSafe(note)).bind(key).bind(changed);
        Ok(note.execute(connection).await?.rows_affected() == 1)
    }

    /// Its shape, and how often this transaction touched it: another answer is another touch.
    pub(super) async fn touched(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<String>, sqlx::Error> {
        let touched = sqlx::query_scalar(KEYS_TOUCHED).bind(self.id);
        touched.fetch_optional(connection).await
    }
}

/// A PostgreSQL database before a statement.
pub(super) struct Before {
    counts: BTreeMap<i64, Counts>,
    shape: String,
    /// It has tables that lie elsewhere, of which it counts nothing.
    foreign: bool,
    /// The statement changes the shape, whatever is seen of that.
    shaping: bool,
}

async fn seen_shape(connection: &mut PgConnection) -> Result<(String, bool), sqlx::Error> {
    let row = sqlx::query(SHAPE).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
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
    pub(super) async fn look(
        connection: &mut PgConnection,
        shaping: bool,
    ) -> Result<Self, sqlx::Error> {
        let counts = counts(connection).await?;
        let (shape, foreign) = seen_shape(connection).await?;
        Ok(Self {
            counts: counts.into_iter().map(|(id, one)| (id, one.0)).collect(),
            shape,
            foreign,
            shaping,
        })
    }

    /// Looks again, after it. `told` is the number of rows that the server says of the statement, where that means rows
    /// it changed.
    pub(super) async fn after(
        &self,
        connection: &mut PgConnection,
        told: Option<u64>,
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
        // What other statements do to one that lies elsewhere, nobody tells.
        if self.foreign && told.is_none() && !self.shaping {
            let table = "foreign tables".to_owned();
            tables.push(Touched {
                table,
                ..unnamed(UNCOUNTED)
            });
        }
        let (shape, _) = seen_shape(connection).await?;
        Ok(Tried {
            tables,
            shape: self.shaping || shape != self.shape,
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
    let count = format!("SELECT pg_catalog.count(*) FROM {table}");
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
