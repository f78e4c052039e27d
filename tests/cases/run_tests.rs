//! "Run the tests and tell me what fails", red and green, in several languages: exactly the
//! failing tests, and evidence for every criterion.

use crate::AI_INFRA;
use serde_json::Value;
use tests::projects;
use tests::team::Team;

const ASK: &str = "run the tests and tell me what fails";

fn check(document: &Value, code: i32, named: &[&str], green: &[&str]) {
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["state"], "done", "{document:#}");
    assert_eq!(document["version"], 1);
    let phases: Vec<&str> = document["phases"]
        .as_array()
        .expect("phases")
        .iter()
        .filter_map(|p| p["phase"].as_str())
        .collect();
    assert_eq!(
        phases,
        [
            "observe", "think", "plan", "build", "execute", "verify", "learn"
        ]
    );
    for criterion in document["criteria"].as_array().expect("criteria") {
        assert_eq!(criterion["passed"], true, "{criterion:#}");
        assert!(
            !criterion["evidence"]
                .as_str()
                .unwrap_or_default()
                .is_empty(),
            "{criterion:#}"
        );
    }
    let report = document["result"].as_str().expect("a report");
    for name in named {
        assert!(report.contains(name), "{name} is not named in:\n{report}");
    }
    for name in green {
        assert!(!report.contains(name), "{name} did not fail, in:\n{report}");
    }
}

#[test]
fn cargo_node_and_pytest_red_and_green() {
    let team = Team::new(AI_INFRA);
    team.up();
    let rust = team.scratch("rust-red");
    projects::cargo(&rust, true);
    projects::commit_all(&rust);
    let (code, document) = team.run(&rust, ASK);
    check(
        &document,
        code,
        &["tests::sums::small", "tests::sums::large"],
        &["tests::fine"],
    );
    let rust = team.scratch("rust-green");
    projects::cargo(&rust, false);
    let (code, document) = team.run(&rust, ASK);
    check(&document, code, &["3"], &["tests::sums::small"]);
    let node = team.scratch("node-red");
    projects::node(&node, true);
    let (code, document) = team.run(&node, ASK);
    check(&document, code, &["cart > adds"], &["is empty", "plain"]);
    let python = team.scratch("python-red");
    if projects::pytest(&python, true).is_some() {
        let (code, document) = team.run(&python, ASK);
        let failing = "test_words.py::test_length[x - y-6]";
        check(
            &document,
            code,
            &[failing],
            &["test_fine", "test_length[a b-3]"],
        );
    }
    team.down();
}

#[test]
fn the_workspace_itself_is_not_touched() {
    let team = Team::new(AI_INFRA);
    let rust = team.scratch("rust");
    projects::cargo(&rust, true);
    projects::commit_all(&rust);
    std::fs::write(rust.join("untracked.txt"), "mine").expect("a file");
    let before = listing(&rust);
    let (code, _) = team.run(&rust, ASK);
    assert_eq!(code, 0);
    assert_eq!(listing(&rust), before);
    team.down();
}

fn listing(folder: &std::path::Path) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let size = entry.metadata().map(|m| m.len()).unwrap_or_default();
                all.push((path.display().to_string(), size));
            }
        }
    }
    all.sort();
    all
}
