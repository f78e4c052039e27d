//! What changes the world under a key: the same call twice changes it once, and a sandbox that
//! reaches one thing outside reaches nothing else.

use super::*;
use guard::act::Key;
use guard::deadline::Deadline;
use guard::outside::{Credential, Database, Endpoint, Outside, Reach, Source};
use guard::sandbox::spec::Kind;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;

/// Whoever works where the tester owns everything; root gives the folder away.
pub(super) fn worker(folder: &Path) -> Owner {
    if nix::unistd::geteuid().is_root() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            std::os::unix::fs::chown(entry.path(), Some(SERVICE.uid), Some(SERVICE.gid)).unwrap();
        }
        std::os::unix::fs::chown(folder, Some(SERVICE.uid), Some(SERVICE.gid)).unwrap();
    }
    let seen = std::fs::metadata(folder).unwrap();
    Owner {
        uid: seen.uid(),
        gid: seen.gid(),
    }
}

/// A sandbox that reaches one thing.
pub(super) fn spec(reach: Reach, owner: Owner) -> SandboxSpec {
    SandboxSpec {
        exe: exe(),
        kind: Kind::Outside(reach),
        owner,
        toolchains: false,
        home: home(),
        limits: Limits::default(),
        most: protocol::task::Ceiling::HIGHEST,
        deadline: Deadline::after(LONG),
        proxy: None,
        only: None,
        trace: None,
    }
}

pub(super) async fn open(reach: Reach, owner: Owner) -> Executor {
    Executor::start(spec(reach, owner)).await.unwrap()
}

pub(super) async fn carry_out(
    executor: &mut Executor,
    operation: Operation,
    outside: &Outside,
) -> Outcome {
    carry_out_within(executor, operation, outside, LONG).await
}

pub(super) async fn carry_out_within(
    executor: &mut Executor,
    operation: Operation,
    outside: &Outside,
    most: Duration,
) -> Outcome {
    let act = Act::of(operation);
    let grant = Grant {
        outside: outside.clone(),
        ..grant(Level::Standard)
    };
    match judge(&act, &grant) {
        Decision::Allow(leave) => executor.run(&act, leave, most).await.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn tell(statement: &str, key: &str) -> Operation {
    Operation::SqlExecute {
        source: "shop".to_owned(),
        statement: statement.to_owned(),
        params: vec!["pear".into()],
        key: key.to_owned(),
    }
}

fn ask(statement: &str) -> Operation {
    Operation::SqlQuery {
        source: "shop".to_owned(),
        statement: statement.to_owned(),
        params: Vec::new(),
        limit: 10,
    }
}

#[tokio::test]
async fn a_statement_changes_a_database_once_for_its_key() {
    if !can_sandbox() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    std::fs::write(&file, "").unwrap();
    let owner = worker(folder.path());
    let mut outside = Outside::default();
    let source = Source {
        database: Database::Sqlite { file: file.clone() },
        write: true,
        backups: None,
    };
    outside.sources.insert("shop".to_owned(), source);
    let reach = outside.reach(&tell("x", "k")).unwrap();
    let mut executor = open(reach, owner).await;
    let table = tell("CREATE TABLE fruit (name TEXT DEFAULT $1)", "k0");
    let refused = carry_out(&mut executor, table, &outside).await;
    assert!(refused.is_error, "{}", refused.text);
    let mut table = tell("CREATE TABLE fruit (name TEXT)", "k0");
    if let Operation::SqlExecute { params, .. } = &mut table {
        params.clear();
    }
    carry_out(&mut executor, table, &outside).await;
    let insert = || tell("INSERT INTO fruit (name) VALUES ($1)", "k1");
    let first = carry_out(&mut executor, insert(), &outside).await;
    assert_eq!(first.data["changed"], 1, "{}", first.text);
    executor.stop().await;
    // A new holder makes the call again: the key says that it happened.
    let mut executor = open(outside.reach(&insert()).unwrap(), owner).await;
    let again = carry_out(&mut executor, insert(), &outside).await;
    assert_eq!(
        (&again.data["changed"], &again.data["before"]),
        (&1.into(), &true.into())
    );
    let other = tell("INSERT INTO fruit (name) VALUES ($1)", "k2");
    carry_out(&mut executor, other, &outside).await;
    // What fails leaves no key, and may be tried again.
    for _ in 0..2 {
        let wrong = tell("INSERT INTO nowhere (name) VALUES ($1)", "k3");
        assert!(carry_out(&mut executor, wrong, &outside).await.is_error);
    }
    executor.stop().await;
    let mut reader = open(outside.reach(&ask("x")).unwrap(), owner).await;
    let found = carry_out(
        &mut reader,
        ask("SELECT name, 1.5 AS price FROM fruit"),
        &outside,
    )
    .await;
    assert_eq!(
        found.data["rows"],
        serde_json::json!([{"name": "pear", "price": 1.5}, {"name": "pear", "price": 1.5}])
    );
    let write = carry_out(&mut reader, ask("DELETE FROM fruit"), &outside).await;
    assert!(
        write.is_error,
        "a question changed something: {}",
        write.text
    );
    // The sandbox of the source runs no program and reads no file.
    for operation in [
        shell("id"),
        Operation::Read {
            path: "x".into(),
            offset: 1,
            limit: 1,
        },
    ] {
        let act = Act::of(operation);
        let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
            panic!("allowed");
        };
        assert!(reader.run(&act, leave, LONG).await.unwrap().is_error);
    }
    reader.stop().await;
}

/// A server that answers each request with `answer` and hands what it was asked to the test.
fn server(answer: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut seen = [0; 4096];
            let read = stream.read(&mut seen).unwrap_or(0);
            let _ = tell.send(String::from_utf8_lossy(&seen[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, asked)
}

fn post(url: &str, key: Option<&str>) -> Operation {
    Operation::HttpRequest {
        endpoint: "hooks".to_owned(),
        method: "POST".to_owned(),
        url: url.to_owned(),
        body: "{}".to_owned(),
        json: true,
        key: key.map(|value| Key {
            header: "Idempotency-Key".to_owned(),
            value: value.to_owned(),
        }),
    }
}

fn hooks(url: &str, keyed: bool) -> Outside {
    let endpoint = Endpoint {
        url: url.to_owned(),
        key_header: keyed.then(|| "Idempotency-Key".to_owned()),
        token: Some(Credential::new("hunter2")),
    };
    Outside {
        endpoints: [("hooks".to_owned(), endpoint)].into(),
        ..Outside::default()
    }
}

#[tokio::test]
async fn a_request_carries_its_key_and_follows_nothing() {
    if !can_sandbox() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = worker(folder.path());
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let (url, asked) = server(redirect);
    let outside = hooks(&url, true);
    let operation = post(&format!("{url}/deploy"), Some("k1"));
    let mut executor = open(outside.reach(&operation).unwrap(), owner).await;
    let outcome = carry_out(&mut executor, operation, &outside).await;
    assert!(
        outcome.is_error && outcome.data["status"] == 302,
        "{}",
        outcome.text
    );
    assert!(!outcome.text.contains("hunter2"));
    let seen = asked.recv().unwrap();
    for words in [
        "POST /in/deploy ",
        "idempotency-key: k1",
        "authorization: Bearer hunter2",
    ] {
        assert!(seen.contains(words), "{seen}");
    }
    // Opened for this endpoint: nothing else is reached from inside, whatever is asked.
    let (other, untouched) = server(redirect);
    let stray = post(&other, Some("k1"));
    let outcome = carry_out(&mut executor, stray, &hooks(&other, true)).await;
    assert!(outcome.is_error, "{}", outcome.text);
    assert!(untouched.try_recv().is_err());
    executor.stop().await;
}

#[tokio::test]
async fn a_request_whose_answer_breaks_off_is_in_doubt_and_repeated_only_under_a_key() {
    if !can_sandbox() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let owner = worker(folder.path());
    for (key, requests) in [(Some("k1"), 3), (None, 1)] {
        let (url, asked) = server("");
        let outside = hooks(&url, key.is_some());
        let operation = post(&url, key);
        let mut executor = open(outside.reach(&operation).unwrap(), owner).await;
        let outcome = carry_out(&mut executor, operation, &outside).await;
        assert_eq!(outcome.data["unknown"], true, "{}", outcome.text);
        executor.stop().await;
        assert_eq!(asked.try_iter().count(), requests);
    }
}

#[tokio::test]
async fn a_commit_is_made_once_for_its_key() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|shop| {
        git(shop, &["init", "-q"]);
        write(shop, "a.txt", "one\n");
        git(shop, &["add", "."]);
        git(shop, &["commit", "-q", "-m", "first"]);
    });
    let commit = || Operation::GitCommit {
        message: "second".to_owned(),
        paths: Vec::new(),
        key: "k1".to_owned(),
    };
    let mut executor = stage.executor().await;
    sh(
        &mut executor,
        "echo two >> a.txt; echo new > b.txt; touch .git/index.lock .git/HEAD.lock .git/refs/heads/$(git branch --show-current).lock",
    )
    .await;
    let first = run(&mut executor, commit(), LONG).await;
    assert!(!first.is_error, "{}", first.text);
    let again = run(&mut executor, commit(), LONG).await;
    assert_eq!(
        (&again.data["commit"], &again.data["before"]),
        (&first.data["commit"], &true.into())
    );
    let log = sh(
        &mut executor,
        "git log --format='%s %(trailers:key=Ai-Infra-Key,valueonly)' && git status --short",
    )
    .await;
    assert_eq!(
        log.split_whitespace().collect::<Vec<_>>(),
        ["second", "k1", "first"]
    );
    executor.stop().await;
}
