//! A home with many memories, tasks and schedules is lost and comes back by one command, from a git repository
//! and from a bucket: equal by content, and its team goes on. `TESTS_MANY=10000` is the long form.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::bucket::Storage;
use tests::many;
use tests::processes::wait_until;
use tests::team::{Ran, Team};

/// What must be the same.
#[derive(Debug, PartialEq)]
struct Contents {
    memory: Vec<(PathBuf, Vec<u8>)>,
    schedules: Vec<(PathBuf, Vec<u8>)>,
    config: Vec<(PathBuf, Vec<u8>)>,
    ledger: String,
}

fn contents(team: &Team) -> Contents {
    let files = |folder: &str| many::files(&team.home().join(folder));
    Contents {
        memory: files("MEMORY"),
        schedules: files("schedules"),
        config: files("config"),
        ledger: many::ledger(team),
    }
}

fn told(what: &str, ran: &Ran) {
    eprintln!("{what}: {:.1} s", ran.took.as_secs_f64());
}

/// A home with so many of each; answers how many tasks are open.
fn filled(team: &Team, many: usize, work: &Path) -> usize {
    team.configure(&format!(
        "team:\n  lease_ms: 1500\n  queue_limit: {}\nengine:\n  name: playbook\n",
        many + 100
    ));
    let began = std::time::Instant::now();
    many::schedules(team, many);
    told("first start", &team.up());
    let (code, done) = team.run(work, "what is unfinished here?");
    assert_eq!(code, 0, "{done}");
    team.ai(&["agents", "pause", "qa"]).expect(0);
    many::memories(team, many);
    let open = many::tasks(team, many, work);
    let ended = || {
        many::sql_of(
            team,
            "SELECT count(*) FROM tasks WHERE ended_us IS NOT NULL",
        )
    };
    let expected = (many - open + 1).to_string();
    let over = wait_until(Duration::from_secs(600), || ended().trim() == expected);
    assert!(over, "{} of {expected} tasks ended", ended());
    team.ai(&["schedule", "pause", "job-1"]).expect(0);
    team.down();
    eprintln!(
        "filled with {many} of each: {:.1} s",
        began.elapsed().as_secs_f64()
    );
    open
}

/// Loses the home and has it back from a place; the team starts and goes on.
fn back(team: &Team, remote: &str, (many, open, parked): (usize, usize, usize), work: &Path) {
    let before = contents(team);
    fs::remove_dir_all(team.home()).unwrap();
    let ran = team
        .ai(&["backup", "restore", "--from", remote, "--json"])
        .expect(0);
    told(&format!("restored from {remote}"), &ran);
    let report = ran.json();
    assert_eq!(report["parked"], parked, "{report}");
    assert!(contents(team) == before, "another home came back");
    told("started", &team.up());
    let list = team.ai(&["schedule", "list", "--json"]).expect(0).json();
    let all = list["schedules"].as_array().unwrap();
    let own = |line: &&Value| line["name"].as_str().unwrap().starts_with("job-");
    assert_eq!(all.iter().filter(own).count(), many);
    let paused = |line: &&Value| !line["paused"].is_null();
    assert_eq!(all.iter().filter(paused).count(), 1, "{list:.2000}");
    let stats = team.ai(&["memory", "stats", "--json"]).expect(0).json();
    assert!(
        stats["stats"]["records"].as_u64() > Some(many as u64),
        "{stats}"
    );
    let search = ["memory", "search", "lesson 7 of the shop", "--json"];
    let found = team.ai(&search).expect(0).json();
    assert!(
        found.to_string().contains("lesson 7 of the shop"),
        "{found}"
    );
    let waits = "SELECT count(*) FROM tasks WHERE state = 'waiting'";
    assert_eq!(many::sql_of(team, waits).trim(), open.to_string());
    team.ai(&["agents", "resume", "qa"]).expect(0);
    let (code, done) = team.run(work, "what is unfinished here?");
    assert_eq!(code, 0, "{done}");
    team.down();
}

#[test]
fn from_git_and_from_a_bucket_it_is_the_same_and_goes_on() {
    let number = many::number("TESTS_MANY", 60);
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    let work = team.scratch("work");
    fs::write(work.join("a.rs"), "// TODO: one\n").unwrap();
    let there = team.scratch("there.git");
    let made = Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(&there)
        .status();
    assert!(made.unwrap().success());
    let storage = Storage::start();
    let team = match &storage {
        Some(storage) => {
            storage.make("kept");
            team.with_env("AI_INFRA__BACKUP__S3__ENDPOINT", &storage.url())
                .with_env("AWS_ACCESS_KEY_ID", "one")
                .with_env("AWS_SECRET_ACCESS_KEY", "two")
        }
        None => team,
    };
    let git = format!("file://{}", there.display());
    let bucket = storage.as_ref().map(|_| "s3://kept/of/this".to_owned());
    let open = filled(&team, number, &work);
    // What was parked once waits already when the home is lost again.
    let mut parked = open;
    for remote in [Some(git), bucket].into_iter().flatten() {
        let run = |words: &[&str]| {
            let began = std::time::Instant::now();
            let mut command = team.command(words);
            let ran = command
                .env("AI_INFRA__BACKUP__REMOTE", &remote)
                .output()
                .unwrap();
            assert!(ran.status.success(), "{ran:?}");
            eprintln!(
                "{words:?} to {remote}: {:.1} s",
                began.elapsed().as_secs_f64()
            );
        };
        run(&["backup", "run", "memory"]);
        run(&["backup", "run", "memory"]);
        back(&team, &remote, (number, open, parked), &work);
        parked = 0;
    }
}
