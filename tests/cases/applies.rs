//! A patch is put in place once, whoever is killed in the middle, here and on another host: what was
//! about to be done and what was done is kept beside it. The patch adds a line that would fit twice.

use crate::AI_INFRA;
use crate::hosts::{first_host, invitation, join};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(20);
/// Lines of the file that says one thing only: one more always fits at its end.
const BEFORE: usize = 5;

/// Says the last line of a file once more, and makes two files.
const AGAIN: &str = r#"
playbook: 1
name: once-more
agent: code
level: 1
intents: ["once more"]
steps:
  - {id: say, tool: Bash, args: {argv: [sh, -c, "echo again >> log; echo a > a; mkdir -p sub; echo b > sub/b"]}}
criteria:
  - {id: c1, text: "it was said", check: {file: {path: log, contains: "again"}}}
report: "said"
tests: [{ask: "once more"}]
"#;

fn taught(team: Team) -> Team {
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("once-more.yaml"), AGAIN).expect("a playbook");
    team
}

/// A folder of its own for every task, and the task done.
fn done(team: &Team, owner: &Team, number: u32, on: &[&str]) -> PathBuf {
    let folder = owner.scratch(&format!("work{number}"));
    std::fs::write(folder.join("log"), "again\n".repeat(BEFORE)).expect("a file");
    let path = folder.display().to_string();
    let words = ["run", "once more", "--workspace", &path];
    team.ai(&[&words[..], on].concat()).expect(0);
    folder
}

fn said(folder: &Path) -> usize {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().filter(|line| *line == "again").count()
}

/// All of it is there once, and nothing beside it.
fn whole(folder: &Path) {
    assert_eq!(said(folder), BEFORE + 1);
    for (file, text) in [("a", "a\n"), ("sub/b", "b\n")] {
        let read = std::fs::read_to_string(folder.join(file));
        assert_eq!(read.ok().as_deref(), Some(text), "{file}");
    }
    for place in [folder.to_owned(), folder.join("sub")] {
        let names = std::fs::read_dir(place).expect("a folder").flatten();
        let left: Vec<_> = names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".ai-infra"))
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[test]
fn a_supervisor_killed_in_an_apply_puts_the_patch_in_once() {
    let team = taught(Team::new(AI_INFRA)).with_env("AI_INFRA_FAULT", "die-at=apply:each");
    team.up();
    for number in 1..=4 {
        let task = format!("t{number}");
        let folder = done(&team, &team, number, &[]);
        let cut_off = team.ai(&["task", "apply", &task]).expect(5);
        assert!(cut_off.stderr.contains("went away"), "{cut_off:#?}");
        // How far it had come when it died.
        let placed = ["a", "log", "sub/b"].map(|file| match file {
            "log" => said(&folder) > BEFORE,
            file => folder.join(file).exists(),
        });
        let far = [[true; 3], [false; 3], [true, false, false], [true; 3]];
        assert_eq!(placed, far[number as usize - 1], "{task}");
        let again = team.ai(&["task", "apply", &task]).expect(0).stdout;
        assert!(again.contains("3 files"), "{again}");
        assert_eq!(again.contains("applied before"), number == 4, "{again}");
        whole(&folder);
        let third = team.ai(&["task", "apply", &task]).expect(1).stderr;
        assert!(third.contains("applied already"), "{third}");
    }
    team.down();
}

#[test]
fn what_a_person_changed_after_a_cut_is_not_written_over() {
    let team = taught(Team::new(AI_INFRA)).with_env("AI_INFRA_FAULT", "die-at=apply:each");
    team.up();
    let folder = done(&team, &team, 1, &[]);
    team.ai(&["task", "apply", "t1"]).expect(5);
    std::fs::write(folder.join("log"), "mine\n").expect("a file");
    let refused = team.ai(&["task", "apply", "t1"]).expect(1).stderr;
    assert!(
        refused.contains("cut off when 2 of 3 files were in place, and log is neither"),
        "{refused}"
    );
    let log = std::fs::read_to_string(folder.join("log"));
    assert_eq!(log.ok().as_deref(), Some("mine\n"));
    // The control: without what was kept beside the patch it goes in a second time.
    std::fs::write(folder.join("log"), "again\n".repeat(BEFORE + 1)).expect("a file");
    for file in ["a", "sub/b"] {
        std::fs::remove_file(folder.join(file)).expect("it was made");
    }
    let note = team.home().join("tasks/t1/applied.json");
    std::fs::remove_file(note).expect("something was kept");
    team.ai(&["task", "apply", "t1"]).expect(5);
    assert_eq!(said(&folder), BEFORE + 2, "the control sees nothing");
    team.down();
}

#[test]
fn another_hosts_daemon_killed_in_an_ordered_apply_puts_the_patch_in_once() {
    let team = taught(first_host(Team::new(AI_INFRA)));
    team.up();
    let there = Team::new(AI_INFRA).with_env("AI_INFRA_FAULT", "die-at=apply:each");
    join(&there, &invitation(&team, "web2")).expect(0);
    let daemon = || there.noted_pid("daemon");
    for number in 1..=4 {
        let task = format!("t{number}");
        let folder = done(&team, &there, number, &["--host", "web2"]);
        let before = daemon().expect("a daemon there");
        let apply = team.start(&["task", "apply", &task]);
        assert!(
            wait_until(PATIENCE, || !processes::alive(before)),
            "the daemon there was not killed"
        );
        if number == 4 {
            // Nobody waits for the answer any more.
            let supervisor = team.noted_pid("supervisor").expect("a supervisor");
            processes::send(supervisor, Signal::SIGKILL);
            let ended = apply.wait_with_output().expect("apply ends");
            assert_eq!(ended.status.code(), Some(5), "{ended:?}");
            // The first host sees the other one again before it gives an order.
            let mut last = team.ai(&["task", "apply", &task]);
            wait_until(PATIENCE, || {
                if last.code == 5 {
                    last = team.ai(&["task", "apply", &task]);
                }
                last.code != 5
            });
            let again = last.expect(0).stdout;
            assert!(again.contains("3 files (it was applied before)"), "{again}");
        } else {
            // The order lies there still, and the next daemon there takes it.
            let ended = apply.wait_with_output().expect("apply ends");
            let out = String::from_utf8_lossy(&ended.stdout);
            assert!(out.contains("on web2: 3 files"), "{ended:?}");
        }
        whole(&folder);
        let third = team.ai(&["task", "apply", &task]).expect(1).stderr;
        assert!(third.contains("applied already"), "{third}");
    }
    there.down();
    team.down();
}
