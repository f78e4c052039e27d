//! The ledger's server dies and its standby takes over, without the last writes: the team sees what is missing, stops and
//! asks, and goes on where a person says so.

use crate::AI_INFRA;
use serde_json::Value;
use std::time::Duration;
use tests::processes::wait_until;
use tests::standby;
use tests::team::{Ran, Team};

const PATIENCE: Duration = Duration::from_secs(40);

fn problems(team: &Team) -> String {
    team.status()["problems"].to_string()
}

#[test]
fn a_standby_that_lacks_the_last_words_stops_the_team_until_a_person_decides() {
    let Some(mut pair) = standby::pair() else {
        return;
    };
    let team = Team::new(AI_INFRA).with_env("DATABASE_URL", &pair.url());
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "TODO: nothing\n").expect("a file");
    let folder = workspace.display().to_string();
    let marks = |more: &[&str]| -> Ran {
        let words = ["run", "list the todo marks", "--workspace", &folder];
        team.ai(&[&words, more].concat())
    };
    team.up();
    marks(&[]).expect(0);
    pair.caught_up();
    pair.cut();
    // The second task is done and told to whoever asked; only the first server knows.
    marks(&[]).expect(0);
    let done = "SELECT COUNT(*) FROM main.tasks WHERE state = 'done'";
    assert_eq!(pair.second(done).as_deref(), Ok("1"));
    pair.first_dies();
    // Nobody asks for anything, and the team says so all the same.
    let told = wait_until(PATIENCE, || {
        let said = problems(&team);
        said.contains("it is a standby") && said.contains("ledger.url")
    });
    assert!(told, "{:#}", team.status());
    // It answers whoever reads, and takes nothing.
    let refused = marks(&[]).expect(5);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("it is a standby"), "{said}");
    pair.promote();

    let told = wait_until(PATIENCE, || {
        problems(&team).contains("the ledger was put back to an older state")
    });
    assert!(told, "{:#}", team.status());
    let said = team.ai(&["bus", "status"]).expect(0).stdout;
    assert!(said.contains("ai-infra bus accept"), "{said}");
    let late = marks(&["--no-wait", "--json"]).expect(0).json();
    let number = late["short_id"].as_str().expect("a number").to_owned();
    let state = |name: &str| -> Value {
        let shown = team.ai(&["task", "show", name, "--json"]).expect(0);
        shown.json()["task"]["document"]["state"].clone()
    };
    assert_eq!(state("t1"), "done");
    assert_eq!(state(&number), "queued", "nothing is begun until then");

    team.ai(&["bus", "accept"]).expect(0);
    let goes_on = wait_until(PATIENCE, || state(&number) == "done");
    assert!(goes_on, "{:#}", team.status());
    assert!(
        number != "t2",
        "the number of a task that was lost is given again"
    );
    assert_eq!(team.status()["problems"], serde_json::json!([]));
    team.down();
}
