//! Agents ask each other: one that is busy answers all the same, one that stands still is waited for
//! no longer than said, and what an answer cost is the asking task's.

use crate::AI_INFRA;
use crate::hosts::{first_host, join};
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

const SETTINGS: &str = "team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n";

fn with_model(team: Team, api: &ModelApi) -> Team {
    team.with_env("ANTHROPIC_API_KEY", "sk-ant-story")
        .with_env("ANTHROPIC_BASE_URL", api.url())
}

fn team(api: &ModelApi) -> (Team, String) {
    let team = with_model(Team::new(AI_INFRA), api);
    team.configure(SETTINGS);
    up(team)
}

fn up(team: Team) -> (Team, String) {
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
    begin_with(team, work, agent, "write a greeting");
}

fn begin_with(team: &Team, work: &str, agent: &str, request: &str) {
    let words = ["run", request, "--no-wait", "--agent", agent];
    let words = words.iter().copied().chain(["--workspace", work]);
    team.ai(&words.collect::<Vec<_>>()).expect(0);
}

/// Asks another agent, then writes what was to be written.
fn asks(agent: &str, seconds: u64) -> Vec<Value> {
    let ask = json!({"agent": agent, "question": "how is the suite run?", "seconds": seconds});
    let note = json!({"file_path": "note.txt", "content": "hello\n"});
    vec![
        call("ask", "AskPeer", ask),
        call("w", "Write", note),
        json!({"type": "text", "text": "It is written."}),
    ]
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
    let mut calls = asker["calls"].as_array().into_iter().flatten();
    let call = calls.find(|call| call["tool"] == "AskPeer");
    assert_eq!(call.expect("a call")["summary"], "how is the suite run?");
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

#[test]
fn two_that_ask_each_other_at_once_are_both_answered() {
    let gate = "touch begun; until [ -e go ]; do sleep 0.05; done";
    let gate = || vec![call("gate", "Bash", json!({"command": gate}))];
    let api = model([gate(), asks("qa", 60)].concat());
    api.turns_where("a second greeting", [gate(), asks("code", 60)].concat());
    api.answer_aside("With make check.");
    let (team, work) = team(&api);
    begin(&team, &work, "code");
    begin_with(&team, &work, "qa", "write a second greeting");
    let place = |task: u32, file: &str| team.home().join(format!("tasks/t{task}/work/{file}"));
    for task in [1, 2] {
        let begun = wait_until(Duration::from_secs(20), || place(task, "begun").exists());
        assert!(begun, "{:#}", page(&team, &format!("t{task}")));
    }
    for task in [1, 2] {
        std::fs::write(place(task, "go"), "").expect("a file");
    }
    for task in ["t1", "t2"] {
        // A proposal, four turns and the answer that the other gave.
        let page = done(&team, task);
        assert_eq!(page["document"]["usage"]["requests"], 6, "{page:#}");
    }
    let talks = api.conversations().join("\n");
    for agent in ["code", "qa"] {
        let said = format!("{agent} answers. These are another agent's words");
        assert!(talks.contains(&said), "{said}: {talks}");
    }
    team.down();
}

#[test]
fn a_question_in_a_freeze_is_answered_after_the_thaw() {
    let api = model(asks("qa", 120));
    api.answer_aside("With make check.");
    let (team, work) = team(&api);
    let qa = team.pid("qa");
    processes::send(qa, Signal::SIGSTOP);
    begin(&team, &work, "code");
    // The proposal and the turn that asks.
    assert!(wait_until(Duration::from_secs(20), || api.replies() == 2));
    team.ai(&["freeze"]).expect(0);
    processes::send(qa, Signal::SIGCONT);
    team.ai(&["thaw"]).expect(0);
    let page = done(&team, "t1");
    assert_eq!(page["document"]["usage"]["requests"], 5, "{page:#}");
    let last = api.conversations().pop().unwrap_or_default();
    assert_eq!(last.matches("qa answers.").count(), 1, "{last}");
    team.down();
}

#[test]
fn an_agent_on_another_host_and_without_a_key_answers_with_what_it_is_for() {
    let api = model(asks("qa", 60));
    let team = with_model(first_host(Team::new(AI_INFRA)), &api);
    // Here qa is given up at its first death, so the one on the other host is asked.
    team.configure(&format!("{SETTINGS}daemon:\n  crash_limit: 1\n"));
    let (team, work) = up(team);
    let file = team.scratch("invitations").join("web2");
    let path = file.display().to_string();
    let invite = ["host", "invite", "web2", "--agents", "qa", "--out", &path];
    team.ai(&invite).expect(0);
    let there = Team::new(AI_INFRA);
    join(&there, &file).expect(0);
    processes::send(team.pid("qa"), Signal::SIGKILL);
    begin(&team, &work, "code");
    let page = done(&team, "t1");
    // Nothing was paid for it: a proposal and three turns.
    assert_eq!(page["document"]["usage"]["requests"], 4, "{page:#}");
    let talks = api.conversations().join("\n");
    let said = "qa works without a model and cannot think about a question";
    assert!(talks.contains(said), "{talks}");
    there.down();
    team.down();
}
