//! Backups at GitHub: a snapshot that is kept apart as a release brings a lost home back, and a repository that
//! is missing is made, private.

use crate::AI_INFRA;
use std::fs;
use tests::github::Forge;
use tests::team::Team;

fn team(forge: &Forge) -> Team {
    Team::new(AI_INFRA)
        .with_env("AI_INFRA__BACKUP__REMOTE", "https://127.0.0.1/me/kept.git")
        .with_env("GITHUB_API_URL", forge.url())
        .with_env("GITHUB_TOKEN", "a-token")
}

#[test]
fn a_release_holds_a_sealed_snapshot_that_brings_a_lost_home_back() {
    let forge = Forge::start();
    let team = team(&forge);
    team.up().expect(0);
    team.ai(&["memory", "add", "deploys go out on Tuesdays"])
        .expect(0);
    // One that breaks off is not seen by anybody, and is in nobody's way.
    forge.kept().breaks = 1;
    let run = ["backup", "run", "memory", "--release", "v1.0", "--json"];
    let broken = team.ai(&run).expect(5);
    assert!(
        broken
            .stderr
            .contains("whether it was done cannot be known"),
        "{}",
        broken.stderr
    );
    assert!(
        forge
            .kept()
            .releases
            .values()
            .all(|release| release["draft"] == true)
    );
    let made = team.ai(&run).expect(0).json();
    assert_eq!(made["snapshots"].as_array().unwrap().len(), 1, "{made}");
    {
        let kept = forge.kept();
        assert_eq!(kept.releases.len(), 1, "{:?}", kept.releases);
        assert!(
            kept.releases
                .values()
                .all(|release| release["draft"] == false)
        );
        for file in kept.files.values() {
            let plain = file.windows(8).any(|bytes| bytes == b"Tuesdays");
            assert!(!plain, "what leaves the machine is sealed");
        }
    }
    let again = team.ai(&run).expect(2);
    assert!(
        again.stderr.contains("not written over"),
        "{}",
        again.stderr
    );
    team.down();
    let left: Vec<_> = fs::read_dir(team.home().join("backup"))
        .unwrap()
        .flatten()
        .collect();
    assert!(
        !left
            .iter()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("release-"))
    );
    fs::remove_dir_all(team.home()).unwrap();

    let from = "https://127.0.0.1/me/kept/releases/tag/";
    let none = team
        .ai(&["backup", "restore", "--from", &format!("{from}v2")])
        .expect(2);
    assert!(none.stderr.contains("has no release v2"), "{}", none.stderr);
    team.ai(&["backup", "restore", "--from", &format!("{from}v1.0")])
        .expect(0);
    team.up().expect(0);
    let found = team
        .ai(&["memory", "search", "deploys", "--json"])
        .expect(0)
        .json();
    assert_eq!(found["memories"].as_array().unwrap().len(), 1);
    team.down();
}

#[test]
fn a_repository_that_is_missing_is_made_private_and_a_wrong_token_is_said() {
    let forge = Forge::start();
    let team = team(&forge);
    team.up().expect(0);
    // Its git is not there in this story; what matters is what was asked of the API before.
    let ran = team.ai(&["backup", "run", "memory", "--create"]);
    assert!(
        ran.stdout.contains("✓ me/kept was made, private"),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(forge.kept().repositories.get("me/kept"), Some(&true));
    let again = team.ai(&["backup", "run", "memory", "--create"]);
    assert!(!again.stdout.contains("was made"), "{}", again.stdout);
    let bad = team.ai(&["backup", "run", "--release", "../x"]).expect(2);
    assert!(bad.stderr.contains("cannot be a tag"), "{}", bad.stderr);
    team.down();
    let team = team.with_env("GITHUB_TOKEN", "another");
    let wrong = team.ai(&["backup", "run", "--create"]).expect(2);
    assert!(
        wrong.stderr.contains("wrong, expired or withdrawn"),
        "{}",
        wrong.stderr
    );
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", "/mnt/kept");
    let elsewhere = team.ai(&["backup", "run", "--create"]).expect(2);
    assert!(
        elsewhere.stderr.contains("no backup is kept at 127.0.0.1"),
        "{}",
        elsewhere.stderr
    );
}

#[test]
fn a_public_repository_gets_no_configuration_unless_that_is_meant() {
    let forge = Forge::start();
    let team = team(&forge).backs_up_by_hand();
    team.up().expect(0);
    let url = "https://127.0.0.1/me/kept.git";
    let job = |more: &str| {
        let text = format!("jobs: {{configuration: {{target: \"{url}\"{more}}}}}\n");
        fs::write(team.home().join("config/backup.yaml"), text).unwrap();
        team.ai(&["backup", "run", "configuration"])
    };
    // Nobody pushes to this place in the story: what matters is whether it is tried.
    let is_refused = |ran: &tests::team::Ran| ran.stderr.contains("me/kept at 127.0.0.1 is public");
    forge
        .kept()
        .repositories
        .insert("me/kept".to_owned(), false);
    let refused = job("").expect(2);
    assert!(is_refused(&refused), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("public: true"),
        "{}",
        refused.stderr
    );
    assert!(!is_refused(&job(", public: true").expect(5)));
    forge.kept().repositories.insert("me/kept".to_owned(), true);
    assert!(!is_refused(&job("").expect(5)));
    // One that is not there yet, or that the token does not see.
    forge.kept().repositories.clear();
    assert!(!is_refused(&job("").expect(5)));
    team.down();
}
