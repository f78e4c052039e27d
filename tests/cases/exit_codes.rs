//! What scripts rely on: each exit code, made to happen by the real binary.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

/// Ends well, whatever it finds.
const LOOKS: &str = r#"
playbook: 1
name: marks
agent: code
level: 0
intents: ["which marks are there"]
steps:
  - {id: look, tool: Read, args: {file_path: README.md}}
criteria:
  - {id: c1, text: "it is there", check: {file: {path: README.md}}}
report: "it is there"
tests: [{ask: "which marks are there"}]
"#;

/// Sleeps until somebody ends it.
const SLEEPS: &str = r#"
playbook: 1
name: nap
agent: code
level: 1
intents: ["take a nap"]
steps:
  - {id: nap, tool: Bash, args: {argv: [sleep, "60"]}}
criteria:
  - {id: c1, text: "it is there", check: {file: {path: README.md}}}
report: "slept"
tests: [{ask: "take a nap"}]
"#;

fn team() -> Team {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("marks.yaml"), LOOKS).expect("a playbook");
    std::fs::write(playbooks.join("nap.yaml"), SLEEPS).expect("a playbook");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: one\n").expect("a file");
    std::fs::write(work.join("a.csv"), "id\n1\n").expect("a file");
    std::fs::write(work.join("b.csv"), "id\n1\n").expect("a file");
    team
}

/// Replies of a model that says it is done; the criterion is about a file.
fn script(team: &Team, file: &str, cost_usd: f64) -> String {
    let input = json!({
        "options": [{"name": "look", "summary": "look at it", "risk": "none"}],
        "choice": "look",
        "steps": ["look"],
        "criteria": [{"id": "c1", "text": "the file is there",
            "check": {"file": {"path": file, "exists": true}}}]
    });
    let usage = json!({"input_tokens": 10, "cost_usd": cost_usd});
    let propose = json!({"content": [{"type": "tool_use", "id": "p", "name": "propose", "input": input}],
        "usage": usage});
    let say = json!({"content": [{"type": "text", "text": "done"}], "usage": usage});
    let mut replies: Vec<Value> = vec![propose];
    replies.extend(std::iter::repeat_n(say, 12));
    let path = team.scratch("scripts").join(format!("{file}.json"));
    std::fs::write(&path, json!({"replies": replies}).to_string()).expect("a script");
    path.display().to_string()
}

#[test]
fn each_exit_code_is_made_to_happen() {
    let team = team();
    let work = team.scratch("work").display().to_string();
    let check = |code: i32, args: &[&str]| {
        let ran = team.ai(args);
        assert_eq!(ran.code, code, "{args:?}: {ran:#?}");
        // Who fails says why, on standard error or in the result; nobody panics.
        assert!(!ran.stderr.contains("panicked"), "{ran:#?}");
        assert!(code == 0 || !(ran.stdout.clone() + &ran.stderr).is_empty());
    };
    let of = |request: &'static str| ["run", request, "--workspace", &work].map(str::to_owned);
    let words = |request: &'static str, more: &[&str], code: i32| {
        let own = of(request);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        check(code, &[&own[..], more].concat());
    };
    // 5: what is asked does not answer; a team that is down is told, and is no error of `status`.
    check(5, &["task", "list"]);
    check(5, &["schedule", "list"]);
    check(0, &["status"]);
    team.up();
    // 0: a report about what is wrong is a done report.
    words("which marks are there", &[], 0);
    words("what is unfinished here?", &[], 0);
    check(0, &["--version"]);
    check(0, &["task", "--help"]);
    // 1: the task failed; a check found something wrong.
    let lie = script(&team, "missing.txt", 0.0);
    let by_model = ["--agent", "code", "--script"];
    words("look at it", &[&by_model[..], &[&lie]].concat(), 1);
    let doctor = team.command(&["doctor"]).env("PATH", "/nowhere").output();
    assert_eq!(doctor.expect("doctor runs").status.code(), Some(1));
    // 2: usage, settings, and what does not exist.
    check(2, &["rnu"]);
    check(2, &["task", "show", "t999"]);
    check(2, &["config", "check", "/nowhere/backup.yaml"]);
    // 3: it waits for a person, or for a better question.
    words("compare these", &[], 3);
    // 4: policy and budget.
    let honest = script(&team, "README.md", 0.5);
    let poor = ["--budget", "0.01"];
    words(
        "look at it",
        &[&by_model[..], &[&honest], &poor].concat(),
        4,
    );
    // 124: its deadline passed.
    words("take a nap", &["--timeout", "1s"], 124);
    interrupted(&team, &work);
    team.down();
}

/// 130: interrupted once it is left running, and a cancelled task is told so to whoever follows.
fn interrupted(team: &Team, work: &str) {
    let running =
        |many: u64| wait_until(Duration::from_secs(20), || team.status()["running"] == many);
    assert!(running(0), "the nap before it did not end");
    let run = team.start(&["run", "take a nap", "--workspace", work]);
    assert!(running(1), "the nap did not begin");
    processes::send(run.id(), Signal::SIGINT);
    let left = run.wait_with_output().expect("it ends");
    assert_eq!(left.status.code(), Some(130), "{left:#?}");
    let said = String::from_utf8_lossy(&left.stderr).into_owned();
    let name = said.split_whitespace().find(|word| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.starts_with('t') && word[1..].parse::<u32>().is_ok()
    });
    let name = name.expect("it names the task");
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let follow = team.start(&["task", "follow", name]);
    team.ai(&["task", "cancel", name]).expect(0);
    let ended = follow.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130), "{ended:#?}");
}
