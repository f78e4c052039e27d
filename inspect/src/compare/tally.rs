//! Counts what differs between rows of one key, and keeps the first examples.

use crate::compare::canonical::{How, canonical};
use crate::compare::sorter::Record;
use crate::compare::{ColumnDifference, Example};
use crate::data::Cell;

/// Keys shown of rows that only one side has.
const MOST_KEYS: usize = 5;
/// Examples shown of a column.
const MOST_EXAMPLES: usize = 3;
/// Characters of a value shown.
const MOST_TEXT: usize = 80;

/// A column that both tables have.
pub(super) struct Pair {
    /// Its name on the left.
    pub(super) name: String,
    /// Its places.
    pub(super) at: [usize; 2],
    /// How its values are compared.
    pub(super) how: How,
}

/// A value as it stands in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value<'r> {
    /// The form in which equal values are the same.
    same: &'r str,
    /// As it was written.
    written: &'r str,
}

/// Adds a value to a record.
pub(super) fn write(record: &mut Vec<u8>, cell: &Cell<'_>, how: How, empty_is_none: bool) {
    let Some(same) = canonical(cell, how, empty_is_none) else {
        record.push(0);
        return;
    };
    let written = match cell {
        Cell::Blob(_) => same.clone(),
        other => other.shown(),
    };
    let put = |record: &mut Vec<u8>, text: &str| {
        record.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        record.extend(text.as_bytes());
    };
    let as_written = same == written;
    record.push(if as_written { 1 } else { 2 });
    put(record, &same);
    if !as_written {
        put(record, &written);
    }
}

fn text<'r>(rest: &mut &'r [u8]) -> Option<&'r str> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

fn read(rest: &[u8], columns: usize) -> Vec<Option<Value<'_>>> {
    let mut values = Vec::with_capacity(columns);
    let mut rest = rest;
    while let Some((tag, after)) = rest.split_first() {
        rest = after;
        values.push(match tag {
            0 => None,
            1 => text(&mut rest).map(|same| Value {
                same,
                written: same,
            }),
            _ => text(&mut rest).and_then(|same| {
                Some(Value {
                    same,
                    written: text(&mut rest)?,
                })
            }),
        });
    }
    values.resize(columns, None);
    values
}

/// What was counted so far.
pub(super) struct Tally {
    key: Vec<usize>,
    pub(super) columns: Vec<ColumnDifference>,
    pub(super) same: u64,
    pub(super) changed: u64,
    pub(super) repeated: [u64; 2],
    pub(super) only: [(u64, Vec<String>); 2],
}

impl Tally {
    pub(super) fn new(pairs: &[Pair], key: &[usize]) -> Self {
        let column = |pair: &Pair| ColumnDifference {
            column: pair.name.clone(),
            changed: 0,
            missing: 0,
            empty: 0,
            examples: Vec::new(),
            spelled: 0,
            spelled_example: None,
        };
        Tally {
            key: key.to_vec(),
            columns: pairs.iter().map(column).collect(),
            same: 0,
            changed: 0,
            repeated: [0; 2],
            only: Default::default(),
        }
    }

    /// The rows of one key, on both sides, each in order.
    pub(super) fn group(&mut self, left: Vec<Record>, right: Vec<Record>, whole: bool) {
        if !whole {
            for (side, rows) in [&left, &right].into_iter().enumerate() {
                self.repeated[side] += (rows.len() as u64).saturating_sub(1);
            }
        }
        // With one row on each side, which is the rule, there is nothing to match up.
        let (left, right) = match left.len().max(right.len()) {
            0 | 1 => (left, right),
            _ => self.without_equal(left, right),
        };
        let both = left.len().min(right.len());
        for (ours, theirs) in left.iter().zip(&right) {
            self.row(ours, theirs);
        }
        for (side, rows) in [&left, &right].into_iter().enumerate() {
            for row in &rows[both..] {
                self.only[side].0 += 1;
                if self.only[side].1.len() < MOST_KEYS {
                    let shown = self.shown(row);
                    self.only[side].1.push(shown);
                }
            }
        }
    }

    /// Takes out what is the same on both sides, once for once.
    fn without_equal(
        &mut self,
        left: Vec<Record>,
        right: Vec<Record>,
    ) -> (Vec<Record>, Vec<Record>) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut right = right.into_iter().peekable();
        for row in left {
            theirs.extend(std::iter::from_fn(|| right.next_if(|other| *other < row)));
            match right.next_if(|other| *other == row) {
                Some(_) => self.same += 1,
                None => ours.push(row),
            }
        }
        theirs.extend(right);
        (ours, theirs)
    }

    fn row(&mut self, left: &Record, right: &Record) {
        if left.rest == right.rest {
            self.same += 1;
            return;
        }
        let count = self.columns.len();
        let (ours, theirs) = (read(&left.rest, count), read(&right.rest, count));
        let mut differs = false;
        let mut key = None;
        for at in 0..count {
            let (one, other) = (ours[at], theirs[at]);
            if one == other {
                continue;
            }
            let key = key.get_or_insert_with(|| shown(&ours, &self.key)).clone();
            let text = |value: Option<Value<'_>>| value.map(|value| cut(value.written));
            let example = Example {
                key,
                left: text(one),
                right: text(other),
            };
            let column = &mut self.columns[at];
            if one.map(|value| value.same) == other.map(|value| value.same) {
                column.spelled += 1;
                column.spelled_example.get_or_insert(example);
                continue;
            }
            differs = true;
            column.changed += 1;
            match (one, other) {
                (None, Some(value)) | (Some(value), None) if value.same.is_empty() => {
                    column.empty += 1
                }
                (None, Some(_)) | (Some(_), None) => column.missing += 1,
                _ => {}
            }
            if column.examples.len() < MOST_EXAMPLES {
                column.examples.push(example);
            }
        }
        self.changed += u64::from(differs);
        self.same += u64::from(!differs);
    }

    fn shown(&self, row: &Record) -> String {
        shown(&read(&row.rest, self.columns.len()), &self.key)
    }

    /// The key of a group, for people.
    pub(super) fn key_of(&self, left: &[Record], right: &[Record]) -> String {
        left.first()
            .or(right.first())
            .map(|row| self.shown(row))
            .unwrap_or_default()
    }
}

fn shown(values: &[Option<Value<'_>>], key: &[usize]) -> String {
    let text = |at: &usize| values[*at].map_or("(none)".to_owned(), |value| cut(value.written));
    cut(&key.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn cut(text: &str) -> String {
    match text.chars().count() > MOST_TEXT {
        true => text.chars().take(MOST_TEXT - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
