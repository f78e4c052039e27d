//! Whatever the red team tries leaves lines in the record: every attempt of `tests/redteam` once more,
//! this time as the calls of a model in a real team, so that they go through the agents' own door.
//! Each call must be in the record: as refused, or as begun and ended, under the digest of exactly
//! these arguments. The control takes the record's wall away, and then none of them is.
//!
//! `scripts/redteam.sh` has it run whole and takes the count from the file named by `REDTEAM_RECORD`.

use crate::AI_INFRA;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tests::team::Team;

/// Calls of one task: well below the most turns of one.
const CALLS: usize = 40;

/// One call that an attempt makes.
struct Call {
    /// The case, and which of its calls.
    of: String,
    name: String,
    input: Value,
}

impl Call {
    /// As the record knows it.
    fn digest(&self) -> String {
        let sum = Sha256::digest(self.input.to_string());
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The calls of every case, or of the first of each class. What they reach for does not matter
/// here: names of places stay as they are written.
fn calls(whole: bool) -> Vec<Call> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/redteam");
    let mut calls = Vec::new();
    for class in sorted(&folder).into_iter().filter(|path| path.is_dir()) {
        let cases = sorted(&class);
        let tried = if whole { cases.len() } else { 1 };
        for case in cases.iter().take(tried) {
            let text = std::fs::read_to_string(case).expect("a case");
            let name = case.strip_prefix(&folder).expect("below").display();
            for (number, part) in text.split("\n=== ").skip(1).enumerate() {
                let (kind, rest) = part.split_once('\n').unwrap_or((part, ""));
                let (tool, input) = match kind.trim() {
                    // The first line makes it a call of its own. What it leaves behind is not to be
                    // in the way of the next, and it is cut off soon: shown here is the record.
                    "inside" => {
                        let command = format!("cd $(mktemp -d) # {name} {number}\n{rest}");
                        (
                            "Bash".to_owned(),
                            json!({"command": command, "timeout": 3000}),
                        )
                    }
                    "call" | "bring" => {
                        let call: Value = serde_json::from_str(rest.trim()).expect("JSON");
                        let tool = call["name"].as_str().expect("a name").to_owned();
                        (tool, call["input"].clone())
                    }
                    _ => continue,
                };
                calls.push(Call {
                    of: format!("{name} {number}"),
                    name: tool,
                    input,
                });
            }
        }
    }
    calls
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn reply(content: Value, stop: &str) -> Value {
    json!({"content": [content], "stop_reason": stop, "usage": {"input_tokens": 9, "output_tokens": 9}})
}

/// A model's replies: a plan, each call, the end.
fn script(calls: &[Call]) -> Value {
    let tool = |id: usize, name: &str, input: &Value| {
        let call =
            json!({"type": "tool_use", "id": format!("c{id}"), "name": name, "input": input});
        reply(call, "tool_use")
    };
    let proposal = json!({
        "options": [{"name": "try", "summary": "try it", "risk": "none"}], "choice": "try", "steps": ["try"],
        "criteria": [{"id": "c1", "text": "it is there", "check": {"file": {"path": "README.md", "contains": "here"}}}],
    });
    let mut replies = vec![tool(0, "propose", &proposal)];
    let made = calls.iter().enumerate();
    replies.extend(made.map(|(n, call)| tool(n + 1, &call.name, &call.input)));
    replies.push(reply(
        json!({"type": "text", "text": "All of it was tried."}),
        "end_turn",
    ));
    json!({"replies": replies})
}

/// How every stage of the record names a call, by the digest of its arguments.
fn record(team: &Team) -> BTreeMap<String, BTreeSet<String>> {
    let tail = team
        .ai(&["audit", "tail", "-n", "100000", "--json"])
        .expect(0);
    let mut stages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tail.stdout.lines() {
        let line: Value = serde_json::from_str(line).expect("a line");
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        stages
            .entry(word("args_sha256"))
            .or_default()
            .insert(word("stage"));
    }
    stages
}

/// Has a model make the calls; answers those that the record does not tell whole.
fn unaudited(team: &Team, calls: &[Call]) -> Vec<String> {
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "here\n").expect("a file");
    let file = team.scratch("script").join("replies.json");
    for some in calls.chunks(CALLS) {
        std::fs::write(&file, script(some).to_string()).expect("a script");
        let (work, file) = (work.display().to_string(), file.display().to_string());
        let words = [
            "run",
            "try it",
            "--workspace",
            &work,
            "--agent",
            "code",
            "--json",
            "--script",
            &file,
        ];
        let ran = team.ai(&words);
        let document = ran.json();
        assert_eq!(document["state"], "done", "{document:#}");
        // Otherwise nothing was tried, and nothing is missing.
        let asked = document["usage"]["requests"].as_u64().unwrap_or_default();
        assert!(asked > some.len() as u64 + 1, "{document:#}");
    }
    let record = record(team);
    let told = |call: &&Call| {
        record.get(&call.digest()).is_some_and(|stages| {
            stages.contains("refused") || (stages.contains("before") && stages.contains("after"))
        })
    };
    let missing = calls.iter().filter(|call| !told(call));
    missing.map(|call| call.of.clone()).collect()
}

fn team(fault: Option<&str>) -> Team {
    // What exhausts the sandbox is not to exhaust the machine.
    let team = Team::new(AI_INFRA)
        .with_env("AI_INFRA__SANDBOX__MEMORY_MB", "512")
        .with_env("AI_INFRA__SANDBOX__PROCESSES", "64")
        .with_env("AI_INFRA__SANDBOX__FILE_MB", "8");
    let team = match fault {
        Some(fault) => team.with_env("AI_INFRA_FAULT", fault),
        None => team,
    };
    team.up();
    team
}

#[test]
fn every_attempt_is_in_the_record() {
    let wanted = std::env::var_os("REDTEAM_RECORD");
    let calls = calls(wanted.is_some());
    let held = team(None);
    let missing = unaudited(&held, &calls);
    held.ai(&["audit", "verify"]).expect(0);
    held.down();
    let control = team(Some("without=record"));
    let blind = unaudited(&control, &calls[..calls.len().min(CALLS)]);
    control.down();
    assert_eq!(
        blind.len(),
        calls.len().min(CALLS),
        "the control sees lines that nobody wrote"
    );
    if let Some(path) = wanted {
        let document =
            json!({"v": 1, "acts": calls.len(), "unaudited": missing.len(), "missing": missing});
        std::fs::write(path, document.to_string()).expect("the count is written");
        return;
    }
    assert!(missing.is_empty(), "not in the record: {missing:#?}");
}
