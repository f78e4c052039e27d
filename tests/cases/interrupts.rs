//! Ctrl-C once leaves the task running and says how to follow; twice cancels it, and nothing of
//! its process tree is left. A deadline ends a task with exit 124.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const SLEEPER: &str = r#"
playbook: 1
name: sleeper
agent: code
level: 1
intents: ["sleep for a while"]
steps:
  - {id: nap, tool: Bash, args: {argv: [sh, -c, "touch begun; sleep 31.4159"]}}
criteria:
  - {id: c1, text: "it began", check: {file: {path: begun}}}
report: "slept"
tests: [{ask: "sleep for a while"}]
"#;

fn team() -> Team {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("sleeper.yaml"), SLEEPER).expect("a playbook");
    team.up();
    team
}

fn naps() -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        count += usize::from(words.starts_with(b"sleep\x0031.4159"));
    }
    count
}

fn state(team: &Team, task: &str) -> String {
    let page = team.ai(&["task", "show", task, "--json"]).json();
    page["task"]["document"]["state"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn one_interrupt_leaves_it_running_two_cancel_it() {
    let team = team();
    let work = team.scratch("work");
    let work = work.to_str().expect("utf-8");
    let run = team.start(&["run", "sleep for a while", "--workspace", work]);
    assert!(
        wait_until(Duration::from_secs(10), || naps() > 0),
        "the nap did not begin"
    );
    processes::send(run.id(), Signal::SIGINT);
    let output = run.wait_with_output().expect("run ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("ai-infra task follow t1"), "{said}");
    assert_eq!(state(&team, "t1"), "running");
    let follow = team.start(&["task", "follow", "t1"]);
    team.ai(&["task", "cancel", "t1"]).expect(0);
    let ended = wait_until(Duration::from_secs(5), || state(&team, "t1") == "cancelled");
    assert!(ended, "{}", state(&team, "t1"));
    assert!(
        wait_until(Duration::from_secs(2), || naps() == 0),
        "the nap outlived its task"
    );
    assert_eq!(
        follow
            .wait_with_output()
            .expect("follow ends")
            .status
            .code(),
        Some(130)
    );

    let run = team.start(&["run", "sleep for a while", "--workspace", work]);
    assert!(
        wait_until(Duration::from_secs(10), || naps() > 0),
        "the nap did not begin"
    );
    processes::send(run.id(), Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    processes::send(run.id(), Signal::SIGINT);
    let output = run.wait_with_output().expect("run ends");
    assert_eq!(output.status.code(), Some(130));
    let ended = wait_until(Duration::from_secs(5), || state(&team, "t2") == "cancelled");
    assert!(ended, "{}", state(&team, "t2"));
    let ran = team.ai(&[
        "run",
        "sleep for a while",
        "--workspace",
        work,
        "--timeout",
        "1s",
    ]);
    assert_eq!(ran.code, 124, "{ran:#?}");
    assert!(
        wait_until(Duration::from_secs(5), || naps() == 0),
        "the nap outlived its deadline"
    );
    team.down();
}
