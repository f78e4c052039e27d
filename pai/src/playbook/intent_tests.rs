//! Patterns against requests, as tables and at random.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn specs() -> BTreeMap<String, ParamSpec> {
    serde_saphyr::from_str(
        "{file: {type: file}, days: {type: int}, unit: {type: unit}, note: {type: text}}",
    )
    .unwrap()
}

fn matched(pattern: &str, request: &str) -> Option<Value> {
    Intent::parse(pattern)
        .unwrap()
        .matches(&words::tokens(request), &specs())
        .map(Value::Object)
}

#[test]
fn patterns_match_whole_requests() {
    let tests = "(run|execute) [all] [the] [unit] tests";
    for (pattern, request, expected) in [
        (tests, "run the tests", Some(json!({}))),
        (tests, "Please execute all unit tests now!", Some(json!({}))),
        (tests, "run the tests of this repository", Some(json!({}))),
        (tests, "run the slow tests", None),
        (tests, "don't run the tests", None),
        (tests, "run", None),
        (tests, "", None),
        (
            "profile {file}",
            "profile data.csv",
            Some(json!({"file": "data.csv"})),
        ),
        (
            "profile {file}",
            "profile \"my data\"",
            Some(json!({"file": "my data"})),
        ),
        ("profile {file}", "profile data", None),
        (
            "rotate [the] logs of {unit} [after {days} days]",
            "rotate the logs of my-shop",
            Some(json!({"unit": "my-shop"})),
        ),
        (
            "rotate [the] logs of {unit} [after {days} days]",
            "rotate the logs of shop after 14 days",
            Some(json!({"unit": "shop", "days": 14})),
        ),
        (
            "note {note}",
            "note buy some milk",
            Some(json!({"note": "buy some milk"})),
        ),
        (
            "note {note} for {unit}",
            "note the milk for bob",
            Some(json!({"note": "the milk", "unit": "bob"})),
        ),
        (
            "what is in this repository",
            "what is in this repository?",
            Some(json!({})),
        ),
        ("what is in this repository", "this repository", None),
        ("what is in this repository", "what is here", None),
    ] {
        assert_eq!(matched(pattern, request), expected, "{pattern} / {request}");
    }
}

#[test]
fn bad_patterns_are_refused() {
    for pattern in [
        "",
        "the",
        "[run]",
        "(run|the)",
        "run (tests",
        "run tests)",
        "run {file",
        "run }",
        "((((((run))))))",
    ] {
        assert!(Intent::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn recall_counts_the_best_way() {
    let intent = Intent::parse("(run|execute) [all] [slow|fast] tests in {file}").unwrap();
    let has = |words: &'static [&'static str]| move |stem: &str| words.contains(&stem);
    assert!((intent.recall(&has(&["run", "test"])) - 1.0).abs() < 1e-9);
    assert!((intent.recall(&has(&["test"])) - 0.5).abs() < 1e-9);
    assert!(intent.recall(&has(&[])) < 1e-9);
}

#[test]
fn a_hostile_pattern_does_not_stall() {
    let pattern = "[a1] [a1|a1] ".repeat(60) + "zebra";
    let request = "a1 ".repeat(70);
    assert_eq!(matched(&pattern, &request), None);
}

proptest! {
    #[test]
    fn any_pattern_is_read_or_refused(pattern in "[a-z \\[\\](){}|]{0,60}", request in "[a-z ./'\"-]{0,60}") {
        if let Ok(intent) = Intent::parse(&pattern) {
            intent.matches(&words::tokens(&request), &specs());
            let recall = intent.recall(&|_| true);
            prop_assert!((0.0..=1.0).contains(&recall));
        }
    }
}
