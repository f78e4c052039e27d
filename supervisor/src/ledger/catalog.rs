//! Which tables a ledger has and what is in their columns, read from the database itself: what is carried from one
//! database to another is whatever the files in `migrations/` have made, without a list to be forgotten.

use super::error::LedgerError;
use super::place::Place;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Truth,
    Number,
    Text,
    Bytes,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// By name.
    pub(super) columns: Vec<(String, Kind)>,
    /// The tables its rows name rows of.
    needs: Vec<String>,
}

/// What is not ours: sqlx keeps its own, and each database has it already.
const NOT_CARRIED: &str = "_sqlx_migrations";

/// The tables of a file: table, column, declared type.
const IN_FILE: &str = "SELECT m.name AS of_table, c.name AS of_column, c.type AS of_type
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const NEEDS_IN_FILE: &str = "SELECT m.name AS of_table, f.\"table\" AS needs
    FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
/// The same on a server.
const ON_SERVER: &str = "SELECT CAST(table_name AS TEXT) AS of_table, CAST(column_name AS TEXT) AS of_column,
    CAST(data_type AS TEXT) AS of_type FROM information_schema.columns WHERE table_schema = current_schema()";
const NEEDS_ON_SERVER: &str = "SELECT CAST(c.relname AS TEXT) AS of_table, CAST(f.relname AS TEXT) AS needs
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
    WHERE k.contype = 'f' AND k.connamespace = to_regnamespace(quote_ident(current_schema()))";

/// Every table of a ledger, each after those it needs.
pub(super) async fn tables(
    place: &Place,
    connection: &mut AnyConnection,
) -> Result<Vec<Table>, LedgerError> {
    let (columns, needs) = match place {
        Place::File(_) => (IN_FILE, NEEDS_IN_FILE),
        Place::Server(_) => (ON_SERVER, NEEDS_ON_SERVER),
    };
    let columns = sqlx::query(columns).fetch_all(&mut *connection).await?;
    let needs = sqlx::query(needs).fetch_all(&mut *connection).await?;
    let text = |row: &AnyRow, column: &str| row.try_get::<String, _>(column);
    let mut tables: Vec<Table> = Vec::new();
    for row in &columns {
        let name = text(row, "of_table")?;
        if name == NOT_CARRIED {
            continue;
        }
        let (column, declared) = (text(row, "of_column")?, text(row, "of_type")?);
        let kind = kind(&declared).ok_or_else(|| LedgerError::Unreadable {
            what: "column",
            task: format!("{name}.{column}"),
            why: format!("it is of type {declared}"),
        })?;
        match tables.iter_mut().find(|table| table.name == name) {
            Some(table) => table.columns.push((column, kind)),
            None => tables.push(Table {
                name,
                columns: vec![(column, kind)],
                needs: Vec::new(),
            }),
        }
    }
    for row in &needs {
        let (name, needed) = (text(row, "of_table")?, text(row, "needs")?);
        if let Some(table) = tables.iter_mut().find(|table| table.name == name) {
            table.needs.push(needed);
        }
    }
    for table in &mut tables {
        table.columns.sort_by(|a, b| a.0.cmp(&b.0));
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(in_order(tables))
}

/// What a declared type means; both databases' words for it.
fn kind(declared: &str) -> Option<Kind> {
    let declared = declared.to_ascii_lowercase();
    Some(match declared.as_str() {
        "bigint" | "integer" => Kind::Whole,
        "boolean" => Kind::Truth,
        "double precision" => Kind::Number,
        "text" => Kind::Text,
        "blob" | "bytea" => Kind::Bytes,
        _ => return None,
    })
}

/// Each after those it needs; a table that needs itself, or is in a circle, comes as it is.
fn in_order(mut left: Vec<Table>) -> Vec<Table> {
    let mut ordered: Vec<Table> = Vec::new();
    while !left.is_empty() {
        let waits = |table: &Table| {
            let needs = table.needs.iter().filter(|needed| **needed != table.name);
            let mut needs = needs.filter(|needed| left.iter().any(|other| other.name == **needed));
            needs.next().is_some()
        };
        let at = left.iter().position(|table| !waits(table)).unwrap_or(0);
        ordered.push(left.remove(at));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_after_those_they_need() {
        let table = |name: &str, needs: &[&str]| Table {
            name: name.to_owned(),
            columns: Vec::new(),
            needs: needs.iter().map(|needed| (*needed).to_owned()).collect(),
        };
        let all = vec![
            table("a", &["b"]),
            table("b", &["b", "c"]),
            table("c", &[]),
            table("d", &["a", "gone"]),
        ];
        let names: Vec<String> = in_order(all).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
    }
}
