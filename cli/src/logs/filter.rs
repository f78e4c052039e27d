//! Which lines of the logs are wanted. A task has several names: its number, its id, and the trace it
//! belongs to. Lines that carry two of them say that they are the same, so lines that carry only
//! another one are found too. Pure.

use super::line::{Level, LogLine};
use jiff::Timestamp;
use std::collections::HashSet;

/// What is wanted; what is not said leaves every line in.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only lines of this process.
    pub process: Option<String>,
    /// Only lines at least so important.
    pub level: Option<Level>,
    /// Only lines since then; those that say no time go with the line before.
    pub since: Option<Timestamp>,
    /// Only lines that hold this text, in any case.
    pub grep: Option<String>,
    /// Only lines about one task or one trace.
    pub about: Option<About>,
}

/// One task or one trace, and the names it was seen under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    trace: Option<String>,
    tasks: HashSet<String>,
}

impl About {
    /// A task, by any of its names.
    pub fn task(name: &str) -> Self {
        Self {
            trace: None,
            tasks: HashSet::from([name.to_owned()]),
        }
    }

    /// A trace, with all its tasks.
    pub fn trace(id: &str) -> Self {
        Self {
            trace: Some(id.to_owned()),
            tasks: HashSet::new(),
        }
    }

    fn fits(&self, line: &LogLine) -> bool {
        let trace = line.trace.is_some() && line.trace == self.trace;
        trace || line.tasks.iter().any(|name| self.tasks.contains(name))
    }

    /// Learns from a line that carries several names.
    pub fn learn(&mut self, line: &LogLine) {
        if self.fits(line) {
            self.tasks.extend(line.tasks.iter().cloned());
        }
    }
}

impl Filter {
    /// Whether a line is wanted.
    pub fn wants(&self, line: &LogLine) -> bool {
        self.process.as_ref().is_none_or(|one| *one == line.process)
            && self
                .level
                .is_none_or(|least| line.level.unwrap_or_default() >= least)
            && self
                .since
                .is_none_or(|since| line.at.is_none_or(|at| at >= since))
            && self.about.as_ref().is_none_or(|about| about.fits(line))
            && self.grep.as_ref().is_none_or(|text| holds(line, text))
    }
}

/// Whether a line holds a text as people see it, in any case.
pub fn holds(line: &LogLine, text: &str) -> bool {
    let text = text.to_lowercase();
    line.text.to_lowercase().contains(&text) || line.process.to_lowercase().contains(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::logs::line::parse;
    use protocol::ids::TaskId;
    use serde_json::json;

    fn line(process: &str, second: u32, level: &str, fields: serde_json::Value) -> LogLine {
        let at = format!("2026-03-01T12:00:{second:02}Z");
        parse(
            process,
            &json!({"timestamp": at, "level": level, "fields": fields}).to_string(),
        )
    }

    #[test]
    fn each_wish_leaves_its_lines_in() {
        let lines = [
            line("code", 1, "INFO", json!({"message": "Taken"})),
            line("qa", 2, "WARN", json!({"message": "slow", "task": "t2"})),
            parse("qa", "a panic"),
        ];
        let check = |filter: Filter, expected: &[bool]| {
            let wanted: Vec<bool> = lines.iter().map(|line| filter.wants(line)).collect();
            assert_eq!(wanted, expected, "{filter:?}");
        };
        let none = Filter::default();
        check(none.clone(), &[true, true, true]);
        check(
            Filter {
                process: Some("qa".into()),
                ..none.clone()
            },
            &[false, true, true],
        );
        check(
            Filter {
                level: Some(Level::Warn),
                ..none.clone()
            },
            &[false, true, false],
        );
        let since = "2026-03-01T12:00:02Z".parse().ok();
        check(
            Filter {
                since,
                ..none.clone()
            },
            &[false, true, true],
        );
        check(
            Filter {
                grep: Some("tAKEN".into()),
                ..none.clone()
            },
            &[true, false, false],
        );
        check(
            Filter {
                about: Some(About::task("t2")),
                ..none
            },
            &[false, true, false],
        );
    }

    #[test]
    fn a_task_is_found_under_all_its_names() {
        let (one, two) = (TaskId::new().to_string(), TaskId::new().to_string());
        let lines = [
            line(
                "supervisor",
                1,
                "INFO",
                json!({"message": "accepted", "task": "t1", "id": one, "trace_id": "aa"}),
            ),
            line(
                "supervisor",
                1,
                "INFO",
                json!({"message": "accepted", "task": "t2", "id": two, "trace_id": "aa"}),
            ),
            line("bus", 2, "WARN", json!({"message": "hint", "task": one})),
            line(
                "code",
                3,
                "INFO",
                json!({"message": "call", "trace_id": "aa"}),
            ),
            line(
                "code",
                3,
                "INFO",
                json!({"message": "other", "task": "t3", "trace_id": "bb"}),
            ),
        ];
        let check = |mut about: About, expected: &[bool]| {
            lines.iter().for_each(|line| about.learn(line));
            let fits: Vec<bool> = lines.iter().map(|line| about.fits(line)).collect();
            assert_eq!(fits, expected, "{about:?}");
        };
        check(About::task("t1"), &[true, false, true, false, false]);
        check(About::task(&one), &[true, false, true, false, false]);
        check(About::trace("aa"), &[true, true, true, true, false]);
    }
}
