//! What is wrong with the values of a table: missing, of another type than the rest, impossible or unlikely dates, mixed
//! formats, stray spaces, broken letters, the same text in several spellings, words that stand for nothing.

use protocol::text::cut;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::data::{Cell, Class, Flow, Place, Shape};
use crate::limits::{InspectError, Limits};
use crate::profile::column::{Seen, is_boolean, number};
use crate::profile::row_hash;
use form::Form;

mod form;
mod number;

/// Examples of a finding.
const MOST_EXAMPLES: usize = 3;
/// Different texts of a column that are compared without regard to case.
const MOST_SPELLINGS: usize = 2000;
/// Characters of a value shown.
const MOST_TEXT: usize = 60;
/// A form that this share of a column's values has is its form.
const USUAL: f64 = 0.9;

/// A value that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its row, counted from 1 without the header; in a database in no order one could rely on.
    pub row: u64,
    /// The value.
    pub value: String,
}

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The column; none where it is about whole rows.
    pub column: Option<String>,
    /// What, in a few words that follow a number: `values are missing`.
    pub what: String,
    /// In how many rows.
    pub count: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// The state of a table's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// The table.
    pub name: String,
    /// `csv`, `sqlite` or `postgres`.
    pub kind: String,
    /// Rows that were read.
    pub rows: u64,
    /// All rows were.
    pub whole: bool,
    /// Columns.
    pub columns: u64,
    /// What is wrong, first what concerns the most rows.
    pub findings: Vec<Finding>,
}

/// Counts of one kind of trouble, and the first examples.
#[derive(Default)]
struct Trouble {
    count: u64,
    examples: Vec<Example>,
}

impl Trouble {
    fn note(&mut self, row: u64, value: &str) {
        self.count += 1;
        if self.examples.len() < MOST_EXAMPLES {
            let value = cut(value, MOST_TEXT);
            self.examples.push(Example { row, value });
        }
    }
}

struct Column {
    name: String,
    class: Class,
    is_key: bool,
    values: u64,
    missing: Trouble,
    forms: BTreeMap<Form, Trouble>,
    far: Trouble,
    spaces: Trouble,
    broken: Trouble,
    nothing: Trouble,
    spellings: Option<HashMap<String, BTreeMap<String, u64>>>,
    seen: Option<Seen>,
    repeated: Trouble,
}

impl Column {
    fn new(name: &str, class: Class, is_key: bool) -> Self {
        let lower = name.to_lowercase();
        let names_rows = ["id", "uuid", "key"].contains(&lower.as_str());
        Column {
            name: name.to_owned(),
            class,
            is_key: is_key || names_rows,
            values: 0,
            missing: Trouble::default(),
            forms: BTreeMap::new(),
            far: Trouble::default(),
            spaces: Trouble::default(),
            broken: Trouble::default(),
            nothing: Trouble::default(),
            spellings: Some(HashMap::new()),
            seen: names_rows.then(Seen::default),
            repeated: Trouble::default(),
        }
    }

    fn add(&mut self, row: u64, cell: &Cell<'_>, of_file: bool) {
        let text = match cell {
            Cell::Null => return self.missing.note(row, ""),
            Cell::Text(text) => text.as_ref(),
            Cell::Blob(_) => return,
            other => &other.shown(),
        };
        let bare = text.trim();
        if bare.is_empty() {
            // In a file, nothing is written as nothing; in a database somebody wrote spaces.
            if of_file && text.is_empty() {
                self.missing.note(row, "");
            } else {
                self.nothing.note(row, text);
            }
            return;
        }
        self.values += 1;
        if text != bare {
            self.spaces.note(row, text);
        }
        if form::is_broken(text) {
            self.broken.note(row, text);
        }
        if form::stands_for_nothing(bare) {
            return self.nothing.note(row, text);
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(crate::profile::column::hash(bare))
        {
            self.repeated.note(row, bare);
        }
        let form = Form::of(bare);
        if let Some(year) = form::year(bare, form)
            && !(1900..=2100).contains(&year)
        {
            self.far.note(row, bare);
        }
        self.forms.entry(form).or_default().note(row, bare);
        if let Some(spellings) = &mut self.spellings {
            let known = spellings
                .entry(
                    bare.split_whitespace()
                        .collect::<Vec<_>>()
                        .join(" ")
                        .to_lowercase(),
                )
                .or_default();
            if known.len() < 5 || known.contains_key(bare) {
                *known.entry(bare.to_owned()).or_default() += 1;
            }
            if spellings.len() > MOST_SPELLINGS {
                self.spellings = None;
            }
        }
    }

    fn findings(mut self) -> Vec<Finding> {
        let name = self.name.clone();
        let mut found = Vec::new();
        let mut say = |what: String, trouble: Trouble| {
            if trouble.count > 0 {
                let Trouble { count, examples } = trouble;
                found.push(Finding {
                    column: Some(name.clone()),
                    what: number::counted(&what, count),
                    count,
                    examples,
                });
            }
        };
        let missing = Trouble {
            count: self.missing.count,
            examples: self
                .missing
                .examples
                .into_iter()
                .map(|e| Example {
                    value: String::new(),
                    ..e
                })
                .collect(),
        };
        let what = match (self.values, self.is_key) {
            (0, _) => "values, all of them, are missing",
            (_, true) => "values are missing, though it names rows",
            _ => "values are missing",
        };
        say(what.to_owned(), missing);
        say(
            "values come again, though it names rows".to_owned(),
            self.repeated,
        );
        say("values stand for nothing".to_owned(), self.nothing);
        if let Some(trouble) = self.forms.remove(&Form::NoDate) {
            // A column of dates shows it; elsewhere the same digits are no date.
            let dates: u64 = self
                .forms
                .iter()
                .filter(|(form, _)| form.is_date())
                .map(|(_, t)| t.count)
                .sum();
            match dates * 2 > self.values || self.class == Class::Date {
                true => say("dates do not exist".to_owned(), trouble),
                false => self.forms.entry(Form::Text).or_default().count += trouble.count,
            }
        }
        if self.class != Class::Text || self.forms.keys().any(|form| form.is_date()) {
            say("dates are before 1900 or after 2100".to_owned(), self.far);
        }
        let total: u64 = self.forms.values().map(|t| t.count).sum();
        let of = |forms: &BTreeMap<Form, Trouble>, test: fn(Form) -> bool| {
            forms
                .iter()
                .filter(|(f, _)| test(**f))
                .map(|(_, t)| t.count)
                .sum::<u64>()
        };
        let usual = |count: u64| count < total && count as f64 >= USUAL * total as f64;
        for (test, word) in [
            (Form::is_number as fn(Form) -> bool, "numbers"),
            (Form::is_date, "dates"),
            (Form::is_truth, "true or false"),
        ] {
            if usual(of(&self.forms, test)) {
                for (form, trouble) in std::mem::take(&mut self.forms) {
                    match test(form) {
                        true => drop(self.forms.insert(form, trouble)),
                        false => say(format!("values are no {word}, as the others are"), trouble),
                    }
                }
                break;
            }
        }
        // Several ways to write the same kind of thing; the most frequent one is the column's own.
        for test in [Form::is_number as fn(Form) -> bool, Form::is_date] {
            let kind: Vec<(Form, u64)> = self
                .forms
                .iter()
                .filter(|(f, _)| test(**f))
                .map(|(f, t)| (*f, t.count))
                .collect();
            let Some((own, _)) = kind
                .iter()
                .max_by_key(|(_, count)| *count)
                .copied()
                .filter(|_| kind.len() > 1)
            else {
                continue;
            };
            if of(&self.forms, test) as f64 >= USUAL * total as f64 {
                for (form, _) in kind.into_iter().filter(|(form, _)| *form != own) {
                    if let Some(trouble) = self.forms.remove(&form) {
                        say(
                            format!(
                                "values are written as {}, the others as {}",
                                form.word(),
                                own.word()
                            ),
                            trouble,
                        );
                    }
                }
            }
        }
        say("values begin or end with spaces".to_owned(), self.spaces);
        say(
            "values hold letters that were read in a wrong encoding".to_owned(),
            self.broken,
        );
        if total > 0
            && of(&self.forms, Form::is_number) < total
            && of(&self.forms, Form::is_date) < total
        {
            let mut several = Trouble::default();
            for spellings in self
                .spellings
                .unwrap_or_default()
                .into_values()
                .filter(|s| s.len() > 1)
            {
                let most = spellings
                    .iter()
                    .max_by_key(|(_, count)| **count)
                    .map(|(text, _)| text.clone());
                let others: u64 = spellings
                    .iter()
                    .filter(|(text, _)| Some(*text) != most.as_ref())
                    .map(|(_, count)| count)
                    .sum();
                several.count += others;
                several.examples.push(Example {
                    row: 0,
                    value: spellings.into_keys().collect::<Vec<_>>().join(" / "),
                });
            }
            several.examples.sort_by(|a, b| a.value.cmp(&b.value));
            several.examples.truncate(MOST_EXAMPLES);
            say(
                "values are another spelling of one that is there".to_owned(),
                several,
            );
        }
        found
    }
}

/// Looks at every value.
///
/// # Errors
/// [`InspectError`] where the table cannot be read.
pub fn scan(place: &Place<'_>, limits: &Limits) -> Result<Quality, InspectError> {
    let shape = place.shape()?;
    let of_file = shape.kind == "csv";
    let is_key = |shape: &Shape, name: &String| shape.key.contains(name);
    let mut columns: Vec<Column> = shape
        .columns
        .iter()
        .map(|c| Column::new(&c.name, c.class, is_key(&shape, &c.name)))
        .collect();
    let (mut rows, mut twice, mut ragged) = (0, Trouble::default(), Trouble::default());
    let mut seen = Seen::default();
    let whole = place.rows(&shape, limits.rows, &mut |cells| {
        if rows >= limits.rows {
            return Flow::Enough;
        }
        rows += 1;
        let first = || {
            cells
                .iter()
                .take(4)
                .map(|cell| cell.shown().into_owned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if !seen.insert(row_hash(cells)) {
            twice.note(rows, &first());
        }
        if cells.len() != shape.columns.len() {
            ragged.note(rows, &first());
        }
        for (at, column) in columns.iter_mut().enumerate() {
            column.add(rows, cells.get(at).unwrap_or(&Cell::Null), of_file);
        }
        Flow::On
    })?;
    let mut findings: Vec<Finding> = columns.into_iter().flat_map(Column::findings).collect();
    for (what, trouble) in [
        ("rows are the same as an earlier one", twice),
        ("rows have more or fewer fields than the header", ragged),
    ] {
        if trouble.count > 0 {
            let Trouble { count, examples } = trouble;
            findings.push(Finding {
                column: None,
                what: number::counted(what, count),
                count,
                examples,
            });
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.count));
    Ok(Quality {
        name: shape.name,
        kind: shape.kind.to_owned(),
        rows,
        whole,
        columns: shape.columns.len() as u64,
        findings,
    })
}

/// Whether a text reads as a number or a truth.
fn plain_form(text: &str) -> Option<Form> {
    if is_boolean(text) {
        return Some(Form::Truth);
    }
    number(text).map(|_| Form::Number)
}

#[cfg(test)]
#[path = "quality/tests.rs"]
mod tests;
