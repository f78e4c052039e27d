//! What a data file holds: tables, columns, their types, empty values, distinct values and extremes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};

mod column;
mod csv;
mod sqlite;

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name; `column_3` where the header is empty.
    pub name: String,
    /// `integer`, `real`, `boolean`, `date`, `text`, `blob` or `empty`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Empty or NULL values.
    pub nulls: u64,
    /// Distinct values; none when there are more than are counted.
    pub distinct: Option<u64>,
    /// Smallest value: a number for numbers, else text in order of characters; null when the column is empty.
    pub min: serde_json::Value,
    /// Largest value.
    pub max: serde_json::Value,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableProfile {
    /// Its name; the file's stem for CSV.
    pub name: String,
    /// Rows, without the header.
    pub rows: u64,
    /// Columns, in their order.
    pub columns: Vec<ColumnProfile>,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `csv` or `sqlite`.
    pub kind: String,
    /// Its tables.
    pub tables: Vec<TableProfile>,
}

/// Profiles one file; the kind is told by its first bytes.
pub fn scan(file: &Path, limits: &Limits) -> Result<Profile, InspectError> {
    let mut head = Vec::new();
    let opened = File::open(file).and_then(|f| f.take(65_536).read_to_end(&mut head));
    opened.map_err(|e| InspectError::unreadable(file, e))?;
    if head.starts_with(b"SQLite format 3\0") {
        return sqlite::profile(file, limits);
    }
    if head.contains(&0) || head.is_empty() {
        let why = if head.is_empty() {
            "it is empty"
        } else {
            "it is neither text nor an SQLite database"
        };
        return Err(InspectError::NotProfiled {
            path: file.to_path_buf(),
            why: why.into(),
        });
    }
    csv::profile(file, &head, limits)
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn profile(name: &str, bytes: &[u8]) -> Result<Profile, InspectError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        scan(&dir.path().join(name), &Limits::default())
    }

    #[test]
    fn profiles_a_table_of_text() {
        let text = "id,price,name,day,ok,zip,none\n1,2.5,\"b, c\",2026-01-02,true,00123,\n2,,a,2025-12-31,false,00124,\n3,10,a,,true,00123,\n";
        let profile = profile("sales.csv", text.as_bytes()).unwrap();
        let table = &profile.tables[0];
        assert_eq!(
            (profile.kind.as_str(), table.name.as_str(), table.rows),
            ("csv", "sales", 3)
        );
        let seen: Vec<_> = table
            .columns
            .iter()
            .map(|c| {
                (
                    c.name.as_str(),
                    c.kind.as_str(),
                    c.nulls,
                    c.distinct,
                    &c.min,
                    &c.max,
                )
            })
            .collect();
        assert_eq!(seen[0], ("id", "integer", 0, Some(3), &json!(1), &json!(3)));
        assert_eq!(
            seen[1],
            ("price", "real", 1, Some(2), &json!(2.5), &json!(10.0))
        );
        assert_eq!(
            seen[2],
            ("name", "text", 0, Some(2), &json!("a"), &json!("b, c"))
        );
        assert_eq!(
            seen[3],
            (
                "day",
                "date",
                1,
                Some(2),
                &json!("2025-12-31"),
                &json!("2026-01-02")
            )
        );
        assert_eq!(
            seen[4],
            ("ok", "boolean", 0, Some(2), &json!("false"), &json!("true"))
        );
        assert_eq!(
            seen[5],
            ("zip", "text", 0, Some(2), &json!("00123"), &json!("00124"))
        );
        assert_eq!(
            seen[6],
            ("none", "empty", 3, Some(0), &json!(null), &json!(null))
        );
    }

    #[test]
    fn other_separators_ragged_rows_and_no_header() {
        let columns = |text: &str| {
            let table = profile("x.csv", text.as_bytes()).unwrap().tables.remove(0);
            (
                table.rows,
                table
                    .columns
                    .into_iter()
                    .map(|c| c.name)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(columns("a;b\n1;2,5\n"), (1, vec!["a".into(), "b".into()]));
        assert_eq!(
            columns("a\tb\n1\t2\n3\t4\n"),
            (2, vec!["a".into(), "b".into()])
        );
        assert_eq!(
            columns("1,2\n3,4\n"),
            (2, vec!["column_1".into(), "column_2".into()])
        );
        assert_eq!(
            columns("a,b\n1\n1,2,3\n"),
            (2, vec!["a".into(), "b".into(), "column_3".into()])
        );
        assert_eq!(
            columns("\u{feff}a,b\n1,2\n"),
            (1, vec!["a".into(), "b".into()])
        );
        assert!(profile("x.csv", b"").is_err() && profile("x", b"\0\x01").is_err());
    }

    #[test]
    fn profiles_a_database_and_refuses_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shop.db");
        sqlite::make(
            &file,
            "CREATE TABLE \"or\"\"der\" (id INTEGER PRIMARY KEY, \"na me\" TEXT, price REAL, raw); INSERT INTO \"or\"\"der\" VALUES (1,'b',2.5,x'00'),(2,NULL,1,NULL),(7,'a',NULL,NULL); CREATE TABLE empty (x INT); CREATE VIEW v AS SELECT 1; CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('a');",
        );
        let before = std::fs::read(&file).unwrap();
        let profile = scan(&file, &Limits::default()).unwrap();
        assert_eq!(
            profile
                .tables
                .iter()
                .map(|t| (t.name.as_str(), t.rows))
                .collect::<Vec<_>>(),
            [("empty", 0), ("or\"der", 3)]
        );
        let seen: Vec<_> = profile.tables[1]
            .columns
            .iter()
            .map(|c| {
                (
                    c.name.as_str(),
                    c.kind.as_str(),
                    c.nulls,
                    c.distinct,
                    c.min.clone(),
                    c.max.clone(),
                )
            })
            .collect();
        assert_eq!(seen[0], ("id", "integer", 0, Some(3), json!(1), json!(7)));
        assert_eq!(
            seen[1],
            ("na me", "text", 1, Some(2), json!("a"), json!("b"))
        );
        assert_eq!(
            seen[2],
            ("price", "real", 1, Some(2), json!(1.0), json!(2.5))
        );
        assert_eq!(seen[3].1, "blob");
        assert_eq!(profile.tables[0].columns[0].kind, "integer");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        std::fs::write(&file, &before[..before.len() / 2 + 100]).unwrap();
        let damaged = scan(&file, &Limits::default());
        assert!(damaged.is_err() || damaged.is_ok_and(|p| p.tables.len() <= 2));
        std::fs::write(&file, b"SQLite format 3\0garbage").unwrap();
        assert!(scan(&file, &Limits::default()).is_err());
    }

    #[test]
    fn what_stands_in_the_log_beside_a_database_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (file, copy) = (dir.path().join("live.db"), dir.path().join("copy"));
        std::fs::create_dir(&copy).unwrap();
        sqlite::make_and(
            &file,
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x INT); INSERT INTO t VALUES (1), (2)",
            || {
                for name in ["live.db", "live.db-wal"] {
                    std::fs::copy(dir.path().join(name), copy.join(name)).unwrap();
                }
            },
        );
        let before = std::fs::read(copy.join("live.db-wal")).unwrap();
        let profile = scan(&copy.join("live.db"), &Limits::default()).unwrap();
        let seen: Vec<_> = profile
            .tables
            .iter()
            .map(|t| (t.name.as_str(), t.rows))
            .collect();
        assert_eq!(seen, [("t", 2)]);
        assert_eq!(std::fs::read(copy.join("live.db-wal")).unwrap(), before);
        assert_eq!(std::fs::read_dir(&copy).unwrap().count(), 2);
    }

    #[test]
    fn text_that_is_not_utf_8_keeps_its_values_apart() {
        let profile = profile("x.csv", b"gr\xf6\xdfe;k\n\xe9;\x80\n\xdf;\x80\n").unwrap();
        let columns = &profile.tables[0].columns;
        assert_eq!(
            (columns[0].name.as_str(), columns[0].distinct),
            ("größe", Some(2))
        );
        assert_eq!(
            (&columns[0].min, &columns[0].max),
            (&json!("ß"), &json!("é"))
        );
        assert_eq!(
            (columns[1].distinct, &columns[1].min),
            (Some(1), &json!("€"))
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_is_no_answer() {
        for (text, rows) in [
            ("a,b\n1,\"open\n2,3\n", None),
            ("a,b\n1,x\n2,\"open\n\"\"3,4\n5,6\n", None),
            ("a,b\n1,\"two\nlines\"\n2,3\n", Some(2)),
            ("a,b\n1,5\" pipe\n2,3\n", Some(2)),
            ("a,b\n1,\"x\"\n", Some(1)),
        ] {
            let found = profile("x.csv", text.as_bytes());
            assert_eq!(found.ok().map(|p| p.tables[0].rows), rows, "{text}");
        }
    }

    #[test]
    fn works_inside_an_async_runtime() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        sqlite::make(&file, "CREATE TABLE a (x INT)");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert!(
            runtime
                .block_on(async { scan(&file, &Limits::default()) })
                .is_ok()
        );
    }
}
