//! What a database holds, table by table, so that a restored copy can be held against it: rows counted, and a digest over
//! all of them that does not depend on their order. Both sides are read the same way, whatever wrote the copy.

pub mod postgres;
pub mod sqlite;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Differences told by name; beyond these only their number.
const MOST_TOLD: usize = 50;

/// A table and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name, with the schema where that is not the usual one.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The sum of a digest of each row, in hex: the same rows in any order give the same.
    pub digest: String,
}

/// Everything that is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Tables, by name.
    pub tables: Vec<Table>,
    /// How many there are of what else is made in it: indexes, views, functions, …
    pub objects: BTreeMap<String, u64>,
}

impl Contents {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// What a copy has otherwise, as sentences; none where it is the same.
    pub fn differences(&self, copy: &Contents) -> Vec<String> {
        let by_name = |contents: &Contents| -> BTreeMap<String, Table> {
            let named = contents.tables.iter();
            named
                .map(|table| (table.name.clone(), table.clone()))
                .collect()
        };
        let (ours, theirs) = (by_name(self), by_name(copy));
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let mut told = Vec::new();
        for name in names {
            match (ours.get(name), theirs.get(name)) {
                (Some(_), None) => told.push(format!("the table {name} is not in the copy")),
                (None, Some(_)) => told.push(format!("the table {name} is only in the copy")),
                (Some(one), Some(other)) if one.rows != other.rows => told.push(format!(
                    "{name} has {} rows, its copy {}",
                    one.rows, other.rows
                )),
                (Some(one), Some(other)) if one.digest != other.digest => told.push(format!(
                    "{name} has as many rows as its copy, and other values in them"
                )),
                _ => {}
            }
        }
        let kinds: BTreeSet<&String> = self.objects.keys().chain(copy.objects.keys()).collect();
        let count = |contents: &Contents, kind: &String| {
            contents.objects.get(kind).copied().unwrap_or_default()
        };
        for kind in kinds {
            let (one, other) = (count(self, kind), count(copy, kind));
            if one != other {
                told.push(format!("it has {one} {kind}, the copy {other}"));
            }
        }
        let more = told.len().saturating_sub(MOST_TOLD);
        told.truncate(MOST_TOLD);
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        told
    }
}

/// The digest of many rows: SHA-256 of each, cut to 128 bits and summed, so that their order is of no matter.
#[derive(Debug, Default)]
struct Rows {
    count: u64,
    sum: u128,
    row: Sha256,
}

impl Rows {
    /// Adds a value to the row at hand: what kind it is of, and its bytes.
    fn value(&mut self, kind: u8, bytes: &[u8]) {
        self.row.update([kind]);
        self.row.update((bytes.len() as u64).to_le_bytes());
        self.row.update(bytes);
    }

    /// Ends the row at hand.
    fn end(&mut self) {
        let digest = self.row.finalize_reset();
        let mut low = [0; 16];
        low.copy_from_slice(&digest[..16]);
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(low));
        self.count += 1;
    }

    fn table(self, name: String) -> Table {
        Table {
            name,
            rows: self.count,
            digest: format!("{:032x}", self.sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contents(tables: &[(&str, u64, &str)], indexes: u64) -> Contents {
        let table = |(name, rows, digest): &(&str, u64, &str)| Table {
            name: (*name).to_owned(),
            rows: *rows,
            digest: (*digest).to_owned(),
        };
        Contents {
            tables: tables.iter().map(table).collect(),
            objects: BTreeMap::from([("indexes".to_owned(), indexes)]),
        }
    }

    #[test]
    fn a_copy_is_held_against_its_source() {
        let source = contents(&[("a", 2, "x"), ("b", 3, "y"), ("c", 1, "z")], 4);
        assert_eq!(source.rows(), 6);
        assert_eq!(source.differences(&source), Vec::<String>::new());
        let copy = contents(&[("a", 1, "x"), ("b", 3, "Y"), ("d", 1, "z")], 3);
        assert_eq!(
            source.differences(&copy),
            [
                "a has 2 rows, its copy 1",
                "b has as many rows as its copy, and other values in them",
                "the table c is not in the copy",
                "the table d is only in the copy",
                "it has 4 indexes, the copy 3",
            ]
        );
    }

    fn digest(rows: &[Vec<Vec<u8>>]) -> Table {
        let mut all = Rows::default();
        for row in rows {
            row.iter().for_each(|value| all.value(1, value));
            all.end();
        }
        all.table("t".to_owned())
    }

    proptest! {
        #[test]
        fn order_is_of_no_matter_and_every_value_is(mut rows in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u8..4, 0..3), 1..3), 1..8), at in 0usize..8) {
            let before = digest(&rows);
            rows.reverse();
            prop_assert_eq!(&digest(&rows), &before);
            let at = at % rows.len();
            rows[at][0].push(9);
            prop_assert_ne!(digest(&rows).digest, before.digest);
        }
    }
}
