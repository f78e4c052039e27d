//! What a PostgreSQL database holds, as of the transaction it is read in. The same statements read the source and the
//! restored copy; values are told apart by their text under settings that are the same on both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{Contents, Table};
use crate::postgres::told;

/// Not of the system, and not put there by an extension, which a dump restores by its name alone.
const OWN: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'";

/// What a restored copy needs to know of its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The server's version.
    pub version: String,
    /// The database's encoding.
    pub encoding: String,
    /// Its order of texts.
    pub collation: String,
    /// Its size on the server, in bytes.
    pub bytes: u64,
    /// Those who own things, or may do things with them.
    pub roles: Vec<String>,
    /// The snapshot of the transaction, for `pg_dump`.
    #[serde(skip)]
    pub snapshot: String,
}

/// Reads it; the connection is in a transaction that sees one moment throughout.
///
/// # Errors
/// A sentence about what the server refused.
pub async fn frame(db: &mut PgConnection) -> Result<Frame, String> {
    let row = sqlx::query(
        "SELECT current_setting('server_version'), pg_encoding_to_char(encoding)::text, datcollate::text, \
         pg_database_size(oid), pg_export_snapshot() FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut *db)
    .await
    .map_err(|e| told(&e))?;
    let roles =
        "SELECT rolname::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1 LIMIT 5000";
    let roles: Vec<String> = sqlx::query_scalar(roles)
        .fetch_all(&mut *db)
        .await
        .map_err(|e| told(&e))?;
    let text = |at: usize| row.try_get::<String, _>(at).map_err(|e| told(&e));
    let bytes: i64 = row.try_get(3).map_err(|e| told(&e))?;
    Ok(Frame {
        version: text(0)?,
        encoding: text(1)?,
        collation: text(2)?,
        bytes: u64::try_from(bytes).unwrap_or_default(),
        roles,
        snapshot: text(4)?,
    })
}

/// Every table with its rows, and how many there are of what else is made.
///
/// # Errors
/// A sentence about what the server refused.
pub async fn contents(db: &mut PgConnection) -> Result<Contents, String> {
    // Rows that a policy hides from this user are an error, not left out.
    sqlx::raw_sql("SET row_security = off; SET lc_monetary = 'C'; SET xmlbinary = 'base64'; SET search_path = pg_catalog")
        .execute(&mut *db)
        .await
        .map_err(|e| told(&e))?;
    let tables = format!(
        "SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname, \
         format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OWN} AND {} ORDER BY 1",
        not_of_extension("pg_class", "c.oid")
    );
    let named = sqlx::query(AssertSqlSafe(tables))
        .fetch_all(&mut *db)
        .await
        .map_err(|e| told(&e))?;
    let mut all = Contents {
        objects: objects(db).await?,
        ..Contents::default()
    };
    for row in &named {
        let name: String = row.try_get(0).map_err(|e| told(&e))?;
        let quoted: String = row.try_get(1).map_err(|e| told(&e))?;
        let table = table(db, &quoted).await;
        let (rows, digest) = table.map_err(|e| format!("the table {name}: {}", told(&e)))?;
        all.tables.push(Table { name, rows, digest });
    }
    Ok(all)
}

async fn table(db: &mut PgConnection, quoted: &str) -> Result<(u64, String), sqlx::Error> {
    // A column may have any name, so the row's own is one that none has.
    let sum = |from: u32| {
        format!("coalesce(sum(('x' || substr(h, {from}, 16))::bit(64)::bigint::numeric), 0)::text")
    };
    let query = format!(
        "SELECT count(*), {} || '/' || {} FROM (SELECT encode(sha256(convert_to(ai_infra_row::text, 'UTF8')), 'hex') AS h \
         FROM ONLY {quoted} AS ai_infra_row) AS digests",
        sum(1),
        sum(17)
    );
    let row = sqlx::query(AssertSqlSafe(query))
        .persistent(false)
        .fetch_one(db)
        .await?;
    let rows: i64 = row.try_get(0)?;
    Ok((u64::try_from(rows).unwrap_or_default(), row.try_get(1)?))
}

async fn objects(db: &mut PgConnection) -> Result<BTreeMap<String, u64>, String> {
    let of_class = not_of_extension("pg_class", "c.oid");
    let of_function = not_of_extension("pg_proc", "p.oid");
    let query = format!(
        "SELECT kind, count(*) FROM (\
         SELECT CASE c.relkind WHEN 'i' THEN 'indexes' WHEN 'I' THEN 'indexes' WHEN 'S' THEN 'sequences' WHEN 'v' THEN 'views' \
           WHEN 'm' THEN 'materialized views' WHEN 'p' THEN 'partitioned tables' WHEN 'f' THEN 'foreign tables' END AS kind \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OWN} AND {of_class} AND c.relpersistence <> 't' \
         UNION ALL SELECT 'functions' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OWN} AND {of_function} \
         UNION ALL SELECT 'triggers' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
           WHERE NOT t.tgisinternal AND {OWN} AND {of_class} \
         UNION ALL SELECT 'constraints' FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE k.contype <> 'n' AND {OWN} \
           AND (k.conrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = k.conrelid AND {of_class})) \
         UNION ALL SELECT 'extensions' FROM pg_extension \
         UNION ALL SELECT 'large objects' FROM pg_largeobject_metadata\
         ) AS made WHERE kind IS NOT NULL GROUP BY kind ORDER BY kind"
    );
    let rows = sqlx::query(AssertSqlSafe(query))
        .fetch_all(db)
        .await
        .map_err(|e| told(&e))?;
    rows.iter()
        .map(|row| {
            let (kind, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            Ok((kind, u64::try_from(count).unwrap_or_default()))
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|e| told(&e))
}

fn not_of_extension(catalog: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.{catalog}'::regclass AND d.objid = {oid} AND d.deptype = 'e')"
    )
}
