//! The record of acts, as a person sees it: a line before and after each, a chain that shows what was
//! done to it, and no act without it.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const NOTE: &str = r#"
playbook: 1
name: write-note
agent: code
level: 1
intents: ["write the note"]
steps:
  - {id: note, tool: Write, args: {file_path: note.txt, content: "the words of the note"}}
  - {id: say, tool: Bash, args: {argv: [cat, note.txt]}}
criteria:
  - {id: c1, text: "it is there", check: {file: {path: note.txt, contains: words}}}
report: "written"
tests: [{ask: "write the note"}]
"#;

struct Stage {
    team: Team,
    work: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let team = Team::new(AI_INFRA);
        let playbooks = team.home().join("playbooks");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        std::fs::write(playbooks.join("write-note.yaml"), NOTE).expect("a playbook");
        let work = team.scratch("work");
        std::fs::write(work.join("README.md"), "here\n").expect("a file");
        team.up();
        Self { team, work }
    }

    fn run(&self) -> (i32, Value) {
        self.team.run(&self.work, "write the note")
    }

    fn lines(&self) -> Vec<Value> {
        let tail = self
            .team
            .ai(&["audit", "tail", "-n", "500", "--json"])
            .expect(0);
        let line = |text: &str| serde_json::from_str(text).expect("a line");
        tail.stdout.lines().map(line).collect()
    }

    fn verify(&self, exit: i32) -> Value {
        self.team
            .ai(&["audit", "verify", "--json"])
            .expect(exit)
            .json()
    }

    fn chain(&self) -> PathBuf {
        self.team.home().join("audit/chain-000000000001.jsonl")
    }
}

#[test]
fn every_act_has_a_line_before_and_after_it_and_tampering_is_seen() {
    let stage = Stage::new();
    let (exit, ran) = stage.run();
    assert_eq!(exit, 0, "{ran:#}");
    let lines = stage.lines();
    let of = |tool: &str, stage: &str| {
        let found = |line: &&Value| line["tool"] == tool && line["stage"] == stage;
        lines.iter().filter(found).count()
    };
    for tool in ["Write", "Bash"] {
        assert_eq!(
            (of(tool, "before"), of(tool, "after")),
            (1, 1),
            "{lines:#?}"
        );
    }
    let begun = lines
        .iter()
        .filter(|line| line["stage"] == "before")
        .count();
    let ended = lines.iter().filter(|line| line["stage"] == "after").count();
    assert!(begun == ended && begun >= 3, "{lines:#?}");
    let write = lines
        .iter()
        .find(|line| line["tool"] == "Write")
        .expect("one");
    for (key, value) in [("task", "t1"), ("call", "execute/1/note"), ("v", "1")] {
        assert_eq!(write[key].to_string().trim_matches('"'), value, "{write:#}");
    }
    assert!(write["principal"].as_str().expect("words").contains('('));
    assert_eq!(write["args_sha256"].as_str().map(str::len), Some(64));
    let text = std::fs::read_to_string(stage.chain()).expect("the chain");
    assert!(
        !text.contains("the words of the note"),
        "contents are not recorded"
    );

    let remembered = wait_until(Duration::from_secs(10), || {
        let seen = stage.verify(0);
        let anchors = seen["anchors"].as_array().cloned().unwrap_or_default();
        anchors.len() == 2 && anchors.iter().all(|one| one["seq"] == seen["lines"])
    });
    assert!(remembered, "{:#}", stage.verify(0));
    let said = stage.team.ai(&["audit", "verify"]).expect(0).stdout;
    assert!(said.starts_with("chain intact: "), "{said}");
    assert!(said.contains("the ledger up to line"), "{said}");

    // One word changed.
    let changed = text.replacen("\"tool\":\"Bash\"", "\"tool\":\"Read\"", 1);
    std::fs::write(stage.chain(), changed).expect("a file");
    let broken = stage.team.ai(&["audit", "verify"]).expect(1).stdout;
    assert!(broken.contains("chain BROKEN at line"), "{broken}");
    stage.team.ai(&["audit", "export"]).expect(1);
    // Everything of the record gone, key and head among it: the team has begun another chain, and
    // the ledger remembers the one before.
    stage.team.down();
    for gone in ["audit", "warden"] {
        std::fs::remove_dir_all(stage.team.home().join(gone)).expect("a folder");
    }
    stage.team.up();
    let seen = stage.verify(1);
    let why = seen["broken"]["why"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(why.contains("remembers line"), "{seen:#}");
    stage.team.down();
}

#[test]
fn nothing_is_done_without_the_warden_and_it_comes_back() {
    let stage = Stage::new();
    let socket = stage.team.home().join("run/warden.sock");
    std::fs::remove_file(&socket).expect("a socket");
    let (exit, ran) = stage.run();
    assert_eq!(exit, 1, "{ran:#}");
    let text = ran.to_string();
    assert!(text.contains("nothing is done without a record"), "{ran:#}");
    assert!(!stage.team.home().join("tasks/t1/work/note.txt").exists());
    processes::send(stage.team.pid("warden"), Signal::SIGKILL);
    let back = wait_until(Duration::from_secs(10), || socket.exists());
    assert!(back, "{:#}", stage.team.status());
    let (exit, ran) = stage.run();
    assert_eq!(exit, 0, "{ran:#}");
    let seen = stage.verify(0);
    assert_eq!(seen["open"], 0, "{seen:#}");
    stage.team.down();
    let down = stage.team.ai(&["audit", "verify"]).expect(0).stdout;
    assert!(down.contains("the team is down"), "{down}");
    assert!(processes::of_home(&stage.team.home()).is_empty());
}
