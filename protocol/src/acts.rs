//! What rules say of kinds of acts: allowed, asked about or denied, and how much of a kind is allowed at once and in an
//! hour. What a change of a database would touch is counted in words of this file. Pure.

use crate::approval::Rule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules for kinds of acts: `permissions.acts` and `permissions.at_most`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acts {
    #[serde(flatten)]
    rules: BTreeMap<String, Rule>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    at_most: BTreeMap<String, AtMost>,
}

/// Whether a kind is such that each act of it wants a person's yes of its own: no rule, and no yes to others, allows it.
pub fn is_personal(kind: &str) -> bool {
    kind == crate::duty::run::KIND
}

/// How much of a kind is done without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// Rows, or packages, of one act.
    pub count: Option<u64>,
    /// Rows that one act changes or removes, of a hundred in its table.
    pub percent: Option<u8>,
    /// Acts in an hour, on one host.
    pub per_hour: Option<u64>,
    /// What is done about more: ask or deny.
    pub above: Rule,
}

impl Default for AtMost {
    fn default() -> Self {
        Self {
            count: None,
            percent: None,
            per_hour: None,
            above: Rule::Ask,
        }
    }
}

impl Acts {
    /// The rule for a kind; a kind without a rule asks.
    pub fn rule(&self, kind: &str) -> Rule {
        self.rules.get(kind).copied().unwrap_or(Rule::Ask)
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        self.rules.values().copied()
    }

    /// Sets a rule.
    pub fn set(&mut self, kind: &str, rule: Rule) {
        self.rules.insert(kind.to_owned(), rule);
    }

    /// How much of a kind is done without asking; `None` where nothing bounds it.
    pub fn at_most(&self, kind: &str) -> Option<AtMost> {
        self.at_most.get(kind).copied()
    }

    /// The same with bounds.
    #[must_use]
    pub fn with_at_most(mut self, at_most: BTreeMap<String, AtMost>) -> Self {
        self.at_most = at_most;
        self
    }

    /// Why so many at once are more than a kind's bound, and what is done about it; `None` where they are not.
    pub fn above(&self, kind: &str, count: u64) -> Option<(Rule, String)> {
        let most = self.at_most(kind)?;
        let bound = most.count.filter(|bound| count > *bound)?;
        Some((
            most.above,
            format!("{count} at once, and `permissions.at_most.{kind}` says {bound}"),
        ))
    }
}

impl FromIterator<(String, Rule)> for Acts {
    fn from_iter<T: IntoIterator<Item = (String, Rule)>>(rules: T) -> Self {
        let at_least = |(kind, rule): (String, Rule)| match is_personal(&kind) {
            true => (kind, rule.max(Rule::Ask)),
            false => (kind, rule),
        };
        Self {
            rules: rules.into_iter().map(at_least).collect(),
            at_most: BTreeMap::new(),
        }
    }
}

impl<const N: usize> From<[(String, Rule); N]> for Acts {
    fn from(rules: [(String, Rule); N]) -> Self {
        rules.into_iter().collect()
    }
}

/// Stands for a count of rows that nobody knows: more than tables hold, and than a bound says.
pub const UNCOUNTED: u64 = 1_000_000_000_000_000;

/// What a change does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Its name; empty where the database does not say.
    pub table: String,
    /// Rows that were there and are changed or removed, each time counted.
    pub changed: u64,
    /// Rows that are new.
    pub added: u64,
    /// Rows that were there before; `None` where nobody counted.
    pub of: Option<u64>,
}

impl Touched {
    /// How much of the table is changed or removed, in percent, rounded up; `None` where nobody knows.
    pub fn percent(&self) -> Option<u8> {
        if self.changed == 0 {
            return Some(0);
        }
        let of = self.of?.max(1);
        let percent = self.changed.saturating_mul(100).div_ceil(of).min(100);
        u8::try_from(percent).ok()
    }

    fn line(&self) -> String {
        let table = match self.table.is_empty() {
            true => "a table".to_owned(),
            false => self.table.clone(),
        };
        let mut parts = Vec::new();
        if self.changed > 0 {
            parts.push(match (self.of, self.percent()) {
                (Some(of), Some(percent)) => format!(
                    "{} of {} in {table} ({percent} %)",
                    grouped(self.changed),
                    rows(of)
                ),
                _ => format!("{} in {table}", rows(self.changed)),
            });
        }
        if self.added > 0 {
            parts.push(format!("{} more in {table}", rows(self.added)));
        }
        parts.join(", ")
    }
}

/// What a change of a database would do, seen in a transaction that was taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Table by table, those that cascades and triggers reached among them.
    pub tables: Vec<Touched>,
    /// It changes what tables there are, or empties one whole: rows do not tell what is lost.
    pub shape: bool,
}

impl Tried {
    /// Rows it changes, removes or adds.
    pub fn rows(&self) -> u64 {
        let all = self.tables.iter();
        all.fold(0, |sum, one| {
            sum.saturating_add(one.changed).saturating_add(one.added)
        })
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let mut parts: Vec<String> = self.tables.iter().map(Touched::line).collect();
        parts.retain(|part| !part.is_empty());
        if self.shape {
            parts.push("the shape of the database: rows do not tell what is lost".to_owned());
        }
        match parts.is_empty() {
            true => "no row".to_owned(),
            false => parts.join("; "),
        }
    }
}

/// What is known of a change before leave is asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreseen {
    /// It was tried and taken back.
    Tried(Tried),
    /// It was not tried, and why.
    Untried(String),
}

impl Foreseen {
    /// One line for people.
    pub fn line(&self) -> String {
        match self {
            Foreseen::Tried(tried) => tried.line(),
            Foreseen::Untried(why) => format!("nobody counted: {why}"),
        }
    }
}

/// How much one change of a database may do; more is taken back before it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Rows at most.
    pub rows: Option<u64>,
    /// Percent of any table at most.
    pub percent: Option<u8>,
    /// It may change the shape of the database.
    pub shape: bool,
    /// Whatever it does is taken back.
    pub trial: bool,
}

impl Bound {
    /// None.
    pub fn free() -> Self {
        Self {
            shape: true,
            ..Self::default()
        }
    }

    /// A trial: all of it is taken back.
    pub fn trial() -> Self {
        Self {
            trial: true,
            ..Self::free()
        }
    }

    /// What a rule allows without asking.
    pub fn of_rule(most: Option<AtMost>) -> Self {
        match most {
            Some(most) if most.count.is_some() || most.percent.is_some() => Self {
                rows: most.count,
                percent: most.percent,
                shape: false,
                trial: false,
            },
            _ => Self::free(),
        }
    }

    /// What a person said yes to.
    pub fn of_leave(foreseen: Option<&Foreseen>) -> Self {
        match foreseen {
            Some(Foreseen::Tried(tried)) => Self {
                rows: Some(tried.rows()),
                percent: None,
                shape: tried.shape,
                trial: false,
            },
            _ => Self::free(),
        }
    }

    /// The stricter of both.
    #[must_use]
    pub fn within(self, other: &Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            rows: least(self.rows, other.rows),
            percent: self.percent.into_iter().chain(other.percent).min(),
            shape: self.shape && other.shape,
            trial: self.trial || other.trial,
        }
    }

    /// Whether anything has to be counted.
    pub fn counts(&self) -> bool {
        *self != Self::free()
    }

    /// Why what was done is more than this; `None` where it is not.
    pub fn broken_by(&self, tried: &Tried) -> Option<String> {
        if tried.shape && !self.shape {
            return Some("it changes the shape of the database".to_owned());
        }
        if let Some(most) = self.rows.filter(|most| tried.rows() > *most) {
            return Some(format!(
                "it changes {}, and {} are allowed",
                rows(tried.rows()),
                grouped(most)
            ));
        }
        let most = self.percent?;
        let over = tried
            .tables
            .iter()
            .find(|one| one.percent().is_none_or(|percent| percent > most))?;
        Some(match over.percent() {
            Some(percent) => format!(
                "it changes {percent} % of {}, and {most} % are allowed",
                over.table
            ),
            None => {
                format!("nobody knows how much of a table it changes, and {most} % are allowed")
            }
        })
    }
}

fn rows(count: u64) -> String {
    match count {
        1 => "1 row".to_owned(),
        UNCOUNTED.. => "rows that nobody counts".to_owned(),
        more => format!("{} rows", grouped(more)),
    }
}

/// With a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn touched(table: &str, changed: u64, added: u64, of: Option<u64>) -> Touched {
        Touched {
            table: table.to_owned(),
            changed,
            added,
            of,
        }
    }

    #[track_caller]
    fn check(bound: &Bound, tables: &[Touched], shape: bool, expected: Option<&str>) {
        let tables = tables.to_vec();
        let said = bound.broken_by(&Tried { tables, shape });
        assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
        assert!(
            said.unwrap_or_default()
                .contains(expected.unwrap_or_default())
        );
    }

    #[test]
    fn more_than_a_bound_is_told_and_as_much_is_not() {
        let most = |count, percent| {
            Bound::of_rule(Some(AtMost {
                count,
                percent,
                ..AtMost::default()
            }))
        };
        let ten = touched("shop.orders", 10, 0, Some(200));
        check(
            &most(Some(10), None),
            std::slice::from_ref(&ten),
            false,
            None,
        );
        check(
            &most(Some(9), None),
            std::slice::from_ref(&ten),
            false,
            Some("10 rows, and 9"),
        );
        check(
            &most(None, Some(5)),
            std::slice::from_ref(&ten),
            false,
            None,
        );
        check(
            &most(None, Some(4)),
            std::slice::from_ref(&ten),
            false,
            Some("5 % of shop.orders"),
        );
        // Rows that are new are counted, and are no part of what was there.
        let new = touched("t", 0, 7, Some(0));
        let news = [new];
        check(&most(None, Some(0)), &news, false, None);
        check(&most(Some(6), None), &news, false, Some("7 rows"));
        let elsewhere = [touched("foreign tables", UNCOUNTED, 0, None)];
        let uncounted = "changes rows that nobody counts, and 6 are";
        check(&most(Some(6), None), &elsewhere, false, Some(uncounted));
        // What a cascade reached counts too.
        let both = [ten.clone(), touched("items", 1, 0, Some(2))];
        check(&most(Some(10), None), &both, false, Some("11 rows"));
        check(&most(None, Some(49)), &both, false, Some("50 % of items"));
        // Nobody knows is more than anything.
        check(
            &most(None, Some(99)),
            &[touched("", 1, 0, None)],
            false,
            Some("nobody knows"),
        );
        check(&most(Some(9), None), &[], true, Some("shape"));
        check(&Bound::free(), &both, true, None);
        assert!(!most(None, None).counts() && !Bound::free().counts() && Bound::trial().counts());
    }

    #[test]
    fn people_read_what_would_be_touched() {
        for (tables, shape, expected) in [
            (vec![], false, "no row"),
            (
                vec![touched("shop.orders", 1204, 0, Some(5000))],
                false,
                "1,204 of 5,000 rows in shop.orders (25 %)",
            ),
            (vec![touched("log", 0, 1, None)], false, "1 row more in log"),
            (
                vec![touched("", 3, 0, None)],
                true,
                "3 rows in a table; the shape of the database: rows do not tell what is lost",
            ),
        ] {
            assert_eq!(Tried { tables, shape }.line(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_was_tried_never_breaks_the_leave_for_it(
            counts in proptest::collection::vec((any::<u32>(), any::<u32>(), proptest::option::of(any::<u32>())), 0..6),
            shape in any::<bool>(), more in 1..1000_u64,
        ) {
            let tables: Vec<Touched> = counts
                .iter()
                .map(|(changed, added, of)| touched("t", u64::from(*changed), u64::from(*added), of.map(u64::from)))
                .collect();
            let tried = Tried { tables, shape };
            let bound = Bound::of_leave(Some(&Foreseen::Tried(tried.clone())));
            prop_assert_eq!(bound.broken_by(&tried), None);
            let mut grown = tried;
            grown.tables.push(touched("t", more, 0, None));
            prop_assert!(bound.broken_by(&grown).is_some());
        }
    }
}
