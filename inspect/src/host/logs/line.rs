//! One line of a log: when, by which program, and whether it tells of an error. Where a line names its level, the level
//! alone counts; where it names none, words do.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;

use super::moment;

/// A line as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// The program, where the line says it.
    pub program: Option<String>,
    /// It tells of an error.
    pub error: bool,
    /// What it says, without stamp and program.
    pub message: String,
}

static SYSLOG: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s+([\w.:-]+)\s+([\w./@()-]{1,64}?)(?:\[\d+\])?:\s(.*)$").ok());
static KEYED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:^|[\s,{])"?(?:level|lvl|severity)"?\s*[=:]\s*"?([a-z]+)"#).ok()
});
static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?:^|[\s\[("':<*])(error|errors|failed|failure|fails|fatal|panic|panicked|segfault|exception|traceback|"#,
        r#"out of memory|oom-kill|cannot|could not|unable to|permission denied|refused|corrupt|corrupted|"#,
        r#"core dumped|no space left|i/o error|timed out)(?:$|[\s\])"':;,.!>])"#
    ))
    .ok()
});
static NEGATED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:no|0|zero|without|any)\s+(?:\w+\s+)?(?:errors?|failures?|failed)\b|\b(?:errors?|failures?|failed)\s*[=:]\s*0\b|\b(?:error|failure) (?:rate|count)\b.{0,12}\b0(?:\.0+)?\s*%?\s*$",
    )
    .ok()
});
static ACCESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(\S+) \S+ \S+ \[([^\]]{20,32})\] "([A-Z]{3,10}) (\S+)[^"]*" (\d{3}) "#).ok()
});
static APACHE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\[\w{3} (\w{3}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4})\] (.*)$").ok()
});
static REDIS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\d+:[MSCX] (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d)(?:\.\d+)? ([#*.-]) (.*)$").ok()
});

/// Understands a line; nothing where it has no time of its own.
pub fn read(line: &str, at: Timestamp, zone: &TimeZone) -> Option<Line> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    if line.starts_with('{') {
        return json(line, zone);
    }
    if let Some(found) = access(line) {
        return Some(found);
    }
    if let Some(parts) = APACHE.as_ref()?.captures(line) {
        let stamp = format!(
            "{}-{}-{:0>2} {}",
            &parts[4],
            month(&parts[1])?,
            &parts[2],
            &parts[3]
        );
        let (at, _) = moment::stamp(&stamp, at, zone)?;
        return Some(plain(at, None, &parts[5]));
    }
    if let Some(parts) = REDIS.as_ref()?.captures(line) {
        let stamp = format!(
            "{}-{}-{} {}",
            &parts[3],
            month(&parts[2])?,
            &parts[1],
            &parts[4]
        );
        let (at, _) = moment::stamp(&stamp, at, zone)?;
        // Its `#` is a warning: the words say whether it is more.
        let error = &parts[5] == "#" && bad_words(&parts[6]);
        return Some(Line {
            at,
            program: Some("redis".to_owned()),
            error,
            message: parts[6].to_owned(),
        });
    }
    let (moment, end) = moment::stamp(line, at, zone)?;
    let rest = line.get(end..)?;
    match SYSLOG.as_ref()?.captures(rest) {
        Some(parts) if !named_level(&parts[1]) && !named_level(&parts[2]) => {
            let program = parts[2].trim_end_matches(':').to_owned();
            Some(plain(moment, Some(program), &parts[3]))
        }
        _ => Some(plain(moment, None, rest)),
    }
}

fn named_level(word: &str) -> bool {
    level_of(&format!("{word}:")).is_some()
}

/// Words at the start of a message in which a level is looked for.
const LEVEL_WORDS: usize = 7;

/// Whether a word names a level, and then whether that is an error: it stands in brackets or before a colon, or is
/// written in capitals.
fn level_of(word: &str) -> Option<bool> {
    let enclosed =
        word.starts_with(['[', '(', '<', '|']) || word.ends_with([']', ')', '>', '|', ':']);
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let core = core.rsplit(':').next().unwrap_or(core);
    let good = [
        "warn",
        "warning",
        "notice",
        "info",
        "log",
        "debug",
        "trace",
        "statement",
        "detail",
        "hint",
        "context",
        "note",
        "verbose",
    ];
    let capitals = core.len() > 2 && core.bytes().all(|b| b.is_ascii_uppercase());
    if !enclosed && !capitals {
        return None;
    }
    match bad_level(core) {
        true => Some(true),
        false => good
            .contains(&core.to_ascii_lowercase().as_str())
            .then_some(false),
    }
}

fn month(name: &str) -> Option<String> {
    let all = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    all.iter()
        .position(|month| *month == name)
        .map(|n| format!("{:02}", n + 1))
}

fn plain(at: Timestamp, program: Option<String>, message: &str) -> Line {
    let message = message.trim().to_owned();
    Line {
        at,
        program,
        error: tells_of_error(&message),
        message,
    }
}

/// Whether a message tells of an error: by its level where it names one, else by its words.
pub fn tells_of_error(message: &str) -> bool {
    if let Some(level) = KEYED.as_ref().and_then(|keyed| keyed.captures(message)) {
        return bad_level(&level[1]);
    }
    let named = message
        .split_whitespace()
        .take(LEVEL_WORDS)
        .find_map(level_of);
    named.unwrap_or_else(|| bad_words(message))
}

fn bad_words(message: &str) -> bool {
    let found = |words: &LazyLock<Option<Regex>>| {
        words.as_ref().is_some_and(|words| words.is_match(message))
    };
    found(&WORDS) && !found(&NEGATED)
}

fn bad_level(level: &str) -> bool {
    let level = level.to_ascii_lowercase();
    [
        "emerg",
        "emergency",
        "alert",
        "crit",
        "critical",
        "err",
        "error",
        "fatal",
        "panic",
        "severe",
        "dpanic",
    ]
    .contains(&level.as_str())
}

/// A request that the server could not serve.
fn access(line: &str) -> Option<Line> {
    let parts = ACCESS.as_ref()?.captures(line)?;
    let path = parts[4].split('?').next().unwrap_or_default().to_owned();
    Some(Line {
        at: moment::access(&parts[2])?,
        program: None,
        error: parts[5].starts_with('5'),
        message: format!("{} {path} answered {}", &parts[3], &parts[5]),
    })
}

fn json(line: &str, zone: &TimeZone) -> Option<Line> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| value.get(*name)?.as_str().map(str::to_owned))
    };
    let time = ["timestamp", "time", "ts", "@timestamp", "t", "datetime"]
        .iter()
        .find_map(|name| value.get(*name))?;
    let at = match time {
        Value::String(text) => match moment::stamp(text, Timestamp::MAX, zone) {
            Some((at, _)) => at,
            None => text.parse().ok()?,
        },
        Value::Number(number) => {
            let number = number.as_f64()?;
            // Seconds, or milliseconds since 1970.
            let seconds = if number > 1e11 {
                number / 1000.0
            } else {
                number
            };
            Timestamp::from_second(seconds as i64).ok()?
        }
        _ => return None,
    };
    let fields = value
        .get("fields")
        .and_then(|fields| fields.get("message"))
        .and_then(Value::as_str);
    let message = text(&["message", "msg", "event", "error"])
        .or(fields.map(str::to_owned))
        .unwrap_or_default();
    let error = match value
        .get("level")
        .or(value.get("severity"))
        .or(value.get("lvl"))
    {
        Some(Value::String(level)) => bad_level(level),
        // Numbers as bunyan and pino write them.
        Some(Value::Number(level)) => level.as_u64().is_some_and(|level| level >= 50),
        _ => bad_words(&message),
    };
    Some(Line {
        at,
        program: text(&["service", "app", "logger", "name"]),
        error,
        message,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn errors_are_told_from_what_only_looks_like_one() {
        for shape in [&SYSLOG, &KEYED, &WORDS, &NEGATED, &ACCESS, &APACHE, &REDIS] {
            assert!(shape.is_some());
        }
        for (line, expected) in [
            (
                "Nov 21 03:00:00 shop app[12]: payment failed: timeout",
                true,
            ),
            ("Nov 21 03:00:00 shop app[12]: backup done, 0 errors", false),
            ("Nov 21 03:00:00 shop app[12]: no errors found", false),
            ("Nov 21 03:00:00 shop app[12]: error rate is 0", false),
            (
                "Nov 21 03:00:00 shop app[12]: loaded error_page.html",
                false,
            ),
            (
                "Nov 21 03:00:00 shop app[12]: INFO: last error was cleared",
                false,
            ),
            ("Nov 21 03:00:00 shop app[12]: ERROR: disk", true),
            (
                "Nov 21 03:00:00 shop kernel: [12.5] Out of memory: Killed process 1 (java)",
                true,
            ),
            ("Nov 21 03:00:00 shop CRON[7]: (root) CMD (true)", false),
            (
                "2026-11-21T03:00:00.1+00:00 shop sshd[1]: Connection refused by peer",
                true,
            ),
            (
                "2026/11/21 03:00:00 [error] 12#12: *1 open() \"/srv/a\" failed",
                true,
            ),
            (
                "2026/11/21 03:00:00 [warn] 12#12: error in something",
                false,
            ),
            (
                "2026/11/21 03:00:00 [notice] 12#12: signal 1 received",
                false,
            ),
            (
                "2026-11-21 03:00:00.004 UTC [12] ERROR:  relation \"x\" does not exist",
                true,
            ),
            (
                "2026-11-21 03:00:00.004 UTC [12] shop@shop FATAL:  password authentication failed",
                true,
            ),
            (
                "2026-11-21 03:00:00.004 UTC [12] LOG:  checkpoint complete, 0 failed",
                false,
            ),
            (
                "2026-11-21 03:00:00.004 UTC [12] STATEMENT:  select error from failed",
                false,
            ),
            ("2026-11-21 03:00:00,123 ERROR shop.views: boom", true),
            (
                "2026-11-21 03:00:00,123 INFO shop.views: error handler installed",
                false,
            ),
            (
                "2026-11-21 03:00:00 status installed libgpg-error0:amd64 1.46-1",
                false,
            ),
            ("2026-11-21 03:00:00 install libpath-error-perl 1", false),
            (
                "[Sat Nov 21 03:00:00.123456 2026] [core:error] [pid 1] AH00037: denied",
                true,
            ),
            (
                "[Sat Nov 21 03:00:00.123456 2026] [mpm_event:notice] [pid 1] AH00489: error log opened",
                false,
            ),
            (
                "1:M 21 Nov 2026 03:00:00.123 # Can't save in background: fork: cannot allocate memory",
                true,
            ),
            (
                "1:M 21 Nov 2026 03:00:00.123 * Background saving terminated with success",
                false,
            ),
            (
                r#"{"level":"error","time":"2026-11-21T03:00:00Z","msg":"boom"}"#,
                true,
            ),
            (
                r#"{"level":"info","time":"2026-11-21T03:00:00Z","msg":"error handler ready"}"#,
                false,
            ),
            (r#"{"level":50,"time":1795230000000,"msg":"boom"}"#, true),
            (
                r#"10.0.0.1 - - [21/Nov/2026:03:00:00 +0000] "GET /error HTTP/1.1" 200 12 "-" "x""#,
                false,
            ),
            (
                r#"10.0.0.1 - - [21/Nov/2026:03:00:00 +0000] "GET /a?x=1 HTTP/1.1" 502 12 "-" "x""#,
                true,
            ),
            ("2026-11-21 03:00:00 level=error msg=\"boom\"", true),
            (
                "2026-11-21 03:00:00 level=info msg=\"retry after error\"",
                false,
            ),
        ] {
            let read = read(line, at(), &TimeZone::UTC).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(read.error, expected, "{line} {read:?}");
            assert_eq!(read.at.to_string(), "2026-11-21T03:00:00Z", "{line}");
        }
        let line = "Nov 21 03:00:00 shop postfix/smtpd[12]: timed out";
        assert_eq!(
            read(line, at(), &TimeZone::UTC).unwrap().program.as_deref(),
            Some("postfix/smtpd")
        );
        assert_eq!(read("  File \"a.py\", line 3", at(), &TimeZone::UTC), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in ".{0,120}", tail in ".{0,60}") {
            let _ = read(&line, at(), &TimeZone::UTC);
            let _ = read(&format!("Nov 21 03:00:00 {tail}"), at(), &TimeZone::UTC);
            let _ = read(&format!("{{\"time\":{tail}"), at(), &TimeZone::UTC);
        }
    }
}
