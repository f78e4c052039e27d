//! A task that stands still in EXECUTE until its story opens a gate, so that a window can be looked at
//! for as long as that takes.

use crate::team::Team;
use std::path::{Path, PathBuf};

/// Two gates, a call that fails before them, one criterion.
const GATE: &str = r#"
playbook: 1
name: walk-to-the-gate
agent: code
level: 1
intents: ["walk to the gate"]
steps:
  - {id: one, tool: Bash, args: {argv: [echo, one]}}
  - {id: two, tool: Bash, args: {argv: ["false"]}, on_error: continue}
  - {id: gate, tool: Bash, args: {argv: [sh, -c, "while [ ! -e open ]; do sleep 0.05; done"]}}
  - {id: door, tool: Bash, args: {argv: [sh, -c, "until [ -e open.door ]; do sleep 0.05; done"]}}
criteria:
  - {id: c1, text: "the gate stands open", check: {file: {path: open}}}
report: "went through"
tests: [{ask: "walk to the gate"}]
"#;

/// Teaches the team the walk, before it is up; gives a folder to walk in.
pub fn build(team: &Team) -> PathBuf {
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("gate.yaml"), GATE).expect("a playbook");
    let folder = team.scratch("garden");
    std::fs::write(folder.join("README.md"), "x").expect("a file");
    folder
}

/// Asks for the walk and leaves it walking.
pub fn walk(team: &Team, folder: &Path) {
    let folder = folder.display().to_string();
    let words = ["run", "walk to the gate", "--no-wait", "--workspace"];
    let words: Vec<&str> = words.into_iter().chain([folder.as_str()]).collect();
    team.ai(&words).expect(0);
}

/// Opens a gate, `open` or `open.door`, of the team's first task.
pub fn open(team: &Team, gate: &str) {
    let clone = team.home().join("tasks/t1/work");
    std::fs::write(clone.join(gate), "").expect("the clone is there");
}
