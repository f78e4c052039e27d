//! Every document that `--json` prints has a version. The verbs are read from the binary's own help,
//! so that a new one cannot be forgotten.

use crate::AI_INFRA;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::postgres;
use tests::processes::wait_until;
use tests::team::Team;

/// Every verb whose help knows `--json`.
fn verbs(team: &Team, path: &[String], into: &mut Vec<String>) {
    let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let help = team.ai(&words).expect(0).stdout;
    if help
        .lines()
        .any(|line| line.trim_start().starts_with("--json"))
    {
        into.push(path.join(" "));
    }
    let inner = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in inner.take_while(|line| !line.trim().is_empty()) {
        // A description that goes on in the next line stands further right.
        let name = match line.strip_prefix("  ") {
            Some(rest) if !rest.starts_with(' ') => rest.split_whitespace().next(),
            _ => None,
        };
        if let Some(name) = name.filter(|name| *name != "help") {
            verbs(team, &[path, &[name.to_owned()]].concat(), into);
        }
    }
}

/// Verbs that this story does not call: one measures for minutes, one needs a ticket (`approvals.rs` makes
/// some), the others a repository of the configuration (`configuration.rs` has one).
const ELSEWHERE: [&str; 7] = [
    "approvals show",
    "bench",
    "backup conflicts",
    "backup conflicts list",
    "backup conflicts show",
    "backup versions list",
    "backup versions rollback",
];

fn has_version(verb: &str, text: &str) {
    let documents: Vec<Value> = match serde_json::from_str::<Value>(text) {
        Ok(document) => vec![document],
        Err(_) => text
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{verb}: {e}: {line}"))
            })
            .collect(),
    };
    assert!(!documents.is_empty(), "{verb} printed nothing");
    for document in documents {
        // A sealed line is shown as it stands, with the version it was sealed with.
        let version = match verb {
            "audit tail" => &document["v"],
            _ => &document["version"],
        };
        assert!(version.is_u64(), "{verb}: {document:#}");
    }
}

#[test]
fn every_document_has_a_version() {
    let team = Team::new(AI_INFRA);
    let backups = team.scratch("backups").display().to_string();
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &backups);
    let mut found = Vec::new();
    verbs(&team, &[], &mut found);
    found.retain(|verb| !ELSEWHERE.contains(&verb.as_str()));
    assert!(found.len() > 30, "{found:?}");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: one\n").expect("a file");
    std::fs::write(
        work.join("CLAUDE.md"),
        "# Notes\n\nDeploys go out on Tuesdays.\n",
    )
    .expect("a file");
    let (work, notes) = (
        work.display().to_string(),
        work.join("CLAUDE.md").display().to_string(),
    );
    let restored = team.scratch("restored").join("here").display().to_string();
    let ledger = postgres::database().map(|database| (database.socket_url("postgres"), database));
    let to = ledger.as_ref().map_or("file", |(url, _)| url).to_owned();
    // How each is called so that it prints something, in this order; `ledger move` needs a team that is down.
    let calls: &[(&str, &[&str])] = &[
        ("run", &["what is unfinished here?", "--workspace", &work]),
        ("chat", &["--workspace", &work]),
        ("status", &[]),
        ("doctor", &[]),
        ("host list", &[]),
        ("task list", &[]),
        ("task show", &["t1"]),
        ("task follow", &["t1"]),
        ("task logs", &["t1"]),
        ("task retry", &["t1"]),
        ("agents list", &[]),
        ("agents show", &["code"]),
        ("logs", &["-n", "5"]),
        ("costs", &[]),
        ("dead list", &[]),
        ("dead show", &["DEAD"]),
        ("dead replay", &["DEAD"]),
        ("workspace list", &[]),
        ("memory search", &["deploys"]),
        ("memory stats", &[]),
        ("memory import", &[&notes]),
        ("playbook list", &[]),
        ("playbook check", &[]),
        ("schedule list", &[]),
        ("schedule show", &["nightly"]),
        ("schedule run", &["nightly"]),
        ("backup run", &[]),
        ("backup drill", &[]),
        ("backup drill", &[]),
        ("backup list", &[]),
        ("backup verify", &[]),
        ("backup restore", &["code", "--to", &restored]),
        ("approvals list", &[]),
        ("workspace trust", &["--show"]),
        ("audit tail", &[]),
        ("audit verify", &[]),
        ("config show", &[]),
        ("config check", &[]),
        ("secret list", &[]),
        ("ledger status", &[]),
        ("ledger move", &["--to", &to]),
    ];
    let told: BTreeMap<&str, &[&str]> = calls.iter().copied().collect();
    let forgotten: Vec<&String> = found
        .iter()
        .filter(|v| !told.contains_key(v.as_str()))
        .collect();
    assert!(
        forgotten.is_empty(),
        "tell here how they are called: {forgotten:?}"
    );
    let gone: Vec<_> = told
        .keys()
        .filter(|v| !found.iter().any(|f| f == *v))
        .collect();
    assert!(
        gone.is_empty(),
        "these print no documents any more: {gone:?}"
    );

    team.up();
    team.ai(&[
        "schedule",
        "add",
        "nightly",
        "--when",
        "@daily",
        "--workspace",
        &work,
        "what is unfinished here?",
    ])
    .expect(0);
    let mut dead = String::new();
    for (verb, more) in calls {
        if *verb == "ledger move" {
            team.down();
            if ledger.is_none() {
                continue;
            }
        }
        if *verb == "dead list" {
            dead = letter(&team);
        }
        let more = more
            .iter()
            .map(|word| if *word == "DEAD" { dead.as_str() } else { word });
        let words: Vec<&str> = verb.split(' ').chain(more).chain(["--json"]).collect();
        let ran = match *verb {
            "chat" => team.piped(&words, "what is unfinished here?\n"),
            _ => team.ai(&words),
        };
        // `doctor` may find something on this machine: its document is whole all the same.
        assert!(ran.code == 0 || *verb == "doctor", "{verb}: {ran:#?}");
        has_version(verb, &ran.stdout);
    }
    team.ai(&["config", "check", &notes, "--as", "plan", "--json"])
        .expect(2)
        .json();
}

/// Makes a dead letter of the first task, and says its id.
fn letter(team: &Team) -> String {
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let document = &page["task"]["document"];
    let task = document["task_id"].as_str().expect("an id");
    let letters = format!("{{main}}:dead:{}", document["agent"].as_str().expect("one"));
    let fields = [
        "stream", "{main}:q", "entry", "1-0", "reason", "a story", "at", "0", "size", "1", "task",
        task, "body", "x",
    ];
    team.redis(&[&["XADD", &letters, "*"][..], &fields].concat(), "");
    let listed = || {
        let list = team.ai(&["dead", "list", "--json"]).expect(0).json();
        list["dead"][0]["id"].as_str().map(str::to_owned)
    };
    assert!(
        wait_until(Duration::from_secs(10), || listed().is_some()),
        "no dead letter"
    );
    listed().expect("one")
}
