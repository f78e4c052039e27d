//! Work that is done again starts from the same place: another round of a playbook, and a task whose
//! journal Redis has forgotten. And a cancelled task stops long before its lease is renewed.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// Its criterion fails when it is measured for the first time and holds from then on.
const SECOND_ROUND: &str = r#"
playbook: 1
name: second-round
agent: code
level: 1
intents: ["count with a second round"]
steps:
  - {id: one, tool: Bash, args: {command: "echo one >> count.txt"}}
criteria:
  - id: c1
    text: it was looked at twice
    check: {command: {argv: [sh, -c, "test -e /cache/looked || { touch /cache/looked; exit 1; }"]}}
report: "counted"
tests: [{ask: "count with a second round"}]
"#;

const SLOW: &str = r#"
playbook: 1
name: count-and-wait
agent: code
level: 1
intents: ["count and wait"]
steps:
  - {id: one, tool: Bash, args: {command: "echo one >> count.txt"}}
  - {id: two, tool: Bash, args: {command: "echo two >> count.txt; sleep 2.7183"}}
criteria:
  - {id: c1, text: "it was counted", check: {file: {path: count.txt, contains: "two"}}}
report: "counted"
tests: [{ask: "count and wait"}]
"#;

fn team(lease_ms: u32) -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    team.configure(&format!(
        "team:\n  lease_ms: {lease_ms}\nengine:\n  name: playbook\n\
         daemon:\n  restart_first_ms: 100\n"
    ));
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    for (name, yaml) in [("second-round", SECOND_ROUND), ("count-and-wait", SLOW)] {
        std::fs::write(playbooks.join(format!("{name}.yaml")), yaml).expect("a playbook");
    }
    team.up();
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "counting\n").expect("a file");
    (team, workspace)
}

fn counted(team: &Team) -> String {
    std::fs::read_to_string(team.home().join("tasks/t1/work/count.txt")).unwrap_or_default()
}

#[test]
fn another_round_starts_from_the_same_tree() {
    let (team, workspace) = team(1500);
    let (code, document) = team.run(&workspace, "count with a second round");
    assert_eq!(code, 0, "{document:#}");
    let rounds = document["phases"].as_array().expect("phases");
    let rounds = rounds.iter().filter(|p| p["phase"] == "execute").count();
    assert_eq!(rounds, 2, "{document:#}");
    assert_eq!(counted(&team), "one\n");
    team.down();
}

#[test]
fn a_redis_that_forgot_everything_costs_time_and_doubles_nothing() {
    let (team, workspace) = team(1500);
    let folder = workspace.display().to_string();
    let run = team.start(&["run", "count and wait", "--workspace", &folder, "--json"]);
    let begun = wait_until(Duration::from_secs(10), || {
        counted(&team).ends_with("two\n")
    });
    assert!(begun, "the slow step did not begin");
    let redis = team.noted_pid("redis").expect("redis runs");
    std::fs::remove_dir_all(team.home().join("redis/appendonlydir")).expect("its file is there");
    processes::send(redis, Signal::SIGKILL);
    let output = run.wait_with_output().expect("run ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert_eq!(counted(&team), "one\ntwo\n");
    team.down();
}

#[test]
fn a_cancelled_task_stops_long_before_its_lease_is_renewed() {
    let (team, workspace) = team(60_000);
    let folder = workspace.display().to_string();
    team.ai(&["run", "count and wait", "--workspace", &folder, "--no-wait"])
        .expect(0);
    let begun = wait_until(Duration::from_secs(10), || {
        counted(&team).ends_with("two\n")
    });
    assert!(begun, "the slow step did not begin");
    let asked = Instant::now();
    team.ai(&["task", "cancel", "t1"]).expect(0);
    let ended = wait_until(Duration::from_secs(10), || {
        let page = team.ai(&["task", "show", "t1", "--json"]).json();
        page["task"]["document"]["state"] == "cancelled"
    });
    assert!(ended, "it was not cancelled");
    // The step would have gone on for 2.7 s, the next renewal comes after 20 s.
    assert!(
        asked.elapsed() < Duration::from_millis(2500),
        "{:?}",
        asked.elapsed()
    );
    team.down();
}
