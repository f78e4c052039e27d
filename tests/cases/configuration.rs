//! The configuration goes both ways: what a person pushes to its repository comes into the home, as far as
//! it permits nothing new and stops nobody; what they write in the home is there for the others.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::team::Team;

/// A team, the repository of its configuration, and a person's clone of that.
fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    let there = team.scratch("there.git");
    let clone = team.scratch("clone");
    let run = |words: &[&str]| {
        let status = Command::new("git").args(words).status();
        assert!(status.unwrap().success(), "{words:?}");
    };
    let there = there.display().to_string();
    run(&["init", "-q", "--bare", "-b", "main", &there]);
    run(&["clone", "-q", &there, &clone.display().to_string()]);
    let remote = format!("file://{there}");
    let team = team.with_env("AI_INFRA__BACKUP__JOBS__CONFIGURATION__TARGET", &remote);
    (team, clone)
}

fn git(folder: &Path, words: &[&str]) {
    let done = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=ada", "-c", "user.email=ada@x"])
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {said}");
}

/// The person writes files and sends them.
fn there(clone: &Path, files: &[(&str, &str)]) {
    git(clone, &["pull", "-q", "--ff-only", "origin", "main"]);
    for (path, text) in files {
        let path = clone.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    git(clone, &["add", "-A"]);
    git(clone, &["commit", "-q", "-m", "by hand"]);
    git(clone, &["push", "-q", "origin", "HEAD:main"]);
}

fn in_step(team: &Team, code: i32) -> Value {
    let ran = team
        .ai(&["backup", "run", "configuration", "--json"])
        .expect(code);
    ran.json()["configuration"].clone()
}

const WRITER: &str =
    "---\nname: writer\ndescription: writes\nlevel: 1\ntools: [Read]\n---\nWrite plainly.\n";

#[test]
fn what_a_person_pushes_comes_in_and_what_permits_more_waits_for_a_word() {
    let (team, clone) = team();
    let home = team.home();
    team.up().expect(0);
    let settings = "# ours\nlog:\n  level: info\n\n# limits\nbudget:\n  task_usd: 1\n";
    fs::write(home.join("config/ai-infra.yaml"), settings).unwrap();
    let first = in_step(&team, 0);
    assert_eq!(first["sent"], serde_json::json!(["config/ai-infra.yaml"]));
    assert!(
        first["notes"][0].as_str().unwrap().contains("in plain"),
        "{first}"
    );
    assert!(
        !home.join("backup/key").exists() && !team.user_home().join(".config/ai-infra").exists()
    );

    // Both sides, in lines that do not touch; an agent, a goal; and much that must not come in by itself.
    fs::write(
        home.join("config/ai-infra.yaml"),
        settings.replace("info", "debug"),
    )
    .unwrap();
    let theirs = settings.replace("task_usd: 1", "task_usd: 0.5");
    there(
        &clone,
        &[
            ("config/ai-infra.yaml", theirs.as_str()),
            ("agents/writer/AGENT.md", WRITER),
            ("TELOS/goals.md", "be useful\n"),
            (
                "config/backup.yaml",
                "keep: {daily: 30}\ns3: {endpoint: \"https://evil.example\"}\n",
            ),
            ("config/permissions.yaml", "agents: {code: {level: 2}}\n"),
            ("config/prices.yaml", "modls: {}\n"),
            ("playbooks/broken.yaml", "playbook: 1\nname: broken\n"),
            (
                "schedules/nightly.yaml",
                "schedule: 1\nname: nightly\nwhen: \"@daily\"\nask: run the tests\n",
            ),
            ("README.md", "what this is\n"),
        ],
    );
    let second = in_step(&team, 3);
    assert_eq!(
        second["came"],
        serde_json::json!(["TELOS/goals.md", "agents/writer/AGENT.md"])
    );
    assert_eq!(
        second["merged"],
        serde_json::json!(["config/ai-infra.yaml"])
    );
    let text = fs::read_to_string(home.join("config/ai-infra.yaml")).unwrap();
    assert!(
        text.contains("level: debug") && text.contains("task_usd: 0.5"),
        "{text}"
    );
    let waiting = second["waiting"].as_array().unwrap();
    let why = |path: &str| {
        let one = waiting.iter().find(|one| one["path"] == path);
        one.unwrap_or_else(|| panic!("{path} does not wait: {second}"))["why"]
            .as_str()
            .unwrap()
    };
    assert_eq!(waiting.len(), 5, "{second}");
    let endpoint = why("config/backup.yaml");
    assert_eq!(endpoint, "`backup.keep.daily` would be 30");
    assert!(
        why("config/prices.yaml").contains("unknown key"),
        "{}",
        why("config/prices.yaml")
    );
    assert!(why("playbooks/broken.yaml").starts_with("playbooks/broken.yaml: "));
    assert!(why("config/permissions.yaml").contains("decided here"));
    assert!(why("schedules/nightly.yaml").contains("begins work by itself"));
    team.ai(&["config", "check"]).expect(0);

    // It is said where people look, until somebody decides.
    let status = team.status();
    let problems = status["problems"].to_string();
    assert!(
        problems.contains("5 files wait for your decision"),
        "{status}"
    );
    let list = team.ai(&["backup", "conflicts"]).expect(0).stdout;
    assert!(
        list.contains("config/permissions.yaml") && list.contains("take theirs"),
        "{list}"
    );
    let take = |side: &str, path: &str| team.ai(&["backup", "conflicts", "take", side, path]);
    let refused = take("theirs", "playbooks/broken.yaml").expect(2).stderr;
    assert!(refused.contains("would stop the team"), "{refused}");
    let near = take("theirs", "playbooks/brokn.yaml").expect(2).stderr;
    assert!(
        near.contains("did you mean `playbooks/broken.yaml`"),
        "{near}"
    );
    take("theirs", "config/backup.yaml").expect(0);
    assert!(
        fs::read_to_string(home.join("config/backup.yaml"))
            .unwrap()
            .contains("daily: 30")
    );
    for path in [
        "config/prices.yaml",
        "playbooks/broken.yaml",
        "config/permissions.yaml",
        "schedules/nightly.yaml",
    ] {
        take("ours", path).expect(0);
    }
    let third = in_step(&team, 0);
    assert_eq!(
        third["sent"].as_array().unwrap().len(),
        4,
        "ours is that they are not there: {third}"
    );
    assert!(!team.status()["problems"].to_string().contains("decision"));
    git(&clone, &["pull", "-q", "--ff-only", "origin", "main"]);
    assert!(!clone.join("config/permissions.yaml").exists() && clone.join("README.md").exists());
    team.down();
}

#[test]
fn a_key_stays_at_home_and_a_version_comes_back() {
    let (team, clone) = team();
    let home = team.home();
    team.up().expect(0);
    fs::write(home.join("secrets/shop"), "correct horse battery").unwrap();
    fs::set_permissions(home.join("secrets/shop"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join("playbooks/note.txt"), "v1\n").unwrap();
    in_step(&team, 0);
    fs::write(home.join("playbooks/note.txt"), "v2\n").unwrap();
    fs::create_dir_all(home.join("TELOS")).unwrap();
    fs::write(
        home.join("TELOS/x.md"),
        "a\nthe password is correct horse battery\n",
    )
    .unwrap();
    let ran = team.ai(&["backup", "run", "configuration"]).expect(1);
    assert!(
        ran.stdout.contains(
            "not sent: TELOS/x.md: line 2 holds what looks like a secret (the value of secret shop)"
        ),
        "{}",
        ran.stdout
    );
    git(&clone, &["pull", "-q", "--ff-only", "origin", "main"]);
    assert!(!clone.join("TELOS").exists());
    fs::remove_file(home.join("TELOS/x.md")).unwrap();
    let list = team
        .ai(&["backup", "versions", "list", "--json"])
        .expect(0)
        .json();
    let versions = list["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{list}");
    let oldest = versions[1]["name"].as_str().unwrap();
    let shown = team.ai(&[
        "backup",
        "versions",
        "show",
        versions[0]["name"].as_str().unwrap(),
    ]);
    assert!(shown.expect(0).stdout.contains("+v2"));
    let back = ["backup", "versions", "rollback", oldest, "--json"];
    let back = team.ai(&back).expect(0).json();
    assert_eq!(
        back["sent"],
        serde_json::json!(["playbooks/note.txt"]),
        "{back}"
    );
    assert_eq!(
        fs::read_to_string(home.join("playbooks/note.txt")).unwrap(),
        "v1\n"
    );
    git(&clone, &["pull", "-q", "--ff-only", "origin", "main"]);
    assert_eq!(
        fs::read_to_string(clone.join("playbooks/note.txt")).unwrap(),
        "v1\n"
    );
    team.down();
}

/// How often it is killed.
const KILLS: u32 = 10;

#[test]
fn killed_at_any_moment_both_sides_meet_and_nothing_is_half() {
    let (team, clone) = team();
    let home = team.home();
    team.up().expect(0);
    fs::write(home.join("playbooks/ours.txt"), "0\n").unwrap();
    let began = team.ai(&["backup", "run", "configuration"]).expect(0).took;
    for kill in 1..=KILLS {
        let text = format!("{kill}\n");
        there(
            &clone,
            &[
                ("TELOS/one.md", text.as_str()),
                ("TELOS/two.md", text.as_str()),
            ],
        );
        fs::write(home.join("playbooks/ours.txt"), &text).unwrap();
        let mut running = team.start(&["backup", "run", "configuration"]);
        std::thread::sleep(began * kill / (KILLS + 1));
        let _over = running.kill();
        running.wait().unwrap();
        team.ai(&["backup", "run", "configuration"]).expect(0);
        for path in ["TELOS/one.md", "TELOS/two.md", "playbooks/ours.txt"] {
            assert_eq!(
                fs::read_to_string(home.join(path)).unwrap(),
                text,
                "{path}, kill {kill}"
            );
        }
        git(&clone, &["pull", "-q", "--ff-only", "origin", "main"]);
        assert_eq!(
            fs::read_to_string(clone.join("playbooks/ours.txt")).unwrap(),
            text
        );
    }
    team.down();
}

#[test]
fn what_cannot_be_is_said_with_the_next_step() {
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    team.up().expect(0);
    for (args, code, said) in [
        (
            vec!["backup", "run", "configuration"],
            2,
            "its place is a git repository",
        ),
        (
            vec!["backup", "versions", "list"],
            2,
            "none is named for it",
        ),
        (
            vec!["backup", "list", "configuration"],
            2,
            "its versions are in git",
        ),
        (vec!["backup", "conflicts", "take", "ours"], 2, "required"),
    ] {
        let ran = team.ai(&args).expect(code);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    let none = team.ai(&["backup", "conflicts"]).expect(0).stdout;
    assert!(
        none.contains("nothing of the configuration waits"),
        "{none}"
    );
    let team = team.with_env(
        "AI_INFRA__BACKUP__JOBS__CONFIGURATION__TARGET",
        "file:///nowhere/at.git",
    );
    let ran = team.ai(&["backup", "run", "configuration"]).expect(5);
    assert!(
        ran.stderr.contains("make an empty one first"),
        "{}",
        ran.stderr
    );
    team.down();
}
