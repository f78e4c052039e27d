//! The stores fail: Redis is full, comes back as it was an hour ago, or is another team's. Nothing
//! is begun that cannot be ended, and what the person reads says what to do.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(15);

/// One step that says that it began, and then takes as long as it is let.
const SLOW: &str = r#"
playbook: 1
name: slow-mark
agent: code
level: 1
intents: ["mark slowly"]
steps:
  - {id: slow, tool: Bash, args: {command: "echo begun >> /workspace/slow.txt; sleep 30"}}
criteria:
  - {id: c1, text: "it began", check: {file: {path: slow.txt}}}
report: "marked"
tests: [{ask: "mark slowly"}]
"#;

fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("slow-mark.yaml"), SLOW).expect("a playbook");
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "TODO: nothing\n").expect("a file");
    (team, workspace)
}

/// What the supervisor's user says to the team's own Redis.
fn redis(team: &Team, words: &[&str], input: Option<&str>) -> String {
    team.redis(words, input.unwrap_or_default())
}

fn problems(team: &Team) -> String {
    team.status()["problems"].to_string()
}

fn task(team: &Team, name: &str) -> Value {
    team.ai(&["task", "show", name, "--json"]).expect(0).json()["task"]["document"].clone()
}

fn state(team: &Team, name: &str) -> Value {
    task(team, name)["state"].clone()
}

fn marks(team: &Team, workspace: &Path, more: &[&str]) -> tests::team::Ran {
    let folder = workspace.display().to_string();
    let mut words = vec!["run", "list the todo marks", "--workspace", &folder];
    words.extend(more);
    team.ai(&words)
}

#[test]
fn a_full_redis_keeps_new_tasks_and_begins_them_when_there_is_room() {
    let (team, workspace) = team();
    team.configure(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\nredis:\n  maxmemory_mb: 8\n",
    );
    team.up();
    marks(&team, &workspace, &[]).expect(0);
    // A large value needs more for a moment than it takes for good, so the rest is filled finely.
    for size in [1_000_000, 50_000] {
        let value = "x".repeat(size);
        let push = || redis(&team, &["-x", "RPUSH", "{main}:reply:junk"], Some(&value));
        assert!((0..200).any(|_| push().contains("OOM")), "never full");
    }
    let told = wait_until(PATIENCE, || problems(&team).contains("nearly used up"));
    assert!(told, "{:#}", team.status());

    let kept = marks(&team, &workspace, &["--no-wait"]).expect(0);
    let heard = format!("{}{}", kept.stdout, kept.stderr);
    assert!(heard.contains("memory of redis"), "{heard}");
    assert_eq!(team.status()["queued"], 1, "{:#}", team.status());

    redis(&team, &["DEL", "{main}:reply:junk"], None);
    let done = wait_until(PATIENCE, || state(&team, "t2") == "done");
    assert!(done, "{:#}", task(&team, "t2"));
    let calm = wait_until(PATIENCE, || !problems(&team).contains("used up"));
    assert!(calm, "{:#}", team.status());
    team.down();
}

#[test]
fn on_a_disk_that_is_nearly_full_no_task_is_started() {
    let (team, workspace) = team();
    let yaml = |least: u64| {
        format!("team:\n  lease_ms: 1500\n  min_free_mb: {least}\nengine:\n  name: playbook\n")
    };
    team.configure(&yaml(1_000_000_000));
    team.up();
    let kept = marks(&team, &workspace, &["--no-wait"]).expect(0);
    let heard = format!("{}{}", kept.stdout, kept.stderr);
    assert!(heard.contains("disk of the home"), "{heard}");
    assert!(
        problems(&team).contains("no task is started"),
        "{}",
        problems(&team)
    );
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(team.status()["queued"], 1);
    team.configure(&yaml(1));
    team.ai(&["restart"]).expect(0);
    let done = wait_until(PATIENCE, || state(&team, "t1") == "done");
    assert!(done, "{:#}", task(&team, "t1"));
    team.down();
}

fn begin_slowly(team: &Team, workspace: &Path, name: &str) {
    let folder = workspace.display().to_string();
    team.ai(&["run", "mark slowly", "--workspace", &folder, "--no-wait"])
        .expect(0);
    let mark = team.home().join(format!("tasks/{name}/work/slow.txt"));
    let begun = wait_until(PATIENCE, || mark.exists());
    assert!(begun, "the slow step did not begin");
    // What the ledger has not heard of cannot be missed by it.
    let heard = wait_until(PATIENCE, || state(team, name) == "running");
    assert!(heard, "{:#}", task(team, name));
}

fn copy(from: &Path, to: &Path) {
    let _was_not_there = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// Puts the data of Redis back to `kept`, as a person with a backup would.
fn put_back(team: &Team, kept: &Path) {
    let (daemon, redis) = (team.pid("daemon"), team.pid("redis"));
    processes::send(daemon, Signal::SIGSTOP);
    processes::send(redis, Signal::SIGKILL);
    wait_until(PATIENCE, || !processes::alive(redis));
    copy(kept, &team.home().join("redis/appendonlydir"));
    processes::send(daemon, Signal::SIGCONT);
}

#[test]
fn a_redis_put_back_stops_the_team_until_a_person_decides() {
    let (team, workspace) = team();
    team.up();
    marks(&team, &workspace, &[]).expect(0);
    let kept = team.scratch("kept");
    copy(&team.home().join("redis/appendonlydir"), &kept);
    begin_slowly(&team, &workspace, "t2");
    put_back(&team, &kept);

    let told = wait_until(PATIENCE, || {
        problems(&team).contains("put back to an older state")
    });
    assert!(told, "{:#}", team.status());
    let said = team.ai(&["bus", "status"]).expect(0).stdout;
    assert!(said.contains("ai-infra bus accept"), "{said}");
    let late = marks(&team, &workspace, &["--no-wait"]).expect(0);
    let heard = format!("{}{}", late.stdout, late.stderr);
    assert!(heard.contains("put back to an older state"), "{heard}");
    // The holder's lease is over, and its sandbox with it; nobody takes the task over.
    let slow = team.home().join("tasks/t2/work/slow.txt");
    let nobody = wait_until(PATIENCE, || {
        !processes::of_home(&team.home())
            .iter()
            .any(|seen| seen.command.contains("sleep 30"))
    });
    assert!(nobody, "the step of a lost lease still runs");
    std::thread::sleep(Duration::from_secs(2));
    let begun = std::fs::read_to_string(&slow).expect("the mark");
    assert_eq!(begun.lines().count(), 1, "it was begun twice");
    assert_eq!(team.status()["queued"], 1);

    let said = team.ai(&["bus", "accept"]).expect(0).stdout;
    assert!(said.contains("1 task"), "{said}");
    let done = wait_until(PATIENCE, || state(&team, "t3") == "done");
    assert!(done, "{:#}", task(&team, "t3"));
    let asked = task(&team, "t2")["question"].to_string();
    assert!(
        asked.contains("what was done since is not known"),
        "{asked}"
    );
    assert_eq!(team.status()["waiting"], 1);
    team.ai(&["bus", "accept"]).expect(2);
    let said = team.ai(&["bus", "status"]).expect(0).stdout;
    assert!(said.contains("the one this team knows"), "{said}");
    team.ai(&["task", "answer", "t2", "again"]).expect(0);
    let anew = wait_until(PATIENCE, || {
        let page = team.ai(&["task", "show", "t2", "--json"]).expect(0).json();
        page["task"]["attempts"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    });
    assert!(anew, "{:#}", task(&team, "t2"));
    assert!(
        wait_until(PATIENCE, || slow.exists()),
        "it did not begin anew"
    );
    let begun = std::fs::read_to_string(&slow).expect("the mark");
    assert_eq!(begun.lines().count(), 1, "not a fresh clone");
    team.ai(&["task", "cancel", "t2"]).expect(0);
    team.down();
}

/// A Redis of the person's own.
struct OwnRedis {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl OwnRedis {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("own.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(&socket)
            .args(["--unixsocketperm", "700"])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        // Redis gives its socket a name first, then the mode above, and only then listens.
        let listens = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
        assert!(wait_until(PATIENCE, listens));
        Self {
            child,
            url: format!("redis+unix://{}", socket.display()),
            _folder: folder,
        }
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_second_home_with_the_same_name_gets_nothing_of_the_first() {
    let own = OwnRedis::start();
    let yaml = format!(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\nredis:\n  url: {}\n",
        own.url
    );
    let (first, workspace) = team();
    first.configure(&yaml);
    first.up();
    let doctor = first.ai(&["doctor"]).expect(1).stdout;
    for said in ["appendonly is off", "CONFIG SET maxmemory 256mb"] {
        assert!(doctor.contains(said), "{doctor}");
    }
    let (second, _) = team();
    second.configure(&yaml);
    let mut up = second.start(&["up", "--no-tmux"]);
    let told = wait_until(PATIENCE, || problems(&second).contains("of another home"));
    assert!(told, "{:#}", second.status());
    marks(&first, &workspace, &[]).expect(0);
    assert_eq!(second.status()["running"], 0);
    let _ended = up.kill();
    let _reaped = up.wait();
    second.down();
    first.down();
}

#[test]
fn agents_come_to_a_socket_that_lets_nobody_in_but_the_owner() {
    let own = OwnRedis::start();
    let (team, workspace) = team();
    team.configure(&format!(
        "team:\n  lease_ms: 1500\nengine:\n  name: playbook\nredis:\n  url: {}\n",
        own.url
    ));
    team.up();
    marks(&team, &workspace, &[]).expect(0);
    team.down();
}
