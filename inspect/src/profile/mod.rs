//! What a table of data holds: columns, their types, empty values, distinct values, extremes, frequent values, rows that
//! come twice and columns that could be a key. The same words for files and databases.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::csv::{MOST_COLUMNS, name};
use crate::data::{Cell, Class, Flow, Place, Shape};
use crate::limits::{InspectError, Limits};
use column::{Column, Seen};

pub(crate) mod column;

/// Distinct values that all columns of a table may keep together.
const MOST_KEPT: usize = 8_000_000;
/// Rows that are looked at for others like them.
const MOST_ALIKE: usize = 8_000_000;

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name; `column_3` where the header is empty.
    pub name: String,
    /// `integer`, `real`, `boolean`, `date`, `text`, `blob` or `empty`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Values that are not there: empty in a file, NULL in a database.
    pub nulls: u64,
    /// Texts of a database with nothing but spaces in them.
    pub blanks: u64,
    /// Distinct values; none when there are more than are counted.
    pub distinct: Option<u64>,
    /// Smallest value: a number for numbers, else text in order of characters; null when the column is empty.
    pub min: serde_json::Value,
    /// Largest value.
    pub max: serde_json::Value,
    /// Mean of the numbers, to four places or, of a small one, four digits.
    pub mean: Option<f64>,
    /// Values that come more than once, the most frequent first; none in a column of very many values.
    pub common: Vec<Common>,
}

/// A frequent value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// The value.
    pub value: String,
    /// How often.
    pub count: u64,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableProfile {
    /// Its name; the file's stem for CSV.
    pub name: String,
    /// Rows, without the header; the server's own estimate where `read` says that not all were read.
    pub rows: u64,
    /// Rows that were read, where not all were: everything below is about these.
    pub read: Option<u64>,
    /// Columns, in their order.
    pub columns: Vec<ColumnProfile>,
    /// Rows that are the same as an earlier one in every column; none where there are too many rows to tell.
    pub duplicates: Option<u64>,
    /// Columns in which no value is missing and none comes twice.
    pub keys: Vec<String>,
}

/// A data file or a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// `csv`, `sqlite` or `postgres`.
    pub kind: String,
    /// Its tables.
    pub tables: Vec<TableProfile>,
}

/// Profiles one file; the kind is told by its first bytes.
pub fn scan(file: &Path, limits: &Limits) -> Result<Profile, InspectError> {
    of(
        &Place::File {
            path: file,
            table: None,
        },
        limits,
    )
}

/// Profiles one table, or every table of a database where none is named.
pub fn of(place: &Place<'_>, limits: &Limits) -> Result<Profile, InspectError> {
    let named = matches!(
        place,
        Place::File { table: Some(_), .. } | Place::Server { table: Some(_), .. }
    );
    let shapes = match place {
        _ if named => vec![place.shape()?],
        _ => {
            let names = place.tables()?;
            let of_file = matches!(place, Place::File { .. }) && names.len() == 1;
            match of_file {
                true => vec![place.shape()?],
                false => names
                    .iter()
                    .map(|name| place.with(name).shape())
                    .collect::<Result<_, _>>()?,
            }
        }
    };
    let kind = match (place, shapes.first()) {
        (_, Some(shape)) => shape.kind,
        (Place::File { .. }, None) => "sqlite",
        (Place::Server { .. }, None) => "postgres",
    };
    let tables = shapes.iter().map(|shape| table(place, shape, limits));
    Ok(Profile {
        kind: kind.into(),
        tables: tables.collect::<Result<_, _>>()?,
    })
}

fn table(place: &Place<'_>, shape: &Shape, limits: &Limits) -> Result<TableProfile, InspectError> {
    let of_file = shape.kind == "csv";
    let mut columns: Vec<Column> = shape
        .columns
        .iter()
        .map(|c| Column::new(&c.name, c.class))
        .collect();
    let (mut rows, mut read, mut budget) = (0u64, 0u64, MOST_KEPT);
    let (mut alike, mut duplicates) = (Some(Seen::default()), 0u64);
    let mut see = |cells: &[Cell<'_>]| {
        rows += 1;
        if read >= limits.rows {
            // Of a file the rest is counted; a database has counted already.
            return if of_file { Flow::On } else { Flow::Enough };
        }
        while columns.len() < cells.len().min(MOST_COLUMNS) {
            let mut late = Column::new(&name(columns.len(), "", false), Class::Open);
            late.missing(read);
            columns.push(late);
        }
        for (at, column) in columns.iter_mut().enumerate() {
            match cells.get(at) {
                Some(cell) => column.add(cell, of_file, &mut budget),
                None => column.missing(1),
            }
        }
        if let Some(seen) = &mut alike {
            duplicates += u64::from(!seen.insert(row_hash(cells)));
            if seen.len() > MOST_ALIKE {
                alike = None;
            }
        }
        read += 1;
        Flow::On
    };
    let whole = place.rows(shape, limits.rows, &mut see)?;
    let total = match whole {
        true => rows,
        false => shape.rows.unwrap_or(rows).max(rows),
    };
    let keys = |c: &&Column| c.is_key(read);
    let keys: Vec<String> = columns
        .iter()
        .filter(keys)
        .map(|c| c.name().to_owned())
        .collect();
    Ok(TableProfile {
        name: shape.name.clone(),
        rows: total,
        read: (read < total).then_some(read),
        keys,
        duplicates: alike.map(|_| duplicates),
        columns: columns.into_iter().map(Column::finish).collect(),
    })
}

/// A hash of all values of a row.
pub(crate) fn row_hash(cells: &[Cell<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for cell in cells {
        match cell {
            Cell::Null => 0u8.hash(&mut hasher),
            Cell::Integer(number) => (1u8, number).hash(&mut hasher),
            Cell::Real(number) => (2u8, number.to_bits()).hash(&mut hasher),
            Cell::Text(text) => (3u8, text.as_ref()).hash(&mut hasher),
            Cell::Blob(bytes) => (4u8, bytes.as_ref()).hash(&mut hasher),
        }
    }
    hasher.finish()
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
        crate::data::sqlite::make(
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
        crate::data::sqlite::make_and(
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
        crate::data::sqlite::make(&file, "CREATE TABLE a (x INT)");
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
