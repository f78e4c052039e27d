//! Plans that read, and those that are refused with a sentence that helps.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::grammar::parse;
use proptest::prelude::*;

const GOOD: &str = r#"plan: 1
name: release
tasks:
  - {id: tests, playbook: run-tests, on_failure: retry, retries: 2}
  - {id: scan, ask: "look for secrets", agent: qa}
  - {id: notes, ask: "write notes from {{ tasks.tests.result }}", after: [tests, scan], on_failure: skip}
gather: "{{ tasks.notes.line }} of {{ plan.name }}"
"#;

fn problem(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).map_or_else(|e| e.to_string(), |_| "fine".to_owned())
}

#[test]
fn a_good_one_reads() {
    let plan = parse(GOOD).unwrap();
    assert_eq!(plan.tasks.len(), 3);
    assert_eq!(plan.tasks[0].tries(), 3);
    assert_eq!(plan.tasks[2].tries(), 1);
}

#[test]
fn wrong_ones_are_refused_with_a_hint() {
    for (from, to, expected) in [
        ("plan: 1", "plan: 2\nnew: 1", "the plan says version 2"),
        ("plan: 1", "plan: 0", "version 0"),
        ("name: release", "name: Big One", "`Big One` is no name"),
        (
            "name: release",
            "nmae: release",
            "unknown key `nmae`: did you mean `name`?",
        ),
        (
            "agent: qa",
            "agnet: qa",
            "unknown key `agnet`: did you mean `agent`?",
        ),
        ("id: scan", "id: tests", "`tests` is there twice"),
        ("id: scan", "id: s-can", "use 1 to 48 of a-z, 0-9 and _"),
        (
            "[tests, scan]",
            "[tests, scn]",
            "after `scn`, which is no task of the plan: did you mean `scan`?",
        ),
        ("[tests, scan]", "[tests, tests]", "after `tests` twice"),
        (
            "[tests, scan]",
            "[notes]",
            "goes in a circle: notes after notes",
        ),
        (
            "agent: qa",
            "agent: qa, after: [notes]",
            "goes in a circle: scan after notes after scan",
        ),
        (
            "[tests, scan]",
            "[scan]",
            "`tasks.tests`, which is not done by then: put `tests` under its `after`",
        ),
        (
            "tasks.tests.result",
            "tasks.tests.reslt",
            "of a task there are result, line",
        ),
        (
            "tasks.tests.result",
            "params.x",
            "`params.x`, which is not known there",
        ),
        (
            "tasks.tests.result }}",
            "tasks.tests.result",
            "has a template that cannot be read",
        ),
        ("playbook: run-tests", "params: {a: 1}", "says nothing"),
        (
            "playbook: run-tests",
            "playbook: run-tests, ask: x",
            "has both",
        ),
        ("\"look for secrets\"", "\" \"", "empty `ask`"),
        ("agent: qa", "params: {a: 1}", "`params` without a playbook"),
        (
            "agent: qa",
            "retries: 1",
            "`retries` without `on_failure: retry`",
        ),
        ("retries: 2", "retries: 6", "use 1 to 5"),
        ("retries: 2", "retries: 0", "use 1 to 5"),
        ("on_failure: skip", "on_failure: cry", "unknown variant"),
        (
            "tasks.notes.line",
            "tasks.nobody.line",
            "the plan's gather speaks of `tasks.nobody`",
        ),
        (
            "{{ plan.name }}",
            "{{ home }}",
            "`home`, which is not known there",
        ),
        (
            "{{ plan.name }}",
            "{{ plan.name",
            "gather is a template that cannot be read",
        ),
        ("agent: qa", "agent: Q A", "is not a role"),
    ] {
        let said = problem(from, to);
        assert!(said.contains(expected), "{to}: {said}");
    }
}

#[test]
fn empty_and_huge_plans_are_refused() {
    let said = |yaml: &str| parse(yaml).unwrap_err().to_string();
    assert!(said("plan: 1\nname: p\ntasks: []\n").contains("has no tasks"));
    let part = |n: usize| format!("  - {{id: t{n}, ask: look}}\n");
    let many: String = (0..51).map(part).collect();
    assert!(said(&format!("plan: 1\nname: p\ntasks:\n{many}")).contains("51 tasks, at most 50"));
    assert!(said(&" ".repeat(300_000)).contains("use at most"));
    assert!(said("").contains("cannot be read"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        let _ = parse(&text);
    }

    #[test]
    fn every_cut_is_read_or_refused(at in 0usize..400) {
        let mut at = at.min(GOOD.len());
        while !GOOD.is_char_boundary(at) { at -= 1; }
        let _ = parse(&GOOD[..at]);
    }
}
