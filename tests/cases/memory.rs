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

#[test]
fn a_memory_is_forgotten_carried_to_another_home_and_indexed_anew() {
    let team = Team::new(AI_INFRA);
    team.up();
    let notes = team.scratch("notes");
    let claude = "# Shop\n\n## Deploys\n\nDeploys go out on Tuesdays, after the backup.\n\n\
        ## Proxy\n\nThe proxy must be restarted after a deploy.\n";
    std::fs::write(notes.join("CLAUDE.md"), claude).expect("a file");
    let notes = notes.display().to_string();
    let came = |new: u64, known: u64, forgotten: u64| serde_json::json!({"new": new, "known": known, "forgotten": forgotten});
    let import = |team: &Team, from: &str| {
        team.ai(&["memory", "import", from, "--json"])
            .expect(0)
            .json()["imported"]
            .take()
    };
    assert_eq!(import(&team, &notes), came(2, 0, 0));
    assert_eq!(import(&team, &notes), came(0, 2, 0));
    let search = |team: &Team, words: &str| {
        let found = team.ai(&["memory", "search", words, "--json"]).expect(0);
        found.json()["memories"]
            .as_array()
            .cloned()
            .expect("a list")
    };
    let id = search(&team, "Tuesdays")[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let told = team
        .ai(&["memory", "forget", &id, "--reason", "now on Fridays"])
        .expect(0);
    assert!(told.stdout.contains("--undo"), "{told:#?}");
    assert!(search(&team, "Tuesdays").is_empty());
    team.ai(&["memory", "forget", &id]).expect(2);
    assert_eq!(import(&team, &notes), came(0, 1, 1));
    let told = team.ai(&["memory", "reindex"]).expect(0).stdout;
    assert!(
        told.contains("holds 1 records") || told.contains("holds 1 record"),
        "{told}"
    );
    assert!(search(&team, "Tuesdays").is_empty());
    team.ai(&["memory", "forget", &id, "--undo"]).expect(0);
    assert_eq!(search(&team, "Tuesdays").len(), 1);
    let stats = team.ai(&["memory", "stats", "--json"]).expect(0).json();
    assert_eq!(
        (&stats["stats"]["records"], &stats["stats"]["indexed"]),
        (&2.into(), &2.into())
    );
    let archive = team.scratch("out").join("m.tar.zst").display().to_string();
    team.down();
    // The files are read as they lie there; nothing is started for it.
    team.ai(&["memory", "export", &archive]).expect(0);
    assert!(processes::of_home(&team.home()).is_empty());
    team.ai(&["memory", "export", &archive]).expect(2);
    let other = Team::new(AI_INFRA);
    other.up();
    assert_eq!(import(&other, &archive), came(2, 0, 0));
    let there = search(&other, "Tuesdays");
    assert_eq!(there[0]["id"], id.as_str(), "{there:#?}");
    other.ai(&["memory", "import", "/etc/hostname"]).expect(2);
    other.down();
}
