//! The picture at the sizes people have, as they see it.
#![allow(clippy::unwrap_used)]

use super::draw::draw;
use super::view::View;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use protocol::criterion::{Check, CommandExpect, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::money::MicroUsd;
use protocol::phase::Phase;
use protocol::report::{CallLine, Usage};
use protocol::task::Task;
use serde_json::json;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + second).unwrap()
}

fn task(request: &str) -> Task {
    serde_json::from_value(json!({
        "id": "01990000-0000-7000-8000-000000000001", "short_id": "t142", "request_id": "r1",
        "principal": {"uid": 0, "name": "root"}, "request": request, "agent": "code",
        "routed_because": "", "way": {"engine": "playbook", "name": "run-tests", "params": {}},
        "workspace": null, "effort": "standard", "budget": null, "priority": 5, "deadline": null,
        "accepted": "2026-03-01T12:00:00Z",
    }))
    .unwrap()
}

fn criterion(id: &str, text: &str) -> Criterion {
    Criterion {
        id: id.to_owned(),
        text: text.to_owned(),
        check: Check::Command {
            argv: vec!["true".to_owned()],
            expect: CommandExpect::default(),
            timeout_s: 1,
        },
        change: false,
    }
}

fn seen(id: &str, verdict: Verdict) -> Evidence {
    Evidence {
        criterion: id.to_owned(),
        verdict,
        source: EvidenceSource::Process,
        observed: String::new(),
        measured: at(0),
        tree: None,
    }
}

fn call(tool: &str, summary: &str, took_ms: u64, is_error: bool) -> CallLine {
    CallLine {
        phase: Phase::Execute,
        tool: tool.to_owned(),
        summary: summary.to_owned(),
        took_ms,
        is_error,
    }
}

fn working() -> View {
    let mut view = View::new(
        "code (level 1)".into(),
        "Reads and changes code.".into(),
        at(0),
    );
    view.took(
        &task("run the tests and tell me what fails, also in the slow suite, and say why"),
        2,
        at(0),
    );
    let held = view.held.as_mut().unwrap();
    held.replayed = 3;
    held.phase = Some((Phase::Execute, at(51)));
    let all: Vec<Criterion> = (1..=7)
        .map(|n| {
            criterion(
                &format!("c{n}"),
                &format!("statement number {n} about the whole suite"),
            )
        })
        .collect();
    held.criteria(&all);
    held.measured(&seen("c1", Verdict::Passed));
    held.measured(&seen("c6", Verdict::Failed));
    for n in 1..=7 {
        held.called(&call(
            "Bash",
            &format!("pytest -k part_{n}"),
            400 * n,
            n == 6,
        ));
    }
    held.doing = Some(("Tests cargo test --workspace".into(), at(60)));
    held.spent(&Usage {
        requests: 4,
        cost: MicroUsd(140_000),
        ..Usage::default()
    });
    view
}

fn picture(view: &View, columns: usize, rows: usize) -> String {
    let lines = draw(view, at(63), &TimeZone::UTC, columns, rows);
    lines.iter().map(|line| line.text() + "\n").collect()
}

#[test]
fn a_task_at_80_by_24() {
    let expected = "\
code (level 1)
t142 run the tests and tell me what fails, also in the slow suite, and say why
playbook run-tests, no model · 4 model calls · $0.14 · attempt 2, 3 steps from…

✓OBSERVE ✓THINK ✓PLAN ✓BUILD EXECUTE 12 s                         task 1 min 3 s
▸ Tests cargo test --workspace                                               3 s

criteria 1 of 7 proven
  ✓ c1 statement number 1 about the whole suite
  … c2 statement number 2 about the whole suite
  … c3 statement number 3 about the whole suite
  … c4 statement number 4 about the whole suite
  … c5 statement number 5 about the whole suite
  ✗ c6 statement number 6 about the whole suite
  … c7 statement number 7 about the whole suite

calls 7, 1 failed
  ✓ Bash pytest -k part_3                                                  1.2 s
  ✓ Bash pytest -k part_4                                                  1.6 s
  ✓ Bash pytest -k part_5                                                  2.0 s
  ✗ Bash pytest -k part_6                                                  2.4 s
  ✓ Bash pytest -k part_7                                                  2.8 s
";
    assert_eq!(picture(&working(), 80, 24), expected);
}

#[test]
fn a_task_at_40_by_15() {
    let expected = "\
code (level 1)
t142 run the tests and tell me what fai…
playbook run-tests, no model · 4 model…
EXECUTE 12 s              task 1 min 3 s
▸ Tests cargo test --workspace       3 s
criteria 1 of 7 proven
  … c2 statement number 2 about the who…
  ✗ c6 statement number 6 about the who…
  … and 5 more
calls 7, 1 failed
  ✓ Bash pytest -k part_3          1.2 s
  ✓ Bash pytest -k part_4          1.6 s
  ✓ Bash pytest -k part_5          2.0 s
  ✗ Bash pytest -k part_6          2.4 s
  ✓ Bash pytest -k part_7          2.8 s
";
    assert_eq!(picture(&working(), 40, 15), expected);
}

#[test]
fn what_was_left_and_since_when_it_is_idle() {
    let mut view = working();
    view.left("done", true, at(63));
    view.idle(at(64));
    view.frozen = true;
    view.held_back = Some("load 9.1".into());
    let expected = "\
code (level 1)                                       FROZEN until ai-infra thaw
Reads and changes code.

idle since 12:01:04: waits for work, ai-infra run \"…\"
held back: load 9.1; only urgent tasks are begun

last results
12:01:03 t142 done 1/7 1 min 3 s  run the tests and tell me what fails, also i…
";
    assert_eq!(picture(&view, 79, 24), expected);
}

#[test]
fn a_frozen_task_says_what_it_waits_for_and_a_hint_stands_below() {
    let mut view = working();
    view.frozen = true;
    view.hint = Some(("nothing is stopped by Ctrl-C here".into(), at(70)));
    let shown = picture(&view, 80, 24);
    assert!(shown.contains("▸ stopped in place, waits for ai-infra thaw"));
    assert!(shown.ends_with("\nnothing is stopped by Ctrl-C here\n"));
    view.hint = Some(("over".into(), at(60)));
    assert!(!picture(&view, 80, 24).contains("over"));
}

proptest! {
    #[test]
    fn whatever_a_task_says_the_picture_fits(
        words in ".{0,200}", columns in 0usize..130, rows in 0usize..40, many in 0usize..12,
    ) {
        let mut view = working();
        view.took(&task(&words), 1, at(0));
        let held = view.held.as_mut().unwrap();
        held.criteria(&(0..many).map(|n| criterion(&format!("c{n}"), &words)).collect::<Vec<_>>());
        for _ in 0..many {
            held.called(&call(&words, &words, 5, false));
        }
        held.doing = Some((words.clone(), at(1)));
        let mut idle = view.clone();
        idle.left(&words, false, at(2));
        idle.idle(at(3));
        for view in [&view, &idle] {
            let lines = draw(view, at(63), &TimeZone::UTC, columns, rows);
            prop_assert!(lines.len() <= rows);
            for line in &lines {
                prop_assert!(line.width() <= columns, "{line:?}");
                prop_assert!(!line.text().chars().any(char::is_control), "{line:?}");
            }
        }
    }
}
