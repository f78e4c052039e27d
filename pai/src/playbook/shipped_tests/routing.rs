//! What people say, and where it goes.

use super::*;
use crate::playbook::library::Route;

fn routed(request: &str) -> String {
    match library().route(request) {
        Route::Sure { name, .. } => name,
        Route::Missing { name, missing, .. } => format!("{name} needs {}", missing.join(",")),
        Route::Which(these) => {
            let names: Vec<String> = these.into_iter().map(|near| near.name).collect();
            format!("{}?", names.join("|"))
        }
        Route::None { nearest } => {
            assert!(nearest.len() <= 3, "more names than anybody reads");
            "none".to_owned()
        }
    }
}

#[test]
fn every_example_goes_where_its_playbook_says() {
    let wrong = library().self_test();
    assert!(
        wrong.is_empty(),
        "{}",
        wrong.iter().map(|w| format!("{w}\n")).collect::<String>()
    );
}

#[test]
fn people_are_understood() {
    let mut wrong = String::new();
    for (request, expected) in [
        ("run the tests and tell me what fails", "run-tests"),
        ("Run all tests please", "run-tests"),
        ("could you run the test suite?", "run-tests"),
        ("which tests fail?", "run-tests"),
        ("which of the tests are failing right here", "run-tests"),
        ("show me the failing tests of this repo", "run-tests"),
        ("are there any failing tests?", "run-tests"),
        ("do all the tests pass?", "run-tests"),
        ("execute the unit tests", "run-tests"),
        ("run tests", "run-tests"),
        ("look over this repository", "look-over"),
        ("Look over the repo.", "look-over"),
        ("please look over my project", "look-over"),
        ("have a look at this codebase", "look-over"),
        ("any leaked secrets here?", "leaked-secrets"),
        (
            "are there any leaked passwords in this repo?",
            "leaked-secrets",
        ),
        ("search for secrets", "leaked-secrets"),
        ("look for leaked credentials", "leaked-secrets"),
        (
            "any leeked secrets or leaked tokens here?",
            "leaked-secrets",
        ),
        ("find secrtes: leaked secrets", "leaked-secrets"),
        ("how full is the disk?", "host-health"),
        ("how full are the disks", "host-health"),
        ("how are disk and memory of this host?", "host-health"),
        ("how much disk space do we have left?", "host-health"),
        ("memory usage", "host-health"),
        ("how is this server doing", "host-health"),
        ("profile data.csv", "profile-data"),
        ("profile the file ./sales/2024.csv please", "profile-data"),
        ("profile the data", "profile-data needs file"),
        ("which columns does orders.csv have?", "profile-data"),
        ("give me an overview of this repo", "repository-overview"),
        (
            "a short overview of the codebase please",
            "repository-overview",
        ),
        ("describe this project", "repository-overview"),
        (
            "how many lines of code are there in this repo?",
            "repository-overview",
        ),
        ("what is unfinished here?", "unfinished-marks"),
        (
            "what's left unfinished in this repository?",
            "unfinished-marks",
        ),
        ("show all the todos", "unfinished-marks"),
        ("any TODOs left?", "unfinished-marks"),
        ("run-tests", "run-tests"),
        ("any uncommitted changes in my repos?", "unpushed-work"),
        ("what have I forgotten to commit", "unpushed-work"),
        (
            "please list all stale branches of this repo",
            "stale-branches",
        ),
        ("show old git branches", "stale-branches"),
        (
            "which licences do our packages have?",
            "dependency-inventory",
        ),
        ("check the readme for dead links", "broken-links"),
        ("are the links in the documentation broken?", "broken-links"),
        (
            "show me the biggest files of the git history",
            "large-files",
        ),
        ("which files are bigger than 50 mb?", "large-files"),
        ("what happened since 2 weeks ago?", "what-changed"),
        ("check the lint", "format-and-lint"),
        ("are there eslint problems in the code?", "format-and-lint"),
        ("reformat the code", "none"),
        ("merge the stale branches", "none"),
        ("push my branches", "none"),
        ("stash my changes", "none"),
        ("upgrade the dependencies", "none"),
        ("fix the dead links in the readme", "none"),
        ("remove large files from the git history", "none"),
        ("list the keys of the map", "leaked-secrets?"),
        ("find tokens in the lexer", "leaked-secrets?"),
        ("free some memory", "none"),
        ("fix the failing test", "none"),
        ("fix the failing tests in src/parser.rs", "none"),
        ("write tests for the parser", "none"),
        ("delete the logs", "none"),
        ("deploy the site", "none"),
        ("add a login page", "none"),
        ("run the tests and fix what fails", "none"),
        ("do not run the tests", "none"),
        ("never run the tests", "none"),
        ("why does the test fail?", "none"),
        ("how do the tests work?", "none"),
        ("run the tests every night", "none"),
        ("run the migration", "none"),
        ("make the disk bigger", "none"),
        ("look over this repository and fix what you find", "none"),
        ("check the server and restart nginx", "none"),
        ("memory usage of nginx", "host-health?"),
        ("run the tests in docker", "run-tests?"),
        ("remove the leaked secrets", "none"),
        ("clean up the unfinished work", "none"),
        ("profile the login page", "none"),
        ("delete data.csv", "none"),
        ("commit the code", "none"),
        ("look at the logs of nginx", "none"),
        ("what is the weather?", "none"),
        ("tell me a joke", "none"),
        ("this repository", "none"),
        ("", "none"),
        ("???", "none"),
    ] {
        let got = routed(request);
        if got != expected {
            wrong.push_str(&format!("\"{request}\": {got}, expected {expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn long_and_hostile_requests_end_soon() {
    for request in [
        "run ".repeat(5000),
        "\"".repeat(3000),
        "the tests ".repeat(39),
        "/".repeat(4000),
        "[run|".repeat(900),
    ] {
        routed(&request);
    }
}

#[test]
fn parameters_are_read_and_checked() {
    let Route::Sure { params, exact, .. } = library().route("profile \"my data.csv\" please")
    else {
        panic!()
    };
    assert!(exact);
    assert_eq!(params["file"], "my data.csv");
    assert!(library().check_params("profile-data", &params).is_ok());
    let outside = json!({"file": "/etc/secrets.csv"});
    assert!(
        library()
            .check_params("profile-data", outside.as_object().unwrap())
            .is_err()
    );
    let unknown = library()
        .check_params("profile-dat", &Map::new())
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("did you mean `profile-data`?"),
        "{unknown}"
    );
}

#[test]
fn two_that_fit_equally_ask_and_later_ones_replace() {
    let one = shipped("run-tests");
    let twin = one.replacen("name: run-tests", "name: run-tests-too", 1);
    let parse = |yaml: &str| Playbook::parse(yaml).unwrap();
    let both = Library::new(vec![parse(one), parse(&twin)]);
    let Route::Which(these) = both.route("run the tests") else {
        panic!()
    };
    let names: Vec<&str> = these.iter().map(|near| near.name.as_str()).collect();
    assert_eq!(names, ["run-tests", "run-tests-too"]);
    let own = one.replacen("agent: code", "agent: qa", 1);
    let replaced = Library::new(vec![parse(one), parse(&own)]);
    assert_eq!(replaced.playbooks().len(), 1);
    assert_eq!(replaced.find("run-tests").unwrap().agent.as_str(), "qa");
}

#[test]
fn one_that_writes_needs_an_exact_match() {
    let writes = shipped("run-tests").replacen(
        "- {id: tests, tool: Tests,",
        "- {id: before, tool: Bash, args: {argv: [\"true\"]}}\n  - {id: tests, tool: Tests,",
        1,
    );
    let library = Library::new(vec![Playbook::parse(&writes).unwrap()]);
    assert!(library.playbooks()[0].writes());
    assert!(matches!(
        library.route("run the tests"),
        Route::Sure { exact: true, .. }
    ));
    assert!(matches!(
        library.route("tests: run all, and say which fail"),
        Route::Which(_)
    ));
}
