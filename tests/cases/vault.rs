//! Secrets in AWS Secrets Manager, with moto (its rights switched on) in its place: what is kept there
//! is loaded, a new value is taken up without a restart, and where the service refuses or is away the
//! known value goes on and it is said.

use crate::AI_INFRA;
use serde_json::json;
use std::time::Duration;
use tests::aws::Aws;
use tests::model_api::ModelApi;
use tests::postgres::{self, PASSWORD};
use tests::processes::wait_until;
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(30);

/// A team that may read what `aws` keeps below `shop/`.
fn team_of(aws: &Aws) -> Team {
    Team::new(AI_INFRA)
        .with_env("AWS_ENDPOINT_URL", &aws.url)
        .with_env("AWS_REGION", "us-east-1")
        .with_env("AWS_ACCESS_KEY_ID", &aws.team[0])
        .with_env("AWS_SECRET_ACCESS_KEY", &aws.team[1])
        .with_env("AWS_SECRETS_PREFIX", "shop/")
}

#[test]
fn a_key_that_was_replaced_is_taken_up_by_the_task_that_is_refused_with_the_old_one() {
    let Some(aws) = Aws::start("secretsmanager:GetSecretValue") else {
        return;
    };
    let key = "shop/anthropic-api-key";
    aws.owner(&["create", key, "sk-ant-first"]);
    let proposal = json!({"options": [{"name": "write", "summary": "write it", "risk": "none"}],
        "choice": "write", "steps": ["write"],
        "criteria": [{"id": "c1", "text": "it is written", "change": true,
            "check": {"file": {"path": "note.txt", "contains": "hello"}}}]});
    let write = json!({"type": "tool_use", "id": "w1", "name": "Write",
        "input": {"file_path": "note.txt", "content": "hello\n"}});
    let api = ModelApi::start(proposal, vec![write]);
    // The daemon would not look by itself for an hour.
    let team = team_of(&aws).with_env("ANTHROPIC_BASE_URL", api.url());
    team.configure(
        "team:\n  lease_ms: 1500\nsecrets:\n  every_s: 3600\nengine:\n  name: anthropic\n  api_key: {secret: anthropic-api-key}\n",
    );
    team.up();
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
    let work = work.display().to_string();
    let run = || {
        let words = [
            "run",
            "write a greeting",
            "--agent",
            "code",
            "--workspace",
            &work,
        ];
        team.ai(&words)
    };
    api.takes_only("sk-ant-second");
    aws.owner(&["put", key, "sk-ant-second"]);
    run().expect(0);
    assert_eq!(api.refusals(), 1, "the old key was tried once");
    // One that is refused and has no other: it fails at once, and says what to do.
    api.takes_only("sk-ant-third");
    let failed = run().expect(1);
    assert!(
        failed.stdout.contains("refused the key") || failed.stderr.contains("refused the key"),
        "{}{}",
        failed.stdout,
        failed.stderr
    );
    assert_eq!(api.refusals(), 2);
    team.down();
}

#[test]
fn a_database_is_one_secret_as_amazon_keeps_it_and_check_says_what_is_kept() {
    let (Some(aws), Some(database)) = (
        Aws::start("secretsmanager:GetSecretValue"),
        postgres::database(),
    ) else {
        return;
    };
    let kept = json!({"engine": "postgres", "username": "writer", "password": PASSWORD,
        "host": "127.0.0.1", "port": database.cluster().port(), "dbname": database.name});
    aws.owner(&["create", "shop/postgres", &kept.to_string()]);
    let team = team_of(&aws);
    team.configure("team:\n  lease_ms: 1500\nledger:\n  url: {secret: postgres}\n");
    let checked = team.ai(&["secret", "check"]).expect(0);
    let says = |part: &str| assert!(checked.stdout.contains(part), "{}", checked.stdout);
    says("✓ AWS Secrets Manager keeps shop/postgres");
    says("- AWS Secrets Manager keeps no shop/anthropic-api-key");
    team.up().expect(0);
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: nothing\n").expect("a file");
    let (code, done) = team.run(&work, "list the todo marks");
    assert_eq!(code, 0, "{done:#}");
    let tasks = database.sql("SELECT schemaname FROM pg_tables WHERE tablename = 'tasks'");
    assert!(!tasks.trim().is_empty(), "the ledger is there");
    aws.owner(&["deny"]);
    let denied = team.ai(&["secret", "check"]).expect(1);
    assert!(denied.stdout.contains("✗ AWS does not let this host read"));
    for said in [&checked.stdout, &denied.stdout] {
        assert!(!said.contains(PASSWORD));
    }
    team.down();
}

#[test]
fn secrets_are_loaded_rotated_and_outlive_a_service_that_refuses_or_is_away() {
    let Some(mut aws) = Aws::start("secretsmanager:GetSecretValue") else {
        return;
    };
    let key = "shop/anthropic-api-key";
    aws.owner(&["create", key, "sk-ant-first"]);
    let team = team_of(&aws);
    team.configure("secrets:\n  every_s: 1\nengine:\n  api_key: {secret: anthropic-api-key}\n");
    team.up();
    let listed = || team.ai(&["secret", "list", "--json"]).expect(0);
    let first = listed().json()["sources"].clone();
    let ours = |sources: &serde_json::Value| {
        let all = sources.as_array().cloned().unwrap_or_default();
        let ours = all
            .into_iter()
            .find(|one| one["name"] == "anthropic-api-key");
        ours.unwrap_or_default()
    };
    assert_eq!(ours(&first)["source"], "aws", "{first:#}");
    assert!(!listed().stdout.contains("sk-ant"), "a value is shown");
    assert_eq!(team.status()["problems"].as_array().map(Vec::len), Some(0));
    // A new value: agents and supervisor start anew by themselves, the daemon does not.
    let (agent, daemon) = (team.pid("code"), team.pid("daemon"));
    aws.owner(&["put", key, "sk-ant-second"]);
    let anew = || team.noted_pid("agent-code").is_some_and(|pid| pid != agent);
    assert!(wait_until(PATIENCE, anew), "the new value is not taken up");
    assert_ne!(
        ours(&listed().json()["sources"])["since"],
        ours(&first)["since"]
    );
    assert!(wait_until(PATIENCE, || team.status()["state"] == "up"));
    // Refused, then away: the known value goes on.
    let says = |word: &str| {
        let said = wait_until(PATIENCE, || {
            let problems = team.status()["problems"].to_string();
            problems.contains(word) && problems.contains("goes on")
        });
        assert!(said, "{word}: {:#}", team.status());
        assert_eq!(ours(&listed().json()["sources"])["source"], "aws");
    };
    aws.owner(&["deny"]);
    says("AWS does not let this host read `shop/anthropic-api-key`");
    aws.end();
    says("does not answer");
    assert_eq!(team.pid("daemon"), daemon);
    team.down();
}
