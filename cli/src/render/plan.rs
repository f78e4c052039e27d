//! Plans as they are shown: what is going to be done, and how each part stands.

use super::text::{columns, one_line};
use protocol::plan::{OnFailure, PartDocument, PartState, PlanDocument};

/// What a plan is going to do, one line a part.
pub fn before(plan: &PlanDocument) -> String {
    let rows: Vec<Vec<String>> = plan.parts.iter().map(announced).collect();
    columns(&rows)
}

fn announced(part: &PartDocument) -> Vec<String> {
    let mut terms = Vec::new();
    if !part.after.is_empty() {
        terms.push(format!("after {}", part.after.join(", ")));
    }
    match part.on_failure {
        OnFailure::Stop => {}
        OnFailure::Skip => terms.push("on failure: skip".to_owned()),
        OnFailure::Retry => terms.push("on failure: retry".to_owned()),
    }
    vec![
        format!("  {}", part.id),
        part.agent
            .as_ref()
            .map_or_else(|| "any".to_owned(), ToString::to_string),
        one_line(&part.request, 70),
        terms.join("; "),
    ]
}

/// How each part stands.
pub fn parts(plan: &PlanDocument) -> String {
    let mut text = String::new();
    let rows: Vec<Vec<String>> = plan.parts.iter().map(standing).collect();
    for (line, part) in columns(&rows).lines().zip(&plan.parts) {
        text.push_str(&format!("{line}\n"));
        if let (Some(reason), PartState::Failed | PartState::Left) = (&part.reason, part.state) {
            text.push_str(&format!("      {}\n", one_line(reason, 300)));
        }
    }
    text
}

fn standing(part: &PartDocument) -> Vec<String> {
    let how = match (part.state, &part.task_state) {
        (PartState::Left, _) => "not started".to_owned(),
        (PartState::Running, Some(state)) => state.to_string(),
        (state, _) => state.as_str().to_owned(),
    };
    let tries = match part.tries {
        0 | 1 => String::new(),
        tries => format!("{tries} tries"),
    };
    vec![
        format!("  {}", mark(part.state)),
        part.task.map(|id| id.to_string()).unwrap_or_default(),
        part.id.clone(),
        how,
        part.agent
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        one_line(&part.request, 70),
        tries,
    ]
}

fn mark(state: PartState) -> &'static str {
    match state {
        PartState::Done => "✓",
        PartState::Failed => "✗",
        PartState::Left => "-",
        PartState::Waiting | PartState::Ready | PartState::Running => "·",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn plan() -> PlanDocument {
        serde_json::from_value(json!({"name": "release", "parts": [
            {"id": "tests", "state": "failed", "reason": "it\nbroke", "request": "playbook run-tests", "agent": "code",
             "after": [], "on_failure": "retry", "task": "t3", "task_state": {"state": "failed", "reason": "it broke"}, "tries": 2},
            {"id": "scan", "state": "running", "reason": null, "request": "look for \u{1b}secrets", "agent": "qa",
             "after": [], "on_failure": "skip", "task": "t4", "task_state": {"state": "running", "phase": "verify"}, "tries": 1},
            {"id": "notes", "state": "left", "reason": "it comes after `tests`", "request": "write", "agent": null,
             "after": ["tests", "scan"], "on_failure": "stop", "task": null, "task_state": null, "tries": 0},
        ]}))
        .unwrap()
    }

    #[test]
    fn a_plan_is_shown_before_it_runs() {
        assert_eq!(
            before(&plan()),
            "  tests  code  playbook run-tests      on failure: retry\n  \
             scan   qa    look for \\u{1b}secrets  on failure: skip\n  \
             notes  any   write                   after tests, scan\n"
        );
    }

    #[test]
    fn parts_say_how_they_stand() {
        assert_eq!(
            parts(&plan()),
            "  ✗  t3  tests  failed           code  playbook run-tests      2 tries\n      it broke\n  \
             ·  t4  scan   running(verify)  qa    look for \\u{1b}secrets\n  \
             -      notes  not started            write\n      it comes after `tests`\n"
        );
    }
}
