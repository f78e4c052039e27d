//! The tables of a database and how they hang together: rows, sizes, keys, references that lead nowhere, indexes that
//! nobody uses or that say the same twice.

use serde::{Deserialize, Serialize};

use crate::data::{FileKind, Place, kind_of};
use crate::limits::InspectError;

mod postgres;
mod sqlite;

/// A reference from one table to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table they refer to.
    pub to: String,
    /// Rows whose reference leads nowhere; none where the table was too large to look.
    pub broken: Option<u64>,
    /// The table has an index that begins with these columns.
    pub indexed: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its columns, or expressions.
    pub columns: Vec<String>,
    /// No two rows may be the same in them.
    pub unique: bool,
    /// Its size in bytes, where the database says.
    pub bytes: Option<u64>,
    /// How often it was used since the server began to count; none where nobody counts.
    pub uses: Option<u64>,
    /// Another index of the table with the same columns, or that begins with them.
    pub within: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The rows are the server's own estimate.
    pub estimated: bool,
    /// Its size in bytes, with its indexes, where the database says.
    pub bytes: Option<u64>,
    /// Its columns.
    pub columns: u64,
    /// Columns of the primary key.
    pub key: Vec<String>,
    /// References to other tables.
    pub references: Vec<Reference>,
    /// Indexes beside the primary key's own.
    pub indexes: Vec<Index>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// Its tables, the largest first.
    pub tables: Vec<Table>,
    /// Views.
    pub views: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Since when uses of indexes are counted.
    pub counted_since: Option<String>,
    /// What is to be looked at, a sentence each.
    pub findings: Vec<String>,
}

/// Looks at a database.
///
/// # Errors
/// [`InspectError`] where it cannot be read.
pub fn scan(place: &Place<'_>) -> Result<Schema, InspectError> {
    let mut schema = match *place {
        Place::File { path, .. } => match kind_of(path)? {
            FileKind::Sqlite => sqlite::scan(path)?,
            FileKind::Csv(_) | FileKind::Json => {
                return Err(InspectError::not_read(
                    path.display(),
                    "it is a file of text, not a database; `profile` says what it holds",
                ));
            }
        },
        Place::Server { server, most, .. } => postgres::scan(server, most)?,
    };
    schema
        .tables
        .sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    for table in &mut schema.tables {
        settle(table);
    }
    schema.findings = findings(&schema);
    Ok(schema)
}

/// What follows from a table's own facts.
fn settle(table: &mut Table) {
    let begins = |long: &[String], short: &[String]| long.starts_with(short);
    for reference in &mut table.references {
        reference.indexed = begins(&table.key, &reference.columns)
            || table
                .indexes
                .iter()
                .any(|index| begins(&index.columns, &reference.columns));
    }
    let others: Vec<(String, Vec<String>, bool)> = table
        .indexes
        .iter()
        .map(|i| (i.name.clone(), i.columns.clone(), i.unique))
        .collect();
    let key =
        (!table.key.is_empty()).then(|| ("the primary key".to_owned(), table.key.clone(), true));
    for (at, index) in table.indexes.iter_mut().enumerate() {
        // An expression says nothing to compare by; what must be unique has a purpose of its own.
        if index.unique || index.columns.iter().any(|column| column.contains('(')) {
            continue;
        }
        let covers = |(n, (name, columns, _)): (usize, &(String, Vec<String>, bool))| {
            let twin = *columns == index.columns;
            let first = twin && n > at && others.get(n).is_some_and(|(_, _, unique)| !unique);
            (n != at && begins(columns, &index.columns) && !first).then(|| name.clone())
        };
        index.within = others.iter().enumerate().find_map(covers);
        if index.within.is_none() {
            index.within = key
                .iter()
                .find(|(_, columns, _)| begins(columns, &index.columns))
                .map(|(name, ..)| name.clone());
        }
    }
}

fn findings(schema: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for table in &schema.tables {
        for reference in &table.references {
            if let Some(broken) = reference.broken.filter(|broken| *broken > 0) {
                let (rows, refer) = if broken == 1 {
                    ("row", "refers")
                } else {
                    ("rows", "refer")
                };
                found.push(format!(
                    "{broken} {rows} of {} {refer} by {} to {} that {} not there",
                    table.name,
                    reference.columns.join(", "),
                    reference.to,
                    if broken == 1 { "is" } else { "are" }
                ));
            }
        }
    }
    for table in &schema.tables {
        if table.key.is_empty() {
            found.push(format!("{} has no primary key", table.name));
        }
        for reference in table
            .references
            .iter()
            .filter(|r| !r.indexed && table.rows >= 1000)
        {
            found.push(format!(
                "{} refers by {} to {} without an index: deleting there reads all of it",
                table.name,
                reference.columns.join(", "),
                reference.to
            ));
        }
        for index in &table.indexes {
            if let Some(other) = &index.within {
                found.push(format!(
                    "index {} of {} says what {other} says too",
                    index.name, table.name
                ));
            } else if index.uses == Some(0) && !index.unique && table.rows > 0 {
                found.push(format!(
                    "index {} of {} was never used",
                    index.name, table.name
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::sqlite::make;

    #[test]
    fn planted_trouble_of_a_file_is_told_and_decoys_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        make(
            &path,
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), day TEXT); \
            CREATE TABLE log (at TEXT, text TEXT); CREATE VIEW recent AS SELECT * FROM orders; \
            CREATE INDEX by_customer ON orders (customer_id); CREATE INDEX by_customer_day ON orders (customer_id, day); CREATE INDEX by_day ON orders (day); CREATE INDEX by_lower ON orders (lower(day)); \
            INSERT INTO customers VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 1, 'x'), (2, 2, 'y'), (3, NULL, 'z'); \
            PRAGMA foreign_keys = OFF; INSERT INTO orders VALUES (4, 77, 'w'), (5, 78, 'w'); INSERT INTO log VALUES ('x', 'y')",
        );
        let found = scan(&Place::File {
            path: &path,
            table: None,
        })
        .unwrap();
        let seen: Vec<(&str, u64)> = found
            .tables
            .iter()
            .map(|t| (t.name.as_str(), t.rows))
            .collect();
        assert_eq!(
            (seen, found.views),
            (vec![("orders", 5), ("customers", 2), ("log", 1)], 1)
        );
        assert_eq!(
            found.findings,
            [
                "2 rows of orders refer by customer_id to customers that are not there",
                "index by_customer of orders says what by_customer_day says too",
                "log has no primary key",
            ]
        );
        make(
            &dir.path().join("good.db"),
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a, n INT, PRIMARY KEY (a, n))",
        );
        let good = scan(&Place::File {
            path: &dir.path().join("good.db"),
            table: None,
        })
        .unwrap();
        assert_eq!(good.findings, Vec::<String>::new());
        let csv = dir.path().join("a.csv");
        std::fs::write(&csv, "a\nx\n").unwrap();
        assert!(
            scan(&Place::File {
                path: &csv,
                table: None
            })
            .unwrap_err()
            .to_string()
            .contains("not a database")
        );
    }
}
