//! What programs obey without being asked does not come home unread: a patch that touches it is
//! refused by name, here and on another host, until a person says that they read it.

use crate::AI_INFRA;
use crate::hosts::{first_host, invitation, join};
use std::path::{Path, PathBuf};
use tests::team::Team;

const TASKS: &str = r#"
playbook: 1
name: make-tasks
agent: code
level: 1
intents: ["make the tasks"]
steps:
  - {id: notes, tool: Write, args: {file_path: notes.txt, content: "made"}}
  - {id: tasks, tool: Bash, args: {argv: [sh, -c, "mkdir -p web/.vscode; echo {} > web/.vscode/tasks.json"]}}
criteria:
  - {id: c1, text: "it is there", check: {file: {path: notes.txt, contains: made}}}
report: "made"
tests: [{ask: "make the tasks"}]
"#;

fn taught(team: Team) -> Team {
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("make-tasks.yaml"), TASKS).expect("a playbook");
    team
}

/// A task done in a folder of its owner's; answers the folder and what was said.
fn done(team: &Team, owner: &Team, on: &[&str]) -> (PathBuf, String) {
    let folder = owner.scratch("work");
    std::fs::write(folder.join("README.md"), "here\n").expect("a file");
    let path = folder.display().to_string();
    let words = ["run", "make the tasks", "--workspace", &path];
    let said = team.ai(&[&words[..], on].concat()).expect(0).stdout;
    (folder, said)
}

/// Refused by name, and nothing is there; brought in once somebody has read it.
fn told_then_brought(team: &Team, folder: &Path) {
    let refused = team.ai(&["task", "apply", "t1"]).expect(4);
    let why = refused.stderr;
    assert!(why.contains("web/.vscode/tasks.json (editors)"), "{why}");
    assert!(why.contains("task apply t1 --with-control-files"), "{why}");
    assert!(!folder.join("notes.txt").exists(), "nothing was changed");
    let apply = ["task", "apply", "t1", "--with-control-files"];
    team.ai(&apply).expect(0);
    assert!(folder.join("notes.txt").exists() && folder.join("web/.vscode/tasks.json").exists());
}

#[test]
fn a_patch_with_control_files_is_refused_until_they_are_read() {
    let team = taught(Team::new(AI_INFRA));
    team.up();
    let (folder, said) = done(&team, &team, &[]);
    assert!(
        said.contains("read first: ") && said.contains("web/.vscode/tasks.json"),
        "{said}"
    );
    told_then_brought(&team, &folder);
    team.down();
}

#[test]
fn so_it_is_on_another_host() {
    let team = taught(first_host(Team::new(AI_INFRA)));
    team.up();
    let there = Team::new(AI_INFRA);
    join(&there, &invitation(&team, "web2")).expect(0);
    let (folder, _) = done(&team, &there, &["--host", "web2"]);
    told_then_brought(&team, &folder);
    there.down();
    team.down();
}
