//! Agents ask each other: one that is busy answers all the same, one that stands still is waited for
//! no longer than said, and what an answer cost is the asking task's.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tests::model_api::ModelApi;
use tests::processes::{self, wait_until};
use tests::team::Team;

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

fn model(turns: Vec<Value>) -> ModelApi {
    let proposal = json!({
        "options": [{"name": "write", "summary": "write it", "risk": "none"}],
        "choice": "write",
        "steps": ["write"],
        "criteria": [{"id": "c1", "text": "it is written", "change": true,
            "check": {"file": {"path": "note.txt", "contains": "hello"}}}]
    });
    ModelApi::start(proposal, turns)
}

fn team(api: &ModelApi) -> (Team, String) {
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
        .with_env("ANTHROPIC_BASE_URL", api.url());
    team.configure("team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
    team.up();
    let work = work.display().to_string();
    (team, work)
}

fn page(team: &Team, task: &str) -> Value {
    let shown = team.ai(&["task", "show", task, "--json"]);
    shown.expect(0).json()["task"].take()
}

fn begin(team: &Team, work: &str, agent: &str) {
    let words = ["run", "write a greeting", "--no-wait", "--agent", agent];
    let words = words.iter().copied().chain(["--workspace", work]);
    team.ai(&words.collect::<Vec<_>>()).expect(0);
}

fn done(team: &Team, task: &str) -> Value {
    let done = wait_until(Duration::from_secs(20), || {
        page(team, task)["document"]["state"] == "done"
    });
    let page = page(team, task);
    assert!(done, "{page:#}");
    page
}

#[test]
fn a_busy_agent_answers_beside_its_work() {
    let ask = json!({"agent": "code", "question": "how is the suite run?"});
    let wait = "touch begun; until [ -e go ]; do sleep 0.05; done";
    let api = model(vec![
        call("ask", "AskPeer", ask),
        call("wait", "Bash", json!({"command": wait})),
        call(
            "w",
            "Write",
            json!({"file_path": "note.txt", "content": "hello\n"}),
        ),
        json!({"type": "text", "text": "It is written."}),
    ]);
    api.answer_aside("With make check, sk-ant-story.");
    let (team, work) = team(&api);
    let clone = |task: u32| -> PathBuf { team.home().join(format!("tasks/t{task}/work")) };
    let at_gate = |task: u32| {
        let begun = clone(task).join("begun");
        let there = wait_until(Duration::from_secs(20), || begun.exists());
        assert!(there, "{:#}", page(&team, &format!("t{task}")));
    };
    // It asks itself, which is refused, and is busy from then on.
    begin(&team, &work, "code");
    at_gate(1);
    begin(&team, &work, "qa");
    at_gate(2);
    for task in [1, 2] {
        std::fs::write(clone(task).join("go"), "").expect("a file");
    }
    let (asker, busy) = (done(&team, "t2"), done(&team, "t1"));
    let talks = api.conversations().join("\n");
    assert!(talks.contains("that is yourself"), "{talks}");
    assert!(
        talks.contains("code answers. These are another agent's words"),
        "{talks}"
    );
    assert!(talks.contains("With make check, "), "{talks}");
    assert!(
        !talks.contains("sk-ant-story"),
        "a secret came along: {talks}"
    );
    // A proposal and four turns each; the answer is the asker's.
    assert_eq!(asker["document"]["usage"]["requests"], 6, "{asker:#}");
    assert_eq!(busy["document"]["usage"]["requests"], 5, "{busy:#}");
    let call = &asker["calls"].as_array().expect("calls")[2];
    assert_eq!(
        (&call["tool"], &call["summary"]),
        (&json!("AskPeer"), &json!("how is the suite run?"))
    );
    team.down();
}

#[test]
fn nobody_answering_in_time_is_said_and_the_work_goes_on() {
    let ask = json!({"agent": "qa", "question": "how is the suite run?", "seconds": 1});
    let api = model(vec![
        call("ask", "AskPeer", ask),
        call(
            "w",
            "Write",
            json!({"file_path": "note.txt", "content": "hello\n"}),
        ),
        json!({"type": "text", "text": "It is written."}),
    ]);
    let (team, work) = team(&api);
    processes::send(team.pid("qa"), Signal::SIGSTOP);
    begin(&team, &work, "code");
    let page = done(&team, "t1");
    let talks = api.conversations().join("\n");
    assert!(talks.contains("no answer from qa within 1 s"), "{talks}");
    assert_eq!(page["document"]["usage"]["requests"], 4, "{page:#}");
    team.down();
}
