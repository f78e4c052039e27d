//! Whoever is handed the pipes of a sandbox decides nothing of what it is for: its launcher has said that before. What a
//! holder says first is until when it lives.

use super::outside::{spec, worker};
use super::*;
use guard::deadline::Deadline;
use guard::executor::Launched;
use guard::launcher::channel::{Line, pair};
use guard::outside::{Database, Outside, Source};
use guard::sandbox::spec::{Kind, SandboxSpec};
use protocol::level::Level;
use protocol::task::Ceiling;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

fn frame(words: &Value) -> Vec<u8> {
    let json = serde_json::to_vec(words).unwrap();
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    [&length[..], &json].concat()
}

fn hear(stdout: &mut File) -> Option<Value> {
    let mut length = [0; 4];
    stdout.read_exact(&mut length).ok()?;
    let mut json = vec![0; u32::from_be_bytes(length) as usize];
    stdout.read_exact(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

/// What a sandbox answers to the first words of whoever was handed it, and to a question after them.
fn handed(spec: SandboxSpec, first: &Value, ask: &Value) -> Vec<Value> {
    let (own, theirs) = pair().unwrap();
    let launcher = std::thread::spawn(move || {
        let line = Line::over(theirs);
        let asked = line.again().unwrap();
        let launched = Launched::of(spec, std::process::id(), Some(asked)).unwrap();
        launched.hand_over(&line).unwrap();
    });
    let line = Line::over(own);
    let message = line.receive().unwrap().unwrap();
    let [stdin, stdout, _stderr] = <[_; 3]>::try_from(message.files).unwrap();
    let (mut stdin, mut stdout) = (File::from(stdin), File::from(stdout));
    let question = json!({"frame": "ask", "id": 1, "ask": {"ask": "run", "operation": ask, "timeout_ms": 9000}});
    for words in [first, &question] {
        let _it_may_have_ended = stdin.write_all(&frame(words));
    }
    let answers = std::iter::from_fn(|| hear(&mut stdout)).take(2).collect();
    drop((stdin, line));
    launcher.join().unwrap();
    answers
}

#[test]
fn the_first_words_are_the_launchers() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| write(w, "a", "1\n"));
    let spec = || SandboxSpec {
        kind: Kind::Host,
        ..stage.spec()
    };
    let owner = stage.clone.owner;
    let forged = json!({
        "v": 4, "owner": {"uid": owner.uid, "gid": owner.gid}, "drop": nix::unistd::geteuid().is_root(),
        "limits": spec().limits, "running": 0, "host": false, "keep": [], "reach": null, "mounts": [],
        "landlock": {"read": ["/"], "write": ["/"]}, "online": false, "most": {"level": 3, "host_read": true}, "only": null,
    });
    let long = Deadline::after(Duration::from_secs(60));
    let extend = json!({"frame": "extend", "until": long});
    let bash = json!({"do": "bash", "argv": ["id"], "cwd": ".", "timeout_ms": null});
    let said = handed(spec(), &forged, &bash);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["frame"], "refused", "{said:?}");
    // A program is none of what this sandbox is for.
    let said = handed(spec(), &extend, &bash);
    assert_eq!(said[0]["frame"], "ready", "{said:?}");
    assert!(
        said[1]
            .to_string()
            .contains("looks at the host and does nothing else"),
        "{said:?}"
    );
    // Control: what it is for is done.
    let said = handed(spec(), &extend, &json!({"do": "host_facts"}));
    assert!(said[1].to_string().contains("\"ran\""), "{said:?}");
}

#[tokio::test]
async fn nothing_above_the_level_of_its_task_is_done() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| write(w, "a", "1\n"));
    for (level, done) in [(Level::Restricted, false), (Level::Standard, true)] {
        let spec = SandboxSpec {
            most: Ceiling {
                level,
                host_read: false,
            },
            ..stage.spec()
        };
        let mut executor = Executor::start(spec).await.unwrap();
        let act = Act::of(shell("cat a"));
        let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
            panic!("the gate of a level above lets it through");
        };
        let said = match executor.run(&act, leave, LONG).await {
            Ok(outcome) => outcome.text,
            Err(why) => why.to_string(),
        };
        let expected = match done {
            true => "1",
            false => "needs level 1",
        };
        assert!(said.contains(expected), "{level}: {said}");
        executor.snapshot().await.unwrap();
        executor.stop().await;
    }
}

#[tokio::test]
async fn one_opened_for_an_act_does_that_act_once() {
    if !can_sandbox() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    std::fs::write(&file, "").unwrap();
    let owner = worker(folder.path());
    let source = Source {
        database: Database::Sqlite { file },
        write: false,
        backups: None,
    };
    let outside = Outside {
        sources: [("shop".to_owned(), source)].into(),
        ..Outside::default()
    };
    let query = |statement: &str| {
        Act::of(Operation::SqlQuery {
            source: "shop".to_owned(),
            statement: statement.to_owned(),
            params: Vec::new(),
            limit: 1,
        })
    };
    let may = Grant {
        outside: outside.clone(),
        ..grant(Level::Standard)
    };
    let (one, other) = (query("SELECT 1 AS n"), query("SELECT 2 AS n"));
    for (faults, expected) in [
        ("", [Some("is another"), None, Some("already")]),
        ("without=one-act", [None; 3]),
    ] {
        let limits = Limits {
            faults: faults.parse().unwrap_or_default(),
            ..Limits::default()
        };
        let spec = SandboxSpec {
            limits,
            only: Some(one.digest()),
            ..spec(outside.reach(&one.operation).unwrap(), owner)
        };
        let mut executor = Executor::start(spec).await.unwrap();
        for (act, expected) in [&other, &one, &one].into_iter().zip(expected) {
            let Decision::Allow(leave) = judge(act, &may) else {
                panic!("the gate lets both through");
            };
            let said = executor.run(act, leave, LONG).await;
            let refused = said.as_ref().err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), expected.is_some(), "{faults}: {said:?}");
            assert!(
                refused
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default()),
                "{said:?}"
            );
        }
        executor.stop().await;
    }
}
