//! `doctor` finds what is wrong with a machine, a home, a Redis, a key: every fault here is injected
//! for real, and must be named together with what mends it.

mod home;
mod ledger;
mod machine;
mod services;
mod team;

use crate::AI_INFRA;
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tests::team::Team;

/// What `doctor --json` says, and its exit code.
fn said(output: &Output) -> (i32, Vec<Value>) {
    let text = String::from_utf8_lossy(&output.stdout);
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|e| {
        panic!(
            "no document ({e}): {text} {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert_eq!(document["version"], 1);
    let findings = document["findings"].as_array().expect("findings").clone();
    let bad = findings.iter().any(|finding| finding["how"] == "bad");
    assert_eq!(document["good"], !bad, "{document:#}");
    (output.status.code().unwrap_or(255), findings)
}

/// Fails unless there is a finding with these words in what is seen and in what is to be done.
#[track_caller]
fn finds(output: &Output, what: &str, how: &str, seen: &str, next: &str) {
    let (code, findings) = said(output);
    let fits = |finding: &&Value| {
        let has = |key: &str, part: &str| finding[key].as_str().unwrap_or("").contains(part);
        finding["what"] == what && finding["how"] == how && has("seen", seen) && has("next", next)
    };
    let found = findings.iter().find(fits);
    assert!(
        found.is_some(),
        "no {what} {how} `{seen}` → `{next}`: {findings:#?}"
    );
    let bad = findings.iter().any(|finding| finding["how"] == "bad");
    assert_eq!(code, i32::from(bad), "{findings:#?}");
}

fn doctor(team: &Team) -> Command {
    let mut command = team.command(&["doctor", "--json"]);
    command.stdin(Stdio::null());
    command
}

fn ask(team: &Team) -> Output {
    doctor(team).output().expect("doctor runs")
}

#[test]
fn a_sound_machine_is_sound() {
    let team = Team::new(AI_INFRA).with_env("LANG", "C.UTF-8");
    let (code, findings) = said(&ask(&team));
    assert_eq!(code, 0, "{findings:#?}");
    team.up();
    let ran = team.ai(&["doctor"]).expect(0);
    assert!(ran.took < Duration::from_secs(3), "{:?}", ran.took);
    assert!(
        ran.stdout.lines().all(|line| line.chars().count() <= 160),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("✓ ledger"), "{}", ran.stdout);
    team.down();
}
