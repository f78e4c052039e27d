//! Rows of JSON: an object a line (JSON Lines), objects one after the other, or one list of objects. Objects in a row are
//! flattened (`address.city`), lists stay one text. The columns are those of all rows, so the file is read twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::csv::{MOST_COLUMNS, stem};
use super::{Cell, Class, Column, Flow, See, Shape};
use crate::limits::InspectError;

/// Objects in objects are flattened this deep.
const DEPTH: usize = 5;

/// Whether a text begins as rows of JSON do: an object, or a list of objects.
pub(super) fn looks_so(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut signs = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (signs.next(), signs.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => true,
        (Some(b'['), Some(b'{')) => matches!(signs.next(), Some(b'"' | b'}')),
        (Some(b'['), Some(b']')) => true,
        _ => false,
    }
}

/// What a column held so far.
#[derive(Default)]
struct Held {
    integer: bool,
    real: bool,
    truth: bool,
    text: bool,
}

impl Held {
    fn see(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(_) => self.truth = true,
            Value::Number(number) if number.is_i64() => self.integer = true,
            Value::Number(_) => self.real = true,
            _ => self.text = true,
        }
    }

    fn class(&self) -> (Class, &'static str) {
        match (self.integer, self.real, self.truth, self.text) {
            (true, false, false, false) => (Class::Integer, "integer"),
            (_, true, false, false) => (Class::Real, "number"),
            (false, false, true, false) => (Class::Boolean, "boolean"),
            (false, false, false, true) => (Class::Text, "text"),
            (false, false, false, false) => (Class::Open, ""),
            _ => (Class::Open, "mixed"),
        }
    }
}

/// The columns, in the order in which they first come.
pub(super) fn shape(path: &Path) -> Result<Shape, InspectError> {
    let mut names: Vec<(String, Held)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut rows = 0;
    each(path, &mut |row| {
        rows += 1;
        flat(row, "", 0, &mut |name, value| {
            let at = match known.get(&name) {
                Some(at) => *at,
                None if names.len() >= MOST_COLUMNS => return,
                None => {
                    known.insert(name.clone(), names.len());
                    names.push((name, Held::default()));
                    names.len() - 1
                }
            };
            if let Some((_, held)) = names.get_mut(at) {
                held.see(value);
            }
        });
        Flow::On
    })?;
    let column = |(name, held): (String, Held)| {
        let (class, declared) = held.class();
        Column {
            name,
            class,
            declared: declared.to_owned(),
        }
    };
    Ok(Shape {
        kind: "json",
        name: stem(path),
        columns: names.into_iter().map(column).collect(),
        key: Vec::new(),
        rows: Some(rows),
    })
}

/// Every row, with a cell for each column.
pub(super) fn rows(path: &Path, shape: &Shape, see: See<'_>) -> Result<bool, InspectError> {
    let places = shape.columns.iter().enumerate();
    let places: HashMap<&str, usize> = places.map(|(at, c)| (c.name.as_str(), at)).collect();
    each(path, &mut |row| {
        let mut cells = vec![Cell::Null; shape.columns.len()];
        flat(row, "", 0, &mut |name, value| {
            let place = places.get(name.as_str());
            if let Some(cell) = place.and_then(|at| cells.get_mut(*at)) {
                *cell = cell_of(value);
            }
        });
        see(&cells)
    })
}

fn cell_of(value: &Value) -> Cell<'static> {
    match value {
        Value::Null => Cell::Null,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(real)) if !number.is_u64() => Cell::Real(real),
            // Larger than what a whole number holds: no digit is lost as text.
            _ => Cell::Text(number.to_string().into()),
        },
        Value::String(text) => Cell::Text(Cow::Owned(text.clone())),
        other => Cell::Text(other.to_string().into()),
    }
}

/// Each value of a row with its name.
fn flat(row: &Map<String, Value>, above: &str, depth: usize, see: &mut dyn FnMut(String, &Value)) {
    for (name, value) in row {
        let name = match above {
            "" => name.clone(),
            above => format!("{above}.{name}"),
        };
        match value {
            Value::Object(inner) if depth < DEPTH && !inner.is_empty() => {
                flat(inner, &name, depth + 1, see);
            }
            value => see(name, value),
        }
    }
}

/// Sees one row.
type SeeRow<'s> = &'s mut dyn FnMut(&Map<String, Value>) -> Flow;

/// Reads row after row; whether all were offered.
fn each(path: &Path, see: SeeRow<'_>) -> Result<bool, InspectError> {
    let opened = || File::open(path).map_err(|e| InspectError::unreadable(path, e));
    let mut first = opened()?;
    let mut head = [0; 4096];
    let read = first
        .read(&mut head)
        .map_err(|e| InspectError::unreadable(path, e))?;
    let mark = head[..read].starts_with(b"\xef\xbb\xbf");
    let is_list = head[..read]
        .iter()
        .skip(if mark { 3 } else { 0 })
        .find(|b| !b.is_ascii_whitespace())
        == Some(&b'[');
    let mut file = BufReader::with_capacity(1 << 17, opened()?);
    if mark {
        file.read_exact(&mut [0; 3])
            .map_err(|e| InspectError::unreadable(path, e))?;
    }
    let mut reader = Rows {
        see,
        row: 0,
        enough: false,
        odd: None,
    };
    let done = match is_list {
        true => {
            let mut all = serde_json::Deserializer::from_reader(file);
            let read = all.deserialize_seq(&mut reader);
            read.and_then(|()| all.end())
        }
        false => {
            let mut failed = Ok(());
            for value in serde_json::Deserializer::from_reader(file).into_iter::<Value>() {
                match value {
                    Ok(value) if reader.take(&value) => {}
                    Ok(_) => break,
                    Err(error) => {
                        failed = Err(error);
                        break;
                    }
                }
            }
            failed
        }
    };
    let odd = |why: String| Err(InspectError::not_read(path.display(), why));
    match (done, reader.odd) {
        (_, Some(why)) => odd(why),
        _ if reader.enough => Ok(false),
        (Err(error), None) => odd(format!(
            "after {} good rows: {error}; it is no proper JSON there",
            reader.row
        )),
        (Ok(()), None) => Ok(true),
    }
}

struct Rows<'s> {
    see: SeeRow<'s>,
    row: u64,
    enough: bool,
    odd: Option<String>,
}

impl Rows<'_> {
    /// Takes a row; whether another is wanted.
    fn take(&mut self, value: &Value) -> bool {
        match value {
            Value::Object(row) => {
                self.row += 1;
                self.enough = (self.see)(row) == Flow::Enough;
                !self.enough
            }
            _ => {
                let row = self.row + 1;
                self.odd = Some(format!(
                    "row {row} is no object, so it has no columns: a table is a list of objects, or one a line"
                ));
                false
            }
        }
    }
}

impl<'de> Visitor<'de> for &mut Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element_seed(Plain)? {
            if !self.take(&value) {
                // What is still to come is not read, and the list is not at its end.
                return Err(serde::de::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        serde::Deserialize::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Place;
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, text).unwrap();
        let place = Place::File {
            path: &path,
            table: None,
        };
        let shape = match place.shape() {
            Ok(shape) => shape,
            Err(e) => return e.to_string().split("rows.jsonl").last().unwrap().to_owned(),
        };
        let columns: Vec<String> = shape
            .columns
            .iter()
            .map(|c| format!("{}:{}", c.name, c.declared))
            .collect();
        let mut all = format!("{} {} |", shape.kind, columns.join(" "));
        let read = place.rows(&shape, u64::MAX, &mut |cells| {
            let shown: Vec<String> = cells
                .iter()
                .map(|c| {
                    if matches!(c, Cell::Null) {
                        "-".to_owned()
                    } else {
                        c.shown().into_owned()
                    }
                })
                .collect();
            all.push_str(&format!(" {}", shown.join(",")));
            Flow::On
        });
        assert!(read.unwrap());
        all
    }

    #[test]
    fn rows_are_read_in_every_form() {
        let lines = "{\"id\": 1, \"name\": \"Ann\", \"at\": {\"city\": \"Ulm\", \"geo\": [1, 2]}}\n\n{\"id\": 2, \"ok\": true, \"name\": null}\r\n";
        let expected = "json id:integer name:text at.city:text at.geo:text ok:boolean | 1,Ann,Ulm,[1,2],- 2,-,-,-,true";
        let list = "[\n {\"id\": 1, \"name\": \"Ann\", \"at\": {\"city\": \"Ulm\", \"geo\": [1, 2]}},\n {\"id\": 2, \"ok\": true, \"name\": null}\n]\n";
        for (text, expected) in [
            (lines, expected),
            (list, expected),
            (&format!("\u{feff}{lines}"), expected),
            ("[]", "json  |"),
            ("{}\n{}", "json  |  "),
            ("{\"a\": 1}{\"a\": 1.5}", "json a:number | 1 1.5"),
            (
                "{\"a\": \"007\", \"b\": 1}\n{\"a\": \"x\", \"b\": \"1\"}",
                "json a:text b:mixed | 007,1 x,1",
            ),
            (
                "{\"a\": 18446744073709551615}",
                "json a:number | 18446744073709551615",
            ),
            (
                "{\"a\": 1}\n{\"a\": ",
                ": after 1 good rows: EOF while parsing a value at line 2 column 6; it is no proper JSON there",
            ),
            (
                "[{\"a\": 1}, {\"a\": 2}",
                ": after 2 good rows: EOF while parsing a list at line 1 column 19; it is no proper JSON there",
            ),
            (
                "{\"a\": 1}\n[2]\n",
                ": row 2 is no object, so it has no columns: a table is a list of objects, or one a line",
            ),
            (
                "[{\"a\": 1}, 2]",
                ": row 2 is no object, so it has no columns: a table is a list of objects, or one a line",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_of_text_are_not_taken_for_json() {
        for (text, expected) in [
            ("{\"a\"", true),
            (" [ {\"a\"", true),
            ("[]", true),
            ("{}", true),
            ("id,name\n1,{\"a\"", false),
            ("[1, 2]", false),
            ("{a},b", false),
            ("", false),
        ] {
            assert_eq!(looks_so(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)[\\[{](\\{|\\}|\\[|\\]|\"a\": |\"b\"|,|1|1e999|null|\n|é|.){0,60}") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.json");
            std::fs::write(&path, text).unwrap();
            if let Ok(shape) = shape(&path) {
                prop_assert!(rows(&path, &shape, &mut |_| Flow::On).is_ok());
            }
        }
    }
}
