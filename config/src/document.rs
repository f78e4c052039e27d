//! A settings file as a tree that remembers its lines. Files may be missing; one that is huge,
//! binary, not YAML, or writable by others is refused with a sentence.

use crate::error::Problem;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Largest file read, in bytes.
pub const FILE_BYTES: u64 = 1024 * 1024;

/// Where something stands in a file: line and column, both from 1; zeros for the whole file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

impl Mark {
    /// A line and a column.
    pub fn new(line: u64, column: u64) -> Self {
        Self { line, column }
    }

    fn of(at: serde_saphyr::Location) -> Self {
        Self::new(at.line(), at.column())
    }
}

/// A node of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Keys with their places and nodes, in order.
    Map(Vec<(String, Mark, Node)>),
    /// A single value or a list.
    Value(Value),
}

impl Node {
    /// The same without lines.
    pub fn into_value(self) -> Value {
        match self {
            Node::Value(value) => value,
            Node::Map(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, _, node)| (key, node.into_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Reads a file as text; `None` where there is none.
pub fn read_text(path: &Path) -> Result<Option<String>, Problem> {
    let refused = |problem: String| Problem::new(path.display(), problem);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(format!("cannot be read: {error}"))),
    };
    let about = file
        .metadata()
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    if !about.is_file() {
        return Err(refused("is not a regular file".into()));
    }
    if about.mode() & 0o022 != 0 {
        return Err(refused(format!(
            "may be changed by others (mode {:04o}): run `chmod go-w {}`",
            about.mode() & 0o777,
            path.display()
        )));
    }
    if about.len() > FILE_BYTES {
        return Err(refused("is larger than 1 MB".into()));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(Some(text)),
        _ => Err(refused("is not UTF-8 text".into())),
    }
}

/// Parses one YAML document; an empty one is a `null` value.
pub fn parse(place: &str, text: &str) -> Result<Node, Problem> {
    if text.len() as u64 > FILE_BYTES {
        return Err(Problem::new(place, "is larger than 1 MB"));
    }
    serde_saphyr::from_str::<Node>(text).map_err(|error| {
        let place = match error.location() {
            Some(at) if at.line() > 0 => format!("{place}:{}:{}", at.line(), at.column()),
            _ => place.to_owned(),
        };
        // Without the snippet: it would quote the file, which may hold what nobody should see.
        let said = error.without_snippet().to_string();
        let said = said.lines().next().unwrap_or_default();
        let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
        Problem::new(place, format!("is not the YAML expected here: {said}"))
    })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Value(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Value(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Value(value.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        match serde_json::Number::from_f64(value) {
            Some(number) => Ok(Node::Value(Value::Number(number))),
            None => Err(E::custom("a number must be finite")),
        }
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Value(value.into()))
    }
    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Value(value.into()))
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Value(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Value(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Node>()? {
            items.push(item.into_value());
        }
        Ok(Node::Value(Value::Array(items)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Mark, Node)> = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let mark = Mark::of(key.referenced);
            let name = key.value;
            if entries.iter().any(|(known, _, _)| *known == name) {
                return Err(A::Error::custom(format!("key `{name}` is there twice")));
            }
            entries.push((name, mark, access.next_value()?));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_remembered() {
        let node = parse("f", "# top\na:\n  b: 1\n\n  c: [x, {y: 2}]\nd: {e: true}\n").unwrap();
        let Node::Map(top) = &node else {
            panic!("a map")
        };
        assert_eq!((top[0].1, top[1].1), (Mark::new(2, 1), Mark::new(6, 1)));
        let Node::Map(a) = &top[0].2 else {
            panic!("a map")
        };
        assert_eq!((a[0].1, a[1].1), (Mark::new(3, 3), Mark::new(5, 3)));
        let expected = json!({"a": {"b": 1, "c": ["x", {"y": 2}]}, "d": {"e": true}});
        assert_eq!(node.into_value(), expected);
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(
                parse("f", text).unwrap(),
                Node::Value(Value::Null),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_not_yaml_is_refused() {
        let bomb = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)
        });
        let deep = "[".repeat(100_000);
        for (text, part) in [
            ("a: [1", "f"),
            ("a: 1\na: 2\n", "f:2"),
            ("a: 1\n---\nb: 2\n", "f"),
            ("a: b: c", "f"),
            (bomb.as_str(), "f"),
            (deep.as_str(), "f"),
        ] {
            let said = parse("f", text).unwrap_err().to_string();
            assert!(said.starts_with(part) && said.len() < 400, "{said}");
        }
    }

    #[test]
    fn bad_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.yaml");
        assert_eq!(read_text(&path), Ok(None));
        for (content, part) in [
            (vec![0xff, 0xfe], "not UTF-8"),
            (b"a\0b".to_vec(), "not UTF-8"),
            (vec![b'x'; 1_100_000], "larger than 1 MB"),
        ] {
            std::fs::write(&path, content).unwrap();
            let said = read_text(&path).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        }
        assert!(read_text(folder.path()).is_err());
    }
}
