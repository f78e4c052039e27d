//! A JSON line of a log, taken apart: when, how important, what it is about, and how people read it:
//! `HH:MM:SS process LEVEL message key=value`. Pure.

use crate::render::text::one_line;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use protocol::ids::TaskId;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Most characters of a line.
const MOST: usize = 1000;
/// Most characters of one value.
const MOST_VALUE: usize = 300;

/// How important a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The smallest steps.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happened. Lines that say no level count as this.
    #[default]
    Info,
    /// Something that should not be.
    Warn,
    /// Something that must not be.
    Error,
}

impl Level {
    /// By its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
        ]
        .into_iter()
        .find(|level| level.as_str().eq_ignore_ascii_case(name))
    }

    /// The name in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A line of a log, taken apart as far as it can be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogLine {
    /// Who wrote it, such as `code` or `supervisor`.
    pub process: String,
    /// When it was written, where it says so.
    pub at: Option<Timestamp>,
    /// How important it is, where it says so.
    pub level: Option<Level>,
    /// The message with its keys, tamed, on one line.
    pub text: String,
    /// The names of the task it is about: its number, its id, or both.
    pub tasks: Vec<String>,
    /// The trace it belongs to.
    pub trace: Option<String>,
    /// The line as it stands in the file.
    pub raw: String,
}

/// Takes a line apart. What is no JSON object, such as a panic's words, is taken as it stands.
pub fn parse(process: &str, raw: &str) -> LogLine {
    let mut line = LogLine {
        process: process.to_owned(),
        raw: raw.to_owned(),
        ..LogLine::default()
    };
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(raw) else {
        line.of_redis(raw);
        return line;
    };
    let text_of = |key: &str| object.get(key).and_then(Value::as_str);
    line.at = text_of("timestamp").and_then(|at| at.parse().ok());
    line.level = text_of("level").and_then(Level::named);
    let mut text = String::new();
    for fields in all_fields(&object) {
        for (key, value) in fields {
            line.note(key, value);
        }
    }
    let numbered = line.tasks.iter().any(|name| name.starts_with('t'));
    for fields in all_fields(&object) {
        for (key, value) in fields.iter().filter(|(key, _)| *key != "name") {
            match key.as_str() {
                "message" => text.insert_str(0, &plain(value)),
                // Long, and said by the number already; `--json` has them.
                "trace_id" => {}
                "id" if numbered => {}
                _ => append(&mut text, key, value),
            }
        }
    }
    line.text = one_line(&text, MOST);
    line
}

impl LogLine {
    /// A line as redis-server writes it, `1047:M 21 Nov 2026 04:26:32.243 * words` in the time of this
    /// machine; anything else is taken as it stands.
    fn of_redis(&mut self, raw: &str) {
        let taken = raw.split_once(' ').and_then(|(who, rest)| {
            who.split_once(':')?.0.parse::<u32>().ok()?;
            let (clock, rest) = rest.split_at_checked(24)?;
            let at = DateTime::strptime("%d %b %Y %H:%M:%S%.f", clock).ok()?;
            let (mark, words) = rest.trim_start().split_once(' ')?;
            let level = match mark {
                "." | "-" => Level::Debug,
                "*" => Level::Info,
                "#" => Level::Warn,
                _ => return None,
            };
            let at = at.to_zoned(TimeZone::system()).ok()?.timestamp();
            Some((at, level, words))
        });
        match taken {
            Some((at, level, words)) => {
                (self.at, self.level) = (Some(at), Some(level));
                self.text = one_line(words, MOST);
            }
            None => self.text = one_line(raw, MOST),
        }
    }

    /// Notes what the line is about.
    fn note(&mut self, key: &str, value: &Value) {
        let Some(value) = value.as_str() else {
            return;
        };
        match key {
            "trace_id" => self.trace = Some(value.to_owned()),
            "task" => self.tasks.push(value.to_owned()),
            "id" if value.parse::<TaskId>().is_ok() => self.tasks.push(value.to_owned()),
            _ => {}
        }
    }

    /// The line for people, in the time of a zone; with its date where `dated`.
    pub fn pretty(&self, zone: &TimeZone, dated: bool) -> String {
        let (clock, process, level) = self.columns(zone, dated);
        format!("{clock} {process} {level} {}", self.text)
    }

    /// What stands before the text: the time, the process, the level.
    pub fn columns(&self, zone: &TimeZone, dated: bool) -> (String, String, String) {
        let clock = match (self.at, dated) {
            (Some(at), true) => at
                .to_zoned(zone.clone())
                .strftime("%m-%d %H:%M:%S")
                .to_string(),
            (Some(at), false) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
            (None, true) => "--:-- --:--:--".to_owned(),
            (None, false) => "--:--:--".to_owned(),
        };
        let level = self.level.map_or("", Level::as_str);
        let process = one_line(&self.process, 10);
        (clock, format!("{process:<10}"), format!("{level:<5}"))
    }

    /// The line as a document.
    pub fn document(&self) -> Value {
        let mut document = json!({"version": 1, "process": self.process});
        match (serde_json::from_str(&self.raw), document.as_object_mut()) {
            (Ok(Value::Object(said)), Some(all)) => all.extend(said),
            (_, Some(all)) => {
                all.insert("text".to_owned(), Value::String(self.raw.clone()));
            }
            _ => {}
        }
        document
    }
}

/// The fields of the line itself, then those of the spans it was written in.
fn all_fields(object: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let own = object.get("fields").and_then(Value::as_object);
    let spans = object.get("spans").and_then(Value::as_array);
    let spans = spans.into_iter().flatten().filter_map(Value::as_object);
    own.into_iter().chain(spans)
}

fn append(text: &mut String, key: &str, value: &Value) {
    let value: String = plain(value).chars().take(MOST_VALUE).collect();
    let quoted = value.is_empty() || value.contains(|c: char| c.is_whitespace() || c == '"');
    let gap = if text.is_empty() { "" } else { " " };
    let _infallible = if quoted {
        write!(text, "{gap}{key}={}", Value::String(value))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let shown = parse("supervisor", line).pretty(&TimeZone::UTC, false);
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn lines_for_people() {
        check(
            r#"{"timestamp":"2026-03-01T12:00:05.123456Z","level":"INFO","fields":{"message":"kept","task":"t1","ms":5},"target":"x"}"#,
            "12:00:05 supervisor INFO  kept task=t1 ms=5",
        );
        check(
            r#"{"timestamp":"2026-03-01T12:00:05Z","level":"WARN","fields":{"message":"died","why":"signal 9","none":""},"spans":[{"name":"task","task":"t2","trace_id":"0af7"}]}"#,
            r#"12:00:05 supervisor WARN  died why="signal 9" none="" task=t2"#,
        );
        check(
            "thread 'main' panicked",
            "--:--:-- supervisor       thread 'main' panicked",
        );
        check(
            r#"{"fields":{"message":"m","because":"asks \"x y\""}}"#,
            r#"--:--:-- supervisor       m because="asks \"x y\"""#,
        );
        check("{\"level\":5}", "--:--:-- supervisor       ");
        check("{\"cut\":", "--:--:-- supervisor       {\"cut\":");
    }

    #[test]
    fn what_a_line_is_about() {
        let id = TaskId::new().to_string();
        let raw = json!({"fields": {"message": "m", "task": "t7"},
            "spans": [{"name": "task", "id": id, "trace_id": "0af7"}]});
        let line = parse("code", &raw.to_string());
        assert_eq!(line.tasks, ["t7".to_owned(), id.clone()]);
        assert_eq!(
            (line.trace.as_deref(), line.text.as_str()),
            (Some("0af7"), "m task=t7")
        );
        // The id of a message is none of a task.
        let raw = json!({"fields": {"message": "m", "id": "1-0"}});
        let line = parse("code", &raw.to_string());
        assert_eq!((line.tasks.len(), line.text.as_str()), (0, "m id=1-0"));
        assert_eq!(line.document()["process"], "code");
        assert_eq!(parse("code", "words").document()["text"], "words");
    }

    #[test]
    fn the_lines_of_redis_have_their_time() {
        let line = parse(
            "redis",
            "1047:M 21 Nov 2026 04:26:32.243 # WARNING Memory overcommit",
        );
        assert_eq!(line.level, Some(Level::Warn));
        assert_eq!(line.text, "WARNING Memory overcommit");
        let local = line
            .at
            .map(|at| at.to_zoned(TimeZone::system()).datetime().to_string());
        assert_eq!(local.as_deref(), Some("2026-11-21T04:26:32.243"));
        for other in [
            "1047:M 21 Nov",
            "x:M 21 Nov 2026 04:26:32.243 # a",
            "1:M ünïcödé ünïcödé ünïcödé",
        ] {
            assert_eq!(
                (
                    parse("redis", other).at,
                    parse("redis", other).text.as_str()
                ),
                (None, other)
            );
        }
    }

    #[test]
    fn no_line_drives_the_terminal() {
        for line in [
            "\u{1b}[2J\u{1b}]0;x\u{7}",
            r#"{"level":"\u001b[31mRED","fields":{"message":"a\nb\u001b[2J","\u001b":"\u202e"}}"#,
        ] {
            let shown = parse("a\u{1b}b", line).pretty(&TimeZone::UTC, true);
            assert!(
                !shown.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let line = format!(r#"{{"fields":{{"message":"{}"}}}}"#, "x".repeat(50_000));
        assert_eq!(parse("x", &line).text.chars().count(), MOST);
    }
}
