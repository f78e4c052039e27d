//! How many rows a statement for an SQLite file touches, table by table, with what triggers and references did: SQLite's hook of
//! changes says it, and the rows that there were and are, where the hook is silent (a table emptied whole, rows that give
//! way to others, tables without row ids). In doubt more is said than was done.

use super::contained::Found;
use protocol::acts::{Touched, Tried};
use rusqlite::hooks::Action;
use rusqlite::{Connection, Error};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What the hook was told of a table.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    added: u64,
    /// Rows that were there and are changed or removed.
    changed: u64,
    /// Those that are removed among them.
    removed: u64,
}

/// A count that is kept while a statement runs.
pub(super) struct Counted {
    seen: Arc<Mutex<BTreeMap<String, Told>>>,
    /// Rows of the tables that the statement writes.
    before: BTreeMap<String, u64>,
    total: u64,
}

impl Counted {
    /// Begins, once the statement is compiled.
    pub fn begin(connection: &Connection, found: &Found) -> Result<Self, Error> {
        let mut before = BTreeMap::new();
        for table in &found.tables {
            if let Some(rows) = count(connection, table)? {
                before.insert(table.clone(), rows);
            }
        }
        let seen: Arc<Mutex<BTreeMap<String, Told>>> = Arc::default();
        let told = seen.clone();
        connection.update_hook(Some(move |action: Action, _: &str, table: &str, _: i64| {
            let mut seen = told.lock().unwrap_or_else(PoisonError::into_inner);
            let told = seen.entry(table.to_owned()).or_default();
            match action {
                Action::SQLITE_INSERT => told.added += 1,
                Action::SQLITE_DELETE => {
                    told.changed += 1;
                    told.removed += 1;
                }
                _ => told.changed += 1,
            }
        }))?;
        Ok(Self {
            seen,
            before,
            total: connection.total_changes(),
        })
    }

    /// Ends it.
    pub fn end(self, connection: &Connection, found: &Found) -> Result<Tried, Error> {
        connection.update_hook(None::<fn(Action, &str, &str, i64)>)?;
        let total = connection.total_changes() - self.total;
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let names: BTreeSet<&String> = seen.keys().chain(self.before.keys()).collect();
        let mut tables = Vec::new();
        // Of all changes that SQLite counted, those that are told of no table yet.
        let told = |told: &Told| told.added + told.changed;
        let mut rest = total.saturating_sub(seen.values().map(told).sum());
        for table in names {
            let told = seen.get(table).copied().unwrap_or_default();
            let now = count(connection, table)?;
            let before = self.before.get(table).copied();
            // Rows that are gone without a word.
            let silent = match (before, now) {
                (Some(before), Some(now)) => {
                    (before + told.added).saturating_sub(now + told.removed)
                }
                _ => 0,
            };
            // The total has those of a table that was emptied whole, or has no row ids; not those that gave way.
            if now == Some(0) || (told.added + told.changed == 0) {
                rest = rest.saturating_sub(silent);
            }
            let changed = told.changed + silent;
            if changed + told.added > 0 {
                tables.push(Touched {
                    table: table.clone(),
                    changed,
                    added: told.added,
                    of: before.filter(|_| changed > 0),
                });
            }
        }
        if rest > 0 {
            tables.push(Touched {
                table: String::new(),
                changed: rest,
                added: 0,
                of: None,
            });
        }
        Ok(Tried {
            tables,
            shape: found.shape,
        })
    }
}

/// Rows of a table; `None` where it is none any more.
fn count(connection: &Connection, table: &str) -> Result<Option<u64>, Error> {
    let there =
        "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
    if connection.query_row(there, [table], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let count = format!(
        "SELECT count(*) FROM main.\"{}\"",
        table.replace('"', "\"\"")
    );
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
    Ok(Some(u64::try_from(rows).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::contained::Contained;
    use super::*;

    /// What a statement does to ten numbered rows of `a`, each with a row of `b`, as people are told it.
    fn check(sql: &str, expected: &str) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; CREATE TABLE a (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, n INTEGER);
                 CREATE TABLE b (of INTEGER REFERENCES a (id) ON DELETE CASCADE);
                 CREATE TABLE w (k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO a SELECT i, i, 0 FROM n;
                 INSERT INTO b SELECT id FROM a; INSERT INTO w SELECT id, 0 FROM a; CREATE TABLE e (x); CREATE TABLE f (x);
                 INSERT INTO e SELECT id FROM a; INSERT INTO f SELECT id FROM a;
                 CREATE TRIGGER g AFTER DELETE ON f BEGIN INSERT INTO e VALUES (1); END",
            )
            .unwrap();
        let contained = Contained::begin(&connection).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let counted = Counted::begin(&connection, &contained.found()).unwrap();
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        let tried = counted.end(&connection, &contained.found()).unwrap();
        assert_eq!(tried.line(), expected, "{sql}");
    }

    #[test]
    fn what_is_touched_is_told_and_what_is_not_told_is_counted() {
        check(
            "UPDATE a SET n = 1 WHERE id < 4",
            "3 of 10 rows in a (30 %)",
        );
        check(
            "DELETE FROM a WHERE id = 1",
            "1 of 10 rows in a (10 %); 1 of 10 rows in b (10 %)",
        );
        check("DELETE FROM e", "10 of 10 rows in e (100 %)");
        check(
            "DELETE FROM f",
            "10 rows more in e; 10 of 10 rows in f (100 %)",
        );
        check("INSERT INTO e VALUES (1), (2)", "2 rows more in e");
        // Each row gives way to another, with what refers to it.
        check(
            "INSERT OR REPLACE INTO a SELECT id, u, 7 FROM a",
            "10 of 10 rows in a (100 %), 10 rows more in a; 10 of 10 rows in b (100 %)",
        );
        // One row takes the places of two.
        check(
            "INSERT OR REPLACE INTO a VALUES (1, 2, 7)",
            "2 of 10 rows in a (20 %), 1 row more in a; 2 of 10 rows in b (20 %)",
        );
        check(
            "UPDATE OR REPLACE a SET u = 2 WHERE id = 1",
            "2 of 10 rows in a (20 %); 1 of 10 rows in b (10 %)",
        );
        check("DELETE FROM w WHERE k < '3'", "3 of 10 rows in w (30 %)");
        check("UPDATE w SET n = 1", "10 rows in a table");
        check(
            "INSERT OR REPLACE INTO w SELECT k, 7 FROM w",
            "10 rows in a table",
        );
        check("SELECT 1", "no row");
        check(
            "DROP TABLE e",
            "the shape of the database: rows do not tell what is lost",
        );
    }
}
