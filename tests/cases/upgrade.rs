//! A home of the first version goes on under this one, and a home of a newer version is refused with
//! the sentence that helps.

use crate::AI_INFRA;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::processes::wait_until;
use tests::team::Team;

fn python(args: &[&str]) {
    let done = Command::new("python3").args(args).output();
    let done = done.expect("python3 runs: apt-get install python3");
    assert!(done.status.success(), "{done:?}");
}

fn document(team: &Team, task: &str) -> Value {
    let page = team.ai(&["task", "show", task, "--json"]).expect(0).json();
    page["task"]["document"].clone()
}

#[test]
fn a_home_of_the_first_version_goes_on() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: everything\n").expect("a file");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let at = |path: &str| repository.join(path).display().to_string();
    python(&[
        &at("tests/fixtures/first_ledger.py"),
        &team.home().join("ledger.db").display().to_string(),
        &at("supervisor/migrations/0001_ledger.sql"),
        &work.display().to_string(),
    ]);
    team.up();
    // What was open is worked on, what had ended is as it was.
    for task in ["t2", "t3"] {
        let done = wait_until(Duration::from_secs(30), || {
            document(&team, task)["state"] == "done"
        });
        assert!(done, "{:#}", document(&team, task));
        let result = document(&team, task)["result"].to_string();
        assert!(result.contains("README.md"), "{result}");
    }
    let old = document(&team, "t1");
    assert_eq!(old["state"], "done");
    assert_eq!(old["criteria"][0]["passed"], true, "{old:#}");
    assert_eq!(old["result"], "Nothing is unfinished.");
    assert_eq!(
        document(&team, "t4")["reason"],
        "the suite could not be run"
    );
    let followed = team.ai(&["task", "follow", "t1"]).expect(0).stdout;
    assert!(followed.contains("done"), "{followed}");
    let (code, new) = team.run(&work, "what is unfinished here?");
    assert_eq!((code, &new["short_id"]), (0, &Value::from("t5")), "{new:#}");
    let again = team.ai(&["task", "retry", "t4"]).expect(0);
    assert!(again.stdout.contains("t6"), "{again:#?}");
    team.down();
}

#[test]
fn a_task_that_an_older_team_queued_is_worked_on() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: everything\n").expect("a file");
    team.up();
    team.ai(&["freeze"]).expect(0);
    let folder = work.display().to_string();
    let words = [
        "run",
        "--no-wait",
        "what is unfinished here?",
        "--workspace",
        &folder,
    ];
    team.ai(&words).expect(0);
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let task = &page["task"]["task"];
    let text = |name: &str| task[name].as_str().expect("a text").to_owned();
    let given = format!("{{main}}:given:{}", text("id"));
    let whole = || team.redis(&["GET", &given], "");
    let said = || whole().contains(&folder);
    assert!(wait_until(Duration::from_secs(10), said), "{}", whole());
    // The older one said the role alone.
    team.redis(&["DEL", &given], "");
    team.down();
    team.up();
    assert!(wait_until(Duration::from_secs(10), said), "{}", whole());
    team.ai(&["thaw"]).expect(0);
    let done = wait_until(Duration::from_secs(30), || {
        document(&team, "t1")["state"] == "done"
    });
    assert!(done, "{:#}", document(&team, "t1"));
    team.down();
}

#[test]
fn a_home_of_a_newer_version_is_refused_untouched() {
    for (newer, sentence) in [
        (
            "UPDATE meta SET value = 99 WHERE key = 'schema'",
            "the ledger has schema 99",
        ),
        (
            "INSERT INTO _sqlx_migrations VALUES (9999, 'later', CURRENT_TIMESTAMP, 1, x'00', 1)",
            "the ledger has tables up to number 9999",
        ),
    ] {
        let team = Team::new(AI_INFRA);
        team.up();
        team.down();
        team.alter_ledger(newer);
        let refused = team.ai(&["up", "--no-tmux"]);
        assert_ne!(refused.code, 0, "{refused:#?}");
        assert!(refused.stderr.contains(sentence), "{refused:#?}");
        assert!(
            refused.stderr.contains("start the newer ai-infra"),
            "{refused:#?}"
        );
        team.down();
    }
}
