//! A JSON line of a log as one line for people: `HH:MM:SS process LEVEL message key=value`. Pure.

use crate::render::text::one_line;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Most characters of a line.
const MOST: usize = 1000;
/// Most characters of one value.
const MOST_VALUE: usize = 300;

/// A line of a log, taken apart as far as it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// When it was written, where it says so.
    pub at: Option<Timestamp>,
    /// `INFO`, …; empty where it says none.
    pub level: String,
    /// The message with its keys, tamed, on one line.
    pub text: String,
}

/// Takes a line apart. What is no JSON object, such as a panic's words, is taken as it stands.
pub fn parse(line: &str) -> LogLine {
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) else {
        return LogLine {
            at: None,
            level: String::new(),
            text: one_line(line, MOST),
        };
    };
    let text_of = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let empty = Map::new();
    let fields = object
        .get("fields")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let message = fields.get("message").map(plain).unwrap_or_default();
    let mut text = message;
    for (key, value) in fields.iter().filter(|(key, _)| *key != "message") {
        append(&mut text, key, value);
    }
    for span in spans(&object) {
        for (key, value) in span.iter().filter(|(key, _)| *key != "name") {
            append(&mut text, key, value);
        }
    }
    LogLine {
        at: text_of("timestamp").parse().ok(),
        level: one_line(text_of("level"), 5),
        text: one_line(&text, MOST),
    }
}

fn spans(object: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let spans = object.get("spans").and_then(Value::as_array);
    spans.into_iter().flatten().filter_map(Value::as_object)
}

fn append(text: &mut String, key: &str, value: &Value) {
    let value: String = plain(value).chars().take(MOST_VALUE).collect();
    let quoted = value.is_empty() || value.contains(char::is_whitespace);
    let gap = if text.is_empty() { "" } else { " " };
    let _infallible = if quoted {
        write!(text, "{gap}{key}=\"{value}\"")
    } else {
        write!(text, "{gap}{key}={value}")
    };
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The line for people. `colour` marks warnings and errors.
pub fn pretty(process: &str, line: &LogLine, zone: &TimeZone, colour: bool) -> String {
    let clock = match line.at {
        Some(at) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        None => "--:--:--".to_owned(),
    };
    let (on, off) = match line.level.as_str() {
        "ERROR" if colour => ("\x1b[31m", "\x1b[0m"),
        "WARN" if colour => ("\x1b[33m", "\x1b[0m"),
        _ => ("", ""),
    };
    let process = one_line(process, 10);
    format!(
        "{clock} {process:<10} {on}{:<5}{off} {}",
        line.level, line.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let shown = pretty("supervisor", &parse(line), &TimeZone::UTC, false);
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn lines_for_people() {
        check(
            r#"{"timestamp":"2026-03-01T12:00:05.123456Z","level":"INFO","fields":{"message":"kept","task":"t1","ms":5},"target":"x"}"#,
            "12:00:05 supervisor INFO  kept task=t1 ms=5",
        );
        check(
            r#"{"timestamp":"2026-03-01T12:00:05Z","level":"WARN","fields":{"message":"died","why":"signal 9","none":""},"span":{"name":"task"},"spans":[{"name":"task","id":"t2"}]}"#,
            r#"12:00:05 supervisor WARN  died why="signal 9" none="" id=t2"#,
        );
        check(
            "thread 'main' panicked",
            "--:--:-- supervisor       thread 'main' panicked",
        );
        check("{\"level\":5}", "--:--:-- supervisor       ");
        check("{\"cut\":", "--:--:-- supervisor       {\"cut\":");
    }

    #[test]
    fn no_line_drives_the_terminal() {
        for line in [
            "\u{1b}[2J\u{1b}]0;x\u{7}",
            r#"{"level":"\u001b[31mRED","fields":{"message":"a\nb\u001b[2J","\u001b":"\u202e"}}"#,
        ] {
            let shown = pretty("a\u{1b}b", &parse(line), &TimeZone::UTC, false);
            assert!(
                !shown.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let line = format!(r#"{{"fields":{{"message":"{}"}}}}"#, "x".repeat(50_000));
        assert_eq!(parse(&line).text.chars().count(), MOST);
    }
}
