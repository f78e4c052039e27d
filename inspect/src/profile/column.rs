//! One column, value by value: which type fits all values, and what the extremes are. Memory is bounded.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::ColumnProfile;

/// Distinct values counted in a column.
const MOST_DISTINCT: usize = 200_000;
/// Characters of a text kept as an extreme.
const MOST_TEXT: usize = 200;

/// What is known of a column so far.
pub(super) struct Column {
    name: String,
    nulls: u64,
    seen: Option<HashSet<u64>>,
    fits: [bool; 4],
    numbers: Option<(f64, f64)>,
    texts: Option<(String, String)>,
}

impl Column {
    pub(super) fn new(name: &str) -> Self {
        let seen = Some(HashSet::new());
        Column {
            name: name.to_string(),
            nulls: 0,
            seen,
            fits: [true; 4],
            numbers: None,
            texts: None,
        }
    }

    pub(super) fn missing(&mut self, times: u64) {
        self.nulls += times;
    }

    pub(super) fn value(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() || value.eq_ignore_ascii_case("null") {
            self.nulls += 1;
            return;
        }
        if let Some(seen) = &mut self.seen {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            seen.insert(hasher.finish());
            if seen.len() > MOST_DISTINCT {
                self.seen = None;
            }
        }
        let tests: [fn(&str) -> bool; 4] =
            [is_integer, |v| number(v).is_some(), is_boolean, is_date];
        for (fits, test) in self.fits.iter_mut().zip(tests) {
            *fits = *fits && test(value);
        }
        if let Some(number) = number(value) {
            let (low, high) = self.numbers.unwrap_or((number, number));
            self.numbers = Some((low.min(number), high.max(number)));
        }
        let cut = || value.chars().take(MOST_TEXT).collect::<String>();
        match &mut self.texts {
            None => self.texts = Some((cut(), cut())),
            Some((low, _)) if value < low.as_str() => *low = cut(),
            Some((_, high)) if value > high.as_str() => *high = cut(),
            Some(_) => {}
        }
    }

    pub(super) fn finish(self) -> ColumnProfile {
        let [integer, real, boolean, date] = self.fits;
        let kind = match () {
            _ if self.texts.is_none() => "empty",
            _ if integer => "integer",
            _ if real => "real",
            _ if boolean => "boolean",
            _ if date => "date",
            _ => "text",
        };
        let (min, max) = match (kind, self.numbers, self.texts) {
            ("integer", Some((low, high)), _) => {
                (Value::from(low as i64), Value::from(high as i64))
            }
            ("real", Some((low, high)), _) => (Value::from(low), Value::from(high)),
            (_, _, Some((low, high))) => (Value::from(low), Value::from(high)),
            _ => (Value::Null, Value::Null),
        };
        let distinct = self.seen.map(|s| s.len() as u64);
        ColumnProfile {
            name: self.name,
            kind: kind.into(),
            nulls: self.nulls,
            distinct,
            min,
            max,
        }
    }
}

/// Digits with a sign. A leading zero says that it is a code, not a number.
fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let code = digits.len() > 1 && digits.starts_with('0');
    !code && !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit())
}

fn number(value: &str) -> Option<f64> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let code = digits.len() > 1
        && digits.starts_with('0')
        && !digits.starts_with("0.")
        && !digits.starts_with("0e");
    let shaped = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    value
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite() && shaped && !code)
}

pub(super) fn is_number(value: &str) -> bool {
    number(value.trim()).is_some()
}

fn is_boolean(value: &str) -> bool {
    ["true", "false", "yes", "no"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w))
}

fn is_date(value: &str) -> bool {
    value.len() >= 10
        && value.is_char_boundary(10)
        && value[..10].parse::<jiff::civil::Date>().is_ok()
        && {
            let rest = &value[10..];
            rest.is_empty() || rest.starts_with(['T', ' '])
        }
}
