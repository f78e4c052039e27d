//! By which columns two tables are compared where nobody says: a primary key, else a column in which no value is missing
//! and none comes twice, in both; else whole rows.

use crate::compare::canonical::canonical;
use crate::compare::tally::Pair;
use crate::data::{Flow, Place, Shape};
use crate::limits::InspectError;
use crate::profile::column::{Seen, hash};

/// Values remembered while columns are tried.
const MOST_TRIED: usize = 40_000_000;

/// The chosen columns.
pub(super) struct Chosen {
    /// Places among the columns that both have.
    pub(super) columns: Vec<usize>,
    /// Why these.
    pub(super) from: &'static str,
}

impl Chosen {
    /// Rows are compared whole: a changed row cannot be told from one that went and one that came.
    pub(super) fn whole_rows(&self) -> bool {
        self.from == "whole rows"
    }
}

/// Chooses the key.
pub(super) fn choose(
    places: [&Place<'_>; 2],
    shapes: &[Shape; 2],
    pairs: &[Pair],
    given: &[String],
) -> Result<Chosen, InspectError> {
    let find = |name: &String| {
        pairs
            .iter()
            .position(|pair| pair.name.eq_ignore_ascii_case(name))
    };
    if !given.is_empty() {
        let columns = given.iter().map(|name| {
            let known = || {
                pairs
                    .iter()
                    .map(|pair| pair.name.as_str())
                    .take(30)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            find(name).ok_or_else(|| {
                InspectError::not_read(
                    "the two tables",
                    format!("`{name}` is no column of both; they share {}", known()),
                )
            })
        });
        return Ok(Chosen {
            columns: columns.collect::<Result<_, _>>()?,
            from: "given",
        });
    }
    for shape in shapes {
        let columns: Option<Vec<usize>> = shape.key.iter().map(find).collect();
        if let Some(columns) = columns.filter(|columns| !columns.is_empty()) {
            return Ok(Chosen {
                columns,
                from: "primary key",
            });
        }
    }
    let mut left: Vec<usize> = (0..pairs.len()).collect();
    for (side, (place, shape)) in places.into_iter().zip(shapes).enumerate() {
        left = unique(place, shape, side, pairs, left)?;
    }
    Ok(match left.first() {
        Some(first) => Chosen {
            columns: vec![*first],
            from: "unique",
        },
        None => Chosen {
            columns: (0..pairs.len()).collect(),
            from: "whole rows",
        },
    })
}

/// Those of the columns in which no value is missing and none comes twice.
fn unique(
    place: &Place<'_>,
    shape: &Shape,
    side: usize,
    pairs: &[Pair],
    tried: Vec<usize>,
) -> Result<Vec<usize>, InspectError> {
    let mut open: Vec<(usize, Seen)> = tried.into_iter().map(|at| (at, Seen::default())).collect();
    place.rows(shape, u64::MAX, &mut |cells| {
        open.retain_mut(|(at, seen)| {
            let value = cells
                .get(pairs[*at].at[side])
                .and_then(|cell| canonical(cell, pairs[*at].how, true));
            value.is_some_and(|value| seen.insert(hash(value.as_ref())))
        });
        let kept: usize = open.iter().map(|(_, seen)| seen.len()).sum();
        if kept > MOST_TRIED {
            open.truncate(open.len().div_ceil(2));
        }
        if open.is_empty() {
            Flow::Enough
        } else {
            Flow::On
        }
    })?;
    Ok(open.into_iter().map(|(at, _)| at).collect())
}
