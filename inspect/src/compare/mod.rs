//! Compares two tables of any kind by their keys: what is only here, only there, and changed, column by column. Both are
//! sorted outside of memory and walked together, so that millions of rows take little of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Cell, Flow, Place, Shape};
use crate::limits::InspectError;
use key::choose;
use sorter::{Record, Sorted, Sorter};
use tally::{Pair, Tally};

mod canonical;
mod key;
mod sorter;
mod tally;

/// Bytes of each table kept in memory while it is sorted.
const HELD: usize = 96 << 20;
/// Rows of one key beyond which the key is none.
const MOST_OF_A_KEY: usize = 10_000;

/// One of the two tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// `csv`, `sqlite` or `postgres`.
    pub kind: String,
    /// The table's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Columns that the other one does not have.
    pub own_columns: Vec<String>,
    /// Rows whose key stands in an earlier row too.
    pub repeated: u64,
    /// Rows that have more or fewer fields than the header.
    pub ragged: u64,
    /// Rows that only this table has.
    pub only: u64,
    /// Keys of the first of them.
    pub only_keys: Vec<String>,
}

/// A column whose declared types differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDifference {
    /// The column.
    pub column: String,
    /// Its type on the left.
    pub left: String,
    /// Its type on the right.
    pub right: String,
}

/// A value on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The row's key.
    pub key: String,
    /// The value on the left; none where there is none.
    pub left: Option<String>,
    /// The value on the right.
    pub right: Option<String>,
}

/// What differs in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDifference {
    /// The column.
    pub column: String,
    /// Rows in which its value differs.
    pub changed: u64,
    /// Of these, rows with a value on one side and none on the other.
    pub missing: u64,
    /// Of these, rows with no value on one side and an empty text on the other.
    pub empty: u64,
    /// The first of them.
    pub examples: Vec<Example>,
    /// Rows in which it is equal but written differently, such as 1.0 and 1.
    pub spelled: u64,
    /// The first of these.
    pub spelled_example: Option<Example>,
}

/// What two tables have in common, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first table.
    pub left: Side,
    /// The second.
    pub right: Side,
    /// Columns by which rows are told apart.
    pub key: Vec<String>,
    /// Why these: `given`, `primary key`, `unique`, or `whole rows` where no column will do.
    pub key_from: String,
    /// Columns that both have.
    pub columns: Vec<String>,
    /// Columns whose declared types differ.
    pub types: Vec<TypeDifference>,
    /// Rows that are the same.
    pub same: u64,
    /// Rows that both have and that differ.
    pub changed: u64,
    /// Columns with differences, in their order.
    pub differences: Vec<ColumnDifference>,
    /// An empty text counted as no value, because a CSV file cannot tell them apart.
    pub empty_is_none: bool,
}

impl Comparison {
    /// Nothing differs but, perhaps, how equal values are written.
    pub fn is_same(&self) -> bool {
        self.changed + self.left.only + self.right.only == 0
            && self.left.own_columns.is_empty()
            && self.right.own_columns.is_empty()
    }
}

/// Compares two tables; `scratch` is a folder for what does not fit in memory.
///
/// # Errors
/// [`InspectError`] where a table cannot be read, they share no column, or the key is none.
pub fn scan(
    left: &Place<'_>,
    right: &Place<'_>,
    key: &[String],
    scratch: &Path,
) -> Result<Comparison, InspectError> {
    let shapes = [left.shape()?, right.shape()?];
    let pairs = pairs(&shapes)?;
    let chosen = choose([left, right], &shapes, &pairs, key)?;
    let empty_is_none = shapes.iter().any(|shape| shape.kind == "csv");
    let sorted = |place: &Place<'_>, side: usize| {
        sort(
            place,
            &shapes[side],
            side,
            &pairs,
            &chosen.columns,
            empty_is_none,
            scratch,
        )
    };
    let (one, rows_left, ragged_left) = sorted(left, 0)?;
    let (other, rows_right, ragged_right) = sorted(right, 1)?;
    let mut tally = Tally::new(&pairs, &chosen.columns);
    walk(one, other, &mut tally, chosen.whole_rows()).map_err(|e| trouble(&e))??;
    let own = |side: usize| {
        let known = |name: &String| {
            !pairs
                .iter()
                .any(|pair| pair.at[side] == shapes[side].position(name))
        };
        shapes[side]
            .columns
            .iter()
            .map(|c| c.name.clone())
            .filter(known)
            .collect()
    };
    let [left_only, right_only] = tally.only;
    let side = |at: usize, rows, ragged, (only, only_keys)| Side {
        kind: shapes[at].kind.to_owned(),
        name: shapes[at].name.clone(),
        rows,
        own_columns: own(at),
        repeated: tally.repeated[at],
        ragged,
        only,
        only_keys,
    };
    let declared = |side: usize, pair: &Pair| shapes[side].columns[pair.at[side]].declared.clone();
    let both_declared = |pair: &&Pair| {
        (0..2).all(|side| !declared(side, pair).is_empty()) && shapes[0].kind == shapes[1].kind
    };
    let differ = |pair: &Pair| TypeDifference {
        column: pair.name.clone(),
        left: declared(0, pair),
        right: declared(1, pair),
    };
    Ok(Comparison {
        left: side(0, rows_left, ragged_left, left_only),
        right: side(1, rows_right, ragged_right, right_only),
        key: chosen
            .columns
            .iter()
            .map(|at| pairs[*at].name.clone())
            .collect(),
        key_from: chosen.from.to_owned(),
        columns: pairs.iter().map(|pair| pair.name.clone()).collect(),
        types: pairs
            .iter()
            .filter(both_declared)
            .map(differ)
            .filter(|d| d.left != d.right)
            .collect(),
        same: tally.same,
        changed: tally.changed,
        differences: tally
            .columns
            .into_iter()
            .filter(|c| c.changed + c.spelled > 0)
            .collect(),
        empty_is_none,
    })
}

fn trouble(error: &std::io::Error) -> InspectError {
    InspectError::not_read(
        "the sorted rows",
        format!("{error}; free some space for them"),
    )
}

impl Shape {
    fn position(&self, name: &str) -> usize {
        self.columns
            .iter()
            .position(|c| c.name == name)
            .unwrap_or(usize::MAX)
    }
}

/// The columns that both have: by name, else by name in another case.
fn pairs(shapes: &[Shape; 2]) -> Result<Vec<Pair>, InspectError> {
    let [left, right] = shapes;
    let found = left.columns.iter().enumerate().filter_map(|(at, column)| {
        let exact = right.columns.iter().position(|c| c.name == column.name);
        let alike = || {
            right
                .columns
                .iter()
                .position(|c| c.name.to_lowercase() == column.name.to_lowercase())
        };
        let there = exact.or_else(alike)?;
        Some(Pair {
            name: column.name.clone(),
            at: [at, there],
            how: canonical::how(column.class, right.columns[there].class),
        })
    });
    let mut pairs: Vec<Pair> = found.collect();
    pairs.dedup_by_key(|pair| pair.at[1]);
    if pairs.is_empty() {
        let names = |shape: &Shape| {
            shape
                .columns
                .iter()
                .take(10)
                .map(|c| c.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let why = format!(
            "they share no column: one has {}; the other has {}",
            names(left),
            names(right)
        );
        return Err(InspectError::not_read("the two tables", why));
    }
    Ok(pairs)
}

fn sort(
    place: &Place<'_>,
    shape: &Shape,
    side: usize,
    pairs: &[Pair],
    key: &[usize],
    empty_is_none: bool,
    scratch: &Path,
) -> Result<(Sorted, u64, u64), InspectError> {
    let mut sorter = Sorter::new(scratch.to_path_buf(), HELD);
    let (mut rows, mut ragged, mut failed) = (0, 0, None);
    let (mut of_key, mut rest) = (Vec::new(), Vec::new());
    place.rows(shape, u64::MAX, &mut |cells| {
        rows += 1;
        ragged += u64::from(cells.len() != shape.columns.len());
        of_key.clear();
        rest.clear();
        let cell = |at: usize| cells.get(pairs[at].at[side]).unwrap_or(&Cell::Null);
        for at in key {
            let how = pairs[*at].how;
            let value = canonical::canonical(cell(*at), how, empty_is_none);
            canonical::add_to_key(&mut of_key, value.as_deref(), how);
        }
        for (at, pair) in pairs.iter().enumerate() {
            tally::write(&mut rest, cell(at), pair.how, empty_is_none);
        }
        match sorter.push(&of_key, &rest) {
            Ok(()) => Flow::On,
            Err(error) => {
                failed = Some(error);
                Flow::Enough
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(trouble(&error));
    }
    Ok((sorter.finish().map_err(|e| trouble(&e))?, rows, ragged))
}

/// Walks both in the order of their keys.
fn walk(
    mut left: Sorted,
    mut right: Sorted,
    tally: &mut Tally,
    whole: bool,
) -> std::io::Result<Result<(), InspectError>> {
    loop {
        let next = match (left.key(), right.key()) {
            (None, None) => return Ok(Ok(())),
            (Some(one), None) => one,
            (None, Some(other)) => other,
            (Some(one), Some(other)) => one.min(other),
        }
        .to_vec();
        let (ours, theirs) = (group(&mut left, &next)?, group(&mut right, &next)?);
        if !whole && ours.len().max(theirs.len()) > MOST_OF_A_KEY {
            let why = format!(
                "more than {MOST_OF_A_KEY} rows have the same key {}; name another key",
                tally.key_of(&ours, &theirs)
            );
            return Ok(Err(InspectError::not_read("the two tables", why)));
        }
        tally.group(ours, theirs, whole);
    }
}

fn group(from: &mut Sorted, key: &[u8]) -> std::io::Result<Vec<Record>> {
    let mut all = Vec::new();
    while from.key() == Some(key) && all.len() <= MOST_OF_A_KEY {
        all.extend(from.take()?);
    }
    Ok(all)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
