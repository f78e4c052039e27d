//! Tables of PostgreSQL: read by COPY in a transaction that cannot write and sees one moment.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::copy_text::{self, Lines};
use super::{Cell, Class, Column, Flow, See, Shape, waiting};
use crate::limits::InspectError;
use crate::postgres::{Server, close, known_tables, quoted, told};

/// Tables beyond these are not looked at.
const MOST_TABLES: i64 = 500;

/// Runs `work` in a transaction that cannot write.
pub(crate) fn with<T: Send>(
    server: Server<'_>,
    most: Duration,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, String> + Send,
) -> Result<T, InspectError> {
    let what = server.address.to_string();
    waiting(&what, || async {
        let failed = |why: String| InspectError::not_read(&what, why);
        let mut connection = server.read(most).await.map_err(InspectError::NoDatabase)?;
        let done = work(&mut connection).await.map_err(failed)?;
        close(connection).await;
        Ok(done)
    })
}

pub(super) fn tables(server: Server<'_>, most: Duration) -> Result<Vec<String>, InspectError> {
    with(server, most, async |db| names(db).await)
}

/// The tables, by the names one calls them by.
pub(crate) async fn names(db: &mut PgConnection) -> Result<Vec<String>, String> {
    sqlx::query_scalar(
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN quote_ident(relname) ELSE quote_ident(nspname) || '.' || quote_ident(relname) END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND NOT relispartition \
         AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_%' \
         AND relname <> 'ai_infra_calls' ORDER BY 1 LIMIT $1",
    )
    .bind(MOST_TABLES)
    .fetch_all(db)
    .await
    .map_err(|e| told(&e))
}

/// The whole name of a table, as SQL reads it; `None` where there is none.
async fn whole_name(db: &mut PgConnection, table: &str) -> Result<Option<String>, sqlx::Error> {
    // As SQL would read it; else letter by letter.
    sqlx::query_scalar(
        "SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE c.oid = coalesce(to_regclass($1), to_regclass(quote_ident($1)))::oid",
    )
    .bind(table)
    .fetch_optional(db)
    .await
}

pub(super) fn shape(
    server: Server<'_>,
    most: Duration,
    table: &str,
) -> Result<Shape, InspectError> {
    with(server, most, async |db| {
        let name = match whole_name(db, table).await {
            Ok(Some(name)) => name,
            Ok(None) => {
                return Err(format!(
                    "there is no table `{table}`{}",
                    known_tables(db).await
                ));
            }
            // What is no name at all is an error of its own to the server.
            Err(_) => {
                return Err(format!(
                    "`{table}` is no table's name{}",
                    known_tables(db).await
                ));
            }
        };
        let columns = sqlx::query(
            "SELECT attname::text, format_type(atttypid, atttypmod), t.typname::text, \
             coalesce((SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary), -1)::int8 \
             FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        )
        .bind(&name)
        .fetch_all(&mut *db)
        .await
        .map_err(|e| told(&e))?;
        let rows: f64 = sqlx::query_scalar(
            "SELECT greatest(reltuples, 0)::float8 FROM pg_class WHERE oid = $1::regclass",
        )
        .bind(&name)
        .fetch_one(&mut *db)
        .await
        .map_err(|e| told(&e))?;
        let mut key: Vec<(i64, String)> = Vec::new();
        let mut found = Vec::new();
        for row in &columns {
            let odd = |e: sqlx::Error| told(&e);
            let (column, declared, of): (String, String, String) = (
                row.try_get(0).map_err(odd)?,
                row.try_get(1).map_err(odd)?,
                row.try_get(2).map_err(odd)?,
            );
            let at: i64 = row.try_get(3).map_err(odd)?;
            if at >= 0 {
                key.push((at, column.clone()));
            }
            found.push(Column {
                name: column,
                class: class(&of),
                declared,
            });
        }
        key.sort();
        Ok(Shape {
            kind: "postgres",
            name,
            columns: found,
            key: key.into_iter().map(|(_, name)| name).collect(),
            rows: Some(rows as u64),
        })
    })
}

/// Every row; where the table's own estimate is above `most_rows`, a sample of its pages of about that many.
pub(super) fn rows(
    server: Server<'_>,
    most: Duration,
    shape: &Shape,
    most_rows: u64,
    see: See<'_>,
) -> Result<bool, InspectError> {
    let names: Vec<String> = shape.columns.iter().map(|c| quoted(&c.name)).collect();
    let estimate = shape.rows.unwrap_or(0);
    let sampled = estimate > most_rows;
    let sample = match sampled {
        true => format!(
            " TABLESAMPLE SYSTEM ({}) REPEATABLE (1)",
            most_rows as f64 / estimate as f64 * 100.0
        ),
        false => String::new(),
    };
    // A table's parts are read too; a view would not take a sample.
    let query = format!(
        "COPY (SELECT {} FROM {}{sample}) TO STDOUT",
        names.join(", "),
        shape.name
    );
    let mut wanted = true;
    with(server, most, async |db| {
        let mut stream = db.copy_out_raw(&query).await.map_err(|e| told(&e))?;
        let mut lines = Lines::default();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|e| told(&e))?;
            wanted = lines.take(&piece, |line| {
                let values = copy_text::values(line).zip(&shape.columns);
                let cells: Vec<Cell> = values
                    .map(|(value, column)| cell(value, column.class))
                    .collect();
                see(&cells) == Flow::On
            });
            if !wanted {
                break;
            }
        }
        Ok(())
    })?;
    Ok(wanted && !sampled)
}

fn cell(value: Option<Cow<'_, str>>, class: Class) -> Cell<'_> {
    match (value, class) {
        (None, _) => Cell::Null,
        (Some(text), Class::Boolean) => {
            Cell::Text(Cow::Borrowed(if text == "t" { "true" } else { "false" }))
        }
        (Some(text), Class::Integer) => match text.parse() {
            Ok(number) => Cell::Integer(number),
            Err(_) => Cell::Text(text),
        },
        (Some(text), Class::Blob) => match copy_text::bytes(&text) {
            Some(bytes) => Cell::Blob(Cow::Owned(bytes)),
            None => Cell::Text(text),
        },
        (Some(text), _) => Cell::Text(text),
    }
}

fn class(name: &str) -> Class {
    match name {
        "int2" | "int4" | "int8" | "oid" => Class::Integer,
        "numeric" | "float4" | "float8" => Class::Real,
        "bool" => Class::Boolean,
        "date" | "time" | "timetz" | "timestamp" | "timestamptz" => Class::Date,
        "bytea" => Class::Blob,
        _ => Class::Text,
    }
}
