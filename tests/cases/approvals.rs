//! Leave that a person gives, as a person and as everybody else sees it: nothing happens without a yes,
//! the yes is good once and for exactly what was shown, and nobody but a person can say it.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tests::hooks::Hooks;
use tests::processes::{self, wait_until};
use tests::team::{Ran, Team};

const PATIENCE: Duration = Duration::from_secs(20);
const PIN: &str = "over the hill";

const POST: &str = r#"
playbook: 1
name: tell-hook
agent: infra
level: 1
intents: ["tell the hook"]
steps:
  - {id: step, tool: HttpRequest, args: {endpoint: hooks, method: POST, path: /effect, body: "payload of the step"}}
criteria:
  - {id: c1, text: "the folder is whole", check: {file: {path: README.md}}}
report: "{{ steps.step.text }}"
tests: [{ask: "tell the hook"}]
"#;

struct Stage {
    team: Team,
    hooks: Hooks,
    work: PathBuf,
}

impl Stage {
    fn new(rule: &str) -> Self {
        let (team, hooks) = (Team::new(AI_INFRA), Hooks::start());
        let folder = team.home().join("playbooks");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("tell-hook.yaml"), POST).expect("a playbook");
        let work = team.scratch("work");
        std::fs::write(work.join("README.md"), "here\n").expect("a file");
        let permissions = format!(
            "acts: {{http.change: {rule}}}\nendpoints:\n  hooks: {{url: {}, agents: [infra]}}\n",
            hooks.url()
        );
        let file = team.home().join("config/permissions.yaml");
        std::fs::create_dir_all(team.home().join("config")).expect("a folder");
        std::fs::write(file, permissions).expect("a file");
        team.up();
        Self { team, hooks, work }
    }

    fn begin(&self) {
        let folder = self.work.display().to_string();
        let words = [
            "run",
            "--playbook",
            "tell-hook",
            "--workspace",
            &folder,
            "--no-wait",
        ];
        self.team.ai(&words).expect(0);
    }

    /// Waits until a task waits for leave; answers its ticket and the four characters.
    fn asked(&self, task: &str) -> (String, String) {
        let waits = wait_until(PATIENCE, || self.task(task)["document"]["on"] == "approval");
        assert!(waits, "{:#}", self.task(task));
        let list = self
            .team
            .ai(&["approvals", "list", "--json"])
            .expect(0)
            .json();
        let tickets = list["tickets"].as_array().cloned().unwrap_or_default();
        let ticket = tickets
            .iter()
            .find(|one| one["task"] == task)
            .expect("a ticket")
            .clone();
        let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
        (text("id"), text("mark"))
    }

    fn task(&self, task: &str) -> Value {
        self.team
            .ai(&["task", "show", task, "--json"])
            .expect(0)
            .json()["task"]
            .take()
    }

    fn comes_to(&self, task: &str, state: &str) {
        let came = wait_until(PATIENCE, || self.task(task)["document"]["state"] == state);
        assert!(came, "{:#}", self.task(task));
    }

    /// A command that is given lines on its standard input.
    fn typed(&self, words: &[&str], lines: &str) -> Ran {
        let mut command = self.team.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let began = std::time::Instant::now();
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(lines.as_bytes()).expect("it reads");
        drop(input);
        let out = child.wait_with_output().expect("it ends");
        Ran {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
            took: began.elapsed(),
        }
    }

    /// What somebody of the same user says to a socket of the home.
    fn forged(&self, socket: &str, line: &Value) -> String {
        let path = self.team.home().join("run").join(socket);
        let mut stream = BufReader::new(UnixStream::connect(path).expect("a socket"));
        writeln!(stream.get_mut(), "{line}").expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        answer
    }

    fn effects(&self) -> u64 {
        self.hooks.effects("effect")
    }

    fn intact(&self) {
        let seen = self
            .team
            .ai(&["audit", "verify", "--json"])
            .expect(0)
            .json();
        assert_eq!(seen["intact"], true, "{seen:#}");
    }
}

#[test]
fn a_yes_of_a_person_is_good_once_and_nobody_else_can_say_it() {
    let stage = Stage::new("ask");
    stage.begin();
    let (id, mark) = stage.asked("t1");
    assert_eq!(id, "a1");
    let page = stage.team.ai(&["approvals", "show", &id]).expect(0).stdout;
    for words in [
        "POST http://",
        "payload of the step",
        "claimed",
        "approvals approve a1",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let status = stage.team.ai(&["status"]).expect(0).stdout;
    assert!(
        status.contains(&format!("approvals approve a1 {mark}")),
        "{status}"
    );

    // The same user without a PIN: a program, an agent, a tool that got out.
    let none = stage
        .team
        .ai(&["approvals", "approve", &id, &mark])
        .expect(4);
    assert!(none.stderr.contains("approvals pin"), "{none:#?}");
    stage
        .typed(&["approvals", "pin"], &format!("{PIN}\n"))
        .expect(0);
    let wrong = stage
        .typed(&["approvals", "approve", &id, &mark], "123456\n")
        .expect(4);
    assert!(wrong.stderr.contains("not the PIN"), "{wrong:#?}");
    let other = stage
        .typed(&["approvals", "pin"], "guess\nanother one\n")
        .expect(4);
    assert!(other.stderr.contains("not the PIN"), "{other:#?}");
    let yes = |pin: Value| {
        json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true,
            "for_task": false, "because": "", "pin": pin})
    };
    assert!(
        stage
            .forged("warden.sock", &yes(Value::Null))
            .contains("needs your PIN")
    );
    // A word to the supervisor, as for a question.
    let answer = stage
        .team
        .ai(&["task", "answer", "t1", "--text", "approved"]);
    assert!(answer.stderr.contains("approvals show a1"), "{answer:#?}");
    // Without having looked.
    let blind = stage.typed(&["approvals", "approve", &id, "0000"], &format!("{PIN}\n"));
    assert!(mark == "0000" || blind.code == 4, "{blind:#?}");
    assert_eq!(
        (stage.effects(), stage.task("t1")["document"]["on"].as_str()),
        (0, Some("approval"))
    );

    // Everybody who keeps something dies while it waits.
    for name in ["warden", "supervisor", "redis"] {
        processes::send(stage.team.pid(name), Signal::SIGKILL);
    }
    assert_eq!(stage.asked("t1"), (id.clone(), mark.clone()));
    stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(0);
    stage.comes_to("t1", "done");
    assert_eq!((stage.effects(), stage.hooks.requests("effect")), (1, 1));
    let again = stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(4);
    assert!(again.stderr.contains("used already"), "{again:#?}");
    // The next one asks anew, and a no holds.
    stage.begin();
    let (id, _) = stage.asked("t2");
    assert_eq!(id, "a2");
    let deny = ["approvals", "deny", &id, "--because", "not on a Friday"];
    stage.typed(&deny, &format!("{PIN}\n")).expect(0);
    stage.comes_to("t2", "failed");
    let text = stage.task("t2").to_string();
    assert!(text.contains("not on a Friday"), "{text}");
    assert_eq!(stage.effects(), 1);
    // What nobody waits for any more is taken back.
    stage.begin();
    let (id, _) = stage.asked("t3");
    stage.team.ai(&["task", "cancel", "t3"]).expect(0);
    let cancelled = wait_until(PATIENCE, || {
        let shown = stage
            .team
            .ai(&["approvals", "show", &id, "--json"])
            .expect(0)
            .json();
        shown["ticket"]["state"] == "cancelled"
    });
    assert!(cancelled);
    assert_eq!(stage.effects(), 1);
    stage.intact();
    stage.team.down();
}

#[test]
fn a_rule_that_denies_is_not_asked_about() {
    let stage = Stage::new("deny");
    stage.begin();
    stage.comes_to("t1", "failed");
    let text = stage.task("t1").to_string();
    assert!(text.contains("permissions.acts.http.change"), "{text}");
    assert_eq!(stage.effects(), 0);
    let list = stage
        .team
        .ai(&["approvals", "list", "--all"])
        .expect(0)
        .stdout;
    assert!(list.contains("nothing waits"), "{list}");
    stage.intact();
    stage.team.down();
}
