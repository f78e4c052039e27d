//! An agent is killed between the intent of a call and its result. What recovery does hangs on the
//! call's effect class: nothing happens twice, and where nobody can know a person is asked.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::hooks::Hooks;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(15);

/// A playbook with one step of a tool.
fn playbook(name: &str, agent: &str, step: &str) -> String {
    format!(
        r#"
playbook: 1
name: {name}
agent: {agent}
level: 1
intents: ["do {name}"]
steps:
  - {{id: step, {step}}}
criteria:
  - id: c1
    text: the folder is whole
    check: {{file: {{path: README.md}}}}
report: "{{{{ steps.step.text }}}}"
tests: [{{ask: "do {name}"}}]
"#
    )
}

struct Stage {
    team: Team,
    hooks: Hooks,
    workspace: PathBuf,
}

impl Stage {
    fn new(playbooks: &[(&str, &str, &str)]) -> Self {
        let (team, hooks) = (Team::new(AI_INFRA), Hooks::start());
        let folder = team.home().join("playbooks");
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, agent, step) in playbooks {
            let text = playbook(name, agent, step);
            std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a playbook");
        }
        let workspace = team.scratch("work");
        std::fs::write(workspace.join("README.md"), "here\n").expect("a file");
        let stage = Self {
            team,
            hooks,
            workspace,
        };
        let url = stage.hooks.url();
        stage.permit(&format!(
            "endpoints:\n  hooks: {{url: {url}, agents: [infra]}}\n  plain: {{url: {url}, agents: [infra], key_header: none}}\n"
        ));
        stage
    }

    fn permit(&self, yaml: &str) {
        let file = self.team.home().join("config/permissions.yaml");
        std::fs::write(file, yaml).expect("a file");
    }

    /// Gives the team a task and does not wait.
    fn begin(&self, playbook: &str) {
        let folder = self.workspace.display().to_string();
        let words = [
            "run",
            "--playbook",
            playbook,
            "--workspace",
            &folder,
            "--no-wait",
        ];
        self.team.ai(&words).expect(0);
    }

    fn document(&self, task: &str) -> Value {
        let page = self.team.ai(&["task", "show", task, "--json"]).expect(0);
        page.json()["task"]["document"].clone()
    }

    fn until(&self, task: &str, state: &str) -> Value {
        let there = wait_until(PATIENCE, || self.document(task)["state"] == state);
        let document = self.document(task);
        assert!(there, "not {state}: {document:#}");
        document
    }

    /// The same, and Redis forgets everything.
    fn kill_in_flight_and_empty(&self, playbook: &str, requests: u64) {
        self.hooks.hold(true);
        self.begin(playbook);
        let there = wait_until(PATIENCE, || self.hooks.requests("deploy") == requests);
        assert!(there, "no request {requests}");
        empty_redis(&self.team);
        processes::send(self.team.pid("infra"), Signal::SIGKILL);
        self.hooks.hold(false);
    }

    /// Begins a task whose request reaches the server, and kills its agent before the answer.
    fn kill_in_flight(&self, playbook: &str, path: &str, requests: u64) {
        self.hooks.hold(true);
        self.begin(playbook);
        let there = wait_until(PATIENCE, || self.hooks.requests(path) == requests);
        assert!(there, "no request {requests} for {path}");
        processes::send(self.team.pid("infra"), Signal::SIGKILL);
        self.hooks.hold(false);
    }
}

const POST: &str = "tool: HttpRequest, args: {endpoint: ENDPOINT, method: POST, path: /deploy}";

#[test]
fn a_call_nobody_can_know_about_asks_and_is_answered_three_ways() {
    let stage = Stage::new(&[("notify", "infra", &POST.replace("ENDPOINT", "plain"))]);
    let team = &stage.team;
    team.up();
    // It happened: nothing is sent again.
    stage.kill_in_flight("notify", "deploy", 1);
    let asked = stage.until("t1", "waiting");
    assert_eq!(asked["on"], "input");
    let page = team.ai(&["task", "show", "t1"]).stdout;
    let status = team.ai(&["status"]).stdout;
    for text in [&page, &status] {
        for words in [
            "did this happen: POST http://",
            "begun",
            "ai-infra task answer t1 happened --question 1",
            "ai-infra task answer t1 again --question 1",
            "ai-infra task answer t1 stop --question 1",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    let follow = team.ai(&["task", "follow", "t1"]);
    assert_eq!(follow.code, 3, "{follow:#?}");
    // The question outlives everything.
    team.ai(&["restart"]).expect(0);
    let stale = team.ai(&["task", "answer", "t1", "happened", "--question", "7"]);
    assert_eq!(stale.code, 4, "{stale:#?}");
    for _ in 0..2 {
        team.ai(&["task", "answer", "t1", "happened", "--question", "1"])
            .expect(0);
    }
    let other = team.ai(&["task", "answer", "t1", "again", "--question", "1"]);
    assert_eq!(other.code, 4, "{other:#?}");
    let done = stage.until("t1", "done");
    assert!(
        done["result"]
            .as_str()
            .unwrap_or_default()
            .contains("it happened, says"),
        "{done:#}"
    );
    assert_eq!(stage.hooks.effects("deploy"), 1);
    // It did not happen: it is made once more.
    stage.kill_in_flight("notify", "deploy", 2);
    stage.until("t2", "waiting");
    team.ai(&["task", "answer", "t2", "again", "--text", "I looked"])
        .expect(0);
    let done = stage.until("t2", "done");
    assert_eq!(done["questions"][0]["answer"]["text"], "I looked");
    assert_eq!(stage.hooks.effects("deploy"), 3);
    // Neither: the task fails, and nothing is sent.
    stage.kill_in_flight("notify", "deploy", 4);
    stage.until("t3", "waiting");
    team.ai(&["task", "answer", "t3", "stop"]).expect(0);
    let failed = stage.until("t3", "failed");
    assert!(
        failed["reason"]
            .as_str()
            .unwrap_or_default()
            .contains("stopped by"),
        "{failed:#}"
    );
    assert_eq!(stage.hooks.effects("deploy"), 4);
    team.down();
}

#[test]
fn a_keyed_request_is_sent_again_and_happens_once() {
    let stage = Stage::new(&[("hook", "infra", &POST.replace("ENDPOINT", "hooks"))]);
    stage.team.up();
    stage.kill_in_flight("hook", "deploy", 1);
    let done = stage.until("t1", "done");
    assert_eq!(done["attempts"], 2);
    assert_eq!(
        (
            stage.hooks.effects("deploy"),
            stage.hooks.requests("deploy")
        ),
        (1, 2)
    );
    // Another task is another call.
    stage.begin("hook");
    stage.until("t2", "done");
    assert_eq!(stage.hooks.effects("deploy"), 2);
    stage.team.down();
}

/// The control: without the same key the very same story sends the effect twice.
#[cfg(debug_assertions)]
#[test]
fn without_the_same_key_it_happens_twice() {
    let mut stage = Stage::new(&[("hook", "infra", &POST.replace("ENDPOINT", "hooks"))]);
    stage.team = stage.team.with_env("AI_INFRA_FAULT", "no-key");
    stage.team.up();
    stage.kill_in_flight("hook", "deploy", 1);
    stage.until("t1", "done");
    assert_eq!(stage.hooks.effects("deploy"), 2);
    stage.team.down();
}

/// Takes everything from the team's Redis, as a lost disk would.
fn empty_redis(team: &Team) {
    let (daemon, redis) = (team.pid("daemon"), team.pid("redis"));
    processes::send(daemon, Signal::SIGSTOP);
    processes::send(redis, Signal::SIGKILL);
    assert!(wait_until(PATIENCE, || !processes::alive(redis)));
    let data = team.home().join("redis/appendonlydir");
    std::fs::remove_dir_all(data).expect("its data");
    processes::send(daemon, Signal::SIGCONT);
}

#[test]
fn a_call_in_flight_when_redis_forgets_everything_is_asked_about() {
    let stage = Stage::new(&[("notify", "infra", &POST.replace("ENDPOINT", "plain"))]);
    let team = &stage.team;
    team.up();
    // The agent lives on, cut off from what it had said.
    stage.hooks.hold(true);
    stage.begin("notify");
    assert!(wait_until(PATIENCE, || stage.hooks.requests("deploy") == 1));
    empty_redis(team);
    let asked = stage.until("t1", "waiting");
    assert_eq!(asked["on"], "input");
    stage.hooks.hold(false);
    let page = team.ai(&["task", "show", "t1"]).stdout;
    for words in [
        "did this happen: POST http://",
        "begun",
        "by infra@",
        "redis has lost what it knew of this call",
        "ai-infra task answer t1 happened --question 1",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    team.ai(&["task", "answer", "t1", "happened"]).expect(0);
    stage.until("t1", "done");
    assert_eq!(stage.hooks.requests("deploy"), 1);
    // The agent dies with it. Whoever is told to make the call makes it once, and is asked again
    // where that one is forgotten too.
    for (task, answer, requests) in [("t2", "again", 3), ("t3", "stop", 4)] {
        stage.kill_in_flight_and_empty("notify", requests - u64::from(answer == "again"));
        stage.until(task, "waiting");
        stage.hooks.hold(true);
        team.ai(&["task", "answer", task, answer]).expect(0);
        if answer == "again" {
            assert!(wait_until(PATIENCE, || stage.hooks.requests("deploy") == requests));
            empty_redis(team);
            stage.until(task, "waiting");
            stage.hooks.hold(false);
            team.ai(&["task", "answer", task, "happened"]).expect(0);
            stage.until(task, "done");
        } else {
            stage.hooks.hold(false);
            stage.until(task, "failed");
        }
        assert_eq!(stage.hooks.requests("deploy"), requests);
    }
    team.down();
}

/// The control: known to the journal alone, the very same call is made twice.
#[cfg(debug_assertions)]
#[test]
fn without_the_note_it_is_made_twice() {
    let mut stage = Stage::new(&[("notify", "infra", &POST.replace("ENDPOINT", "plain"))]);
    stage.team = stage.team.with_env("AI_INFRA_FAULT", "no-note");
    stage.team.up();
    stage.kill_in_flight_and_empty("notify", 1);
    stage.until("t1", "done");
    assert_eq!(stage.hooks.effects("deploy"), 2);
    stage.team.down();
}

const INSERT: &str = "tool: SqlExecute, args: {source: shop, statement: INSERT INTO fruit (name) VALUES ($1), params: [pear]}";
const COUNT: &str =
    "tool: SqlQuery, args: {source: shop, statement: SELECT COUNT(*) AS many FROM fruit}";

/// Runs a little Python over an SQLite file; its standard input ends when the child is dropped.
fn python(file: &Path, script: &str) -> Option<std::process::Child> {
    let spawned = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    if spawned.is_err() {
        eprintln!(
            "skipped: no python3 to lock the database with; `apt-get install python3` gets it"
        );
    }
    spawned.ok()
}

#[test]
fn a_statement_cut_off_before_its_commit_is_carried_out_once() {
    let playbooks = [("add-pear", "data", INSERT), ("count-fruit", "data", COUNT)];
    let stage = Stage::new(&playbooks);
    let folder = stage.team.scratch("db");
    let file = folder.join("shop.db");
    let make = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nc.execute('CREATE TABLE fruit (name TEXT)')\nc.commit()";
    let Some(mut made) = python(&file, make) else {
        return;
    };
    assert!(made.wait().expect("it ends").success());
    for path in [&folder, &file] {
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(path, Some(60999), Some(60999)).expect("chown");
        }
    }
    let url = format!("sqlite://{}", file.display());
    stage.permit(&format!(
        "sources:\n  shop: {{url: '{url}', agents: [data], write: true}}\n"
    ));
    stage.team.up();
    // Somebody else writes: the statement waits for them, and its agent dies meanwhile.
    let lock = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\nc.execute('BEGIN IMMEDIATE')\nprint('locked',flush=True)\nsys.stdin.read()\nc.execute('ROLLBACK')";
    let mut writer = python(&file, lock).expect("python3 was there");
    let mut locked = [0; 6];
    let out = writer.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(out, &mut locked).expect("it locks");
    stage.begin("add-pear");
    let waits = wait_until(PATIENCE, || {
        let all = processes::of_home(&folder);
        all.iter().any(|seen| seen.command.contains("--bind"))
    });
    assert!(waits, "no sandbox was opened for the source");
    processes::send(stage.team.pid("data"), Signal::SIGKILL);
    drop(writer.stdin.take());
    writer.wait().expect("it ends");
    let done = stage.until("t1", "done");
    assert_eq!(done["attempts"], 2, "{done:#}");
    stage.begin("count-fruit");
    let counted = stage.until("t2", "done");
    assert_eq!(counted["result"], "{\"many\":1}", "{counted:#}");
    stage.team.down();
}
