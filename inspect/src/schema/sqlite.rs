//! The schema of an SQLite file, from its own tables of it.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{Index, Reference, Schema, Table};
use crate::data::sqlite::{names, with};
use crate::limits::InspectError;
use crate::postgres::quoted;

pub(super) fn scan(path: &Path) -> Result<Schema, InspectError> {
    let (tables, views, bytes) = with(path, async |db| {
        let mut tables = Vec::new();
        for name in names(db).await? {
            tables.push(table(db, name).await?);
        }
        let views: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE type = 'view'")
                .fetch_one(&mut *db)
                .await?;
        let bytes: i64 = sqlx::query_scalar(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        )
        .fetch_one(&mut *db)
        .await?;
        Ok((tables, views, bytes))
    })?;
    Ok(Schema {
        kind: "sqlite".to_owned(),
        tables,
        views: views.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        counted_since: None,
        findings: Vec::new(),
    })
}

async fn table(db: &mut SqliteConnection, name: String) -> Result<Table, sqlx::Error> {
    let count = format!("SELECT count(*) FROM {}", quoted(&name));
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
        .fetch_one(&mut *db)
        .await?;
    let columns: i64 = sqlx::query_scalar("SELECT count(*) FROM pragma_table_info($1)")
        .bind(&name)
        .fetch_one(&mut *db)
        .await?;
    let key: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk")
            .bind(&name)
            .fetch_all(&mut *db)
            .await?;
    // Not every build can say how large a table is.
    let size = "SELECT sum(pgsize) FROM dbstat WHERE name = $1 OR name IN (SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = $1)";
    let bytes: Option<i64> = sqlx::query_scalar(size)
        .bind(&name)
        .fetch_one(&mut *db)
        .await
        .unwrap_or(None);
    let references = references(db, &name).await?;
    let indexes = indexes(db, &name).await?;
    Ok(Table {
        name,
        rows: rows.unsigned_abs(),
        estimated: false,
        bytes: bytes.map(i64::unsigned_abs),
        columns: columns.unsigned_abs(),
        key,
        references,
        indexes,
    })
}

async fn references(db: &mut SqliteConnection, table: &str) -> Result<Vec<Reference>, sqlx::Error> {
    let parts = sqlx::query(
        "SELECT id, \"table\", \"from\" FROM pragma_foreign_key_list($1) ORDER BY id, seq",
    )
    .bind(table)
    .fetch_all(&mut *db)
    .await?;
    let mut found: Vec<(i64, Reference)> = Vec::new();
    for part in parts {
        let (id, to, from): (i64, String, String) =
            (part.try_get(0)?, part.try_get(1)?, part.try_get(2)?);
        match found.last_mut().filter(|(last, _)| *last == id) {
            Some((_, reference)) => reference.columns.push(from),
            None => found.push((
                id,
                Reference {
                    columns: vec![from],
                    to,
                    broken: Some(0),
                    indexed: false,
                },
            )),
        }
    }
    // A reference to a table or column that is not there cannot be checked and is an error of its own.
    let broken =
        sqlx::query("SELECT fkid, count(*) FROM pragma_foreign_key_check($1) GROUP BY fkid")
            .bind(table)
            .fetch_all(&mut *db)
            .await;
    match broken {
        Ok(rows) => {
            for row in rows {
                let (id, count): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                if let Some((_, reference)) = found.iter_mut().find(|(of, _)| *of == id) {
                    reference.broken = Some(count.unsigned_abs());
                }
            }
        }
        Err(_) => found
            .iter_mut()
            .for_each(|(_, reference)| reference.broken = None),
    }
    Ok(found.into_iter().map(|(_, reference)| reference).collect())
}

async fn indexes(db: &mut SqliteConnection, table: &str) -> Result<Vec<Index>, sqlx::Error> {
    let all = sqlx::query("SELECT name, \"unique\", partial FROM pragma_index_list($1) WHERE origin <> 'pk' ORDER BY name")
        .bind(table)
        .fetch_all(&mut *db)
        .await?;
    let mut found = Vec::new();
    for row in all {
        let (name, unique, partial): (String, bool, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let mut columns: Vec<String> = sqlx::query_scalar(
            "SELECT coalesce(name, '(an expression)') FROM pragma_index_info($1) ORDER BY seqno",
        )
        .bind(&name)
        .fetch_all(&mut *db)
        .await?;
        if partial {
            columns.push("(of some rows)".to_owned());
        }
        found.push(Index {
            name,
            columns,
            unique,
            bytes: None,
            uses: None,
            within: None,
        });
    }
    Ok(found)
}
