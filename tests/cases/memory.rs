//! What one task learned is there for the next, and for a person; a kill loses no record.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use tests::processes;
use tests::projects;
use tests::team::Team;

#[test]
fn a_second_task_recalls_the_first() {
    let team = Team::new(AI_INFRA);
    let project = team.scratch("project");
    projects::cargo(&project, false);
    let (code, _) = team.run(&project, "any leaked secrets here?");
    assert_eq!(code, 0);
    let (code, _) = team.run(&project, "any leaked secrets here?");
    assert_eq!(code, 0);
    let page = team.ai(&["task", "show", "t2", "--json"]).expect(0).json();
    assert!(
        !page["task"]["learned"]
            .as_array()
            .expect("learned")
            .is_empty(),
        "{page:#}"
    );
    assert!(
        !page["task"]["recalled"]
            .as_array()
            .expect("recalled")
            .is_empty(),
        "{page:#}"
    );
    team.down();
}

#[test]
fn a_person_adds_searches_and_shows() {
    let team = Team::new(AI_INFRA);
    let body = "The staging database is restored from the nightly dump every Monday.";
    team.ai(&["memory", "add", "staging restore", "--body", body])
        .expect(0);
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    let found = team
        .ai(&["memory", "search", "staging dump", "--json"])
        .expect(0)
        .json();
    let id = found["memories"][0]["id"]
        .as_str()
        .expect("one memory")
        .to_owned();
    let shown = team.ai(&["memory", "show", &id]).expect(0);
    assert!(shown.stdout.contains("every Monday"), "{shown:#?}");
    team.down();
}
