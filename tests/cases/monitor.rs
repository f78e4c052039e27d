//! Windows 6 and 7 in a real tmux, driven by keys as a person would: look into a task, pause an agent,
//! stop a task, freeze and thaw; filter and pause the logs. What quits comes back.

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
fn the_team_is_watched_and_steered_with_keys() {
    let team = Team::new(AI_INFRA);
    let folder = gate::build(&team);
    team.ai(&["up"]).expect(0);
    let window = Window::of(&team, 6, 80, 24);
    window.until_that("an idle team", |s| {
        s.contains("queues  empty") && s.contains("none yet")
    });
    gate::walk(&team, &folder);
    let works = |s: &str| s.contains("code       works      t1    EXECUTE");
    let shown = window.until_that("who works", works);
    fits(&shown, 80, 24);
    assert!(
        shown.contains("walk to the gate") && shown.contains("cpu"),
        "{shown}"
    );

    // The first row is the agent code: Enter looks into what it holds.
    window.presses(&["Enter"]);
    let page = window.until_that("the task", |s| s.contains("because"));
    assert!(page.contains("the gate stands open"), "{page}");
    fits(&page, 80, 24);
    window.presses(&["q"]);
    window.until_that("the team again", works);

    // The next one is paused and let go on.
    window.presses(&["j", "p"]);
    window.until_that("who is paused", |s| s.contains("data       paused"));
    window.presses(&["p"]);
    window.until_that("who is idle again", |s| s.contains("data       idle"));

    window.presses(&["f"]);
    window.until_that("the question", |s| s.contains("y yes"));
    window.presses(&["y"]);
    window.until_that("a frozen team", |s| {
        s.starts_with("ai-infra") && s.contains("FROZEN")
    });
    window.presses(&["f", "y"]);
    window.until_that("a team that goes on", |s| !s.contains("FROZEN"));

    window.presses(&["k", "c"]);
    window.until_that("the question", |s| s.contains("stop t1 for good?"));
    window.presses(&["y"]);
    window.until_that("its end", |s| s.contains("t1    cancelled"));
    window.resize(40, 15);
    let small = window.until_that("a small picture", |s| {
        s.contains("t1    cancelled") && !s.contains("of $")
    });
    fits(&small, 40, 15);

    let pane = || {
        let format = "#{pane_pid} #{pane_dead}";
        let target = ["list-panes", "-t", "ai-infrastructure:6", "-F", format];
        tmux(&team, &target)
    };
    let before = pane();
    window.presses(&["q"]);
    let back = wait_until(std::time::Duration::from_secs(20), || {
        let now = pane();
        now.ends_with(" 0") && now != before
    });
    assert!(back, "the monitor did not come back");
    // On a pipe it is one picture.
    let once = team.ai(&["monitor"]).expect(0);
    assert!(once.stdout.contains("t1    cancelled"), "{once:?}");
    team.down();
}

#[test]
fn the_logs_are_searched_and_held_still() {
    let team = Team::new(AI_INFRA);
    let folder = gate::build(&team);
    team.ai(&["up"]).expect(0);
    let window = Window::of(&team, 7, 80, 24);
    gate::walk(&team, &folder);
    let shown = window.until_that("the call", |s| s.contains("call step=execute/1/two"));
    assert!(
        shown.contains("supervisor INFO  accepted task=t1"),
        "{shown}"
    );
    fits(&shown, 80, 24);
    window.types("/step=execute");
    window.presses(&["Enter"]);
    let found = window.until_that("what was found", |s| {
        s.contains("· /step=execute") && !s.contains("accepted")
    });
    assert_eq!(
        found.lines().filter(|l| l.contains(" call ")).count(),
        2,
        "{found}"
    );
    window.presses(&["Escape"]);
    window.until_that("all lines", |s| s.contains("accepted"));
    window.presses(&["Space"]);
    window.until_that("that it is paused", |s| s.contains("paused"));
    gate::open(&team, "open");
    gate::open(&team, "open.door");
    team.ai(&["task", "follow", "t1"]).expect(0);
    let held = window.until_that("what is new", |s| s.contains(" new "));
    assert!(!held.contains("verdict=Passed"), "{held}");
    window.presses(&["Space"]);
    window.until_that("the newest lines", |s| {
        s.contains("following") && s.contains("state=done")
    });
    team.down();
}
