//! What changes something, in the chat: confirmed where the words do not say exactly that, looked at and
//! taken by `/diff` and `/apply`, and a call nobody can know about answered there.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::time::Duration;
use tests::hooks::Hooks;
use tests::processes::{self, wait_until};
use tests::team::Team;
use tests::terminal::Window;

const STAMP: &str = r#"
playbook: 1
name: stamp-book
agent: code
level: 1
intents: ["stamp the visitors book"]
steps: [{id: stamp, tool: Write, args: {file_path: stamps, content: stamped}}]
criteria: [{id: c1, text: "the stamp is there", check: {file: {path: stamps, contains: stamped}}}]
report: "stamped"
tests: [{ask: "stamp the visitors book"}]
"#;

const NOTIFY: &str = r#"
playbook: 1
name: notify
agent: infra
level: 1
intents: ["notify the hook"]
steps: [{id: step, tool: HttpRequest, args: {endpoint: plain, method: POST, path: /deploy}}]
criteria: [{id: c1, text: "the folder is whole", check: {file: {path: README.md}}}]
report: "{{ steps.step.text }}"
tests: [{ask: "notify the hook"}]
"#;

fn team(playbook: &str) -> (Team, std::path::PathBuf) {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("own.yaml"), playbook).expect("a playbook");
    let folder = team.scratch("work");
    std::fs::write(folder.join("README.md"), "here\n").expect("a file");
    (team, folder)
}

fn window<'t>(team: &'t Team, folder: &std::path::Path) -> Window<'t> {
    team.ai(&["up"]).expect(0);
    let window = Window::of(team, 0, 80, 24);
    window.until("you ›");
    window.says(&format!("/workspace {}", folder.display()));
    window.until("requests are about");
    window
}

#[test]
fn what_changes_something_is_confirmed_looked_at_and_taken() {
    let (team, folder) = team(STAMP);
    let window = window(&team, &folder);
    for (said, expected) in [("no", "left as it is"), ("yes", "criteria proven")] {
        window.says("put a stamp on some visitors");
        window.until("did you mean this? say 1");
        window.says("1");
        window.until_has_shown("it? yes or no");
        window.says(said);
        window.until_has_shown(expected);
        window.presses(&["C-l"]);
    }
    window.says("/diff");
    window.until("+stamped");
    assert!(!folder.join("stamps").exists(), "the folder was touched");
    window.says("/apply");
    let there = || std::fs::read_to_string(folder.join("stamps")).is_ok_and(|t| t == "stamped");
    assert!(
        wait_until(Duration::from_secs(10), there),
        "{}",
        window.shows()
    );
    // Said exactly, it needs no yes.
    std::fs::remove_file(folder.join("stamps")).expect("a file");
    window.says("stamp the visitors book");
    window.until("it is t2");
    window.until_has_shown("t2 done in");
    window.says("/discard t2");
    window.until("the patch of t2 are gone");
    team.down();
}

#[test]
fn a_question_of_a_task_is_answered_in_the_chat() {
    let (team, folder) = team(NOTIFY);
    let hooks = Hooks::start();
    let permitted = format!(
        "endpoints:\n  plain: {{url: {}, agents: [infra], key_header: none}}\n",
        hooks.url()
    );
    std::fs::write(team.home().join("config/permissions.yaml"), permitted).expect("a file");
    let window = window(&team, &folder);
    hooks.hold(true);
    window.says("notify the hook");
    let asked = wait_until(Duration::from_secs(15), || hooks.requests("deploy") == 1);
    assert!(asked, "no request: {}", window.shows());
    processes::send(team.pid("infra"), Signal::SIGKILL);
    hooks.hold(false);
    window.until("did this happen: POST");
    window.says("/answer t1 perhaps");
    window.until_that("what can be said", |shown| {
        shown.contains("happened") && shown.ends_with("you ›")
    });
    window.says("/answer t1 happened");
    window.until_has_shown("t1 done in");
    assert_eq!(hooks.requests("deploy"), 1);
    team.down();
}
