//! Schedules, for people.

use super::list::ago;
use super::text::{clock, columns, count, one_line, safe, time};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::schedule::{Outcome, ScheduleLine, ScheduleList, SchedulePage, ScheduleRun};
use protocol::task_state::TaskState;
use std::time::Duration;

/// `schedule list`, as of `now`.
pub fn list(list: &ScheduleList, now: Timestamp) -> String {
    let mut text = match list.schedules.is_empty() {
        true => {
            "no schedules yet; write one: ai-infra schedule add NAME --when \"30 2 * * *\" \"…\"\n"
                .to_owned()
        }
        false => {
            let rows: Vec<Vec<String>> = list.schedules.iter().map(|line| row(line, now)).collect();
            columns(&rows)
        }
    };
    for problem in &list.problems {
        text.push_str(&format!("✗ {}\n", one_line(problem, 500)));
    }
    text
}

fn row(line: &ScheduleLine, now: Timestamp) -> Vec<String> {
    vec![
        safe(&line.name),
        safe(&line.when),
        next(line, now),
        line.last
            .as_ref()
            .map_or("never ran".to_owned(), |run| last(run, now)),
        one_line(&line.does, 60),
    ]
}

fn next(line: &ScheduleLine, now: Timestamp) -> String {
    match (line.paused, line.held, line.next) {
        (Some(since), _, _) => format!("paused {}", ago(since, now)),
        (_, Some(_), _) => "waits for the run before it".to_owned(),
        (_, _, Some(next)) => format!("next {}", until(next, &line.zone, now)),
        (_, _, None) => "never comes round again".to_owned(),
    }
}

/// `Sun 2026-11-22 02:30 CET (in 16 h 48 min)`, by the clock of the schedule.
fn until(due: Timestamp, zone: &str, now: Timestamp) -> String {
    let zone = TimeZone::get(zone).unwrap_or_else(|_| TimeZone::system());
    let shown = due.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z");
    let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
    match left.as_secs() {
        0 => format!("{shown} (now)"),
        seconds => format!("{shown} (in {})", time(Duration::from_secs(seconds))),
    }
}

fn last(run: &ScheduleRun, now: Timestamp) -> String {
    format!("{}: {}", ago(run.due, now), came(run, 100))
}

/// What became of a time at which it came round, with so many characters of why.
fn came(run: &ScheduleRun, most: usize) -> String {
    let many = |why: &str| match run.number {
        0 | 1 => format!("left out, {why}"),
        number => format!("{} left out, {why}", count(number, "run", "runs")),
    };
    match (run.outcome, run.task, &run.state) {
        (Outcome::Started, Some(task), Some(state)) => {
            let by = run.asked_by.as_ref();
            let by = by.map_or(String::new(), |by| format!(" (asked for by {})", safe(by)));
            let why = run.reason.as_ref().or(match state {
                TaskState::Failed { reason } | TaskState::Refused { reason } => Some(reason),
                _ => None,
            });
            let why = why.map_or(String::new(), |why| format!(": {}", one_line(why, most)));
            format!("{task} {}{by}{why}", one_line(&state.to_string(), 60))
        }
        (Outcome::Done, ..) => one_line(run.reason.as_deref().unwrap_or("done"), most),
        (Outcome::Failed, ..) => format!(
            "failed: {}",
            one_line(run.reason.as_deref().unwrap_or_default(), most)
        ),
        (Outcome::Started | Outcome::Owed, ..) => "being started".to_owned(),
        (Outcome::Refused, ..) => format!(
            "refused: {}",
            one_line(run.reason.as_deref().unwrap_or_default(), most)
        ),
        (Outcome::Missed, ..) => many("nobody could start it in time"),
        (Outcome::Overlap, ..) => many("the run before had not ended"),
    }
}

/// `schedule show`, as of `now`.
pub fn page(page: &SchedulePage, now: Timestamp) -> String {
    let line = &page.line;
    let field = |name: &str, value: String| vec![format!("  {name}"), value];
    let mut rows = vec![
        field("does", one_line(&line.does, 500)),
        field(
            "when",
            format!("{}  ({})", safe(&line.when), safe(&line.zone)),
        ),
        field("begins", next(line, now)),
        field("file", safe(&page.file)),
    ];
    if let (Some(since), Some(by)) = (line.paused, &line.paused_by) {
        rows.push(field("paused", format!("{} by {}", clock(since), safe(by))));
    }
    let mut text = format!("{}\n{}", safe(&line.name), columns(&rows));
    if line.paused.is_none() {
        text.push_str("\ncomes round\n");
        for at in &page.coming {
            text.push_str(&format!("  {}\n", until(*at, &line.zone, now)));
        }
    }
    text.push_str("\nruns\n");
    if page.runs.is_empty() {
        text.push_str("  none yet\n");
    }
    let runs: Vec<Vec<String>> = page
        .runs
        .iter()
        .map(|run| vec![format!("  {}", clock(run.due)), came(run, 300)])
        .collect();
    text.push_str(&columns(&runs));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn line(more: Value) -> ScheduleLine {
        let mut line = json!({
            "name": "nightly", "when": "30 2 * * *", "zone": "UTC", "does": "run the tests",
            "next": null, "paused": null, "paused_by": null, "held": null, "last": null,
        });
        let fields = line.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        serde_json::from_value(line).unwrap()
    }

    fn last(more: Value) -> ScheduleLine {
        let mut run = json!({
            "due": "2026-11-20T02:30:00Z", "outcome": "started", "number": 1, "asked_by": null,
            "reason": null, "task": null, "state": null,
        });
        let fields = run.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        line(json!({ "last": run }))
    }

    #[test]
    fn a_line_says_when_and_what_became_of_it() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (line, part) in [
            (line(json!({})), "never ran"),
            (
                line(json!({"next": "2026-11-21T02:30:00Z"})),
                "next Sat 2026-11-21 02:30 UTC (in 14 h 30 min)",
            ),
            (
                line(json!({"next": "2026-11-21T02:30:00Z", "zone": "Europe/Berlin"})),
                "next Sat 2026-11-21 03:30 CET",
            ),
            (
                line(json!({"paused": "2026-11-20T11:00:00Z"})),
                "paused 1 h ago",
            ),
            (
                line(json!({"held": "2026-11-20T11:00:00Z"})),
                "waits for the run before it",
            ),
            (
                last(json!({"task": "t7", "state": {"state": "done"}})),
                "t7 done",
            ),
            (
                last(
                    json!({"task": "t7", "state": {"state": "failed", "reason": "30 rows\u{1b}[2J, and 20 are allowed"}}),
                ),
                "t7 failed: 30 rows\\u{1b}[2J, and 20 are allowed",
            ),
            (
                last(json!({"outcome": "missed", "number": 3})),
                "3 runs left out, nobody",
            ),
            (
                last(json!({"outcome": "overlap"})),
                "left out, the run before had not ended",
            ),
            (
                last(json!({"outcome": "refused", "reason": "gone\u{1b}[2J"})),
                "refused: gone\\u{1b}[2J",
            ),
        ] {
            let list_of = ScheduleList {
                version: 1,
                schedules: vec![line],
                problems: Vec::new(),
            };
            let shown = list(&list_of, now);
            assert!(shown.contains(part), "{part}: {shown}");
            assert!(!shown.contains('\u{1b}'), "{shown}");
        }
    }
}
