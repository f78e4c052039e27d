//! Two homes at once do not meet; `up` and `down` may be said twice; `run` brings a team up.

use crate::AI_INFRA;
use tests::projects;
use tests::team::Team;

#[test]
fn two_homes_do_not_meet() {
    let (one, two) = (Team::new(AI_INFRA), Team::new(AI_INFRA));
    one.up();
    two.up();
    let project = one.scratch("project");
    projects::cargo(&project, false);
    let (code, _) = one.run(&project, "any leaked secrets here?");
    assert_eq!(code, 0);
    let of = |team: &Team| team.ai(&["task", "list", "--json"]).expect(0).json();
    assert_eq!(of(&one)["tasks"].as_array().map(Vec::len), Some(1));
    assert_eq!(of(&two)["tasks"].as_array().map(Vec::len), Some(0));
    one.down();
    assert_eq!(two.status()["state"], "up");
    two.down();
}

#[test]
fn up_and_down_twice_and_run_before_up() {
    let team = Team::new(AI_INFRA);
    assert_eq!(team.status()["state"], "down");
    let project = team.scratch("project");
    projects::cargo(&project, false);
    let folder = project.display().to_string();
    let ran = team.ai(&[
        "run",
        "any leaked secrets here?",
        "--workspace",
        &folder,
        "--json",
    ]);
    assert!(
        !ran.stderr.is_empty(),
        "it must say that it started the team"
    );
    assert_eq!(ran.expect(0).json()["state"], "done");
    team.up();
    team.up();
    team.down();
    team.ai(&["down"]).expect(0);
    assert_eq!(team.status()["state"], "down");
}

#[test]
fn the_same_request_id_twice_is_one_task() {
    let team = Team::new(AI_INFRA);
    let project = team.scratch("project");
    projects::cargo(&project, false);
    let folder = project.display().to_string();
    let args = [
        "run",
        "any leaked secrets here?",
        "--workspace",
        &folder,
        "--json",
        "--request-id",
        "once",
    ];
    let first = team.ai(&args).expect(0).json();
    let second = team.ai(&args).expect(0).json();
    assert_eq!(first["task_id"], second["task_id"]);
    team.down();
}
