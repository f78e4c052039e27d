//! What evidence tells of what was seen: short, and without secrets. Pure. Secrets are masked while the text is whole,
//! since half of one is known as none.

use guard::executor::Outcome;
use guard::redact::Redactor;
use protocol::text;

/// Most characters of what was seen that evidence keeps.
const OBSERVED: usize = 600;
/// Most lines of a tool's answer that evidence keeps, and of each the most characters.
const HEAD_LINES: usize = 3;
const HEAD_CHARS: usize = 120;

/// The first lines that say something, short, and how many there are behind them.
pub(super) fn head(said: &str) -> String {
    let says = |line: &&str| line.chars().any(char::is_alphanumeric);
    let mut lines = said.lines().filter(says);
    let short = |line: &str| text::cut(line.trim(), HEAD_CHARS);
    let mut head: Vec<String> = lines.by_ref().take(HEAD_LINES).map(short).collect();
    match lines.count() {
        0 => {}
        1 => head.push("… 1 more line".to_owned()),
        more => head.push(format!("… {more} more lines")),
    }
    head.join("\n")
}

pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}

/// An outcome to be judged by its data, as it is, and told by its words, without secrets.
pub(super) fn masked(outcome: Outcome, redactor: &Redactor) -> Outcome {
    Outcome {
        text: redactor.text(&outcome.text),
        ..outcome
    }
}

/// What was seen as evidence keeps it.
pub(super) fn seen(redactor: &Redactor, observed: &str) -> String {
    cut(&redactor.text(observed))
}

fn cut(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= OBSERVED {
        return text.to_owned();
    }
    let head: String = text.chars().take(OBSERVED).collect();
    format!("{head} …")
}

#[cfg(test)]
mod tests {
    use super::super::judge_outcome;
    use super::*;
    use protocol::criterion::Check;
    use serde_json::{Value, json};
    use std::time::Duration;

    #[test]
    fn what_is_left_out_of_the_evidence_is_counted() {
        let lines = |many: usize| vec!["a test"; many].join("\n--\n");
        assert_eq!(head(&lines(HEAD_LINES)), ["a test"; HEAD_LINES].join("\n"));
        assert!(head(&lines(HEAD_LINES + 1)).ends_with("\n… 1 more line"));
        assert!(head(&lines(HEAD_LINES + 9)).ends_with("\n… 9 more lines"));
    }

    #[test]
    fn a_secret_is_masked_before_what_was_seen_is_cut() {
        let secret = "hunter2-hunter2";
        let redactor = Redactor::new([secret.to_owned()]);
        let long = format!("{}{secret}", "x".repeat(OBSERVED - 4));
        assert_eq!(
            seen(&redactor, &long),
            format!("{}[sec …", "x".repeat(OBSERVED - 4))
        );
        // One that straddles the end of a quoted line, and one of many lines whose head is not quoted.
        let tool = Check::Tool {
            name: "Overview".to_owned(),
            input: Value::Null,
            expect: Default::default(),
        };
        let told = |check: &Check, text: String| {
            let outcome = Outcome {
                is_error: true,
                text,
                data: json!({"error": "x"}),
                took: Duration::ZERO,
            };
            judge_outcome(check, &masked(outcome, &redactor), &json!({})).1
        };
        let line = format!("{}{secret}", "x".repeat(HEAD_CHARS - 4));
        assert!(!told(&tool, line).contains("hunt"));
        let command = Check::Command {
            argv: Vec::new(),
            expect: Default::default(),
            timeout_s: 1,
        };
        let key = format!(
            "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n",
            "MIIB\n".repeat(9)
        );
        assert_eq!(told(&command, key), "[secret]");
    }

    #[test]
    fn a_tool_is_quoted_in_three_short_lines() {
        let quoted = head("{\n  \"a\": 1,\n\n  b\nc\nd");
        assert_eq!(quoted, "\"a\": 1,\nb\nc\n… 1 more line");
        let long = head(&"x".repeat(500));
        assert_eq!(long, format!("{}…", "x".repeat(HEAD_CHARS)));
    }
}
