//! Placeholders that can be put back. What a task is told of a file says `[secret:3f2a91c0]` where a secret stands,
//! the same name for the same secret throughout the task; an Edit or a Write that holds the name gets the secret back
//! where that very file holds it already, and nowhere else. No list of secrets is kept anywhere: the file that is
//! changed is looked at again, and what hides in it is named once more, under a key that only the task's holders
//! have. So a name says nothing of what it stands for, one that was made up or belongs to another file or task stays
//! what it is, and no secret goes where it was not: into an address, a program's words, a message, another file.

use crate::act::{Act, Operation};
use crate::redact::Redactor;
use hmac::{Hmac, KeyInit, Mac};
use protocol::fault::Faults;
use protocol::walls::Wall;
use serde_json::Value;
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// What a placeholder begins with.
const OPEN: &str = "[secret:";
/// Hexadecimal digits of a name.
const DIGITS: usize = 8;
/// Most names that are tried for one secret, where text holds them already.
const TRIES: u32 = 64;

/// Masks and puts back, for one task.
pub struct Masks {
    redactor: Redactor,
    key: [u8; 32],
    /// A test took the wall away: what was masked is remembered, and put back wherever it is asked for.
    anywhere: Option<Mutex<BTreeMap<String, String>>>,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({:?})", self.redactor)
    }
}

impl Masks {
    /// With what is known of secrets, and the key of the task.
    pub fn new(redactor: Redactor, key: [u8; 32], faults: Faults) -> Self {
        let stands = faults.stands(Wall::Placeholders);
        Masks {
            redactor,
            key,
            anywhere: (!stands).then(Mutex::default),
        }
    }

    /// Text with each secret replaced by its placeholder.
    pub fn text(&self, text: &str) -> String {
        let spans = self.redactor.spans(text);
        if spans.is_empty() {
            return text.to_owned();
        }
        let names = self.names(text, &spans);
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for span in spans {
            let (Some(before), Some(secret)) = (text.get(at..span.start), text.get(span.clone()))
            else {
                continue;
            };
            masked.push_str(before);
            // One that has no name has no way back.
            masked.push_str(names.get(secret).map_or("[secret]", String::as_str));
            at = span.end;
        }
        masked.push_str(text.get(at..).unwrap_or_default());
        if let Some(seen) = &self.anywhere {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.extend(names.into_iter().map(|(secret, name)| (name, secret)));
        }
        masked
    }

    /// The same for every string of a value, keys included.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => (map.into_iter())
                .map(|(key, value)| (self.text(&key), self.value(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other,
        }
    }

    /// The file whose content must be looked at before an act runs: one that is changed by words with a
    /// placeholder in them.
    pub fn file_of<'a>(&self, act: &'a Act) -> Option<&'a str> {
        let (path, words) = match &act.operation {
            Operation::Edit { path, old, new, .. } => (path, [old.as_str(), new]),
            Operation::Write { path, content } => (path, [content.as_str(), ""]),
            _ => return None,
        };
        (words.iter().any(|text| text.contains(OPEN))).then_some(path)
    }

    /// The act with secrets in place of their placeholders, as far as the file it changes holds them. How it is
    /// shown to people stays as it was asked for.
    pub fn put_back(&self, act: &Act, holds: &str) -> Act {
        let mut act = act.clone();
        let back: BTreeMap<String, String> =
            (self.names(holds, &self.redactor.spans(holds)).into_iter())
                .map(|(secret, name)| (name, secret))
                .collect();
        match &mut act.operation {
            Operation::Edit { old, new, .. } => {
                *old = put(old, &back);
                *new = put(new, &back);
            }
            Operation::Write { content, .. } => *content = put(content, &back),
            _ => {}
        }
        act
    }

    /// Where a test took the wall away: every word of an act with whatever was ever masked put back.
    pub fn put_back_anywhere(&self, act: &Act) -> Option<Act> {
        let seen = self.anywhere.as_ref()?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let value = serde_json::to_value(&act.operation).ok()?;
        let operation = serde_json::from_value(everywhere(value, &seen)).ok()?;
        Some(Act::of(operation))
    }

    /// The secrets of a text, each with its placeholder. No two have the same one, and none has one that the text
    /// holds by itself, so that masking and putting back lead to the same text.
    fn names(&self, text: &str, spans: &[Range<usize>]) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut taken: BTreeSet<String> = literal(text).map(str::to_owned).collect();
        for span in spans {
            let Some(secret) = text.get(span.clone()) else {
                continue;
            };
            if names.contains_key(secret) {
                continue;
            }
            let mut tried = (0..TRIES).map(|n| self.name(secret, n));
            if let Some(name) = tried.find(|name| !taken.contains(name)) {
                taken.insert(name.clone());
                names.insert(secret.to_owned(), name);
            }
        }
        names
    }

    fn name(&self, secret: &str, number: u32) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return "[secret]".to_owned();
        };
        mac.update(&number.to_be_bytes());
        for (at, line) in secret.split('\n').enumerate() {
            // Read numbers the lines; a secret of several has the same name with and without.
            let line = if at == 0 { line } else { unnumbered(line) };
            mac.update(line.as_bytes());
            mac.update(b"\n");
        }
        let digest = mac.finalize().into_bytes();
        let digits: String = (digest.iter().take(DIGITS / 2))
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{OPEN}{digits}]")
    }
}

/// A line without the number that Read puts before it.
fn unnumbered(line: &str) -> &str {
    match line.split_once('\t') {
        Some((number, rest))
            if !number.is_empty()
                && number.bytes().all(|b| b == b' ' || b.is_ascii_digit())
                && number.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            rest
        }
        _ => line,
    }
}

/// Whatever in a text looks like a placeholder with a name.
fn literal(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(OPEN).filter_map(|(at, _)| {
        let end = at + OPEN.len() + DIGITS + 1;
        text.get(at..end).filter(|found| is_placeholder(found))
    })
}

fn is_placeholder(text: &str) -> bool {
    let name = text.strip_prefix(OPEN).and_then(|t| t.strip_suffix(']'));
    name.is_some_and(|name| {
        let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        name.len() == DIGITS && name.bytes().all(digit)
    })
}

/// A text with these placeholders replaced; any other stays.
fn put(text: &str, back: &BTreeMap<String, String>) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        whole.push_str(before);
        let found = from.get(..OPEN.len() + DIGITS + 1);
        match found.and_then(|found| Some((found, back.get(found)?))) {
            Some((found, secret)) => {
                whole.push_str(secret);
                rest = &from[found.len()..];
            }
            None => {
                whole.push_str(OPEN);
                rest = &from[OPEN.len()..];
            }
        }
    }
    whole.push_str(rest);
    whole
}

fn everywhere(value: Value, back: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(put(&text, back)),
        Value::Array(items) => items.into_iter().map(|v| everywhere(v, back)).collect(),
        Value::Object(map) => (map.into_iter())
            .map(|(key, value)| (key, everywhere(value, back)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "hunter2-hunter2";

    fn masks(key: u8) -> Masks {
        let known = [SECRET.to_owned(), "aaaaaaaa".to_owned()];
        Masks::new(Redactor::new(known), [key; 32], Faults::default())
    }

    fn edit(path: &str, old: &str, new: &str) -> Act {
        Act::of(Operation::Edit {
            path: path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
            all: false,
        })
    }

    fn back(masks: &Masks, masked: &str, holds: &str) -> String {
        let act = Act::of(Operation::Write {
            path: "a".to_owned(),
            content: masked.to_owned(),
        });
        match masks.put_back(&act, holds).operation {
            Operation::Write { content, .. } => content,
            other => panic!("{other:?}"),
        }
    }

    /// Pieces that make trouble: secrets, parts of them, placeholders and parts of those.
    fn piece() -> impl Strategy<Value = String> {
        let named = masks(1).text(SECRET);
        prop_oneof![
            Just(SECRET.to_owned()),
            Just("hunter2-".to_owned()),
            Just("aaaaaaaa".to_owned()),
            Just("aaa".to_owned()),
            Just("DB_PASSWORD=".to_owned()),
            Just("postgres://shop:".to_owned()),
            Just("@db/x ".to_owned()),
            Just("[secret:".to_owned()),
            Just("[secret]".to_owned()),
            Just(named),
            Just("]".to_owned()),
            "[ -~é\n\t]{0,12}",
            "[0-9a-f]{1,9}",
        ]
    }

    proptest! {
        #[test]
        fn masked_and_put_back_is_the_same(pieces in proptest::collection::vec(piece(), 0..12)) {
            let text = pieces.concat();
            let masks = masks(1);
            let masked = masks.text(&text);
            prop_assert!(!masked.contains(SECRET), "{masked}");
            prop_assert!(!masked.contains("aaaaaaaa"), "{masked}");
            prop_assert_eq!(back(&masks, &masked, &text), text.clone());
            // Another task's names, and another file's: nothing is put back.
            prop_assert_eq!(back(&super::tests::masks(2), &masked, &text), masked.clone());
            prop_assert_eq!(back(&masks, &masked, "nothing here"), masked);
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>(), holds in any::<String>()) {
            let masks = masks(1);
            let masked = masks.text(&text);
            prop_assert_eq!(back(&masks, &masked, &text), text);
            back(&masks, &masked, &holds);
        }
    }

    #[test]
    fn one_name_for_one_secret_and_none_that_tells_of_it() {
        let one = masks(1);
        let (first, second) = (one.text(SECRET), one.text(&format!("x {SECRET} y")));
        assert!(is_placeholder(&first), "{first}");
        assert_eq!(second, format!("x {first} y"));
        assert_ne!(first, masks(2).text(SECRET), "another task");
        assert_ne!(first, one.text("aaaaaaaa"));
        assert_eq!(one.text("nothing"), "nothing");
    }

    #[test]
    fn a_file_of_settings_is_edited_next_to_a_password() {
        let masks = masks(1);
        let file = "[db]\nDB_PASSWORD=correct-horse\nport=1\n";
        let numbered = "     1\t[db]\n     2\tDB_PASSWORD=correct-horse\n     3\tport=1\n";
        let told = masks.text(numbered);
        let name = literal(&told).next().unwrap();
        let act = edit(
            ".env",
            &format!("DB_PASSWORD={name}\nport=1"),
            &format!("DB_PASSWORD={name}\nport=2"),
        );
        assert_eq!(masks.file_of(&act), Some(".env"));
        let made = masks.put_back(&act, file);
        let Operation::Edit { old, new, .. } = &made.operation else {
            panic!("an edit")
        };
        assert_eq!(old, "DB_PASSWORD=correct-horse\nport=1");
        assert_eq!(new, "DB_PASSWORD=correct-horse\nport=2");
        assert_eq!(made.paths, act.paths);
    }

    #[test]
    fn a_key_of_many_lines_has_one_name_with_numbers_and_without() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIB\nabc=\n-----END PRIVATE KEY-----";
        let numbered: String = (1..)
            .zip(key.lines())
            .map(|(n, line)| format!("{n:>6}\t{line}\n"))
            .collect();
        let masks = masks(1);
        let told = masks.text(&numbered);
        let name = literal(&told).next().unwrap();
        assert_eq!(back(&masks, name, key), key);
    }

    #[test]
    fn only_a_file_that_is_changed_is_looked_at() {
        let masks = masks(1);
        let name = masks.text(SECRET);
        for operation in [
            Operation::Bash {
                argv: vec!["echo".to_owned(), name.clone()],
                cwd: ".".to_owned(),
                timeout_ms: None,
            },
            Operation::GitCommit {
                message: name.clone(),
                paths: vec![name.clone()],
                key: String::new(),
            },
            Operation::Read {
                path: name.clone(),
                offset: 1,
                limit: 1,
            },
        ] {
            let act = Act::of(operation);
            assert_eq!(masks.file_of(&act), None, "{act:?}");
            assert_eq!(masks.put_back(&act, SECRET), act);
            assert_eq!(masks.put_back_anywhere(&act), None);
        }
        assert_eq!(masks.file_of(&edit("a", "x", "[secret]")), None);
    }
}
