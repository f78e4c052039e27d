//! Rows that come more than once in a table, by some columns or by all; and groups that are the same but for case and
//! spaces.

use protocol::text::cut;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

use serde::{Deserialize, Serialize};

use crate::data::{Cell, Flow, Place};
use crate::limits::{InspectError, Limits};
use crate::profile::column::{Same, hash};
use twice::Twice;

mod twice;

/// Rows beyond which no duplicates are told.
const MOST_ROWS: u64 = 20_000_000;
/// Groups shown.
const MOST_GROUPS: usize = 20;
/// Rows of a group shown.
const MOST_ROWS_SHOWN: usize = 5;
/// Groups of the same but for case and spaces of which some are shown, and how many are.
const MOST_ALIKE: usize = 10_000;
const MOST_ALIKE_SHOWN: usize = 5;
/// Characters of a value shown.
const MOST_TEXT: usize = 60;

/// Rows with the same values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The values, in the order of the columns.
    pub values: Vec<String>,
    /// How many rows.
    pub count: u64,
    /// The first of them, counted from 1 without the header; in a database in no order one could rely on.
    pub rows: Vec<u64>,
}

/// What comes more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// The table.
    pub name: String,
    /// `csv`, `sqlite` or `postgres`.
    pub kind: String,
    /// Its rows.
    pub rows: u64,
    /// The columns that were compared.
    pub by: Vec<String>,
    /// All its columns were.
    pub whole: bool,
    /// Values that come more than once.
    pub groups: u64,
    /// Rows beyond the first of each group.
    pub extra: u64,
    /// The largest groups first.
    pub shown: Vec<Group>,
    /// Values that become the same without regard to case and spaces.
    pub alike: u64,
    /// Some of these, as they are written.
    pub alike_shown: Vec<Vec<String>>,
}

type Counts = HashMap<u64, u32, BuildHasherDefault<Same>>;
/// By the hash in plain letters: the first exact one, and whether another came.
type Alike = HashMap<u64, (u64, bool), BuildHasherDefault<Same>>;

/// Looks for duplicates.
///
/// # Errors
/// [`InspectError`] where the table cannot be read, has no such column, or is too large.
pub fn scan(place: &Place<'_>, by: &[String], limits: &Limits) -> Result<Duplicates, InspectError> {
    let shape = place.shape()?;
    let at = by.iter().map(|name| {
        let there = shape
            .columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(name));
        there.ok_or_else(|| {
            let known: Vec<&str> = shape
                .columns
                .iter()
                .map(|c| c.name.as_str())
                .take(40)
                .collect();
            InspectError::not_read(
                &shape.name,
                format!("there is no column `{name}`, only {}", known.join(", ")),
            )
        })
    });
    let mut at: Vec<usize> = at.collect::<Result<_, _>>()?;
    let whole = at.is_empty();
    if whole {
        at = (0..shape.columns.len()).collect();
    }
    let most = MOST_ROWS.min(limits.rows.saturating_mul(4));
    let mut hashes = Hashes::default();
    let (mut rows, mut once, mut plainly) = (0, Twice::new(), Twice::new());
    let all = place.rows(&shape, u64::MAX, &mut |cells| {
        rows += 1;
        let (same, alike) = hashes.of(cells, &at);
        once.add(same);
        plainly.add(alike);
        if rows > most { Flow::Enough } else { Flow::On }
    })?;
    if !all {
        return Err(InspectError::not_read(
            &shape.name,
            format!("it has more than {most} rows, too many to remember; name a part of it"),
        ));
    }
    // What came twice in letters came twice in plain letters too.
    let (mut exact, mut loose) = (Counts::default(), Alike::default());
    if plainly.any {
        place.rows(&shape, u64::MAX, &mut |cells| {
            let (same, alike) = hashes.of(cells, &at);
            if once.maybe(same) {
                *exact.entry(same).or_default() += 1;
            }
            if plainly.maybe(alike) {
                let seen = loose.entry(alike).or_insert((same, false));
                seen.1 |= seen.0 != same;
            }
            Flow::On
        })?;
    }
    drop((once, plainly));
    exact.retain(|_, count| *count > 1);
    loose.retain(|_, (_, differs)| *differs);
    let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
    let mut variants: HashMap<u64, Vec<String>> = HashMap::new();
    let mut row = 0;
    let shown = largest(&exact);
    let none = shown.is_empty() && loose.is_empty();
    place.rows(&shape, u64::MAX, &mut |cells| {
        if none {
            return Flow::Enough;
        }
        row += 1;
        let (same, alike) = hashes.of(cells, &at);
        if shown.contains(&same) {
            let group = groups.entry(same).or_insert_with(|| Group {
                values: at
                    .iter()
                    .map(|at| text(cells.get(*at).unwrap_or(&Cell::Null)))
                    .collect(),
                count: 0,
                rows: Vec::new(),
            });
            group.count += 1;
            if group.rows.len() < MOST_ROWS_SHOWN {
                group.rows.push(row);
            }
        }
        let room = variants.len() < MOST_ALIKE || variants.contains_key(&alike);
        if room && loose.contains_key(&alike) {
            let line = at
                .iter()
                .map(|at| text(cells.get(*at).unwrap_or(&Cell::Null)))
                .collect::<Vec<_>>()
                .join(", ");
            let seen = variants.entry(alike).or_default();
            if seen.len() < 3 && !seen.contains(&line) {
                seen.push(line);
            }
        }
        Flow::On
    })?;
    let mut shown: Vec<Group> = groups.into_values().collect();
    shown.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.rows.cmp(&b.rows)));
    let mut alike: Vec<Vec<String>> = variants
        .into_values()
        .filter(|seen| seen.len() > 1)
        .collect();
    alike.sort();
    Ok(Duplicates {
        name: shape.name,
        kind: shape.kind.to_owned(),
        rows,
        by: at
            .iter()
            .map(|at| shape.columns[*at].name.clone())
            .collect(),
        whole,
        groups: exact.len() as u64,
        extra: exact.values().map(|count| u64::from(*count) - 1).sum(),
        shown,
        alike: loose.len() as u64,
        alike_shown: alike.into_iter().take(MOST_ALIKE_SHOWN).collect(),
    })
}

/// The hashes of the groups to show: the largest.
fn largest(counts: &Counts) -> Vec<u64> {
    let mut all: Vec<(u32, u64)> = counts.iter().map(|(hash, count)| (*count, *hash)).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.into_iter()
        .take(MOST_GROUPS)
        .map(|(_, hash)| hash)
        .collect()
}

/// Two hashes of a row: letter by letter, and without regard to case and spaces.
#[derive(Default)]
struct Hashes {
    plain: String,
}

impl Hashes {
    fn of(&mut self, cells: &[Cell<'_>], at: &[usize]) -> (u64, u64) {
        let (mut exact, mut loose) = (DefaultHasher::new(), DefaultHasher::new());
        for at in at {
            // None and an empty text are two things.
            let (tag, shown) = match cells.get(*at).unwrap_or(&Cell::Null) {
                Cell::Null => (0, Cow::Borrowed("")),
                Cell::Blob(bytes) => (1, Cow::Owned(hash(bytes.as_ref()).to_string())),
                other => (2, other.shown()),
            };
            for hasher in [&mut exact, &mut loose] {
                hasher.write_u8(tag);
            }
            exact.write(shown.as_bytes());
            self.plain.clear();
            for word in shown.split_whitespace() {
                self.plain.push(' ');
                self.plain.extend(word.chars().flat_map(char::to_lowercase));
            }
            loose.write(self.plain.as_bytes());
            for hasher in [&mut exact, &mut loose] {
                hasher.write_u8(0xff);
            }
        }
        (exact.finish(), loose.finish())
    }
}

fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "(none)".to_owned(),
        other => cut(&other.shown(), MOST_TEXT),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(text: &str, by: &[&str]) -> Result<Duplicates, InspectError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("people.csv");
        std::fs::write(&path, text).unwrap();
        let by: Vec<String> = by.iter().map(|b| (*b).to_owned()).collect();
        scan(
            &Place::File {
                path: &path,
                table: None,
            },
            &by,
            &Limits::default(),
        )
    }

    const PEOPLE: &str = "name,mail\nAnn,a@x\nBob,b@x\nAnn,a@x\nann ,A@x\nCid,b@x\nAnn,a@x\n";

    #[test]
    fn planted_duplicates_are_told_and_decoys_apart() {
        let of_rows = found(PEOPLE, &[]).unwrap();
        assert_eq!(
            (of_rows.rows, of_rows.groups, of_rows.extra, of_rows.alike),
            (6, 1, 2, 1)
        );
        assert_eq!(
            of_rows.shown,
            [Group {
                values: vec!["Ann".into(), "a@x".into()],
                count: 3,
                rows: vec![1, 3, 6]
            }]
        );
        assert_eq!(of_rows.alike_shown, [["Ann, a@x", "ann , A@x"]]);
        let of_mail = found(PEOPLE, &["MAIL"]).unwrap();
        assert_eq!(
            (of_mail.groups, of_mail.extra, of_mail.whole),
            (2, 3, false)
        );
        let none = found("name,mail\nAnn,a\nBob,b\n", &[]).unwrap();
        assert_eq!(
            (none.groups, none.extra, none.alike, none.shown.len()),
            (0, 0, 0, 0)
        );
        assert!(
            found(PEOPLE, &["phone"])
                .unwrap_err()
                .to_string()
                .contains("no column `phone`, only name, mail")
        );
    }
}
