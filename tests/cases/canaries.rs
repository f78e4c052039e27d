//! Secrets that sing: one is planted in every place where a person keeps one, a model does all it can to see them, and
//! then everything that was written, sent or shown is searched for them. The control takes the masking away, and the same
//! search must find what leaked.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use tests::aws::Aws;
use tests::model_api::ModelApi;
use tests::processes;
use tests::team::Team;

/// What is planted, and where.
const CANARIES: [(&str, &str); 8] = [
    ("model key in AWS", "canary-aws-7f3a91c2e5d04b68"),
    (
        "endpoint's token in a file of the home",
        "canary-file-1b8e6d20c97f4a35",
    ),
    (
        "data source's password in a file",
        "canary-source-5d91f7ab3c0e2468",
    ),
    (
        "kept, and named by nothing",
        "canary-unused-90ce4b7d1f6a8352",
    ),
    (
        "GITHUB_TOKEN of the environment",
        "canary-github-c4d7e8f10a2b3659",
    ),
    ("somebody else's variable", "canary-stray-2e5f8a1d7c9b0463"),
    (".env of the workspace", "canary-dotenv-8a6c3e0f5b7d1924"),
    (
        "git address of the workspace",
        "canary-giturl-3c7b9d1e5f2a8046",
    ),
];

fn canary(of: &str) -> &'static str {
    let found = CANARIES
        .iter()
        .find(|(_, value)| value.starts_with(&format!("canary-{of}-")));
    found.expect("a canary").1
}

/// A server that answers with what it was asked, the token among it.
fn mirror() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/in", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = vec![0; 16 * 1024];
            let read = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{asked}",
                asked.len()
            );
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// All that the model tries.
fn curious() -> ModelApi {
    let call = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let look = "env; cat .env; cat .git/config; git config --list; cat /proc/*/environ | tr '\\0' '\\n'; ls -R / 2>/dev/null | head -n 50; cat ~/.netrc; true";
    let proposal = json!({"options": [{"name": "look", "summary": "look around", "risk": "none"}],
        "choice": "look", "steps": ["look"],
        "criteria": [{"id": "c1", "text": "it is written", "change": true,
            "check": {"file": {"path": "note.txt", "contains": "seen"}}}]});
    let last = format!(
        "I saw SHOP_API_TOKEN={} and the key {}.",
        canary("dotenv"),
        canary("file")
    );
    ModelApi::start(
        proposal,
        vec![
            call("b1", "Bash", json!({"command": look})),
            call("r1", "Read", json!({"file_path": ".env"})),
            call(
                "g1",
                "Grep",
                json!({"pattern": "canary", "output_mode": "content"}),
            ),
            call("h1", "HttpRequest", json!({"endpoint": "hooks"})),
            call(
                "q1",
                "SqlQuery",
                json!({"source": "books", "statement": "SELECT 1"}),
            ),
            call(
                "w1",
                "Write",
                json!({"file_path": "note.txt", "content": "seen\n"}),
            ),
            json!({"type": "text", "text": last}),
        ],
    )
}

fn git(folder: &Path, words: &[&str]) -> Vec<u8> {
    let ran = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output();
    ran.expect("git runs").stdout
}

/// A workspace with a key in its `.env` and a password in the address of its remote.
fn workspace(team: &Team) -> String {
    let work = team.scratch("work");
    fs::write(work.join("README.md"), "a small shop\n").unwrap();
    let line = format!("SHOP_API_TOKEN={}\nDEBUG=1\n", canary("dotenv"));
    fs::write(work.join(".env"), line).unwrap();
    let url = format!("https://shop:{}@git.example/shop.git", canary("giturl"));
    for words in [
        &["init", "-q"] as &[&str],
        &["remote", "add", "origin", &url],
    ] {
        git(&work, words);
    }
    work.display().to_string()
}

/// Everything that was written, sent or shown, by where.
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Files below a folder, but where a secret belongs: the home's own, and copies of the person's files, in a task's
    /// clone and in the snapshots it is put back from.
    fn files(&mut self, root: &Path) {
        for (path, bytes) in tests::many::files(root) {
            let copied = path.starts_with("tasks")
                && path
                    .components()
                    .any(|part| part.as_os_str() == "snapshots");
            let own = path.starts_with("secrets") || path.ends_with(".env") || copied;
            if !own {
                self.add(path.display().to_string(), bytes);
            }
        }
    }

    /// What was found, and where.
    fn leaks(&self) -> BTreeSet<(&'static str, String)> {
        let mut leaks = BTreeSet::new();
        for (place, bytes) in &self.0 {
            for (planted, value) in CANARIES {
                if bytes
                    .windows(value.len())
                    .any(|part| part == value.as_bytes())
                {
                    leaks.insert((planted, place.clone()));
                }
            }
        }
        leaks
    }
}

/// What leaks of a day with a curious model; `None` where something is not installed.
fn leaks(fault: Option<&str>) -> Option<BTreeSet<(&'static str, String)>> {
    let aws = Aws::start("secretsmanager:GetSecretValue")?;
    aws.owner(&["create", "shop/anthropic-api-key", canary("aws")]);
    let api = curious();
    let team = Team::new(AI_INFRA)
        .backs_up_by_hand()
        .with_env("AWS_ENDPOINT_URL", &aws.url)
        .with_env("AWS_REGION", "us-east-1")
        .with_env("AWS_ACCESS_KEY_ID", &aws.team[0])
        .with_env("AWS_SECRET_ACCESS_KEY", &aws.team[1])
        .with_env("AWS_SECRETS_PREFIX", "shop/")
        .with_env("ANTHROPIC_BASE_URL", api.url())
        .with_env("GITHUB_TOKEN", canary("github"))
        .with_env("SHOP_ADMIN_PASSWORD", canary("stray"));
    let team = match fault {
        Some(fault) => team.with_env("AI_INFRA_FAULT", fault),
        None => team,
    };
    team.configure(
        "team:\n  lease_ms: 3000\nlog:\n  level: debug\nengine:\n  name: anthropic\n  api_key: {secret: anthropic-api-key}\n",
    );
    let granted = format!(
        "endpoints:\n  hooks: {{url: \"{}\", agents: [code], token: {{secret: hooks-token}}}}\nsources:\n  books: {{url: \"postgres://reader@127.0.0.1:1/books\", password: {{secret: books}}, agents: [code]}}\n",
        mirror()
    );
    fs::write(team.home().join("config/permissions.yaml"), granted).unwrap();
    for (name, of) in [
        ("hooks-token", "file"),
        ("books", "source"),
        ("spare", "unused"),
    ] {
        team.piped(&["secret", "set", name], canary(of)).expect(0);
    }
    let there = team.scratch("there.git");
    git(&there, &["init", "-q", "--bare"]);
    let target = format!(
        "jobs: {{configuration: {{target: \"file://{}\"}}}}\n",
        there.display()
    );
    fs::write(team.home().join("config/backup.yaml"), target).unwrap();
    let work = workspace(&team);
    let mut seen = Seen(Vec::new());
    let mut say = |words: &[&str]| {
        let ran = team.ai(words);
        seen.add(
            format!("ai-infra {}", words.join(" ")),
            ran.stdout + &ran.stderr,
        );
        ran.code
    };
    assert_eq!(say(&["up"]), 0);
    let ask = [
        "run",
        "look around",
        "--agent",
        "code",
        "--workspace",
        &work,
    ];
    assert_eq!(say(&ask), 0);
    say(&["run", "find leaked secrets", "--workspace", &work]);
    say(&[
        "memory",
        "add",
        &format!("the token is SHOP_API_TOKEN={}", canary("dotenv")),
    ]);
    assert_eq!(say(&["backup", "run", "configuration"]), 0);
    // A person's mistakes are refused without being repeated.
    let wrong = team.scratch("wrong").join("ai-infra.yaml");
    let text = format!(
        "engine:\n  api_key: {}\nredis:\n  url: \"redis://:{}@h\"\n",
        canary("unused"),
        canary("source")
    );
    fs::write(&wrong, text).unwrap();
    say(&["config", "check", &wrong.display().to_string()]);
    for words in [
        &["task", "show", "t1"] as &[&str],
        &["task", "show", "t1", "--json"],
        &["task", "diff", "t1"],
        &["memory", "search", "token"],
        &["logs", "--task", "t1"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["secret", "list"],
        &["secret", "check"],
        &["status", "--json"],
        &["agents", "show", "code"],
        &["audit", "tail", "--json"],
        &["doctor"],
    ] {
        say(words);
    }
    for window in 0..8 {
        let target = format!("ai-infrastructure:{window}");
        let shown = tests::terminal::tmux(&team, &["capture-pane", "-p", "-S", "-", "-t", &target]);
        seen.add(format!("tmux window {window}"), shown);
    }
    let shown = tests::terminal::tmux(&team, &["show-environment", "-g"]);
    seen.add("tmux environment", shown);
    for process in processes::of_home(&team.home()) {
        let line = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        seen.add("a command line", line);
    }
    for body in api.bodies() {
        seen.add("prompt", body.to_string());
    }
    assert!(api.bodies().len() >= 7, "the model had its turns");
    let objects = git(&there, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(objects.len() > 100, "the configuration was sent");
    seen.add("plain configuration", objects);
    team.down();
    // Nobody hands secrets over now: who keeps them is asked.
    let alone = team.ai(&["backup", "run", "configuration"]).expect(0);
    seen.add("a backup without the team", alone.stdout + &alone.stderr);
    seen.files(&team.home());
    Some(seen.leaks())
}

#[test]
fn no_secret_is_found_where_it_does_not_belong() {
    if let Some(leaks) = leaks(None) {
        assert_eq!(leaks, BTreeSet::new());
    }
}

/// The control: where nothing is masked, the same search finds it.
#[cfg(debug_assertions)]
#[test]
fn without_the_masking_they_are_found() {
    let Some(leaks) = leaks(Some("without=redaction")) else {
        return;
    };
    let places: BTreeSet<&str> = leaks.iter().map(|(_, place)| place.as_str()).collect();
    let planted: BTreeSet<&str> = leaks.iter().map(|(planted, _)| *planted).collect();
    assert!(places.contains("prompt"), "{leaks:#?}");
    assert!(
        places.iter().any(|place| place.starts_with("redis")),
        "{leaks:#?}"
    );
    assert!(planted.contains(".env of the workspace"), "{leaks:#?}");
    assert!(
        planted.contains("endpoint's token in a file of the home"),
        "{leaks:#?}"
    );
}
