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
    /// Rows may give way to others.
    gives_way: bool,
    total: u64,
}

impl Counted {
    /// Begins, once the statement is compiled.
    pub fn begin(connection: &Connection, found: &Found, statement: &str) -> Result<Self, Error> {
        let gives_way = gives_way(connection, statement)?;
        let mut before = BTreeMap::new();
        // How many there were of what only grows matters to nobody.
        let only_grows = match gives_way {
            true => Some(&found.inserts),
            false => None,
        };
        let counted = found.updates.union(&found.deletes);
        for table in counted.chain(only_grows.into_iter().flatten()) {
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
            gives_way,
            total: connection.total_changes(),
        })
    }

    /// Ends it.
    pub fn end(self, connection: &Connection, found: &Found) -> Result<Tried, Error> {
        connection.update_hook(None::<fn(Action, &str, &str, i64)>)?;
        let total = connection.total_changes() - self.total;
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        // Of all changes that SQLite counted, those that are told of no table yet.
        let told = |told: &Told| told.added + told.changed;
        let mut rest = total.saturating_sub(seen.values().map(told).sum());
        let mut tables = Vec::new();
        // Tables whose rows have no ids: the hook is silent about them.
        let mut silent = BTreeSet::new();
        let names = seen.keys().chain(self.before.keys());
        let names: BTreeSet<&String> = names.chain(&found.inserts).collect();
        for table in names {
            let told = seen.get(table).copied().unwrap_or_default();
            let before = self.before.get(table).copied();
            let puts = found.inserts.contains(table) || found.updates.contains(table);
            if puts && !seen.contains_key(table) && has_no_ids(connection, table)? {
                silent.insert(table);
                continue;
            }
            // Rows that are gone without a word: of a table that was emptied whole, and those that gave way.
            let looked = self.gives_way || found.deletes.contains(table);
            let gone = match before.filter(|_| looked) {
                Some(before) => {
                    let now = count(connection, table)?.unwrap_or(before);
                    let gone = (before + told.added).saturating_sub(now + told.removed);
                    // The total has them, but for those that gave way.
                    if now == 0 || !puts {
                        rest = rest.saturating_sub(gone);
                    }
                    gone
                }
                None => 0,
            };
            tables.push(Touched {
                table: table.clone(),
                changed: told.changed + gone,
                added: told.added,
                of: before,
            });
        }
        let alone = silent.len() == 1;
        for table in silent {
            let before = self.before.get(table).copied();
            let (puts, changes) = (found.inserts.contains(table), found.updates.contains(table));
            let added = if puts { rest } else { 0 };
            // As many as can have given way to what came.
            let gone = match before {
                Some(before) => {
                    let now = count(connection, table)?.unwrap_or(before);
                    (before + added).saturating_sub(now)
                }
                None => 0,
            };
            let changed = if changes && alone { rest } else { 0 };
            tables.push(Touched {
                table: table.clone(),
                changed: gone + changed,
                added: if alone { added } else { 0 },
                of: before,
            });
        }
        if rest > 0 && !alone {
            tables.push(Touched {
                table: String::new(),
                changed: rest,
                added: 0,
                of: None,
            });
        }
        tables.retain(|one| one.changed + one.added > 0);
        for one in &mut tables {
            one.of = one.of.filter(|_| one.changed > 0);
        }
        Ok(Tried {
            tables,
            shape: found.shape,
        })
    }
}

/// Whether rows may give way to others: the statement says so, or a table or a trigger does.
fn gives_way(connection: &Connection, statement: &str) -> Result<bool, Error> {
    let says = statement.to_ascii_lowercase().contains("replace");
    let any = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE sql LIKE '%replace%')";
    Ok(says || connection.query_row(any, [], |row| row.get(0))?)
}

fn has_no_ids(connection: &Connection, table: &str) -> Result<bool, Error> {
    let says = "SELECT EXISTS (SELECT 1 FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE AND wr = 1)";
    connection.query_row(says, [table], |row| row.get(0))
}

/// Rows of a table; `None` where it is none any more, or one that a module keeps.
fn count(connection: &Connection, table: &str) -> Result<Option<u64>, Error> {
    let there = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1 COLLATE NOCASE";
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
                 CREATE TABLE wu (k INTEGER PRIMARY KEY, u INTEGER UNIQUE) WITHOUT ROWID; INSERT INTO wu SELECT id, id FROM a;
                 CREATE TRIGGER g AFTER DELETE ON f BEGIN INSERT INTO e VALUES (1); END",
            )
            .unwrap();
        let contained = Contained::begin(&connection).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let counted = Counted::begin(&connection, &contained.found(), sql).unwrap();
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
        check("UPDATE w SET n = 1", "10 of 10 rows in w (100 %)");
        check(
            "INSERT INTO w VALUES ('x', 1), ('y', 2)",
            "2 rows more in w",
        );
        check(
            "INSERT OR REPLACE INTO w SELECT k, 7 FROM w",
            "10 of 10 rows in w (100 %), 10 rows more in w",
        );
        check(
            "INSERT OR REPLACE INTO wu VALUES (1, 2)",
            "2 of 10 rows in wu (20 %), 1 row more in wu",
        );
        check(
            "UPDATE OR REPLACE wu SET u = 2 WHERE k = 1",
            "2 of 10 rows in wu (20 %)",
        );
        check("SELECT 1", "no row");
        check(
            "DROP TABLE e",
            "the shape of the database: rows do not tell what is lost",
        );
    }
}
