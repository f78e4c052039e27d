//! What an agent that was taken over may try on its own connections, over the warden's real socket.

#![allow(clippy::unwrap_used)]
use super::tests::{client, wanted, with_warden};
use super::*;
use crate::audit::reader::check;
use crate::blocking::connect_for;
use crate::client::Client;
use crate::tickets::ticket::{Ticket, Wanted};
use crate::wire::OfTask;
use jiff::ToSpan;
use protocol::approval::{TicketId, TicketState};
use protocol::duty::order::End;
use protocol::level::Level;
use serde_json::json;
use std::os::unix::net::UnixStream as StdStream;

fn of_task(id: &str) -> OfTask {
    OfTask {
        id: id.to_owned(),
        short: "t1".to_owned(),
        level: Level::Elevated,
        workspace: Some("/srv/shop".to_owned()),
    }
}

/// A connection as a launcher makes it. The warden is on this thread.
async fn dialled(home: &Home, role: &'static str, task: OfTask) -> io::Result<StdStream> {
    let home = home.clone();
    let dial = move || connect_for(&home, role, Some(task));
    tokio::task::spawn_blocking(dial).await.unwrap()
}

/// An agent on such a connection.
fn agent(home: &Home, stream: StdStream) -> Client {
    let stream = std::sync::Mutex::new(Some(stream));
    Client::through(home, Duration::ZERO, move || {
        let stream = stream.lock().unwrap().take();
        stream.ok_or_else(|| io::Error::other("a second connection"))
    })
}

#[tokio::test]
async fn one_agent_does_not_take_the_wardens_connections() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let mut held = Vec::new();
        for _ in 0..LIMITS.of_task {
            held.push(dialled(&home, "infra", of_task("01")).await.unwrap());
        }
        let said = dialled(&home, "infra", of_task("01")).await.unwrap_err();
        let words = "8 connections for this task of the agent infra to the warden already";
        assert!(said.to_string().contains(words), "{said}");
        // One that was refused speaks as nobody else: it is closed.
        let refused = UnixStream::connect(home.warden_sock()).await.unwrap();
        let mut refused = BufReader::new(refused);
        let ask = json!({"v": 1, "ask": "for", "role": "infra", "task": of_task("01")});
        let line = format!("{ask}\n");
        refused.get_mut().write_all(line.as_bytes()).await.unwrap();
        let mut all = String::new();
        refused.read_to_string(&mut all).await.unwrap();
        assert!(all.contains("refused"), "{all}");
        // Others find room, and so does it once one is free.
        client(&home).freeze(true).await.unwrap();
        let other = dialled(&home, "infra", of_task("02")).await.unwrap();
        agent(&home, other).head().await.unwrap();
        held.pop();
        while dialled(&home, "infra", of_task("01")).await.is_err() {}
    })
    .await;
}

const PIN: &str = "over the hill";

/// A person who knows the PIN.
async fn person(home: &Home) -> Client {
    let mut person = client(home);
    let new = PIN.to_owned();
    person.ask(Ask::Pin { old: None, new }).await.unwrap();
    person
}

async fn connected(home: &Home, task: &str) -> Client {
    agent(home, dialled(home, "infra", of_task(task)).await.unwrap())
}

#[tokio::test]
async fn a_yes_for_a_whole_task_ends_with_the_task() {
    with_warden(|home| async move {
        let mut person = person(&home).await;
        let mut own = connected(&home, "01").await;
        let (ticket, mark) = own.leave(&wanted("a")).await.unwrap();
        let answer = Ask::Answer {
            id: ticket.id,
            mark,
            yes: true,
            for_task: true,
            because: String::new(),
            pin: Some(PIN.to_owned()),
            signature: None,
        };
        person.ask(answer).await.unwrap();
        own.burn(ticket.id, &wanted("a")).await.unwrap();
        let (next, _) = own.leave(&wanted("b")).await.unwrap();
        assert_eq!(next.state, TicketState::Approved);
        let of = |id| Ask::StillCounts { id };
        person.ask(of(ticket.id)).await.unwrap();
        assert!(own.ask(of(ticket.id)).await.is_err(), "that is for people");
        // A word about another task is none about this one.
        for (task, leaves) in [("02", vec!["01".to_owned()]), ("01", Vec::new())] {
            assert_eq!(person.leaves().await.unwrap(), ["01"]);
            let task = task.to_owned();
            person.ask(Ask::Cancel { task }).await.unwrap();
            assert_eq!(person.leaves().await.unwrap(), leaves);
        }
        let wanted = |step| Box::new(wanted(step));
        for ask in [
            Ask::Request {
                wanted: wanted("c"),
            },
            Ask::Burn {
                id: ticket.id,
                wanted: wanted("a"),
            },
            Ask::Burn {
                id: next.id,
                wanted: wanted("b"),
            },
            Ask::Hour {
                wanted: wanted("c"),
                count: true,
            },
        ] {
            let said = own.ask(ask).await.unwrap_err().to_string();
            assert!(said.contains("no leave of it counts any more"), "{said}");
        }
        assert!(own.leaves().await.is_err(), "that is for people");
        // Nor does its launcher carry out what it was used for.
        let said = person.ask(of(ticket.id)).await.unwrap_err().to_string();
        assert!(said.contains("no leave of it counts any more"), "{said}");
    })
    .await;
}

fn restart(key: &str) -> Wanted {
    let duty = json!({"duty": "service", "unit": "shop", "verb": "restart"});
    Wanted {
        level: 2,
        kind: "service.change".to_owned(),
        action: json!({"do": "duty", "duty": duty, "key": key}),
        ..wanted(key)
    }
}

/// What was used is begun soon or not at all: a yes is no yes for another day, nor for a task that is over.
#[tokio::test]
async fn a_ticket_that_was_used_long_ago_begins_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    std::fs::create_dir_all(home.warden()).unwrap();
    let rules = "acts: {service.change: ask}\noperations: {services: {shop: {verbs: [restart], agents: [infra]}}}\n";
    std::fs::create_dir_all(home.config()).unwrap();
    std::fs::write(home.config().join("permissions.yaml"), rules).unwrap();
    let now = Timestamp::now();
    let used = |id: u64, key: &str, minutes: i64| Ticket {
        state: TicketState::Used,
        used: Some(now - minutes.minutes()),
        ..Ticket::of(TicketId(id), restart(key), "web1", now - 60.minutes())
    };
    let of_sandbox = Wanted {
        task: "04".to_owned(),
        ..wanted("request")
    };
    let tickets = [
        used(1, "young", 20),
        used(2, "old", 31),
        used(3, "later", -5),
        Ticket {
            wanted: of_sandbox,
            ..used(4, "request", 600)
        },
    ];
    let lines = tickets.map(|one| serde_json::to_string(&one).unwrap() + "\n");
    std::fs::write(home.warden().join("tickets.jsonl"), lines.concat()).unwrap();
    let story = async {
        client(&home).head().await.unwrap();
        // An act of a sandbox is made again by whoever recovers its step, however late: until its task is over.
        assert_eq!(client(&home).leaves().await.unwrap(), ["01", "04"]);
        let mut own = connected(&home, "01").await;
        for (id, key, expected) in [
            // It comes as far as what was shown, of which nothing is kept here.
            (1, "young", "nobody was shown"),
            (2, "old", "more than half an hour ago"),
            (3, "later", "more than half an hour ago"),
        ] {
            // A step that is recovered uses its ticket again: that makes it no younger.
            own.burn(TicketId(id), &restart(key)).await.unwrap();
            let patience = Duration::from_secs(5);
            let said = own.operate(&restart(key), 1, patience).await.unwrap_err();
            assert!(said.to_string().contains(expected), "{key}: {said}");
        }
        let task = "01".to_owned();
        client(&home).ask(Ask::Cancel { task }).await.unwrap();
        let patience = Duration::from_secs(5);
        let ended = own.operate(&restart("young"), 1, patience).await.unwrap();
        assert_eq!(ended.end, End::Not);
        assert!(ended.text.contains("was cancelled or is over"), "{ended:?}");
    };
    tokio::select! {
        ended = run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = story => {}
    }
}

#[tokio::test]
async fn what_no_rule_counts_fills_no_file() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let file = home.root.join("config/permissions.yaml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "at_most: {sql.change: {per_hour: 3}}\n").unwrap();
        let mut own = connected(&home, "01").await;
        for n in 0..5 {
            let one = wanted(&format!("s{n}"));
            assert_eq!(own.hour(&one, true).await.unwrap(), None);
            let one = Wanted {
                kind: "sql.change".to_owned(),
                ..one
            };
            assert_eq!(own.hour(&one, true).await.unwrap().is_some(), n >= 3, "{n}");
        }
        let lines = std::fs::read_to_string(home.warden().join("hours.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
        for (kind, step, words) in [
            ("x".repeat(65), "s".to_owned(), "a kind of act is called"),
            (
                "Sql change".to_owned(),
                "s".to_owned(),
                "a kind of act is called",
            ),
            (
                "sql.change".to_owned(),
                "s".repeat(513),
                "has at most 512 bytes",
            ),
        ] {
            let one = Wanted {
                kind,
                step,
                ..wanted("s")
            };
            let said = own.hour(&one, true).await.unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_counted_leaves_its_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    std::fs::create_dir_all(home.config()).unwrap();
    std::fs::create_dir_all(home.warden()).unwrap();
    let one = wanted("a");
    let rules = format!("at_most: {{{}: {{per_hour: 10}}}}\n", one.kind);
    std::fs::write(home.config().join("permissions.yaml"), rules).unwrap();
    let now = Timestamp::now();
    let line = |n| {
        let line = json!({"v": 1, "at": now, "kind": one.kind, "digest": n, "task": one.task});
        format!("{line}\n")
    };
    let lines: String = (0..1000).map(|n| line(n.to_string())).collect();
    std::fs::write(home.warden().join("hours.jsonl"), lines).unwrap();
    let story = async {
        let mut person = person(&home).await;
        let mut own = connected(&home, "01").await;
        let (ticket, mark) = own.leave(&one).await.unwrap();
        let answer = Ask::Answer {
            id: ticket.id,
            mark,
            yes: true,
            for_task: false,
            because: String::new(),
            pin: Some(PIN.to_owned()),
            signature: None,
        };
        person.ask(answer).await.unwrap();
        let said = own.burn(ticket.id, &one).await.unwrap_err().to_string();
        assert!(said.contains("1000 acts"), "{said}");
        let (kept, _) = own.leave(&one).await.unwrap();
        assert_eq!(kept.state, TicketState::Approved);
    };
    tokio::select! {
        ended = run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = story => {}
    }
}

#[tokio::test]
async fn an_agent_ends_trust_in_the_workspace_of_its_task_alone() {
    with_warden(|home| async move {
        let mut person = person(&home).await;
        let mut own = connected(&home, "01").await;
        let (said, made_up) = ("a".repeat(64), "b".repeat(64));
        for (path, ends) in [("/srv/other", false), ("/srv/shop", true)] {
            let trust = Ask::Trust {
                path: path.to_owned(),
                digest: said.clone(),
                pin: Some(PIN.to_owned()),
                signature: None,
            };
            person.ask(trust).await.unwrap();
            assert!(own.trusted(path, &said).await.unwrap());
            assert!(!own.trusted(path, &made_up).await.unwrap());
            let still = person.trusted(path, &said).await.unwrap();
            assert_eq!(still, !ends, "{path}");
        }
        let mut told = Vec::new();
        check(&AuditPlace::of(&home), Vec::new(), &mut |_, line| {
            if line.summary.contains("changed") {
                told.push(format!("{}/{}/{}", line.principal, line.agent, line.call));
            }
        })
        .unwrap();
        assert_eq!(told, ["/infra//srv/shop"]);
    })
    .await;
}
