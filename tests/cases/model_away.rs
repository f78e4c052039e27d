//! A model that is overloaded or away holds a task up and does not fail it: the task waits, tries
//! again, and pays for nothing twice; it gives up in the end, and says what it tried.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use tests::model_api::ModelApi;
use tests::processes::{self, wait_until};
use tests::team::Team;

fn api() -> ModelApi {
    let proposal = json!({
        "options": [{"name": "write", "summary": "write it", "risk": "none"}],
        "choice": "write",
        "steps": ["write"],
        "criteria": [{"id": "c1", "text": "it is written", "change": true,
            "check": {"file": {"path": "note.txt", "contains": "hello"}}}]
    });
    let write = json!({"type": "tool_use", "id": "w1", "name": "Write",
        "input": {"file_path": "note.txt", "content": "hello\n"}});
    ModelApi::start(
        proposal,
        vec![write, json!({"type": "text", "text": "It is written."})],
    )
}

fn team(api: &ModelApi, retries: &str) -> (Team, String) {
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
        .with_env("ANTHROPIC_BASE_URL", api.url());
    team.configure(&format!(
        "team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n{retries}"
    ));
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
    team.up();
    (team, work.display().to_string())
}

fn page(team: &Team, task: &str) -> Value {
    team.ai(&["task", "show", task, "--json"]).expect(0).json()["task"].take()
}

fn waits(team: &Team, task: &str) -> bool {
    let page = page(team, task);
    page["document"]["state"] == "waiting" && page["document"]["on"] == "time"
}

fn begin(team: &Team, work: &str) {
    let words = [
        "run",
        "write a greeting",
        "--agent",
        "code",
        "--workspace",
        work,
        "--no-wait",
    ];
    team.ai(&words).expect(0);
}

#[test]
fn an_overloaded_model_is_waited_for_and_nothing_is_bought_twice() {
    let api = api();
    // Long enough that only a person, or the supervisor at its time, ends the wait.
    let (team, work) = team(&api, "  retry_first_ms: 600000\n");
    api.refuse_after(2, 429);
    begin(&team, &work);
    let parked = wait_until(Duration::from_secs(20), || waits(&team, "t1"));
    assert!(parked, "{:#}", page(&team, "t1"));
    assert_eq!(
        (api.replies(), api.refusals()),
        (2, 2),
        "one retry at once, then it waits"
    );
    let document = page(&team, "t1")["document"].take();
    assert_eq!(document["wait"]["number"], 1, "{document:#}");
    assert_eq!(document["usage"]["requests"], 2, "{document:#}");
    let shown = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    let expected = "the model: it takes no more requests for now (status 429); tries again ";
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.contains("1 of 5"), "{shown}");
    let list = team.ai(&["task", "list"]).expect(0).stdout;
    assert!(list.contains("waits 9 min"), "{list}");
    // Nobody holds it: whoever was there may die.
    for name in ["code", "supervisor", "redis"] {
        processes::send(team.pid(name), Signal::SIGKILL);
    }
    let back = wait_until(Duration::from_secs(10), || {
        team.status()["delayed"] == 1 && team.status()["state"] == "up"
    });
    assert!(back, "{:#}", team.status());
    api.relent();
    let told = team.ai(&["task", "resume", "t1"]).expect(0).stdout;
    assert!(told.contains("is tried again now"), "{told}");
    let ended = wait_until(Duration::from_secs(20), || {
        page(&team, "t1")["document"]["state"] == "done"
    });
    let page = page(&team, "t1");
    assert!(ended, "{page:#}");
    assert_eq!(
        api.replies(),
        3,
        "proposal, the call, the end: each was paid once"
    );
    assert_eq!(page["document"]["usage"]["requests"], 3, "{page:#}");
    assert_eq!(page["document"]["wait"], Value::Null);
    assert_eq!(
        page["attempts"].as_array().map(Vec::len),
        Some(2),
        "{page:#}"
    );
    let notes = page["notes"].to_string();
    assert!(
        notes.contains("waits for the model: ") && notes.contains("(1 of 5)"),
        "{notes}"
    );
    team.down();
}

#[test]
fn a_model_that_stays_away_fails_the_task_with_the_whole_story() {
    let api = api();
    let (team, work) = team(&api, "  retries: 2\n  retry_first_ms: 300\n");
    api.refuse_after(0, 429);
    let words = [
        "run",
        "write a greeting",
        "--agent",
        "code",
        "--workspace",
        &work,
    ];
    let ran = team.ai(&words).expect(1);
    assert_eq!((api.replies(), api.refusals()), (0, 6), "{ran:#?}");
    for told in [
        "tries again at",
        "(1 of 2)",
        "(2 of 2)",
        "overloaded (status 429)",
    ] {
        assert!(ran.stdout.contains(told), "{ran:#?}");
    }
    let page = page(&team, "t1");
    let reason = page["document"]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("it was tried before, at (UTC) "),
        "{reason}"
    );
    let tries = reason.matches("it takes no more requests for now").count();
    assert_eq!(tries, 2, "{reason}");
    assert_eq!(page["document"]["usage"]["requests"], 0, "{page:#}");
    team.down();
}
