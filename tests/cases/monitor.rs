//! Windows 6 and 7 in a real tmux, driven by keys as a person would: look into a task, pause an agent,
//! stop a task, freeze and thaw; filter and pause the logs. What quits comes back.

use crate::AI_INFRA;
use tests::gate;
use tests::processes::wait_until;
use tests::team::Team;
use tests::tmux::{press, resize, tmux, type_in, wait_for};

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
    resize(&team, 6, 80, 24);
    wait_for(&team, 6, "an idle team", |s| {
        s.contains("queues  empty") && s.contains("none yet")
    });
    gate::walk(&team, &folder);
    let works = |s: &str| s.contains("code       works      t1    EXECUTE");
    let shown = wait_for(&team, 6, "who works", works);
    fits(&shown, 80, 24);
    assert!(
        shown.contains("walk to the gate") && shown.contains("cpu"),
        "{shown}"
    );

    // The first row is the agent code: Enter looks into what it holds.
    press(&team, 6, &["Enter"]);
    let page = wait_for(&team, 6, "the task", |s| s.contains("because"));
    assert!(page.contains("the gate stands open"), "{page}");
    fits(&page, 80, 24);
    press(&team, 6, &["q"]);
    wait_for(&team, 6, "the team again", works);

    // The next one is paused and let go on.
    press(&team, 6, &["j", "p"]);
    wait_for(&team, 6, "who is paused", |s| {
        s.contains("data       paused")
    });
    press(&team, 6, &["p"]);
    wait_for(&team, 6, "who is idle again", |s| {
        s.contains("data       idle")
    });

    press(&team, 6, &["f"]);
    wait_for(&team, 6, "the question", |s| s.contains("y yes"));
    press(&team, 6, &["y"]);
    wait_for(&team, 6, "a frozen team", |s| {
        s.starts_with("ai-infra") && s.contains("FROZEN")
    });
    press(&team, 6, &["f", "y"]);
    wait_for(&team, 6, "a team that goes on", |s| !s.contains("FROZEN"));

    press(&team, 6, &["k", "c"]);
    wait_for(&team, 6, "the question", |s| {
        s.contains("stop t1 for good?")
    });
    press(&team, 6, &["y"]);
    wait_for(&team, 6, "its end", |s| s.contains("t1    cancelled"));
    resize(&team, 6, 40, 15);
    let small = wait_for(&team, 6, "a small picture", |s| {
        s.contains("t1    cancelled") && !s.contains("of $")
    });
    fits(&small, 40, 15);

    let pane = || {
        let format = "#{pane_pid} #{pane_dead}";
        let target = ["list-panes", "-t", "ai-infrastructure:6", "-F", format];
        tmux(&team, &target)
    };
    let before = pane();
    press(&team, 6, &["q"]);
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
    resize(&team, 7, 80, 24);
    gate::walk(&team, &folder);
    let shown = wait_for(&team, 7, "the call", |s| {
        s.contains("call step=execute/1/two")
    });
    assert!(
        shown.contains("supervisor INFO  accepted task=t1"),
        "{shown}"
    );
    fits(&shown, 80, 24);
    type_in(&team, 7, "/step=execute");
    press(&team, 7, &["Enter"]);
    let found = wait_for(&team, 7, "what was found", |s| {
        s.contains("· /step=execute") && !s.contains("accepted")
    });
    assert_eq!(
        found.lines().filter(|l| l.contains(" call ")).count(),
        2,
        "{found}"
    );
    press(&team, 7, &["Escape"]);
    wait_for(&team, 7, "all lines", |s| s.contains("accepted"));
    press(&team, 7, &["Space"]);
    wait_for(&team, 7, "that it is paused", |s| s.contains("paused"));
    gate::open(&team, "open");
    gate::open(&team, "open.door");
    team.ai(&["task", "follow", "t1"]).expect(0);
    let held = wait_for(&team, 7, "what is new", |s| s.contains(" new "));
    assert!(!held.contains("verdict=Passed"), "{held}");
    press(&team, 7, &["Space"]);
    wait_for(&team, 7, "the newest lines", |s| {
        s.contains("following") && s.contains("state=done")
    });
    team.down();
}
