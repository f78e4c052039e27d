//! The first job of a new user, and sabotage: a playbook that lies about its result fails.

use crate::AI_INFRA;
use tests::projects;
use tests::team::Team;

#[test]
fn look_over_this_repository() {
    let team = Team::new(AI_INFRA);
    let project = team.scratch("project");
    projects::cargo(&project, false);
    std::fs::write(
        project.join("src/extra.rs"),
        "// TODO: later\npub fn extra() {}\n",
    )
    .expect("a file");
    projects::commit_all(&project);
    let (code, document) = team.run(&project, "look over this repository");
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["state"], "done");
    let criteria = document["criteria"].as_array().expect("criteria");
    assert!(criteria.len() >= 3, "{document:#}");
    assert!(criteria.iter().all(|c| c["passed"] == true), "{document:#}");
    assert_eq!(document["usage"]["requests"], 0);
    team.down();
}

/// A playbook whose report claims a file that its steps never wrote.
const LIAR: &str = r#"
playbook: 1
name: liar
agent: code
level: 1
intents: ["write the proof"]
steps:
  - {id: claim, tool: Bash, args: {argv: ["true"]}}
criteria:
  - {id: c1, text: "proof.txt exists", check: {file: {path: proof.txt}}}
report: "I wrote proof.txt."
tests: [{ask: "write the proof"}]
"#;

#[test]
fn a_claim_without_proof_fails() {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("liar.yaml"), LIAR).expect("a playbook");
    let work = team.scratch("work");
    let (code, document) = team.run(&work, "write the proof");
    assert_eq!(code, 1, "{document:#}");
    assert_eq!(document["state"], "failed");
    assert!(
        document["reason"]
            .as_str()
            .is_some_and(|r| r.contains("c1")),
        "{document:#}"
    );
    assert_eq!(document["criteria"][0]["passed"], false);
    team.down();
}
