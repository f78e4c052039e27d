//! When work begins, as a person sees it: due times, full queues, agents that pause, tasks that are
//! done again.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// One counted step and nothing else.
const COUNT: &str = r#"
playbook: 1
name: count-once
agent: code
level: 1
intents: ["count once"]
steps:
  - {id: once, tool: Bash, args: {command: "echo x >> /workspace/count.txt"}}
criteria:
  - {id: c1, text: "it counted once", check: {command: {argv: [sh, -c, "test $(wc -l < count.txt) = 1"]}}}
report: "counted"
tests: [{ask: "count once"}]
"#;

fn team(config: &str) -> (Team, String) {
    let team = Team::new(AI_INFRA);
    team.configure(&format!(
        "team:\n  lease_ms: 1500\n{config}engine:\n  name: playbook\n"
    ));
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("count-once.yaml"), COUNT).expect("a playbook");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "counting\n").expect("a file");
    team.up();
    let work = work.display().to_string();
    (team, work)
}

fn page(team: &Team, task: &str) -> Value {
    team.ai(&["task", "show", task, "--json"]).expect(0).json()["task"].take()
}

fn state(team: &Team, task: &str) -> String {
    page(team, task)["document"]["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn comes_to(team: &Team, task: &str, expected: &str) {
    let came = wait_until(Duration::from_secs(10), || state(team, task) == expected);
    assert!(came, "{:#}", page(team, task));
}

#[test]
fn a_task_begins_at_its_time_whatever_was_killed_before() {
    let (team, work) = team("");
    let run = |more: &[&str]| {
        let mut words = vec!["run", "count once", "--workspace", &work];
        words.extend(more);
        team.ai(&words)
    };
    let past = run(&["--at", "2020-01-01T03:00"]).expect(2);
    assert!(past.stderr.contains("has passed already"), "{past:#?}");
    let began = Instant::now();
    let soon = run(&["--in", "4s"]).expect(0);
    assert!(soon.stdout.contains("it begins "), "{soon:#?}");
    assert!(soon.took < Duration::from_secs(2), "{soon:#?}");
    let far = run(&["--in", "2h", "--json"]).expect(0).json();
    assert!(far["due"].is_string(), "{far:#}");
    for name in ["redis", "supervisor"] {
        processes::send(team.pid(name), Signal::SIGKILL);
    }
    let back = wait_until(Duration::from_secs(5), || team.status()["delayed"] == 2);
    assert!(back, "{:#}", team.status());
    assert_eq!(page(&team, "t1")["document"]["on"], "time");
    let list = team.ai(&["task", "list"]).stdout;
    assert!(list.contains("waits 1 h 59 min"), "{list}");
    team.ai(&["task", "cancel", "t2"]).expect(0);
    assert_eq!(state(&team, "t2"), "cancelled");
    comes_to(&team, "t1", "done");
    assert!(began.elapsed() >= Duration::from_secs(4));
    assert_eq!(
        page(&team, "t1")["attempts"].as_array().map(Vec::len),
        Some(1)
    );
    team.down();
}

#[test]
fn a_full_queue_says_so_and_a_paused_agent_goes_on_after_its_resume() {
    let (team, work) = team("  queue_limit: 3\n");
    let run = || team.ai(&["run", "count once", "--workspace", &work, "--no-wait"]);
    let paused = team.ai(&["agents", "pause", "code"]).expect(0);
    assert!(
        paused.stdout.contains("ai-infra agents resume code"),
        "{paused:#?}"
    );
    let typo = team.ai(&["agents", "pause", "cod"]).expect(2);
    assert!(typo.stderr.contains("nearest is `code`"), "{typo:#?}");
    let told = run().expect(0);
    assert!(told.stderr.contains("code is paused since"), "{told:#?}");
    run().expect(0);
    run().expect(0);
    let full = run().expect(4);
    assert!(
        full.stderr.contains("3 tasks are queued already"),
        "{full:#?}"
    );
    assert!(full.stderr.contains("team.queue_limit"), "{full:#?}");
    team.ai(&["restart"]).expect(0);
    let agents = team.ai(&["agents", "list"]).expect(0).stdout;
    assert!(agents.contains("up, paused"), "{agents}");
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains("code is paused since"), "{status}");
    assert_eq!(team.status()["queued"], 3);
    team.ai(&["agents", "resume", "code"]).expect(0);
    for task in ["t1", "t2", "t3"] {
        comes_to(&team, task, "done");
    }
    team.down();
}

/// Three counted steps, the first of them slow.
const STEPS: &str = r#"
playbook: 1
name: three-steps
agent: code
level: 1
intents: ["three steps"]
steps:
  - {id: one, tool: Bash, args: {command: "echo begun >> /workspace/begun.txt; sleep 1; echo one >> /workspace/count.txt"}}
  - {id: two, tool: Bash, args: {command: "echo two >> /workspace/count.txt"}}
criteria:
  - {id: c1, text: "each ran once", check: {command: {argv: [sh, -c, "test \"$(cat count.txt begun.txt)\" = \"$(printf 'one\\ntwo\\nbegun')\""]}}}
report: "counted"
tests: [{ask: "three steps"}]
"#;

#[test]
fn a_task_is_paused_after_its_step_or_in_its_queue_and_goes_on_once() {
    let (team, work) = team("");
    let playbooks = team.home().join("playbooks");
    std::fs::write(playbooks.join("three-steps.yaml"), STEPS).expect("a playbook");
    let run = team.start(&["run", "three steps", "--workspace", &work]);
    let folder = team.home().join("tasks/t1/work");
    let begun = wait_until(Duration::from_secs(10), || {
        folder.join("begun.txt").exists()
    });
    assert!(begun, "the first step did not begin");
    let said = team.ai(&["task", "pause", "t1"]).expect(0);
    assert!(
        said.stdout.contains("as soon as the step in hand"),
        "{said:#?}"
    );
    let ended = run.wait_with_output().expect("run ends");
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(page(&team, "t1")["document"]["on"], "paused");
    let count = || std::fs::read_to_string(folder.join("count.txt")).unwrap_or_default();
    assert_eq!(
        count(),
        "one\n",
        "the step in hand ends and no other begins"
    );
    // A queued one waits at once, also when its agent takes work again.
    team.ai(&["agents", "pause", "code"]).expect(0);
    let queued = ["run", "count once", "--workspace", &work, "--no-wait"];
    team.ai(&queued).expect(0);
    let said = team.ai(&["task", "pause", "t2"]).expect(0);
    assert!(
        said.stdout.starts_with("t2 is paused; it goes on with"),
        "{said:#?}"
    );
    team.ai(&["agents", "resume", "code"]).expect(0);
    team.ai(&["restart"]).expect(0);
    team.ai(&queued).expect(0);
    comes_to(&team, "t3", "done");
    for task in ["t1", "t2"] {
        assert_eq!(page(&team, task)["document"]["on"], "paused", "{task}");
        team.ai(&["task", "resume", task]).expect(0);
        comes_to(&team, task, "done");
    }
    let said = team.ai(&["task", "resume", "t1"]).expect(0);
    assert!(said.stdout.contains("is not paused"), "{said:#?}");
    team.down();
}

#[test]
fn a_report_that_the_ledger_never_takes_ends_its_task_and_holds_up_no_other() {
    let (team, work) = team("");
    let count = ["run", "count once", "--workspace", &work];
    team.ai(&count).expect(0);
    let refuses = "CREATE TRIGGER refuses BEFORE UPDATE OF result ON tasks WHEN NEW.short_id = 2
                   BEGIN SELECT RAISE(ABORT, 'it does not fit'); END";
    team.alter_ledger(refuses);
    let ended = team.ai(&count).expect(1);
    let why = "the agent's report cannot be kept";
    assert!(ended.stdout.contains(why), "{ended:#?}");
    assert!(ended.stdout.contains("it does not fit"), "{ended:#?}");
    team.ai(&count).expect(0);
    team.down();
}

#[test]
fn a_task_is_done_again_and_an_agent_is_started_anew() {
    let (team, work) = team("");
    team.ai(&["run", "count once", "--workspace", &work])
        .expect(0);
    let before = team.pid("code");
    team.ai(&["agents", "restart", "code"]).expect(0);
    let anew = wait_until(Duration::from_secs(5), || {
        let shown = team.ai(&["agents", "show", "code", "--json"]).json();
        shown["agent"]["state"] == "up" && shown["agent"]["pid"] != before
    });
    assert!(anew, "{:#}", team.status());
    team.ai(&["agents", "restart", "cod"]).expect(2);
    let again = team
        .ai(&["task", "retry", "t1", "--request-id", "r"])
        .expect(0);
    assert!(again.stdout.contains("task t2: count once"), "{again:#?}");
    team.ai(&["task", "retry", "t1", "--request-id", "r"])
        .expect(0);
    comes_to(&team, "t2", "done");
    let shown = team.ai(&["task", "show", "t2"]).expect(0).stdout;
    assert!(shown.contains("does t1 again"), "{shown}");
    team.ai(&["task", "show", "t3"]).expect(2);
    let none = team.ai(&["dead", "list"]).expect(0).stdout;
    assert_eq!(none, "no dead letters\n");
    team.ai(&["dead", "replay", "code/1-1"]).expect(2);
    team.down();
}
