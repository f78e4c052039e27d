//! How a task that rests is told: one line that sums it up, the report, and what can be done next.

use super::question;
use super::sheet::Sheet;
use super::text::{count, indent, money, one_line, safe, time};
use protocol::document::{CriterionDocument, RunDocument};
use protocol::ids::ShortId;
use protocol::report::PhaseSpan;
use protocol::task_state::{TaskState, WaitReason};
use std::time::Duration;

/// From the first phase's start to the last one's end.
pub fn worked(phases: &[PhaseSpan]) -> Duration {
    let first = phases.iter().map(|span| span.started).min();
    let last = phases.iter().filter_map(|span| span.ended).max();
    match (first, last) {
        (Some(first), Some(last)) => {
            Duration::try_from(last.duration_since(first)).unwrap_or_default()
        }
        _ => Duration::ZERO,
    }
}

/// `2 of 3 criteria proven`.
pub fn proven(criteria: &[CriterionDocument]) -> String {
    let passed = criteria.iter().filter(|c| c.passed == Some(true)).count();
    format!("{passed} of {} criteria proven", criteria.len())
}

/// `done in 1.4 s · 3 of 3 criteria proven · 0 model calls · $0.00`.
pub fn summary(document: &RunDocument, took: Duration) -> String {
    let took = time(took);
    let how = match &document.state {
        TaskState::Done => format!("done in {took}"),
        TaskState::Failed { reason } => format!("failed after {took}: {}", one_line(reason, 300)),
        TaskState::Refused { reason } => format!("refused: {}", one_line(reason, 300)),
        TaskState::Cancelled => format!("cancelled after {took}"),
        TaskState::Waiting {
            on: WaitReason::Time,
        } => match &document.wait {
            Some(wait) => format!("waits for {}", one_line(&wait.why, 300)),
            None => "waits for its time".to_owned(),
        },
        TaskState::Waiting {
            on: WaitReason::Paused,
        } => format!("paused; go on: ai-infra task resume {}", document.short_id),
        TaskState::Waiting {
            on: WaitReason::Host,
        } => "waits for its host".to_owned(),
        TaskState::Waiting { .. } => "waits for you".to_owned(),
        other => format!("{other} since {took}"),
    };
    let mut parts = vec![how];
    if !document.criteria.is_empty() {
        parts.push(proven(&document.criteria));
    }
    let usage = &document.usage;
    parts.push(count(usage.requests, "model call", "model calls"));
    parts.push(money(usage.cost_usd));
    parts.join(" · ")
}

/// Everything that `run` prints once the task rests.
pub fn text(document: &RunDocument, took: Duration, sheet: Sheet) -> String {
    let id = document.short_id;
    let mut text = format!("{}\n", summary(document, took));
    for criterion in document.criteria.iter().filter(|c| c.passed != Some(true)) {
        if document.phases.is_empty() {
            break;
        }
        let mark = if criterion.passed.is_some() {
            "✗"
        } else {
            "?"
        };
        let line = one_line(&criterion.text, 200);
        text.push_str(&format!("  {mark} {} {line}\n", safe(&criterion.id)));
    }
    let waits = matches!(document.state, TaskState::Waiting { .. });
    match question::open(&document.questions).last().filter(|_| waits) {
        Some(asked) => text.push_str(&format!("\n{}", question::text(asked))),
        None => {
            if let Some(question) = &document.question {
                text.push_str(&format!("\n{}\n", indent(question, "  ")));
            }
        }
    }
    if !document.result.trim().is_empty() {
        text.push_str(&format!("\n{}\n", sheet.report(document.result.trim_end())));
    }
    if document.criteria.iter().any(|c| c.evidence.is_some()) {
        text.push_str(&format!(
            "  (each number has its evidence: ai-infra task show {id})\n"
        ));
    }
    if document.plan.is_some() {
        text.push_str(&format!(
            "  (how each part stands: ai-infra task show {id})\n"
        ));
    }
    if let Some(patch) = document.artifacts.iter().find(|a| a.kind == "patch") {
        text.push_str(&next(id, &patch.control_files));
    }
    text
}

/// What can be done with a patch. Files that programs obey by themselves are named first.
fn next(id: ShortId, control: &[String]) -> String {
    const NAMED: usize = 8;
    let discard = format!("ai-infra task discard {id}   throw it away");
    if control.is_empty() {
        return format!(
            "\nnext:  ai-infra task diff {id}    see the change\n       ai-infra task apply {id}   take it into the workspace   {discard}\n"
        );
    }
    let mut names: Vec<String> = control
        .iter()
        .take(NAMED)
        .map(|n| one_line(n, 80))
        .collect();
    if control.len() > NAMED {
        names.push(format!("and {} more", control.len() - NAMED));
    }
    format!(
        "\nread first: the change touches what programs obey without being asked: {}\nnext:  ai-infra task diff {id}    see the change\n       ai-infra task apply {id} --with-control-files   take it into the workspace\n       {discard}\n",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn document(change: serde_json::Value) -> RunDocument {
        let mut whole = json!({
            "version": 1, "task_id": "01890000-0000-7000-8000-000000000000", "short_id": "t7",
            "state": "done", "agent": "code", "children": [],
            "phases": [{"phase": "observe", "started": "2026-11-20T10:00:00Z", "ended": "2026-11-20T10:00:01.4Z"}],
            "criteria": [
                {"id": "c1", "text": "it holds", "check": {"file": {"path": "x"}}, "passed": true, "evidence": "x is there"},
            ],
            "result": "The repository holds **3** files.\n\nNothing else.", "question": null, "artifacts": [],
            "usage": {"requests": 0, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cost_usd": 0.0},
            "attempts": 1,
        });
        for (key, value) in change.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn check(change: serde_json::Value, expected: &str) {
        let document = document(change);
        assert_eq!(
            text(&document, worked(&document.phases), Sheet::Pipe),
            expected
        );
    }

    #[test]
    fn a_done_task_shows_its_report_and_where_the_evidence_is() {
        check(
            json!({}),
            "\
done in 1.4 s · 1 of 1 criteria proven · 0 model calls · $0.00

  The repository holds **3** files.

  Nothing else.
  (each number has its evidence: ai-infra task show t7)
",
        );
    }

    #[test]
    fn a_failed_task_says_which_criterion() {
        check(
            json!({"state": "failed", "reason": "criterion c2\nfailed: \u{1b}[31mred", "result": "",
                "criteria": [
                    {"id": "c1", "text": "it holds", "check": {"file": {"path": "x"}}, "passed": null, "evidence": null},
                    {"id": "c2", "text": "it runs", "check": {"file": {"path": "x"}}, "passed": false, "evidence": null}],
                "usage": {"requests": 1, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cost_usd": 0.1}}),
            "\
failed after 1.4 s: criterion c2 failed: \\u{1b}[31mred · 0 of 2 criteria proven · 1 model call · $0.10
  ? c1 it holds
  ✗ c2 it runs
",
        );
    }

    #[test]
    fn a_task_that_waits_shows_the_question() {
        check(
            json!({"state": "waiting", "on": "input", "question": "which service?", "result": "",
                "criteria": [], "phases": []}),
            "waits for you · 0 model calls · $0.00\n\n  which service?\n",
        );
    }

    #[test]
    fn a_patch_shows_the_way_home() {
        let shown = text(
            &document(json!({"artifacts": [{"kind": "patch", "path": "/p", "bytes": 3}]})),
            Duration::ZERO,
            Sheet::Pipe,
        );
        assert!(shown.contains("ai-infra task apply t7"), "{shown}");
    }
}
