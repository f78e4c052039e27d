//! The schema of a PostgreSQL database, from its catalogue and its counters.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{Index, Reference, Schema, Table};
use crate::data::postgres_rows::with;
use crate::limits::InspectError;
use crate::postgres::{Server, told};

/// Tables with an estimate above this are not counted, and their references not followed.
const MOST_COUNTED: i64 = 1_000_000;

const TABLES: &str = "SELECT c.oid::int8, CASE WHEN pg_table_is_visible(c.oid) THEN quote_ident(relname) ELSE quote_ident(nspname) || '.' || quote_ident(relname) END, \
    quote_ident(nspname) || '.' || quote_ident(relname), greatest(reltuples, -1)::int8, \
    (pg_total_relation_size(c.oid) + coalesce((SELECT sum(pg_total_relation_size(i.inhrelid)) FROM pg_inherits i WHERE i.inhparent = c.oid), 0))::int8, \
    (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)::int8, \
    coalesce((SELECT array_agg(attname::text ORDER BY array_position(i.indkey::int2[], attnum)) FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary), '{}') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND NOT relispartition \
    AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_%' AND relname <> 'ai_infra_calls' ORDER BY 2 LIMIT 500";

const REFERENCES: &str = "SELECT (SELECT array_agg(attname::text ORDER BY array_position(conkey, attnum)) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)), \
    (SELECT array_agg(attname::text ORDER BY array_position(confkey, attnum)) FROM pg_attribute WHERE attrelid = confrelid AND attnum = ANY(confkey)), \
    confrelid::regclass::text, f.reltuples::int8 FROM pg_constraint JOIN pg_class f ON f.oid = confrelid WHERE contype = 'f' AND conrelid = $1::int8::oid ORDER BY conname";

const INDEXES: &str = "SELECT x.relname::text, i.indisunique, pg_relation_size(x.oid)::int8, s.idx_scan::int8, i.indpred IS NOT NULL, \
    ARRAY(SELECT pg_get_indexdef(x.oid, n::int, true) FROM generate_series(1, i.indnkeyatts) n) \
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = x.oid \
    WHERE i.indrelid = $1::int8::oid AND NOT i.indisprimary ORDER BY 1";

pub(super) fn scan(server: Server<'_>, most: Duration) -> Result<Schema, InspectError> {
    with(server, most, async |db| {
        read(db).await.map_err(|e| told(&e))
    })
}

async fn read(db: &mut PgConnection) -> Result<Schema, sqlx::Error> {
    let mut tables = Vec::new();
    for row in sqlx::query(TABLES).fetch_all(&mut *db).await? {
        let (oid, name, whole): (i64, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (estimate, bytes, columns): (i64, i64, i64) =
            (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        // A table that was never analysed has no estimate; what is small is counted.
        let counted = (0..=MOST_COUNTED).contains(&estimate) || estimate < 0 && bytes < 1 << 28;
        let rows = match counted {
            true => {
                sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {whole}")))
                    .fetch_one(&mut *db)
                    .await?
            }
            false => estimate.max(0),
        };
        tables.push(Table {
            name,
            rows: rows.unsigned_abs(),
            estimated: !counted,
            bytes: Some(bytes.unsigned_abs()),
            columns: columns.unsigned_abs(),
            key: row.try_get(6)?,
            references: references(db, oid, &whole, counted).await?,
            indexes: indexes(db, oid).await?,
        });
    }
    let facts = "SELECT pg_database_size(current_database())::int8, \
        (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('v', 'm') AND nspname NOT IN ('pg_catalog', 'information_schema'))::int8, \
        (SELECT to_char(stats_reset, 'YYYY-MM-DD') FROM pg_stat_database WHERE datname = current_database())";
    let row = sqlx::query(facts).fetch_one(&mut *db).await?;
    let (bytes, views): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Schema {
        kind: "postgres".to_owned(),
        tables,
        views: views.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        counted_since: row.try_get(2)?,
        findings: Vec::new(),
    })
}

async fn references(
    db: &mut PgConnection,
    oid: i64,
    table: &str,
    counted: bool,
) -> Result<Vec<Reference>, sqlx::Error> {
    let mut found = Vec::new();
    for row in sqlx::query(REFERENCES)
        .bind(oid)
        .fetch_all(&mut *db)
        .await?
    {
        let (columns, there): (Vec<String>, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
        let (to, rows): (String, i64) = (row.try_get(2)?, row.try_get(3)?);
        let broken = match counted && rows <= MOST_COUNTED {
            true => {
                let quoted = crate::postgres::quoted;
                let set: Vec<String> = columns
                    .iter()
                    .map(|c| format!("a.{} IS NOT NULL", quoted(c)))
                    .collect();
                let same: Vec<String> = columns
                    .iter()
                    .zip(&there)
                    .map(|(a, b)| format!("a.{} = b.{}", quoted(a), quoted(b)))
                    .collect();
                let query = format!(
                    "SELECT count(*) FROM {table} a WHERE {} AND NOT EXISTS (SELECT 1 FROM {to} b WHERE {})",
                    set.join(" AND "),
                    same.join(" AND ")
                );
                let broken: i64 = sqlx::query_scalar(AssertSqlSafe(query))
                    .fetch_one(&mut *db)
                    .await?;
                Some(broken.unsigned_abs())
            }
            false => None,
        };
        found.push(Reference {
            columns,
            to,
            broken,
            indexed: false,
        });
    }
    Ok(found)
}

async fn indexes(db: &mut PgConnection, oid: i64) -> Result<Vec<Index>, sqlx::Error> {
    let mut found = Vec::new();
    for row in sqlx::query(INDEXES).bind(oid).fetch_all(&mut *db).await? {
        let (bytes, uses): (i64, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
        let mut columns: Vec<String> = row.try_get(5)?;
        if row.try_get(4)? {
            columns.push("(of some rows)".to_owned());
        }
        found.push(Index {
            name: row.try_get(0)?,
            columns,
            unique: row.try_get(1)?,
            bytes: Some(bytes.unsigned_abs()),
            uses: uses.map(i64::unsigned_abs),
            within: None,
        });
    }
    Ok(found)
}
