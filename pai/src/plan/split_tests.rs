//! Which requests are several, and which only sound so.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::playbook::Playbook;

fn library() -> Library {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/playbooks");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let yaml = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        Playbook::parse(&yaml).unwrap()
    };
    Library::new(std::fs::read_dir(folder).unwrap().map(read).collect())
}

/// `id<before,before id …`, or nothing.
fn made(request: &str, exact: bool) -> String {
    let Some(plan) = split(&library(), request, exact) else {
        return String::new();
    };
    crate::plan::grammar::check(&plan).unwrap();
    let parts: Vec<String> = plan
        .tasks
        .iter()
        .map(|part| match part.after.as_slice() {
            [] => part.id.clone(),
            after => format!("{}<{}", part.id, after.join(",")),
        })
        .collect();
    parts.join(" ")
}

#[test]
fn requests_are_split_where_every_part_is_sure() {
    for (request, expected) in [
        (
            "run the tests, then look for leaked secrets and show the host health",
            "run_tests leaked_secrets<run_tests host_health<run_tests",
        ),
        (
            "run the tests and look for leaked secrets",
            "run_tests leaked_secrets",
        ),
        (
            "run the tests; look for leaked secrets",
            "run_tests leaked_secrets",
        ),
        (
            "Run the tests, and then scan the code for secrets.",
            "run_tests leaked_secrets<run_tests",
        ),
        (
            "run the tests. After that, look for secrets",
            "run_tests leaked_secrets<run_tests",
        ),
        ("run the tests", ""),
        ("run the tests and tell me what fails", ""),
        ("run the tests and fix what fails", ""),
        ("run the tests and run the tests again", ""),
        ("if the tests pass, look for leaked secrets", ""),
        ("run the tests but not look for leaked secrets", ""),
        ("run the tests and do not look for leaked secrets", ""),
        ("run the tests or look for leaked secrets", ""),
        ("look for leaked secrets after you run the tests", ""),
        (
            "run the tests and look for leaked secrets and write a poem",
            "",
        ),
        ("say \"run the tests and look for leaked secrets\"", ""),
        ("and, then; and", ""),
        (
            "first run the tests, then look for secrets",
            "run_tests leaked_secrets<run_tests",
        ),
        (
            "run the tests & look for leaked secrets",
            "run_tests leaked_secrets",
        ),
        (
            "Any leaked secrets? Run the tests. How full is the disk?",
            "leaked_secrets run_tests host_health",
        ),
        ("profile a.csv and b.csv", "profile_data profile_data_2"),
        (
            "profile a.csv, b.csv and c.csv",
            "profile_data profile_data_2 profile_data_3",
        ),
        ("profile a.csv and a.csv", ""),
        ("profile a.csv and main.rs", ""),
        ("run the tests and main.rs", ""),
        ("tests and failures", ""),
        ("look for secrets in docs and tests", ""),
        ("", ""),
    ] {
        assert_eq!(made(request, false), expected, "{request}");
    }
}

#[test]
fn where_a_model_is_at_hand_every_part_must_be_exact() {
    assert_ne!(made("run the tests and look for leaked secrets", true), "");
    let near = "run unit tests colourfully and look for leaked secrets";
    assert_ne!(made(near, false), "", "sure by its words");
    assert_eq!(made(near, true), "");
}

#[test]
fn what_nobody_does_is_named_alone() {
    for (request, expected) in [
        (
            "run the tests and look for leaked secrets and write a poem",
            "write a poem",
        ),
        (
            "run the tests, then deploy the site, then dance",
            "deploy the site|dance",
        ),
        ("run the tests and look for leaked secrets", ""),
        ("write a poem", ""),
        ("write a poem and dance", ""),
        ("run the tests", ""),
    ] {
        assert_eq!(beyond(&library(), request).join("|"), expected, "{request}");
    }
}
