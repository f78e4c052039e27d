//! A host under pressure begins only urgent tasks, says so, and goes on by itself.

use crate::AI_INFRA;
use serde_json::Value;
use std::time::Duration;
use tests::processes::wait_until;
use tests::team::Team;

/// Any machine has more than this in use.
const FULL: &str = "memory_percent: 0.001";
/// No machine has.
const ROOM: &str = "memory_percent: 0";

fn team() -> (Team, String) {
    let team = Team::new(AI_INFRA).with_env("AI_INFRA__PRESSURE__ENABLED", "true");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
    let work = work.display().to_string();
    (team, work)
}

fn limits(team: &Team, memory: &str) {
    team.configure(&format!(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\npressure:\n  load_per_core: 0\n  \
         memory_stall_percent: 0\n  io_stall_percent: 0\n  {memory}\n"
    ));
}

fn state(team: &Team, task: &str) -> Value {
    let page = team.ai(&["task", "show", task, "--json"]).expect(0).json();
    page["task"]["document"]["state"].clone()
}

#[test]
fn a_busy_host_begins_only_what_is_urgent_until_there_is_room() {
    let (team, work) = team();
    limits(&team, FULL);
    team.up();
    let held = wait_until(Duration::from_secs(10), || {
        let status = team.status();
        status["held_back"]
            .as_array()
            .is_some_and(|all| all.len() >= 5)
    });
    assert!(held, "{:#}", team.status());
    let run = |more: &[&str]| {
        let mut words = vec!["run", "what is unfinished here?", "--workspace", &work];
        words.extend(more);
        team.ai(&words)
    };
    let told = run(&["--no-wait"]).expect(0);
    assert!(told.stderr.contains("held back: memory "), "{told:#?}");
    assert!(told.stderr.contains("--priority 8"), "{told:#?}");
    // Whoever would take the first had its chance: the urgent one behind it is done.
    let urgent = run(&["--priority", "8"]).expect(0);
    assert!(!urgent.stderr.contains("held back"), "{urgent:#?}");
    assert_eq!(state(&team, "t2"), "done");
    assert_eq!(state(&team, "t1"), "queued");
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains("% in use (over 0.001 %)"), "{status}");
    assert!(status.contains("only urgent tasks are begun"), "{status}");
    let agents = team.ai(&["agents", "list"]).expect(0).stdout;
    assert!(agents.contains("up, held back"), "{agents}");
    let page = team.ai(&["agents", "show", "qa"]).expect(0).stdout;
    assert!(page.contains("held back  memory "), "{page}");
    limits(&team, ROOM);
    team.ai(&["restart"]).expect(0);
    let done = wait_until(Duration::from_secs(20), || state(&team, "t1") == "done");
    assert!(done, "{:#}", state(&team, "t1"));
    assert_eq!(team.status()["held_back"], Value::Null);
    team.down();
}
