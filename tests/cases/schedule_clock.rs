//! The host sleeps over a run, and its clock is set back, under a whole team: each schedule does what its file
//! says, and nothing begins twice.

use crate::AI_INFRA;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::clock::Clock;
use tests::processes::wait_until;
use tests::team::Team;

fn schedule(team: &Team, work: &Path, name: &str, when: &str, missed: &str) {
    let text = format!(
        "schedule: 1\nname: {name}\nwhen: \"{when}\"\nzone: UTC\nplaybook: unfinished-marks\nworkspace: {}\nmissed: {missed}\n",
        work.display()
    );
    fs::write(team.home().join(format!("schedules/{name}.yaml")), text).unwrap();
}

/// When the runs of a schedule were due, oldest first, as hours and minutes; `-` for what was missed.
fn runs(team: &Team, name: &str) -> Vec<String> {
    let page = team
        .ai(&["schedule", "show", name, "--json"])
        .expect(0)
        .json();
    let runs = page["runs"].as_array().unwrap().iter().rev();
    runs.map(|run| {
        let due = &run["due"].as_str().unwrap()[11..16];
        match run["outcome"].as_str() {
            Some("missed") => format!("-{due}"),
            Some("started") => due.to_owned(),
            other => format!("{other:?} {due}"),
        }
    })
    .collect()
}

/// Waits until it is so. To ask for the list makes the team look at its schedules.
fn comes(team: &Team, name: &str, expected: &[&str]) {
    let there = wait_until(Duration::from_secs(40), || {
        team.ai(&["schedule", "list"]);
        runs(team, name) == expected
    });
    assert!(
        there,
        "{name}: {:?} instead of {expected:?}",
        runs(team, name)
    );
}

/// Has the team take a schedule up, and waits until it did.
fn counts_from_now(team: &Team, name: &str) {
    team.ai(&["schedule", "pause", name]).expect(0);
    team.ai(&["schedule", "resume", name]).expect(0);
}

/// So many tasks there are, and all of them end: one that runs would keep the next from beginning.
fn all_end(team: &Team, many: usize) {
    let ended = || {
        let list = team.ai(&["task", "list", "--json"]).expect(0).json();
        let tasks = list["tasks"].as_array().unwrap();
        tasks.len() == many && tasks.iter().all(|task| task["state"] == "done")
    };
    let all = wait_until(Duration::from_secs(60), ended);
    assert!(all, "{:#}", team.ai(&["task", "list", "--json"]).json());
}

#[test]
fn the_host_sleeps_over_runs_and_its_clock_is_set_back() {
    let team = Team::new(AI_INFRA);
    let Some(clock) = Clock::build(&team.scratch("clock")) else {
        return;
    };
    clock.set(10, 20, 0);
    let team = clock.of(team);
    let work = team.scratch("work");
    fs::write(work.join("a.rs"), "// TODO: one\n").unwrap();
    fs::create_dir_all(team.home().join("schedules")).unwrap();
    schedule(&team, &work, "made-up-for", "0 * * * *", "once");
    schedule(&team, &work, "left-out", "0 * * * *", "skip");
    // Comes round shortly before the others, and is looked at after them: where it ran they were decided.
    schedule(&team, &work, "witness", "59 * * * *", "once");
    team.up();
    for name in ["made-up-for", "left-out", "witness"] {
        counts_from_now(&team, name);
    }
    clock.set(10, 59, 1);
    comes(&team, "witness", &["10:59"]);
    all_end(&team, 1);
    // Asleep from eleven to twenty past two.
    clock.sleep_until(&team, 14, 20);
    comes(&team, "witness", &["10:59", "-12:59", "13:59"]);
    comes(&team, "made-up-for", &["-13:00", "14:00"]);
    comes(&team, "left-out", &["-14:00"]);
    all_end(&team, 3);
    // On time.
    clock.set(15, 0, 1);
    comes(&team, "made-up-for", &["-13:00", "14:00", "15:00"]);
    comes(&team, "left-out", &["-14:00", "15:00"]);
    comes(&team, "witness", &["10:59", "-12:59", "13:59", "14:59"]);
    all_end(&team, 6);
    // Set back by more than an hour: fourteen and fifteen come round once more, and begin nothing.
    clock.set(13, 40, 0);
    schedule(&team, &work, "zz-second", "58 13 * * *", "once");
    schedule(&team, &work, "zz-third", "1 15 * * *", "once");
    for name in ["zz-second", "zz-third"] {
        counts_from_now(&team, name);
    }
    clock.set(14, 0, 30);
    comes(&team, "zz-second", &["13:58"]);
    clock.set(15, 1, 5);
    comes(&team, "zz-third", &["15:01"]);
    assert_eq!(runs(&team, "made-up-for"), ["-13:00", "14:00", "15:00"]);
    assert_eq!(runs(&team, "left-out"), ["-14:00", "15:00"]);
    assert_eq!(
        runs(&team, "witness"),
        ["10:59", "-12:59", "13:59", "14:59"]
    );
    // And it goes on.
    all_end(&team, 8);
    clock.set(16, 0, 1);
    comes(&team, "made-up-for", &["-13:00", "14:00", "15:00", "16:00"]);
    comes(&team, "left-out", &["-14:00", "15:00", "16:00"]);
    // Each run is one task.
    all_end(&team, 11);
    team.down();
}
