//! An agent's window, captured from a real tmux: what it works on at 80x24 and at 40x15, what it
//! left, and that neither a stopped terminal nor Ctrl-C holds up the work.

use crate::AI_INFRA;
use tests::gate;
use tests::processes::wait_until;
use tests::team::Team;
use tests::terminal::{Window, tmux};

/// Every line fits, and none wraps into the next.
fn fits(shown: &str, columns: usize, rows: usize) {
    assert!(shown.lines().count() <= rows, "{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= columns, "{line:?} in\n{shown}");
    }
}

#[test]
fn a_task_is_seen_whole_and_the_terminal_never_holds_it_up() {
    let team = Team::new(AI_INFRA);
    let folder = gate::build(&team);
    team.ai(&["up"]).expect(0);
    let window = Window::of(&team, 1, 80, 24);
    let idle = window.until_that("that it is idle", |s| {
        s.starts_with("code (level 1)") && s.contains("idle since")
    });
    fits(&idle, 80, 24);

    gate::walk(&team, &folder);
    let waits = |s: &str| s.contains("▸ Bash sh -c while") && s.contains("calls 2, 1 failed");
    let shown = window.until_that("the third call", waits);
    fits(&shown, 80, 24);
    for part in [
        "t1 walk to the gate",
        "playbook walk-to-the-gate, no model",
        "✓OBSERVE ✓THINK ✓PLAN ✓BUILD EXECUTE",
        "criteria 0 of 1 proven",
        "… c1 the gate stands open",
        "✓ Bash echo one",
        "✗ Bash false",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    let ticks = |s: &str| waits(s) && s != shown;
    window.until_that("the time going by", ticks);

    window.resize(40, 15);
    let small = window.until_that("the smaller picture", |s| {
        s.contains("▸ Bash sh -c") && !s.contains("OBSERVE")
    });
    fits(&small, 40, 15);
    assert!(
        small.contains("EXECUTE") && small.contains("c1 the gate"),
        "{small}"
    );

    // The terminal takes nothing any more; the work goes on.
    window.presses(&["C-s"]);
    gate::open(&team, "open");
    gate::open(&team, "open.door");
    team.ai(&["task", "follow", "t1"]).expect(0);
    let stopped = window.shows();
    assert!(
        stopped.contains("▸ Bash"),
        "Ctrl-s stopped nothing:\n{stopped}"
    );
    window.presses(&["C-q"]);
    window.resize(80, 24);
    let left = window.until_that("what it left", |s| s.contains("t1   done 1/1"));
    assert!(
        left.contains("last results") && left.contains("idle since"),
        "{left}"
    );
    fits(&left, 80, 24);

    // What is typed does not stand in the picture, and one Ctrl-C ends nothing.
    let pid = team.pid("code");
    window.presses(&["x", "y", "z", "C-c"]);
    let hint = window.until_that("the hint", |s| s.contains("Ctrl-C again"));
    assert!(!hint.contains("xyz"), "{hint}");
    assert_eq!(team.pid("code"), pid);
    team.down();
}

#[test]
fn a_second_ctrl_c_starts_the_agent_anew_and_its_task_goes_on() {
    let team = Team::new(AI_INFRA);
    let folder = gate::build(&team);
    team.ai(&["up"]).expect(0);
    let window = Window::of(&team, 1, 80, 24);
    gate::walk(&team, &folder);
    window.until_that("the third call", |s| s.contains("▸ Bash sh -c while"));
    let pane = || {
        let format = "#{pane_pid} #{pane_dead}";
        tmux(
            &team,
            &["list-panes", "-t", "ai-infrastructure:1", "-F", format],
        )
    };
    let before = pane();
    window.presses(&["C-c"]);
    window.until_that("the hint", |s| s.contains("Ctrl-C again"));
    window.presses(&["C-c"]);
    gate::open(&team, "open");
    let again = wait_until(std::time::Duration::from_secs(20), || {
        let now = pane();
        now.ends_with(" 0") && now != before
    });
    assert!(again, "the agent was not started anew");
    let resumed = |s: &str| s.contains("attempt 2") && s.contains("▸ Bash sh -c until");
    let shown = window.until_that("that it goes on", resumed);
    for part in [
        "steps from the journal",
        "✓ Bash echo one",
        "✓ Bash sh -c while",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
    gate::open(&team, "open.door");
    team.ai(&["task", "follow", "t1"]).expect(0);
    team.down();
}
