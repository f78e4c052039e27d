//! Somebody pulls plugs: agent, supervisor, daemon, Redis. The task goes on where it stopped,
//! finished steps are not run again, and a holder that wakes up late changes nothing.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// The team's lease, as `Team::new` configures it.
const LEASE: Duration = Duration::from_millis(1500);

/// A playbook of the person's own: one counted step, one slow step, one counted step.
const SLOW: &str = r#"
playbook: 1
name: slow-count
agent: code
level: 1
intents: ["count slowly"]
steps:
  - {id: first, tool: Bash, args: {command: "echo first >> /workspace/count.txt"}}
  - {id: slow, tool: Bash, args: {command: "echo begun >> /workspace/slow.txt; sleep 2; echo ended >> /workspace/slow.txt"}}
  - {id: last, tool: Bash, args: {command: "echo last >> /workspace/count.txt"}}
criteria:
  - id: c1
    text: each counted step ran exactly once
    check: {command: {argv: [sh, -c, "test \"$(cat count.txt)\" = \"$(printf 'first\\nlast')\""]}}
  - id: c2
    text: the slow step left the marks of one whole run
    check: {command: {argv: [sh, -c, "test \"$(cat slow.txt)\" = \"$(printf 'begun\\nended')\""]}}
report: "counted"
tests: [{ask: "count slowly"}]
"#;

fn team_with_slow_playbook() -> (Team, PathBuf) {
    let (team, workspace) = prepared();
    team.up();
    (team, workspace)
}

fn prepared() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("slow-count.yaml"), SLOW).expect("a playbook");
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "counting\n").expect("a file");
    (team, workspace)
}

fn begin(team: &Team, workspace: &Path) -> Child {
    let folder = workspace.display().to_string();
    let child = team.start(&["run", "count slowly", "--workspace", &folder, "--json"]);
    let begun = wait_until(Duration::from_secs(10), || slow_step_runs(team));
    assert!(begun, "the slow step did not begin");
    child
}

/// Whether the slow step of the first task is in the middle.
fn slow_step_runs(team: &Team) -> bool {
    std::fs::read_to_string(team.home().join("tasks/t1/work/slow.txt"))
        .is_ok_and(|text| text.lines().last() == Some("begun"))
}

fn end(child: Child) -> Value {
    let output = child.wait_with_output().expect("run ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(document["state"], "done", "{document:#}");
    assert!(output.status.success());
    for criterion in document["criteria"].as_array().expect("criteria") {
        assert_eq!(criterion["passed"], true, "{document:#}");
    }
    document
}

#[test]
fn a_killed_agent_goes_on_at_its_step() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    let agent = team.pid("code");
    processes::send(agent, Signal::SIGKILL);
    let killed = Instant::now();
    let again = wait_until(LEASE + Duration::from_secs(1), || {
        let page = team.ai(&["task", "show", "t1", "--json"]).json();
        page["task"]["attempts"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    });
    assert!(again, "no second holder after {:?}", killed.elapsed());
    let document = end(child);
    assert_eq!(document["attempts"], 2);
    let page = team.ai(&["task", "show", "t1", "--json"]).json();
    let replayed = page["task"]["attempts"][1]["replayed"]
        .as_u64()
        .unwrap_or_default();
    assert!(replayed > 0, "nothing was taken from the journal: {page:#}");
    team.down();
}

#[test]
pub(crate) fn a_killed_supervisor_and_a_killed_redis_lose_nothing() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    end(child);
    let redis = team.pid("redis");
    let folder = workspace.display().to_string();
    let child = team.start(&["run", "count slowly", "--workspace", &folder, "--json"]);
    std::thread::sleep(Duration::from_millis(700));
    processes::send(redis, Signal::SIGKILL);
    end(child);
    let log = std::fs::read_to_string(team.home().join("logs/redis.log")).expect("redis.log");
    assert!(
        !log.contains("CRITICAL"),
        "redis dropped writes when it came back:\n{log}"
    );
    assert_eq!(team.status()["dead_letters"], 0);
    team.down();
}

#[test]
fn a_killed_daemon_comes_back_and_the_task_does_not_notice() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    let daemon = team.pid("daemon");
    processes::send(daemon, Signal::SIGKILL);
    let document = end(child);
    assert_eq!(document["attempts"], 1, "{document:#}");
    let back = wait_until(Duration::from_secs(5), || {
        let status = team.ai(&["status", "--json"]).json();
        status["state"] == "up" && team.pid("daemon") != daemon
    });
    assert!(back, "{:#}", team.status());
    team.down();
}

#[test]
fn an_agent_that_dies_with_the_daemon_lets_its_task_go_at_once() {
    let (team, workspace) = prepared();
    // Far longer than the story may take: the new daemon frees the task, not time.
    team.configure("team:\n  lease_ms: 300000\nengine:\n  name: playbook\n");
    team.up();
    let child = begin(&team, &workspace);
    let (daemon, agent) = (team.pid("daemon"), team.pid("code"));
    processes::send(daemon, Signal::SIGKILL);
    processes::send(agent, Signal::SIGKILL);
    let began = Instant::now();
    let document = end(child);
    assert_eq!(document["attempts"], 2, "{document:#}");
    assert!(began.elapsed() < Duration::from_secs(60));
    team.down();
}

#[test]
fn a_daemon_and_a_supervisor_that_die_together_come_back() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    let both = [team.pid("daemon"), team.pid("supervisor")];
    for pid in both {
        processes::send(pid, Signal::SIGKILL);
    }
    let document = end(child);
    assert_eq!(document["attempts"], 1, "{document:#}");
    assert!(team.noted_pid("daemon").is_some_and(|pid| pid != both[0]));
    team.down();
}

#[test]
fn a_stopped_agent_that_wakes_later_changes_nothing() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    let agent = team.pid("code");
    let before = executors(&team);
    assert!(!before.is_empty(), "no executor is seen");
    processes::send(agent, Signal::SIGSTOP);
    let dead = wait_until(LEASE + Duration::from_secs(1), || {
        before.iter().all(|pid| !processes::alive(*pid))
    });
    assert!(
        dead,
        "the executor outlived the lease of its stopped holder"
    );
    std::thread::sleep(Duration::from_millis(500));
    processes::send(agent, Signal::SIGCONT);
    end(child);
    team.down();
}

#[test]
fn a_sandbox_that_is_stopped_while_its_agent_dies_is_ended_all_the_same() {
    let (team, workspace) = team_with_slow_playbook();
    let child = begin(&team, &workspace);
    let before = executors(&team);
    assert!(!before.is_empty(), "no executor is seen");
    for pid in &before {
        processes::send(*pid, Signal::SIGSTOP);
    }
    processes::send(team.pid("code"), Signal::SIGKILL);
    let dead = wait_until(Duration::from_secs(5), || {
        before.iter().all(|pid| !processes::alive(*pid))
    });
    assert!(
        dead,
        "it outlived its agent: {:#?}",
        processes::of_home(&team.home())
    );
    let document = end(child);
    assert_eq!(document["attempts"], 2, "{document:#}");
    team.down();
}

/// Process ids of everything that runs inside a sandbox of this home.
fn executors(team: &Team) -> Vec<u32> {
    processes::of_home(&team.home())
        .into_iter()
        .filter(|seen| seen.command.starts_with("bwrap") || seen.command.contains(" executor"))
        .map(|seen| seen.pid)
        .collect()
}

#[test]
fn a_killed_tmux_server_interrupts_no_task_for_good() {
    let (team, workspace) = prepared();
    team.ai(&["up"]).expect(0);
    let child = begin(&team, &workspace);
    let socket = team.home().join("run/tmux.sock");
    let asked = std::process::Command::new("tmux")
        .arg("-S")
        .arg(socket)
        .args(["display-message", "-p", "#{pid}"])
        .output()
        .expect("tmux answers");
    let server = String::from_utf8_lossy(&asked.stdout).trim().parse();
    processes::send(server.expect("a pid"), Signal::SIGKILL);
    end(child);
    team.down();
}
