//! Jobs that begin by themselves, as a person meets them.

use crate::AI_INFRA;
use serde_json::Value;
use std::time::Duration;
use tests::processes::wait_until;
use tests::team::Team;

fn show(team: &Team, name: &str) -> Value {
    team.ai(&["schedule", "show", name, "--json"])
        .expect(0)
        .json()
}

#[test]
fn a_schedule_is_written_run_paused_and_looked_at() {
    let team = Team::new(AI_INFRA);
    team.configure("team:\n  lease_ms: 1500\nengine:\n  name: playbook\n");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: one\n").expect("a file");
    let work = work.display().to_string();
    let add = |name: &str, when: &str| {
        let words = ["--workspace", &work, "what is unfinished here?"];
        team.ai(&[&["schedule", "add", name, "--when", when], words.as_slice()].concat())
    };
    // Before the team is up; and what cannot be is refused before it is written.
    let added = add("nightly", "30 2 * * *").expect(0);
    assert!(added.stdout.contains("it comes round next"), "{added:#?}");
    let again = add("nightly", "@daily").expect(2);
    assert!(
        again.stderr.contains("there is a schedule nightly already"),
        "{again:#?}"
    );
    let wrong = add("other", "30 25 * * *").expect(2);
    assert!(wrong.stderr.contains("`when` `30 25 * * *`"), "{wrong:#?}");
    team.up();
    let list = team.ai(&["schedule", "list"]).expect(0).stdout;
    assert!(list.contains("nightly  30 2 * * *  next "), "{list}");
    assert!(list.contains("never ran"), "{list}");
    // Now, beside its own times; the same id twice is one task.
    let run = || {
        let words = [
            "schedule",
            "run",
            "nightly",
            "--request-id",
            "mine",
            "--json",
        ];
        team.ai(&words).expect(0).json()
    };
    assert_eq!(run()["again"], false);
    assert_eq!(run()["again"], true);
    let done = wait_until(Duration::from_secs(20), || {
        show(&team, "nightly")["runs"][0]["state"]["state"] == "done"
    });
    let page = show(&team, "nightly");
    assert!(done, "{page:#}");
    assert_eq!(page["runs"].as_array().map(Vec::len), Some(1), "{page:#}");
    assert_eq!(page["coming"].as_array().map(Vec::len), Some(5));
    let task = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let because = task["task"]["task"]["routed_because"].to_string();
    assert!(
        because.contains("schedule nightly, asked for by"),
        "{because}"
    );
    // A pause holds over a restart.
    team.ai(&["schedule", "pause", "nightly"]).expect(0);
    team.down();
    team.up();
    let list = team.ai(&["schedule", "list"]).expect(0).stdout;
    assert!(list.contains("paused"), "{list}");
    let on = team.ai(&["schedule", "resume", "nightly"]).expect(0).stdout;
    assert!(on.contains("it begins next at"), "{on}");
    // A file that cannot be used is named, and the others go on.
    let folder = team.home().join("schedules");
    std::fs::write(folder.join("bad.yaml"), "schedule: 1\nname: bad\n").expect("a file");
    let list = team.ai(&["schedule", "list"]).expect(0).stdout;
    assert!(
        list.contains("nightly") && list.contains("bad.yaml is not used"),
        "{list}"
    );
    let checked = team.ai(&["schedule", "check"]).expect(2).stdout;
    assert!(checked.contains("✗") && checked.contains("✓"), "{checked}");
    // What stands in the settings is looked at too.
    std::fs::remove_file(folder.join("bad.yaml")).expect("gone");
    let backups = team.home().join("config/backup.yaml");
    for (line, code, said) in [
        ("0 3 * * *", 0, "backup-memory: it comes round next"),
        ("0 33 * * *", 2, "✗"),
    ] {
        let text = format!("remote: /nowhere\njobs: {{memory: {{schedule: \"{line}\"}}}}\n");
        std::fs::write(&backups, text).expect("a file");
        let checked = team.ai(&["schedule", "check"]).expect(code).stdout;
        assert!(checked.contains(said), "{checked}");
    }
    std::fs::remove_file(backups).expect("gone");
    let unknown = team.ai(&["schedule", "show", "nigtly"]).expect(2).stderr;
    assert!(unknown.contains("did you mean `nightly`?"), "{unknown}");
}
