//! One column, value by value: which type fits all values, what the extremes are, which values come most often. Memory
//! is bounded, for a column and for all of them together.

use protocol::text::cut;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::{ColumnProfile, Common};
use crate::data::{Cell, Class};

/// Distinct values counted in a column.
const MOST_DISTINCT: usize = 1_000_000;
/// Different values of a column that are counted one by one.
const MOST_COUNTED: usize = 2000;
/// Characters of a text kept as an extreme or as a frequent value.
const MOST_TEXT: usize = 200;
/// Frequent values told.
const MOST_COMMON: usize = 3;

/// A hash is its own hash.
#[derive(Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Hashes that were seen.
pub(crate) type Seen = HashSet<u64, BuildHasherDefault<Same>>;

/// What is known of a column so far.
pub(super) struct Column {
    name: String,
    class: Class,
    nulls: u64,
    blanks: u64,
    values: u64,
    seen: Option<Seen>,
    counted: Option<HashMap<String, u64>>,
    /// Whether all values are whole numbers, numbers, truths, dates.
    fits: [bool; 4],
    blobs: bool,
    /// Digits only, and more of them than a whole number has.
    wide: bool,
    whole: Option<(i64, i64)>,
    numbers: Option<(f64, f64)>,
    sum: f64,
    /// What was lost of the sum so far, as Neumaier keeps it.
    lost: f64,
    summed: u64,
    texts: Option<(String, String)>,
}

impl Column {
    pub(super) fn new(name: &str, class: Class) -> Self {
        Column {
            name: name.to_string(),
            class,
            nulls: 0,
            blanks: 0,
            values: 0,
            seen: Some(Seen::default()),
            counted: Some(HashMap::new()),
            fits: [true; 4],
            blobs: false,
            wide: false,
            whole: None,
            numbers: None,
            sum: 0.0,
            lost: 0.0,
            summed: 0,
            texts: None,
        }
    }

    pub(super) fn missing(&mut self, times: u64) {
        self.nulls += times;
    }

    /// One more value. In a file of text, nothing but spaces is no value; in a database it is one.
    /// `budget` is how many distinct values all columns together may still keep.
    pub(super) fn add(&mut self, cell: &Cell<'_>, of_file: bool, budget: &mut usize) {
        match cell {
            Cell::Null => self.nulls += 1,
            Cell::Text(text) if of_file => {
                let text = text.trim();
                if text.is_empty() || text.eq_ignore_ascii_case("null") {
                    self.nulls += 1;
                } else {
                    let tests: [fn(&str) -> bool; 4] =
                        [is_integer, |v| number(v).is_some(), is_boolean, is_date];
                    let fit = tests.map(|test| test(text));
                    if fit[0] {
                        self.digits(text);
                    }
                    self.fit(fit);
                    self.keep(hash(text), text, budget);
                    self.measure(number(text));
                }
            }
            Cell::Text(text) => {
                self.blanks += u64::from(text.trim().is_empty());
                let real = self.class == Class::Real || self.class == Class::Integer;
                self.fit([false, false, is_boolean(text), is_date(text)]);
                self.keep(hash(text.as_ref()), text, budget);
                self.measure(real.then(|| text.parse().ok()).flatten());
            }
            Cell::Integer(whole) => {
                self.whole_number(*whole);
                self.fit([true, true, false, false]);
                self.keep(hash(whole), &whole.to_string(), budget);
                self.measure(Some(*whole as f64));
            }
            Cell::Real(real) => {
                self.fit([false, true, false, false]);
                let whole = real.fract() == 0.0 && real.abs() < 9e15;
                let hashed = if whole {
                    hash(&(*real as i64))
                } else {
                    hash(&real.to_bits())
                };
                self.keep(hashed, &real.to_string(), budget);
                self.measure(Some(*real));
            }
            Cell::Blob(bytes) => {
                self.blobs = true;
                self.fit([false; 4]);
                self.values += 1;
                self.counted = None;
                self.seen(hash(bytes.as_ref()), budget);
            }
        }
    }

    fn digits(&mut self, text: &str) {
        match text.parse() {
            Ok(whole) => self.whole_number(whole),
            Err(_) => self.wide = true,
        }
    }

    fn whole_number(&mut self, whole: i64) {
        let (low, high) = self.whole.unwrap_or((whole, whole));
        self.whole = Some((low.min(whole), high.max(whole)));
    }

    fn fit(&mut self, fit: [bool; 4]) {
        self.fits
            .iter_mut()
            .zip(fit)
            .for_each(|(fits, fit)| *fits &= fit);
    }

    fn measure(&mut self, number: Option<f64>) {
        let Some(number) = number.filter(|number| number.is_finite()) else {
            return;
        };
        let (low, high) = self.numbers.unwrap_or((number, number));
        self.numbers = Some((low.min(number), high.max(number)));
        let sum = self.sum + number;
        self.lost += match self.sum.abs() >= number.abs() {
            true => (self.sum - sum) + number,
            false => (number - sum) + self.sum,
        };
        self.sum = sum;
        self.summed += 1;
    }

    fn seen(&mut self, hash: u64, budget: &mut usize) {
        let Some(seen) = &mut self.seen else { return };
        if seen.insert(hash) {
            *budget = budget.saturating_sub(1);
            if seen.len() > MOST_DISTINCT || *budget == 0 {
                *budget += seen.len();
                self.seen = None;
            }
        }
    }

    fn keep(&mut self, hash: u64, text: &str, budget: &mut usize) {
        self.values += 1;
        self.seen(hash, budget);
        if let Some(counted) = &mut self.counted {
            if let Some(times) = counted.get_mut(text) {
                *times += 1;
            } else if counted.len() == MOST_COUNTED || text.len() > MOST_TEXT * 4 {
                self.counted = None;
            } else {
                counted.insert(text.to_owned(), 1);
            }
        }
        // One more than is told, so that it is told where there was more.
        let cut = || text.chars().take(MOST_TEXT + 1).collect::<String>();
        match &mut self.texts {
            None => self.texts = Some((cut(), cut())),
            Some((low, _)) if text < low.as_str() => *low = cut(),
            Some((_, high)) if text > high.as_str() => *high = cut(),
            Some(_) => {}
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether every row of `rows` has a value of its own here.
    pub(super) fn is_key(&self, rows: u64) -> bool {
        let distinct = self.seen.as_ref().map(|seen| seen.len() as u64);
        rows > 1 && self.nulls == 0 && self.blanks == 0 && distinct == Some(rows)
    }

    pub(super) fn finish(self) -> ColumnProfile {
        let [integer, real, boolean, date] = self.fits;
        let kind = match self.class {
            Class::Open => match () {
                _ if self.values == 0 => "empty",
                // Numbers of accounts and the like: nobody reckons with them, and each digit counts.
                _ if integer && self.wide => "text",
                _ if integer => "integer",
                _ if real => "real",
                _ if boolean => "boolean",
                _ if date => "date",
                _ if self.blobs => "blob",
                _ => "text",
            },
            declared => declared.word(),
        };
        let numeric = matches!(kind, "integer" | "real");
        let (min, max) = match (kind, self.whole, self.numbers, self.texts) {
            ("integer", Some((low, high)), _, _) => (Value::from(low), Value::from(high)),
            ("integer", _, Some((low, high)), _) => {
                (Value::from(low as i64), Value::from(high as i64))
            }
            ("real", _, Some((low, high)), _) => (Value::from(low), Value::from(high)),
            (_, _, _, Some((low, high))) => (
                Value::from(cut(&low, MOST_TEXT)),
                Value::from(cut(&high, MOST_TEXT)),
            ),
            _ => (Value::Null, Value::Null),
        };
        let mean = (self.sum + self.lost) / self.summed as f64;
        ColumnProfile {
            name: self.name,
            kind: kind.into(),
            nulls: self.nulls,
            blanks: self.blanks,
            distinct: self.seen.map(|s| s.len() as u64),
            min,
            max,
            mean: (numeric && self.summed > 0 && mean.is_finite()).then(|| rounded(mean)),
            common: common(self.counted.unwrap_or_default()),
        }
    }
}

/// Four places; of a small number four digits, so that it does not become nothing.
fn rounded(mean: f64) -> f64 {
    match mean.abs() {
        small if small > 0.0 && small < 0.1 => format!("{mean:.3e}").parse().unwrap_or(mean),
        large if large >= 1e11 => mean,
        _ => (mean * 1e4).round() / 1e4,
    }
}

/// The most frequent values, those of equal frequency in order; none where no value comes twice.
fn common(counted: HashMap<String, u64>) -> Vec<Common> {
    let mut all: Vec<(String, u64)> = counted
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(MOST_COMMON);
    let told = |(value, count): (String, u64)| Common {
        value: cut(&value, MOST_TEXT),
        count,
    };
    all.into_iter().map(told).collect()
}

/// A hash of anything.
pub(crate) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Digits with a sign. A leading zero says that it is a code, not a number.
pub(crate) fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let code = digits.len() > 1 && digits.starts_with('0');
    !code && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

pub(crate) fn number(value: &str) -> Option<f64> {
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

pub(crate) fn is_number(value: &str) -> bool {
    number(value.trim()).is_some()
}

pub(crate) fn is_boolean(value: &str) -> bool {
    ["true", "false", "yes", "no"]
        .iter()
        .any(|w| value.eq_ignore_ascii_case(w))
}

pub(crate) fn is_date(value: &str) -> bool {
    value.len() >= 10
        && value.is_char_boundary(10)
        && value[..10].parse::<jiff::civil::Date>().is_ok()
        && {
            let rest = &value[10..];
            let of_a_time = |c: char| c.is_ascii_digit() || ":.,+-Z ".contains(c);
            rest.is_empty()
                || rest.starts_with(['T', ' '])
                    && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                    && rest[1..].chars().all(of_a_time)
        }
}
