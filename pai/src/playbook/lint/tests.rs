//! What is wrong is named with its place, what is right is left alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"playbook: 1
name: count-marks
agent: qa
level: 0
description: Counts marks.
intents:
  - "count [all] [the] scribbles in the margin"
params:
  days: {type: int, default: 7, min: 1}
steps:
  - {id: scan, tool: Marks}
criteria:
  - id: c1
    text: as many now, within {{ days }} days
    check: {tool: {name: Marks, expect: "result.total == steps.scan.total"}}
report: |
  There are {{ steps.scan.total }}.
tests:
  - {ask: "count the scribbles in the margin"}
not:
  - "remove the scribbles in the margin"
"#;

fn told(text: &str, others: &[Playbook]) -> Vec<String> {
    let said = |f: Finding| {
        format!(
            "{}:{}{} {}",
            f.line,
            f.column,
            if f.wrong { "" } else { " (better)" },
            f.problem
        )
    };
    lint(text, others).into_iter().map(said).collect()
}

/// The good playbook with one text replaced gives exactly these findings.
fn check(from: &str, to: &str, expected: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    let told = told(&GOOD.replacen(from, to, 1), &[]);
    assert_eq!(told.len(), expected.len(), "{from} -> {to}: {told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(
            told.starts_with(expected),
            "{from} -> {to}:\n{told}\n{expected}"
        );
    }
}

#[test]
fn a_good_one_is_left_alone() {
    assert_eq!(told(GOOD, &[]), Vec::<String>::new());
}

#[test]
fn mistakes_are_named_where_they_stand() {
    check(
        "tool: Marks}",
        "tool: Mark}",
        &["11:22 step scan: there is no tool `Mark`: did you mean `Marks`?"],
    );
    check(
        "{id: scan, tool: Marks}",
        "{id: scan, tol: Marks, tool: Marks, whn: x}",
        &["11:16 unknown key `tol`", "11:41 unknown key `whn`"],
    );
    check(
        "name: count",
        "nam: x\nname: count",
        &["2:1 unknown key `nam`: did you mean `name`?"],
    );
    check("level: 0", "level: high", &["4:8 "]);
    check(
        "steps.scan.total }}.",
        "steps.scn.total }}.",
        &["17:16 report: `steps.scn.total` speaks of a step that has not run by then"],
    );
    check(
        "{{ days }} days",
        "{{ day }} days",
        &[
            "9:9 (better) parameter `days` is used by no",
            "14:34 criterion c1: `day` is not known there",
        ],
    );
}

#[test]
fn several_mistakes_are_all_named() {
    let text = GOOD
        .replace("tool: Marks}", "tool: Mark}")
        .replace("  - \"count [all]", "  - \"count [all\"\n  - \"count [all]")
        .replace("steps.scan.total }}.", "steps.scn.total }}.");
    let told = told(&text, &[]);
    assert!(
        told.iter()
            .any(|t| t.starts_with("7:5 this intent cannot be read")),
        "{told:#?}"
    );
    let text = text.replace("  - \"count [all\"\n", "");
    let told = self::told(&text, &[]);
    assert_eq!(
        told.iter().filter(|t| !t.contains("(better)")).count(),
        2,
        "{told:#?}"
    );
}

#[test]
fn criteria_that_cannot_fail_are_found() {
    for expect in [
        "result == result",
        "result.total == result.total",
        "true or result.total == 1",
        "result.total is defined",
        "result.total == 1 or result.total != 1",
    ] {
        check(
            "result.total == steps.scan.total",
            expect,
            &["13:9 criterion `c1` cannot fail"],
        );
    }
    for expect in [
        "result.total > 0",
        "result.findings == steps.scan.findings",
        "result.total is near(steps.scan.total, 0, 1)",
    ] {
        check("result.total == steps.scan.total", expect, &[]);
    }
    check(
        "check: {tool: {name: Marks, expect: \"result.total == steps.scan.total\"}}",
        "check: {tool: {name: Marks, expect: \"steps.scan.total == 1\"}}",
        &["15:"],
    );
}

#[test]
fn requests_that_go_elsewhere_are_found() {
    let other = GOOD
        .replace("name: count-marks", "name: other-one")
        .replace("{ask: \"count the", "{ask: \"count all the");
    let others = [Playbook::parse(&other).unwrap()];
    let told = told(GOOD, &others);
    assert!(
        told.iter()
            .any(|t| t.starts_with("7:5 ") && t.contains("means other-one")),
        "{told:#?}"
    );
    check(
        "\"count the scribbles in the margin\"}",
        "\"make tea\"}",
        &["19:5 \"make tea\" should mean"],
    );
    check(
        "  - \"remove the",
        "  - \"count the",
        &[
            "7:5 no request reaches it by this intent",
            "19:5",
            "19:5",
            "19:5",
        ],
    );
    check(
        "params:",
        "  - \"count [all] [the] scribbles in the margin\"\nparams:",
        &["8:5 this intent is the same as number 1"],
    );
}

#[test]
fn what_could_be_better_is_said() {
    check(
        "within {{ days }} days",
        "now",
        &["9:9 (better) parameter `days` is used by no step"],
    );
    check(
        "tests:\n  - {ask: \"count the scribbles in the margin\"}\n",
        "",
        &["1:1 (better) it has no tests"],
    );
}

#[test]
fn a_level_that_is_too_low_is_found() {
    check(
        "tool: Marks}",
        "tool: Tests}",
        &["11:5 step scan: Tests needs level 1"],
    );
}

#[test]
fn the_shipped_ones_are_right() {
    let all: Vec<Playbook> = super::super::shipped_tests::all();
    for name in ["stale-branches", "run-tests"] {
        let text = super::super::shipped_tests::shipped(name);
        let wrong: Vec<Finding> = lint(text, &all).into_iter().filter(|f| f.wrong).collect();
        assert_eq!(wrong, [], "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_change_is_survived(at in 0usize..GOOD.len(), with in "[ {}\\[\\]:\"'|&*#a\n-]{0,4}", cut in 0usize..12) {
        let mut text: String = GOOD.to_owned();
        let end = (at + cut).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            text.replace_range(at..end, &with);
            for finding in lint(&text, &[]) {
                prop_assert!(finding.line >= 1 && finding.column >= 1, "{finding:?}");
            }
        }
    }
}
