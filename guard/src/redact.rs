//! Masks secrets in text before it goes anywhere: values that are known, and shapes that are
//! almost certainly tokens. Short and common values are left alone, or text would fall apart.

mod named;

use named::Told;
use protocol::fault::Faults;
use protocol::walls::Wall;
use regex::{Regex, RegexSet};
use std::ops::Range;
use std::sync::OnceLock;

/// Shorter known values are not masked: they would be found in ordinary words.
const SHORTEST: usize = 8;
/// What stands where text was cut.
const CUT: char = '…';

const SHAPES: [&str; 12] = [
    r"sk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{20,}",
    r"\bsk-[A-Za-z0-9]{32,}\b",
    r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36,}\b",
    r"\bgithub_pat_[A-Za-z0-9_]{40,}\b",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bxox[abprs]-[A-Za-z0-9-]{20,}",
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\bnpm_[A-Za-z0-9]{36}\b",
    r"\bhf_[A-Za-z0-9]{30,}\b",
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
];

/// Values that are told by what stands before them: `NAME_TOKEN=value` as in `.env`, the password of an
/// address. What begins with `$`, `(` and the like is code that gets a value, and stays. Other forms are [`named`]'s.
const NAMED: [&str; 2] = [
    r#"(?P<keep>(?:^|[\s"',;:{(\[+-])(?:export )?[A-Z][A-Z0-9_]*(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|_KEY|_PAT|_PWD)[A-Z0-9_]*=["']?)[^\s"'$(<{`\[][^\s"']{7,}"#,
    r#"(?P<keep>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"']*:)[^\s/@"'$\[][^\s/@"']{2,}(?P<end>@)"#,
];

/// Where a known value stands in a text, whole or up to where that was cut: whoever cut it did not know what it is. What everybody
/// knows of an address tells nothing. One that begins within another of itself is found too.
fn found<'a>(secret: &'a str, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let scheme = secret.find("://").map_or(0, |at| at + "://".len());
    let begins = secret.ceil_char_boundary((scheme + SHORTEST).min(secret.len()));
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text.get(from..)?.find(secret.get(..begins)?)?;
            let rest = text.get(at..)?;
            from = at + rest.chars().next().map_or(1, char::len_utf8);
            let same = secret.bytes().zip(rest.bytes());
            let same = same.take_while(|(one, other)| one == other).count();
            let same = rest.floor_char_boundary(same);
            if same == secret.len() || rest.get(same..).is_some_and(is_cut) {
                return Some(at..at + same);
            }
        }
    })
}

/// Whether a text was cut here. Half a character stands before the mark where it was cut by bytes.
fn is_cut(rest: &str) -> bool {
    rest.trim_start_matches(char::REPLACEMENT_CHARACTER)
        .starts_with(CUT)
}

struct Shapes {
    any: RegexSet,
    each: Vec<Regex>,
    /// What is told by its name, behind them.
    told: Vec<Told>,
}

fn shapes() -> Option<&'static Shapes> {
    static ALL: OnceLock<Option<Shapes>> = OnceLock::new();
    ALL.get_or_init(|| {
        let told = named::patterns();
        let all = SHAPES.iter().chain(&NAMED).copied();
        Some(Shapes {
            any: RegexSet::new(all.chain(told.iter().map(String::as_str))).ok()?,
            told: named::told().ok()?,
            each: SHAPES
                .iter()
                .chain(&NAMED)
                .map(|s| Regex::new(s))
                .collect::<Result<_, _>>()
                .ok()?,
        })
    })
    .as_ref()
}

/// Masks secrets; cheap where there are none.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first.
    known: Vec<String>,
    /// A test took the masking away.
    off: bool,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} known)", self.known.len())
    }
}

impl Redactor {
    /// A redactor that knows these values besides the shapes.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        let mut known: Vec<String> = secrets
            .into_iter()
            .filter(|s| s.len() >= SHORTEST)
            .collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        known.dedup();
        Redactor { known, off: false }
    }

    /// The same; one that masks nothing where a test has taken that wall away.
    pub fn under(self, faults: Faults) -> Redactor {
        let off = !faults.stands(Wall::Redaction);
        Redactor { off, ..self }
    }

    /// The text with secrets replaced by `[secret]`.
    pub fn text(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for span in self.spans(text) {
            masked.push_str(text.get(at..span.start).unwrap_or_default());
            masked.push_str("[secret]");
            at = span.end;
        }
        masked.push_str(text.get(at..).unwrap_or_default());
        masked
    }

    /// Where secrets stand in a text, in order and apart from each other: those that overlap are one.
    pub fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        if self.off {
            return spans;
        }
        for secret in &self.known {
            spans.extend(found(secret, text));
        }
        if let Some(shapes) = shapes() {
            for index in shapes.any.matches(text) {
                let Some(shape) = shapes.each.get(index) else {
                    let told = shapes.told.get(index - shapes.each.len());
                    spans.extend(told.into_iter().flat_map(|told| told.spans(text)));
                    continue;
                };
                for found in shape.captures_iter(text) {
                    let Some(whole) = found.get(0) else { continue };
                    let from = found.name("keep").map_or(whole.start(), |keep| keep.end());
                    let to = found.name("end").map_or(whole.end(), |end| end.start());
                    spans.push(from..to);
                }
            }
        }
        spans.sort_by_key(|span| (span.start, span.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
        }
        apart
    }

    /// The same for every string of a value, keys included.
    pub fn value(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(key, value)| (self.text(&key), self.value(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let redactor = Redactor::new(["hunter2-hunter2".to_owned(), "abc".to_owned()]);
        assert_eq!(redactor.text(text), expected);
    }

    #[test]
    fn the_beginning_of_a_known_one_is_masked_where_text_was_cut() {
        check("at hunter2-hun…, more", "at [secret]…, more");
        check("at hunter2-hun\u{fffd}…", "at [secret]\u{fffd}…");
        check("hunter2-hunter2-hunter2", "[secret]");
        check("hunter2-hunter2hunter2-hunté", "[secret]hunter2-hunté");
        for text in [
            "at hunter2-hun",
            "hunter2-hun\n… 9 lines in all",
            "hunter2-hun is no secret",
            "hunter2…",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn what_an_address_begins_with_is_no_secret() {
        let redactor = Redactor::new(["https://hooks.example/t/1a2b3c".to_owned()]);
        for (text, expected) in [
            ("https://…", "https://…"),
            ("https://hooks.example/t/1…", "[secret]…"),
            ("é https://hooks.example/t/1a2b3c.", "é [secret]."),
        ] {
            assert_eq!(redactor.text(text), expected);
        }
    }

    #[test]
    fn secrets_are_masked_and_words_are_not() {
        check("abc def", "abc def");
        check("password hunter2-hunter2!", "password [secret]!");
        check(
            &format!("key=sk-ant-api03-{}", "a".repeat(40)),
            "key=[secret]",
        );
        check(&format!("t ghp_{} t", "b".repeat(36)), "t [secret] t");
        check("id AKIAABCDEFGHIJKLMNOP", "id [secret]");
        check(
            "task-list sk-short risk-averse",
            "task-list sk-short risk-averse",
        );
        check(
            "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nrest",
            "[secret]\nrest",
        );
        check("-----BEGIN RSA PRIVATE KEY-----\ncut off", "[secret]");
    }

    #[test]
    fn values_are_told_by_their_names_and_code_is_left_alone() {
        check(
            "SHOP_API_TOKEN=5f2c9a7be1\nDEBUG=1",
            "SHOP_API_TOKEN=[secret]\nDEBUG=1",
        );
        check(
            "   12\texport DB_PASSWORD='pw with'",
            "   12\texport DB_PASSWORD='[secret]'",
        );
        check(
            "   12\tDB_PASSWORD=\"correct-horse\"",
            "   12\tDB_PASSWORD=\"[secret]\"",
        );
        check(
            "[\"AWS_SECRET_ACCESS_KEY=wJalrXUt\"]",
            "[\"AWS_SECRET_ACCESS_KEY=[secret]\"]",
        );
        check(
            "url = https://shop:s3cr3t@git.example/x.git",
            "url = https://shop:[secret]@git.example/x.git",
        );
        check("redis://:s3cr3t@h:6379", "redis://:[secret]@h:6379");
        for code in [
            "API_TOKEN=$(cat token)",
            "API_TOKEN=\"${TOKEN:-}\"",
            "let token = tokens.next_token();",
            "token=abcdefghijkl",
            "MAX_TOKENS=4096",
            "https://h:8443/a@b",
            "see https://example.com/a:b@c and a@b.example",
            "SECRET=[secret]",
        ] {
            check(code, code);
        }
        let off = Redactor {
            off: true,
            known: vec!["hunter2-hunter2".to_owned()],
        };
        assert_eq!(off.text("hunter2-hunter2"), "hunter2-hunter2");
    }

    #[test]
    fn every_shape_compiles() {
        assert!(shapes().is_some());
    }

    #[test]
    fn values_are_walked() {
        let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
        let value = serde_json::json!({"a": ["hunter2-hunter2", 1], "b": null});
        assert_eq!(
            redactor.value(value),
            serde_json::json!({"a": ["[secret]", 1], "b": null})
        );
        assert_eq!(format!("{redactor:?}"), "Redactor(1 known)");
    }
}
