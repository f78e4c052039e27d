//! Money: what `costs` says holds what running tasks have set aside and what was lost with a killed
//! agent, a budget is a gate in front of the call, and effort bounds how long a model may go on.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::{Ran, Team, on_server};

/// The first reply of both conversations: a proposal where one is asked for, else a call that comes to
/// nothing.
fn proposal(cost: f64) -> Value {
    let input = json!({
        "options": [{"name": "look", "summary": "look at it", "risk": "none"}],
        "choice": "look",
        "steps": ["look"],
        "criteria": [{"id": "c1", "text": "the file is there",
            "check": {"file": {"path": "a.txt", "exists": true}}}]
    });
    json!({"content": [{"type": "tool_use", "id": "p", "name": "propose", "input": input}],
        "usage": {"input_tokens": 10, "cost_usd": cost}})
}

fn read(number: usize) -> Value {
    let id = format!("r{number}");
    json!({"content": [{"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "a.txt"}}]})
}

fn say(cost: f64, delay_ms: u64) -> Value {
    json!({"content": [{"type": "text", "text": "It is there."}],
        "usage": {"output_tokens": 3, "cost_usd": cost}, "delay_ms": delay_ms})
}

/// Runs a script of replies in a folder with one file.
fn run(team: &Team, replies: &[Value], more: &[&str]) -> Ran {
    let work = team.scratch("work");
    std::fs::write(work.join("a.txt"), "a\n").expect("a file");
    let script = team.scratch("script").join("replies.json");
    std::fs::write(&script, json!({"replies": replies}).to_string()).expect("a script");
    let (work, script) = (work.display().to_string(), script.display().to_string());
    let words = [
        "run",
        "look at the file",
        "--agent",
        "code",
        "--workspace",
        &work,
    ];
    let rest = ["--script", &script];
    team.ai(&[&words[..], &rest[..], more].concat())
}

fn costs(team: &Team, more: &[&str]) -> Value {
    team.ai(&[&["costs", "--json"], more].concat())
        .expect(0)
        .json()
}

#[test]
fn costs_hold_what_runs_and_what_was_lost() {
    let team = Team::new(AI_INFRA);
    team.up();
    let none = team.ai(&["costs"]).expect(0).stdout;
    assert!(none.contains("no model was called"), "{none}");
    run(&team, &[proposal(0.125), say(0.5, 60_000)], &["--no-wait"]).expect(0);
    let aside = |calls: u64| {
        let costs = costs(&team, &[]);
        let (month, total) = (&costs["month"], &costs["total"]);
        month["reserved_usd"] == 0.5 && total["calls"] == calls
    };
    let running = wait_until(Duration::from_secs(20), || aside(2));
    assert!(running, "{:#}", costs(&team, &[]));
    assert_eq!(costs(&team, &[])["month"]["spent_usd"], 0.25);
    let line = team.ai(&["task", "list"]).expect(0).stdout;
    assert!(line.contains("$0.25"), "a running task has a cost: {line}");
    // The call is lost with its agent and stays charged; the next holder asks again.
    processes::send(team.pid("code"), Signal::SIGKILL);
    let again = wait_until(Duration::from_secs(20), || aside(3));
    assert!(again, "{:#}", costs(&team, &[]));
    assert_eq!(costs(&team, &[])["total"]["lost_usd"], 0.5);
    team.ai(&["task", "cancel", "t1"]).expect(0);
    let ended = wait_until(Duration::from_secs(20), || {
        costs(&team, &[])["month"]["reserved_usd"] == 0.0
    });
    let by_task = costs(&team, &["--by", "task"]);
    assert!(ended, "{by_task:#}");
    let task = &by_task["lines"][0];
    assert_eq!(
        (&task["name"], &task["about"]),
        (&json!("t1"), &json!("look at the file"))
    );
    assert_eq!(
        (&task["calls"], &task["lost_calls"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(task["cost_usd"], 1.25, "{by_task:#}");
    assert_eq!(by_task["month"]["left_usd"], 18.75, "{by_task:#}");
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let usage = &page["task"]["document"]["usage"];
    assert_eq!(usage["cost_usd"], 1.25, "one truth: {usage:#}");
    let by_model = costs(&team, &["--by", "model"]);
    assert_eq!(
        by_model["lines"].as_array().map(Vec::len),
        Some(1),
        "{by_model:#}"
    );
    let shown = team.ai(&["costs", "--by", "agent"]).expect(0).stdout;
    for words in [
        "$1.25 for 4 model calls of 1 task",
        "$1.00 (2 calls",
        "$1.25 of $20.00",
    ] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
    team.down();
}

#[test]
fn a_budget_that_does_not_cover_the_call_refuses_it() {
    let team = Team::new(AI_INFRA);
    let replies = [proposal(0.25), say(0.25, 0)];
    for (budget, code, cost) in [("0.20", 4, 0.0), ("0.40", 4, 0.25), ("0.75", 0, 0.75)] {
        let ran = run(&team, &replies, &["--budget", budget, "--json"]).expect(code);
        let document = ran.json();
        assert_eq!(document["usage"]["cost_usd"], cost, "{document:#}");
        if code == 4 {
            assert_eq!(document["state"], "refused");
            let reason = document["reason"].as_str().unwrap_or_default();
            assert!(
                reason.contains("budget") && reason.contains("$0.25"),
                "{reason}"
            );
        }
    }
    // More than a month may cost cannot be kept.
    run(&team, &replies, &["--budget", "1000"]).expect(2);
    // A month that is spent begins nothing that costs.
    team.ai(&["down"]).expect(0);
    team.configure(
        "engine:\n  name: playbook\n  allow_scripted: true\nbudget:\n  month_usd: 1.0\n",
    );
    let refused = run(&team, &replies, &[]).expect(4);
    assert!(refused.stdout.contains("month budget"), "{refused:#?}");
    team.down();
}

#[test]
fn effort_bounds_how_long_a_model_goes_on() {
    let team = Team::new(AI_INFRA);
    let mut replies = vec![proposal(0.0)];
    replies.extend((0..24).map(read));
    replies.push(say(0.0, 0));
    let quick = run(&team, &replies, &["--effort", "quick", "--json"])
        .expect(1)
        .json();
    let standard = run(&team, &replies, &["--json"]).expect(0).json();
    // Three rounds of at most 20 turns, after the call that brought the plan.
    let asked = |document: &Value| document["usage"]["requests"].as_u64();
    assert_eq!((asked(&quick), asked(&standard)), (Some(61), Some(27)));
    let reason = quick["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("within 20 turns"),
        "it says what bounds it: {quick:#}"
    );
    team.down();
}

/// Redis forgets everything while a request waits whose calls the month does not cover any more.
fn a_month_is_not_forgotten_with_redis() {
    let team = Team::new(AI_INFRA);
    team.configure(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n  allow_scripted: true\nbudget:\n  month_usd: 1.0\n  task_usd: 1.0\n",
    );
    team.up();
    let replies = [proposal(0.2), say(0.5, 0)];
    run(&team, &replies, &[]).expect(0);
    assert_eq!(costs(&team, &[])["month"]["spent_usd"], 0.9);
    // It is taken in: a little is left.
    team.ai(&["agents", "pause", "code"]).expect(0);
    run(&team, &replies, &["--no-wait"]).expect(0);
    team.ai(&["down"]).expect(0);
    std::fs::remove_dir_all(team.home().join("redis")).expect("forgotten");
    team.up();
    team.ai(&["agents", "resume", "code"]).expect(0);
    is_refused(&team, "t2", "the month budget of $1.00 has $0.90 spent");
    let costs = costs(&team, &[]);
    assert_eq!(costs["month"]["spent_usd"], 0.9, "{costs:#}");
    team.down();
}

/// Waits until a task was refused for this reason; answers its page.
fn is_refused(team: &Team, task: &str, why: &str) -> Value {
    let shown = || team.ai(&["task", "show", task, "--json"]).expect(0).json();
    let over = || shown()["task"]["document"]["state"].clone();
    let refused = wait_until(Duration::from_secs(30), || over() == "refused");
    assert!(refused, "{:#}", shown());
    let page = shown();
    let reason = page["task"]["document"]["reason"].as_str();
    assert!(
        reason.is_some_and(|reason| reason.contains(why)),
        "{page:#}"
    );
    page
}

#[test]
fn what_a_month_has_cost_outlives_redis() {
    a_month_is_not_forgotten_with_redis();
}

#[test]
fn what_a_month_has_cost_outlives_redis_with_the_ledger_on_a_server() {
    on_server(a_month_is_not_forgotten_with_redis);
}

/// Redis forgets everything while a task is in the middle of a call that its limit covers once.
fn the_limit_of_a_task_holds_for_what_it_cost_before() {
    let team = Team::new(AI_INFRA);
    team.configure(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n  allow_scripted: true\nbudget:\n  month_usd: 5.0\n  task_usd: 1.0\n",
    );
    team.up();
    run(&team, &[proposal(0.2), say(0.5, 60_000)], &["--no-wait"]).expect(0);
    let aside = || costs(&team, &[])["month"]["reserved_usd"] == 0.5;
    let running = wait_until(Duration::from_secs(20), aside);
    assert!(running, "{:#}", costs(&team, &[]));
    team.ai(&["down"]).expect(0);
    std::fs::remove_dir_all(team.home().join("redis")).expect("forgotten");
    team.up();
    let shown = || team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    // It had done something that nobody can take back; a person looks, and lets it start anew.
    let asked = || shown()["task"]["document"]["on"] == "input";
    assert!(wait_until(Duration::from_secs(30), asked), "{:#}", shown());
    team.ai(&["task", "answer", "t1", "again"]).expect(0);
    let page = is_refused(&team, "t1", "the task budget of $1.00 has $0.90 spent");
    assert_eq!(page["task"]["document"]["usage"]["cost_usd"], 0.9);
    // The control: for a task that comes now the same limit covers the same calls.
    run(&team, &[proposal(0.2), say(0.5, 0)], &[]).expect(0);
    team.down();
}

#[test]
fn what_a_task_has_cost_outlives_redis() {
    the_limit_of_a_task_holds_for_what_it_cost_before();
}

#[test]
fn what_a_task_has_cost_outlives_redis_with_the_ledger_on_a_server() {
    on_server(the_limit_of_a_task_holds_for_what_it_cost_before);
}
