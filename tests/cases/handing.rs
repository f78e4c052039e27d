//! A task that changes hands keeps what was done: its journal goes with it, nothing is done twice,
//! and it does not go back and forth for ever.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const RELAY: &str = r#"
playbook: 1
name: relay
agent: code
level: 1
intents: ["relay"]
steps:
  - {id: one, tool: Bash, args: {command: "echo one >> count.txt"}}
  - {id: give, tool: HandOff, args: {to: qa, note: "count to two"}}
  - {id: two, tool: Bash, args: {command: "echo two >> count.txt; sleep 1"}}
  - {id: wrong, tool: HandOff, args: {to: poet, note: "a poem"}, on_error: continue}
  - {id: back, tool: HandOff, args: {to: code, note: "count to three"}}
  - {id: three, tool: Bash, args: {command: "echo three >> count.txt; sleep 1"}}
criteria:
  - {id: c1, text: "it was counted", check: {file: {path: count.txt, contains: "three"}}}
report: "{{ steps.give.text }} {{ steps.wrong.text }}"
tests: [{ask: "relay"}]
"#;

fn ping_pong() -> String {
    let steps: String = (0..10)
        .map(|n| {
            let to = if n % 2 == 0 { "qa" } else { "code" };
            format!(
                "  - {{id: p{n}, tool: HandOff, args: {{to: {to}, note: n}}, on_error: continue}}\n"
            )
        })
        .collect();
    RELAY
        .replace("name: relay", "name: ping-pong")
        .replace("[\"relay\"]", "[\"ping pong\"]")
        .replace("ask: \"relay\"", "ask: \"ping pong\"")
        .replace("steps:\n", &format!("steps:\n{steps}"))
        .replace(
            "report: \"{{ steps.give.text }} {{ steps.wrong.text }}\"",
            "report: \"{{ steps.p8.text }}\"",
        )
        .replace(
            "HandOff, args: {to: qa, note: \"count to two\"}",
            "HandOff, args: {to: qa, note: x}, on_error: continue",
        )
        .replace("note: \"count to three\"}", "note: x}, on_error: continue")
}

fn team() -> (Team, PathBuf) {
    team_with("")
}

fn team_with(settings: &str) -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    team.configure(settings);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("relay.yaml"), RELAY).expect("a playbook");
    std::fs::write(playbooks.join("ping.yaml"), ping_pong()).expect("a playbook");
    team.up();
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "counting\n").expect("a file");
    (team, work)
}

fn counted(team: &Team) -> String {
    std::fs::read_to_string(team.home().join("tasks/t1/work/count.txt")).unwrap_or_default()
}

fn page(team: &Team) -> Value {
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    page["task"].clone()
}

/// The roles that held it, in order.
fn holders(page: &Value) -> Vec<String> {
    let attempts = page["attempts"].as_array().expect("attempts");
    let role = |attempt: &Value| {
        let holder = attempt["holder"].as_str().unwrap_or_default();
        holder.split('@').next().unwrap_or_default().to_owned()
    };
    attempts.iter().map(role).collect()
}

#[test]
fn a_task_goes_to_another_agent_and_on_from_there() {
    let (team, work) = team();
    let (code, document) = team.run(&work, "relay");
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["agent"], "code", "{document:#}");
    let result = document["result"].as_str().expect("a result");
    assert!(
        result.contains("handed from code to qa, with the note: count to two"),
        "{result}"
    );
    assert!(result.contains("there is no agent `poet`"), "{result}");
    assert_eq!(counted(&team), "one\ntwo\nthree\n");
    let page = page(&team);
    assert_eq!(holders(&page), ["code", "qa", "qa", "code"]);
    assert_eq!(page["notes"][0], "code hands it to qa: count to two");
    team.down();
}

#[test]
fn nobody_to_hand_it_to_is_said_at_once() {
    let (team, work) = team_with("daemon:\n  crash_limit: 1\n");
    processes::send(team.pid("qa"), Signal::SIGKILL);
    let qa = || {
        let status = team.status();
        let lines = status["processes"].as_array().cloned().unwrap_or_default();
        lines
            .iter()
            .any(|p| p["name"] == "qa" && p["state"] == "crash loop")
    };
    assert!(
        wait_until(Duration::from_secs(10), qa),
        "it was not given up"
    );
    let (code, document) = team.run(&work, "relay");
    assert_eq!(code, 1, "{document:#}");
    let reason = document["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("agent qa died too often and was given up"),
        "{document:#}"
    );
    assert_eq!(counted(&team), "one\n");
    // Its last sign of life still stands, and nothing waited for a lease.
    let asked = page(&team)["task"]["accepted"].clone();
    let ended = document["phases"].as_array().and_then(|all| all.last());
    let ended = ended.map(|phase| phase["ended"].clone());
    let at = |time: &Value| -> jiff::Timestamp {
        let text = time.as_str().expect("a time");
        text.parse().expect("a time")
    };
    let took = at(&ended.expect("a phase")).duration_since(at(&asked));
    assert!(took.as_secs() < 9, "{took}");
    team.down();
}

#[test]
fn it_does_not_go_back_and_forth_for_ever() {
    let (team, work) = team();
    let (code, document) = team.run(&work, "ping pong");
    assert_eq!(code, 0, "{document:#}");
    let result = document["result"].as_str().expect("a result");
    assert!(result.contains("changes hands at most 8 times"), "{result}");
    assert_eq!(counted(&team), "one\ntwo\nthree\n");
    team.down();
}

#[test]
pub(crate) fn whoever_is_killed_on_the_way_nothing_is_done_twice() {
    let (team, work) = team();
    let folder = work.display().to_string();
    let run = team.start(&["run", "relay", "--workspace", &folder, "--json"]);
    for (process, after) in [
        ("supervisor", 350),
        ("agent-qa", 500),
        ("redis", 300),
        ("supervisor", 300),
        ("agent-code", 300),
        ("agent-qa", 300),
    ] {
        std::thread::sleep(Duration::from_millis(after));
        let both = || team.noted_pid("daemon").is_some() && team.noted_pid("supervisor").is_some();
        wait_until(Duration::from_secs(20), both);
        if let Some(pid) = team.noted_pid(process) {
            processes::send(pid, Signal::SIGKILL);
        }
    }
    let ended = run.wait_with_output().expect("run ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(counted(&team), "one\ntwo\nthree\n");
    team.down();
}
