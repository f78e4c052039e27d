//! A team whose infra agent is asked by a rule before it tells a hook anything, and a person with a PIN.

use crate::hooks::Hooks;
use crate::processes::wait_until;
use crate::team::{Ran, Team};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The person's PIN.
pub const PIN: &str = "over the hill";

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

/// The team, the hook, and a folder to work in.
pub struct Stage {
    /// The team; nothing is started yet.
    pub team: Team,
    /// What it tells.
    pub hooks: Hooks,
    /// The folder.
    pub work: PathBuf,
}

impl Stage {
    /// Sets it up: `rule` is what the rules say of changes over HTTP, `endpoint` more about the hook.
    pub fn new(team: Team, rule: &str, endpoint: &str) -> Self {
        let hooks = Hooks::start();
        let folder = team.home().join("playbooks");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("tell-hook.yaml"), POST).expect("a playbook");
        let work = team.scratch("work");
        std::fs::write(work.join("README.md"), "here\n").expect("a file");
        let permissions = format!(
            "acts: {{http.change: {rule}}}\nendpoints:\n  hooks: {{url: {}, agents: [infra]{endpoint}}}\n",
            hooks.url()
        );
        let file = team.home().join("config/permissions.yaml");
        std::fs::write(file, permissions).expect("a file");
        Self { team, hooks, work }
    }

    /// Hands the task in.
    pub fn begin(&self) {
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
    pub fn asked(&self, task: &str) -> (String, String) {
        let waits = wait_until(PATIENCE, || self.task(task)["document"]["on"] == "approval");
        assert!(waits, "{:#}", self.task(task));
        let ticket = self
            .tickets()
            .into_iter()
            .find(|one| one["task"] == task)
            .expect("a ticket");
        let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
        (text("id"), text("mark"))
    }

    /// The tickets that are open.
    pub fn tickets(&self) -> Vec<Value> {
        let list = self.team.ai(&["approvals", "list", "--json"]);
        let list = list.expect(0).json();
        list["tickets"].as_array().cloned().unwrap_or_default()
    }

    /// How a ticket stands.
    pub fn ticket(&self, id: &str) -> Value {
        let shown = self.team.ai(&["approvals", "show", id, "--json"]);
        shown.expect(0).json()["ticket"].take()
    }

    /// A task's page.
    pub fn task(&self, task: &str) -> Value {
        let shown = self.team.ai(&["task", "show", task, "--json"]);
        shown.expect(0).json()["task"].take()
    }

    /// Waits until a task is in a state.
    pub fn comes_to(&self, task: &str, state: &str) {
        let came = wait_until(PATIENCE, || self.task(task)["document"]["state"] == state);
        assert!(came, "{:#}", self.task(task));
    }

    /// A command that is given lines on its standard input.
    pub fn typed(&self, words: &[&str], lines: &str) -> Ran {
        self.team.piped(words, lines)
    }

    /// Keeps the PIN.
    pub fn keeps_pin(&self) {
        self.typed(&["approvals", "pin"], &format!("{PIN}\n"))
            .expect(0);
    }

    /// What somebody of the same user says to a socket of the home, and hears.
    pub fn forged(&self, socket: &str, line: &Value) -> String {
        let path = self.team.home().join("run").join(socket);
        let mut stream = BufReader::new(UnixStream::connect(path).expect("a socket"));
        writeln!(stream.get_mut(), "{line}").expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        answer
    }

    /// How often the hook did what it is told.
    pub fn effects(&self) -> u64 {
        self.hooks.effects("effect")
    }

    /// Fails the story where the record does not hold.
    pub fn intact(&self) {
        let seen = self.team.ai(&["audit", "verify", "--json"]);
        let seen = seen.expect(0).json();
        assert_eq!(seen["intact"], true, "{seen:#}");
    }
}

/// Every file below a folder that holds these bytes.
pub fn holders(folder: &Path, words: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(holders(&entry.path(), words));
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            let holds = bytes
                .windows(words.len())
                .any(|part| part == words.as_bytes());
            found.extend(holds.then(|| entry.path().display().to_string()));
        }
    }
    found
}
