//! Parameters of a playbook: what a value may be, how it is read from a person's words, and how
//! given values are checked.

use super::spelling::{is_address, is_host, is_place, is_unit};
use super::words::{Kind, Token, Weight};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest text value, in bytes.
pub const LONGEST_VALUE: usize = 4096;

/// What kind of value a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Any text.
    Text,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A file or folder inside the workspace.
    Path,
    /// A file inside the workspace.
    File,
    /// A file or folder of the host, from `/`.
    Place,
    /// A table: a file with one of the extensions, `file:table`, or `source:table`.
    Table,
    /// Names of columns, joined by commas.
    Columns,
    /// The address of a page: `https://shop.example/path`, or `shop.example/path`.
    Address,
    /// Names of hosts, with ports where they have some, joined by commas.
    Hosts,
    /// A service's name: letters, digits and `@ . _ : -`.
    Unit,
    /// A program and its words, in quotes: no words of a sentence become one.
    Command,
    /// One of `choices`.
    Choice,
}

/// A parameter as a playbook declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamSpec {
    /// Kind of value.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// It must be given.
    #[serde(default)]
    pub required: bool,
    /// Used when it is not given; without one the value is null.
    #[serde(default)]
    pub default: Option<Value>,
    /// Smallest number.
    #[serde(default)]
    pub min: Option<i64>,
    /// Largest number.
    #[serde(default)]
    pub max: Option<i64>,
    /// The values a choice may have.
    #[serde(default)]
    pub choices: Vec<String>,
    /// For a file: the extensions it may have, lower case, without the dot.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// For people.
    #[serde(default)]
    pub description: String,
}

impl ParamSpec {
    /// Whether an unquoted value may be several words.
    pub fn takes_many_words(&self) -> bool {
        self.kind == ParamType::Text
    }

    /// Whether an ordinary word can be its value; else only paths, quoted texts and numbers are.
    pub fn takes_words(&self) -> bool {
        !matches!(
            self.kind,
            ParamType::Int
                | ParamType::Path
                | ParamType::File
                | ParamType::Place
                | ParamType::Address
                | ParamType::Hosts
                | ParamType::Command
        )
    }

    /// The kind of value, in words.
    pub fn kind_in_words(&self) -> String {
        match self.kind {
            ParamType::Text => "a text".to_owned(),
            ParamType::Int => match (self.min, self.max) {
                (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
                (Some(min), None) => format!("a whole number, at least {min}"),
                (None, Some(max)) => format!("a whole number, at most {max}"),
                (None, None) => "a whole number".to_owned(),
            },
            ParamType::Bool => "yes or no".to_owned(),
            ParamType::Path => "a file or folder of the workspace".to_owned(),
            ParamType::Place => "a file or folder of the host, from /".to_owned(),
            ParamType::File if self.extensions.is_empty() => "a file of the workspace".to_owned(),
            ParamType::File => {
                format!("a file of the workspace: .{}", self.extensions.join(", ."))
            }
            ParamType::Table => "a table: orders.csv, shop.db:orders, or SOURCE:orders".to_owned(),
            ParamType::Columns => "names of columns, joined by commas".to_owned(),
            ParamType::Command => "a program and its words, in quotes or `backticks`".to_owned(),
            ParamType::Unit => "a name: letters, digits and @ . _ : -".to_owned(),
            ParamType::Address => "the address of a page: https://shop.example/path".to_owned(),
            ParamType::Hosts => "a host, or several: shop.example,mail.example:993".to_owned(),
            ParamType::Choice => format!("one of {}", self.choices.join(", ")),
        }
    }

    /// Reads a value from one token of a request; `None` when it does not look like one.
    pub fn read(&self, token: &Token) -> Option<Value> {
        let text = || Value::String(token.raw.clone());
        let value = match (self.kind, &token.kind) {
            (ParamType::Text, _) => text(),
            (ParamType::Int, Kind::Number) => Value::from(token.raw.parse::<i64>().ok()?),
            (ParamType::Path | ParamType::File, Kind::Path | Kind::Quoted) => text(),
            (ParamType::Place, Kind::Path | Kind::Quoted) if is_place(&token.raw) => text(),
            (ParamType::Table, _) if self.is_table(&token.raw) => {
                return self.check(&text()).ok();
            }
            (ParamType::Columns, Kind::Quoted) => text(),
            (ParamType::Columns, Kind::Word { weight, .. }) if *weight != Weight::Stop => text(),
            (ParamType::Unit, _) => text(),
            (ParamType::Command, Kind::Quoted) => text(),
            (
                ParamType::Address | ParamType::Hosts,
                Kind::Path | Kind::Quoted | Kind::Word { .. },
            ) => {
                return self.check(&text()).ok();
            }
            (ParamType::Bool, Kind::Word { .. }) => Value::Bool(as_bool(&token.raw)?),
            (ParamType::Choice, Kind::Word { .. } | Kind::Quoted | Kind::Path | Kind::Number) => {
                text()
            }
            _ => return None,
        };
        let extension_fits =
            self.extensions.is_empty() || has_extension(&token.raw, &self.extensions);
        let checked_here = matches!(self.kind, ParamType::Choice | ParamType::Unit);
        if !extension_fits {
            None
        } else if checked_here {
            self.check(&value).ok()
        } else {
            Some(value)
        }
    }

    /// Checks a given value and brings it into its own type.
    ///
    /// # Errors
    /// A sentence about what it must be.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        match self.kind {
            ParamType::Int => self.check_int(value),
            ParamType::Bool => match value {
                Value::Bool(_) => Ok(value.clone()),
                Value::String(text) => as_bool(text)
                    .map(Value::Bool)
                    .ok_or_else(|| "must be true or false".to_owned()),
                _ => Err("must be true or false".to_owned()),
            },
            _ => self.check_text(value),
        }
    }

    fn check_int(&self, value: &Value) -> Result<Value, String> {
        let number = match value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        let number: i64 = number.ok_or("must be a whole number")?;
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Err(format!("must be at least {min}, not {number}"));
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            return Err(format!("must be at most {max}, not {number}"));
        }
        Ok(Value::from(number))
    }

    fn check_text(&self, value: &Value) -> Result<Value, String> {
        let text = value.as_str().ok_or("must be a text")?;
        if text.is_empty() || text.len() > LONGEST_VALUE {
            return Err(format!("must have 1 to {LONGEST_VALUE} bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not hold control characters".to_owned());
        }
        match self.kind {
            ParamType::Path | ParamType::File => self.check_path(text)?,
            // The table in a file is the database's to judge.
            ParamType::Table => {
                ParamSpec::check_inside(text.split_once(':').map_or(text, |(of, _)| of))?;
            }
            ParamType::Unit if !is_unit(text) => {
                return Err(
                    "must be a service's name: letters, digits and @ . _ : -, not starting with -"
                        .to_owned(),
                );
            }
            ParamType::Address if !is_address(text) => {
                return Err(format!(
                    "must be the address of a page, such as https://shop.example/path: `{text}` is none"
                ));
            }
            ParamType::Hosts if !text.split(',').all(is_host) => {
                return Err(format!(
                    "must name hosts, such as shop.example or mail.example:993: `{text}` does not"
                ));
            }
            ParamType::Place if !is_place(text) => {
                return Err(format!(
                    "must be a place on the host, from / and without ..: `{text}` is none"
                ));
            }
            ParamType::Choice => return self.check_choice(text),
            _ => {}
        }
        Ok(Value::String(text.to_owned()))
    }

    /// Whether a word of a request is meant as a table.
    fn is_table(&self, text: &str) -> bool {
        match text.split_once(':') {
            Some((of, table)) => !of.is_empty() && !table.is_empty() && !table.starts_with('/'),
            None => !self.extensions.is_empty() && has_extension(text, &self.extensions),
        }
    }

    fn check_inside(text: &str) -> Result<(), String> {
        let seen = ["/workspace", protocol::attachment::INSIDE];
        let below = |folder: &&str| {
            let rest = text.strip_prefix(*folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let outside = text.starts_with('/') && !seen.iter().any(below);
        if outside || text.starts_with('~') || text.split('/').any(|part| part == "..") {
            return Err(format!(
                "must be inside the workspace: give `{text}` relative to it"
            ));
        }
        if text.starts_with('-') {
            return Err(format!("must not start with -: write ./{text}"));
        }
        Ok(())
    }

    fn check_path(&self, text: &str) -> Result<(), String> {
        ParamSpec::check_inside(text)?;
        if !self.extensions.is_empty() && !has_extension(text, &self.extensions) {
            return Err(format!("must end in .{}", self.extensions.join(", .")));
        }
        Ok(())
    }

    fn check_choice(&self, text: &str) -> Result<Value, String> {
        self.choices
            .iter()
            .find(|choice| choice.eq_ignore_ascii_case(text))
            .map(|choice| Value::String(choice.clone()))
            .ok_or_else(|| format!("must be one of {}", self.choices.join(", ")))
    }
}

fn as_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn has_extension(text: &str, extensions: &[String]) -> bool {
    text.rsplit_once('.')
        .is_some_and(|(_, end)| extensions.iter().any(|e| e.eq_ignore_ascii_case(end)))
}

/// Why given parameters were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// A name the playbook does not have.
    #[error("it has no parameter `{name}`{hint} ({})", it_takes(.known))]
    Unknown {
        /// As given.
        name: String,
        /// The nearest known one, as `: did you mean …?`, or nothing.
        hint: String,
        /// All it has.
        known: Vec<String>,
    },
    /// A required one is missing.
    #[error("it needs `{name}`{description}: give it as {name}=…")]
    Missing {
        /// Its name.
        name: String,
        /// Its description in brackets, or nothing.
        description: String,
    },
    /// A value does not fit.
    #[error("its parameter `{name}` {problem}")]
    Value {
        /// Its name.
        name: String,
        /// What it must be.
        problem: String,
    },
}

/// `it takes: a, b`, for a sentence.
fn it_takes(known: &[String]) -> String {
    match known {
        [] => "it takes none".to_owned(),
        known => format!("it takes: {}", known.join(", ")),
    }
}

/// Checks given values against the declared parameters; every declared name is in the answer,
/// null where it was not given and has no default.
///
/// # Errors
/// [`ParamError`] for the first that does not fit.
pub fn check_all(
    specs: &BTreeMap<String, ParamSpec>,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, ParamError> {
    if let Some(name) = given.keys().find(|name| !specs.contains_key(*name)) {
        let nearest = super::nearest(name, specs.keys().map(String::as_str));
        return Err(ParamError::Unknown {
            name: name.clone(),
            hint: nearest.map_or_else(String::new, |n| format!(": did you mean `{n}`?")),
            known: specs.keys().cloned().collect(),
        });
    }
    let mut checked = Map::new();
    for (name, spec) in specs {
        let value = given
            .get(name)
            .filter(|v| !v.is_null())
            .or(spec.default.as_ref());
        let value = match value {
            Some(value) => spec.check(value).map_err(|problem| ParamError::Value {
                name: name.clone(),
                problem,
            })?,
            None if spec.required => {
                let description = if spec.description.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", spec.description)
                };
                return Err(ParamError::Missing {
                    name: name.clone(),
                    description,
                });
            }
            None => Value::Null,
        };
        checked.insert(name.clone(), value);
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn spec(yaml: &str) -> ParamSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn values_are_checked() {
        let days = "{type: int, min: 1, max: 30}";
        let file = "{type: file, extensions: [csv]}";
        for (yaml, value, expected) in [
            (days, json!(14), Some(json!(14))),
            (days, json!("14"), Some(json!(14))),
            (days, json!(0), None),
            (days, json!(31), None),
            (days, json!(1.5), None),
            ("{type: bool}", json!("yes"), Some(json!(true))),
            ("{type: bool}", json!("maybe"), None),
            (file, json!("a/b.CSV"), Some(json!("a/b.CSV"))),
            (
                file,
                json!("/workspace/b.csv"),
                Some(json!("/workspace/b.csv")),
            ),
            (file, json!("b.rs"), None),
            (file, json!("../b.csv"), None),
            (file, json!("/etc/b.csv"), None),
            (file, json!("~/b.csv"), None),
            (file, json!("-b.csv"), None),
            (file, json!("b\u{1b}.csv"), None),
            (
                "{type: unit}",
                json!("postgresql@15-main"),
                Some(json!("postgresql@15-main")),
            ),
            ("{type: place}", json!("/srv/a b"), Some(json!("/srv/a b"))),
            ("{type: place}", json!("srv"), None),
            ("{type: place}", json!("/srv/../etc"), None),
            ("{type: unit}", json!("a; rm"), None),
            ("{type: unit}", json!("--now"), None),
            (
                "{type: choice, choices: [Red, Green]}",
                json!("red"),
                Some(json!("Red")),
            ),
            ("{type: choice, choices: [Red, Green]}", json!("blue"), None),
            ("{type: text}", json!(""), None),
            ("{type: text}", json!(7), None),
        ] {
            assert_eq!(spec(yaml).check(&value).ok(), expected, "{yaml} {value}");
        }
    }

    #[test]
    fn unknown_and_missing_are_named() {
        let specs = BTreeMap::from([("file".to_owned(), spec("{type: file, required: true}"))]);
        let check = |given: Value| {
            check_all(&specs, given.as_object().unwrap())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            check(json!({"fil": "a"})),
            "it has no parameter `fil`: did you mean `file`? (it takes: file)"
        );
        assert_eq!(check(json!({})), "it needs `file`: give it as file=…");
    }
}
