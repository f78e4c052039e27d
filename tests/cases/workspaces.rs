//! A folder gets a name with its first task, and from then on is named instead of found.

use crate::AI_INFRA;
use tests::projects;
use tests::team::Team;

#[test]
fn a_folder_is_known_by_name_after_its_first_task() {
    let team = Team::new(AI_INFRA);
    let project = team.scratch("Shop");
    projects::cargo(&project, false);
    projects::commit_all(&project);
    team.run(&project, "look over this repository");
    let list = team.ai(&["workspace", "list", "--json"]).expect(0).json();
    let one = &list["workspaces"][0];
    assert_eq!(
        (&one["name"], &one["kind"]),
        (&"shop".into(), &"repository".into()),
        "{list:#}"
    );
    assert_eq!(one["last_task"], "t1", "{list:#}");
    let at = one["path"].as_str().unwrap_or_default();
    assert_eq!(
        std::path::Path::new(at),
        project.canonicalize().expect("a folder")
    );
    // From another folder, by its name.
    let ran = team.ai(&[
        "run",
        "look over this repository",
        "--workspace",
        "shop",
        "--json",
    ]);
    let task = ran.expect(0).json()["short_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let page = team.ai(&["task", "show", &task, "--json"]).expect(0).json();
    assert_eq!(page["task"]["task"]["workspace"], at, "{page:#}");
    team.ai(&["workspace", "add", at, "--name", "store"])
        .expect(0);
    let gone = team
        .ai(&["run", "look", "--workspace", "stor"])
        .expect(2)
        .stderr;
    assert!(gone.contains("nearest name is store"), "{gone}");
    // What may not be worked in may not be registered.
    let home = team.home().display().to_string();
    for folder in [home.as_str(), "/etc", "/"] {
        let refused = team.ai(&["workspace", "add", folder]);
        assert_ne!(refused.code, 0, "{folder}: {refused:#?}");
    }
    team.ai(&["workspace", "add", at, "--name", "No/Name"])
        .expect(2);
    let told = team.ai(&["workspace", "forget", "store"]).expect(0).stdout;
    assert!(told.contains("nothing in"), "{told}");
    assert!(project.join("Cargo.toml").exists());
    team.ai(&["workspace", "forget", "store"]).expect(2);
    team.down();
}
