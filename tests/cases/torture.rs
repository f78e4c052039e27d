//! Everything is killed and stopped at random for a while: agents, supervisor, daemon, Redis. At the
//! end every accepted task is done, and each of its effects is in its clone exactly once. The
//! second story kills one agent at a different moment of each of a row of tasks.
//! `TORTURE_SEED`, `TORTURE_TASKS` and `TORTURE_PLUGS` choose another course, `TORTURE_STEP_MS` a
//! finer row.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::plugs;
use tests::processes::{self, wait_until};
use tests::team::Team;

const AGENTS: [&str; 3] = ["code", "data", "qa"];

/// Effects that can be counted: appended lines, a file written whole, an edit that would show twice.
/// The criterion does not count, so that doubled effects are not mended by another round.
const COUNTED: &str = r#"
playbook: 1
name: torture-ROLE
agent: ROLE
level: 1
intents: ["count under torture as ROLE"]
steps:
  - {id: a, tool: Bash, args: {command: "echo a >> count.txt"}}
  - {id: note, tool: Write, args: {file_path: note.txt, content: "end\n"}}
  - {id: b, tool: Bash, args: {command: "echo b >> count.txt; sleep 0.2; echo c >> count.txt"}}
  - {id: edit, tool: Edit, args: {file_path: note.txt, old_string: "end", new_string: "x end"}}
  - {id: d, tool: Bash, args: {command: "sleep 0.1; echo d >> count.txt"}}
criteria:
  - {id: c1, text: "the last effect is there", check: {file: {path: count.txt, contains: "d"}}}
report: "counted"
tests: [{ask: "count under torture as ROLE"}]
"#;

fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    team.configure(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n\
         daemon:\n  restart_first_ms: 100\n  restart_max_ms: 200\n  crash_limit: 1000\n",
    );
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    for role in AGENTS {
        let yaml = COUNTED.replace("ROLE", role);
        std::fs::write(playbooks.join(format!("torture-{role}.yaml")), yaml).expect("a playbook");
    }
    team.up();
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "counting\n").expect("a file");
    (team, workspace)
}

/// Hands a task in until it is accepted: the same request id twice is one task.
fn hand_in(team: &Team, workspace: &Path, role: &str, id: &str) -> String {
    let request = format!("count under torture as {role}");
    let folder = workspace.display().to_string();
    let words = [
        "run",
        &request,
        "--workspace",
        &folder,
        "--json",
        "--no-wait",
        "--request-id",
        id,
    ];
    let began = Instant::now();
    loop {
        let ran = team.ai(&words);
        let said: Option<Value> = serde_json::from_str(&ran.stdout).ok();
        let short = said.and_then(|said| Some(said["short_id"].as_str()?.to_owned()));
        match short.filter(|_| ran.code == 0) {
            Some(short) => return short,
            None => assert!(began.elapsed() < Duration::from_secs(60), "{ran:#?}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// `task show --json`, also while the supervisor is being started again.
fn state(team: &Team, task: &str) -> String {
    let ran = team.ai(&["task", "show", task, "--json"]);
    let page: Value = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    let state = &page["task"]["document"]["state"];
    state.as_str().unwrap_or_default().to_owned()
}

fn is_final(state: &str) -> bool {
    ["done", "failed", "refused", "cancelled"].contains(&state)
}

/// Effects of one clone: expected, seen at least once, seen too often.
fn effects(work: &Path) -> (usize, usize, usize) {
    let read = |name: &str| std::fs::read_to_string(work.join(name)).unwrap_or_default();
    let (count, note) = (read("count.txt"), read("note.txt"));
    let lines = |word: &str| count.lines().filter(|line| *line == word).count();
    let times = [
        lines("a"),
        lines("b"),
        lines("c"),
        lines("d"),
        note.matches("end").count(),
        note.matches('x').count(),
    ];
    let seen = times.iter().filter(|many| **many > 0).count();
    let doubled = times.iter().map(|many| many.saturating_sub(1)).sum();
    (times.len(), seen, doubled)
}

/// Entries that still lie in a work or out stream; `None` while Redis is being started again.
fn pending(team: &Team) -> Option<u64> {
    let access = std::fs::read(team.home().join("run/bus.json")).expect("bus.json");
    let access: Value = serde_json::from_slice(&access).expect("JSON");
    let user = &access["users"]["supervisor"];
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    let socket = word(&access["url"]).replace("redis+unix://", "");
    let streams = AGENTS.iter().flat_map(|role| {
        let work = ["urgent", "normal", "background"];
        let work = work.map(|class| format!("{{main}}:q:{role}:any:{class}"));
        work.into_iter().chain([format!("{{main}}:out:{role}")])
    });
    let length = |stream: String| {
        let output = Command::new("redis-cli")
            .args(["-s", &socket, "--user", &word(&user["name"])])
            .args(["XLEN", &stream])
            .env("REDISCLI_AUTH", word(&user["password"]))
            .stderr(Stdio::null())
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse::<u64>()
            .ok()
    };
    streams.map(length).sum()
}

fn orphans(team: &Team) -> Vec<processes::Seen> {
    let sandbox = |seen: &processes::Seen| {
        seen.command.starts_with("bwrap") || seen.command.contains(" executor")
    };
    let mut all = processes::of_home(&team.home());
    all.retain(sandbox);
    all
}

/// Waits for the end of all tasks and says what became of them.
fn account(team: &Team, tasks: &[String]) -> Value {
    let mut states: Vec<String> = vec![String::new(); tasks.len()];
    let settled = wait_until(Duration::from_secs(120), || {
        for (task, seen) in tasks.iter().zip(states.iter_mut()) {
            if !is_final(seen) {
                *seen = state(team, task);
            }
        }
        states.iter().all(|state| is_final(state))
    });
    if !settled {
        eprintln!(
            "not settled: {:?}",
            tasks.iter().zip(&states).collect::<Vec<_>>()
        );
    }
    let quiet = || pending(team) == Some(0) && orphans(team).is_empty();
    wait_until(Duration::from_secs(15), quiet);
    let (mut expected, mut seen, mut doubled) = (0, 0, 0);
    for task in tasks {
        let counted = effects(&team.home().join("tasks").join(task).join("work"));
        if counted.1 != counted.0 || counted.2 > 0 {
            eprintln!("{task}: {counted:?}");
        }
        expected += counted.0;
        seen += counted.1;
        doubled += counted.2;
    }
    json!({
        "accepted": tasks.len(),
        "final": states.iter().filter(|state| is_final(state)).count(),
        "done": states.iter().filter(|state| *state == "done").count(),
        "lost": states.iter().filter(|state| !is_final(state)).count(),
        "effects_expected": expected,
        "effects_seen": seen,
        "doubled": doubled,
        "orphans": orphans(team).len(),
        "pending": pending(team),
    })
}

fn expect_all_done(team: &Team, tasks: &[String]) {
    let account = account(team, tasks);
    println!("{account}");
    let many = tasks.len();
    let expected = json!({
        "accepted": many, "final": many, "done": many, "lost": 0,
        "effects_expected": many * 6, "effects_seen": many * 6, "doubled": 0,
        "orphans": 0, "pending": 0,
    });
    if account != expected {
        for task in tasks.iter().filter(|task| state(team, task) != "done") {
            eprintln!("{}", team.ai(&["task", "show", task]).stdout);
        }
        eprintln!("{}", team.ai(&["status"]).stdout);
    }
    assert_eq!(account, expected);
}

fn from_environment(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn under_torture_nothing_is_lost_and_nothing_is_done_twice() {
    let seed = from_environment("TORTURE_SEED", 1);
    println!("TORTURE_SEED={seed}");
    let (team, workspace) = team();
    let processes = AGENTS.map(|role| format!("agent-{role}"));
    let processes: Vec<&str> = processes.iter().map(String::as_str).collect();
    let many = from_environment("TORTURE_PLUGS", 18) as usize;
    let plan = plugs::plan(seed, &processes, many);
    let tasks = from_environment("TORTURE_TASKS", 24) as usize;
    let tasks = std::thread::scope(|scope| {
        let handing = scope.spawn(|| {
            let hand = |at: usize| {
                let role = AGENTS[at % AGENTS.len()];
                hand_in(&team, &workspace, role, &format!("torture-{at}"))
            };
            (0..tasks).map(hand).collect::<Vec<_>>()
        });
        for plug in &plan {
            plugs::pull(&team, plug);
        }
        handing.join().expect("all are accepted")
    });
    expect_all_done(&team, &tasks);
    team.down();
}

#[test]
fn an_agent_killed_at_any_moment_goes_on_where_it_was() {
    let step = from_environment("TORTURE_STEP_MS", 90).max(1);
    let (team, workspace) = team();
    let mut tasks = Vec::new();
    for at in (0..1000 / step).map(|n| n * step) {
        let task = hand_in(&team, &workspace, "code", &format!("moment-{at}"));
        std::thread::sleep(Duration::from_millis(at));
        if let Some(pid) = plugs::pid(&team, "agent-code") {
            processes::send(pid, Signal::SIGKILL);
        }
        let ended = wait_until(Duration::from_secs(30), || is_final(&state(&team, &task)));
        assert!(
            ended,
            "{task}, killed after {at} ms: {}",
            state(&team, &task)
        );
        tasks.push(task);
    }
    expect_all_done(&team, &tasks);
    team.down();
}

/// The control: what the stories count would be seen.
#[test]
fn a_doubled_effect_and_a_lost_one_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
    };
    write("count.txt", "a\nb\nc\nd\n");
    write("note.txt", "x end\n");
    assert_eq!(effects(folder.path()), (6, 6, 0));
    write("count.txt", "a\nb\nb\nc\nd\n");
    assert_eq!(effects(folder.path()), (6, 6, 1));
    write("note.txt", "x x end\n");
    assert_eq!(effects(folder.path()), (6, 6, 2));
    write("count.txt", "a\nc\nd\n");
    write("note.txt", "end\n");
    assert_eq!(effects(folder.path()), (6, 4, 0));
}
