//! The warden over its real socket.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::audit::line::Entry;
use crate::audit::line::tests::entry;
use crate::audit::reader::check;
use crate::client::{Client, WardenError};
use crate::tickets::ticket::Wanted;
use crate::wire::OfTask;
use protocol::approval::TicketState;
use protocol::level::Level;
use std::time::Instant;

pub(super) async fn with_warden<F: Future<Output = ()>>(work: impl FnOnce(Home) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    tokio::select! {
        ended = run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = work(home.clone()) => {}
    }
}

pub(super) fn client(home: &Home) -> Client {
    Client::new(home, Duration::from_secs(5))
}

#[tokio::test]
async fn lines_of_many_are_one_chain() {
    with_warden(|home| async move {
        let mut all = tokio::task::JoinSet::new();
        for who in 0..4 {
            let mut warden = client(&home);
            all.spawn(async move {
                for n in 0..25 {
                    let entry = entry(&format!("{who}/{n}"));
                    warden.note(&entry, n % 5 == 0).await.unwrap();
                }
            });
        }
        all.join_all().await;
        let head = client(&home).head().await.unwrap();
        assert_eq!(head.seq, 101);
        let checked = check(&AuditPlace::of(&home), Vec::new(), &mut |_, _| ()).unwrap();
        assert_eq!(checked.whole.head, head);
        assert!(checked.sealed);
    })
    .await;
}

#[tokio::test]
async fn a_line_costs_an_act_little() {
    with_warden(|home| async move {
        let mut warden = client(&home);
        warden.note(&entry("first"), true).await.unwrap();
        let began = Instant::now();
        for n in 0..200 {
            warden.note(&entry(&n.to_string()), false).await.unwrap();
        }
        // Unoptimised, on a machine that builds other things: the point is that no disk is waited for.
        let each = began.elapsed() / 200;
        assert!(each < Duration::from_millis(20), "{each:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_said_and_the_rest_goes_on() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let say = async |line: Vec<u8>| {
            let mut stream = BufReader::new(UnixStream::connect(home.warden_sock()).await.unwrap());
            // It may answer and hang up before everything was taken.
            let _cut = stream.get_mut().write_all(&line).await;
            let mut answer = String::new();
            let _reset = stream.read_line(&mut answer).await;
            answer
        };
        for (line, words) in [
            (b"{}\n".to_vec(), "no request"),
            (b"\xff\xfe\n".to_vec(), "no request"),
            (b"{\"v\":9,\"ask\":\"head\"}\n".to_vec(), "older than this"),
        ] {
            let said = say(line).await;
            assert!(said.contains(words), "{said}");
        }
        say(vec![b'x'; 2 * LINE_BYTES]).await;
        client(&home).head().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_warden_that_is_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    let mut warden = Client::new(&home, Duration::from_millis(60));
    let said = warden.note(&entry("x"), false).await.unwrap_err();
    assert!(matches!(said, WardenError::Away { .. }), "{said}");
    assert!(said.to_string().contains("does not answer at"), "{said}");
}

#[tokio::test]
async fn one_that_dies_at_work_is_waited_for_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    let patience = Duration::from_millis(200);
    let socket = tokio::net::UnixListener::bind(home.warden_sock()).unwrap();
    let dies = async {
        for last in [false, true] {
            let (stream, _) = socket.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).await.unwrap();
            if last {
                let answer = serde_json::to_vec(&Reply::Written { seq: 7 }).unwrap();
                stream.get_mut().write_all(&answer).await.unwrap();
                stream.get_mut().write_all(b"\n").await.unwrap();
            } else {
                // At work for longer than anybody waits for one that is away.
                tokio::time::sleep(patience * 2).await;
            }
        }
    };
    let mut warden = Client::new(&home, patience);
    let entry = entry("x");
    let (said, ()) = tokio::join!(warden.note(&entry, false), dies);
    assert_eq!(said.unwrap(), 7);
}

pub(super) fn wanted(step: &str) -> Wanted {
    Wanted {
        task: "01".to_owned(),
        short: "t1".to_owned(),
        step: step.to_owned(),
        agent: "infra".to_owned(),
        principal: "ada(1000)".to_owned(),
        level: 1,
        kind: "http.change".to_owned(),
        action: serde_json::json!({"do": "http_request", "method": "POST", "url": "https://h"}),
        undo: None,
        claimed: "it must be".to_owned(),
        foreseen: None,
        above: None,
        seen: None,
    }
}

#[tokio::test]
async fn the_same_user_needs_the_pin_and_every_step_is_recorded() {
    with_warden(|home| async move {
        let mut warden = client(&home);
        let (ticket, mark) = warden.leave(&wanted("s")).await.unwrap();
        let mut say = async |mark: &str, pin: Option<&str>| {
            let answer = Ask::Answer {
                id: ticket.id,
                mark: mark.to_owned(),
                yes: true,
                for_task: false,
                because: String::new(),
                pin: pin.map(str::to_owned),
                signature: None,
            };
            warden.ask(answer).await.map_err(|error| error.to_string())
        };
        let none = say(&mark, None).await.unwrap_err();
        assert!(none.contains("approvals pin"), "{none}");
        let keep = |old: Option<&str>, new: &str| Ask::Pin {
            old: old.map(str::to_owned),
            new: new.to_owned(),
        };
        let mut other = client(&home);
        other.ask(keep(None, "over the hill")).await.unwrap();
        let taken = other.ask(keep(None, "another")).await.unwrap_err();
        assert!(taken.to_string().contains("needs your PIN"), "{taken}");
        assert!(
            say(&mark, None)
                .await
                .unwrap_err()
                .contains("needs your PIN")
        );
        assert!(
            say(&mark, Some("123456"))
                .await
                .unwrap_err()
                .contains("not the PIN")
        );
        let wrong = say("zzzz", Some("over the hill")).await.unwrap_err();
        assert!(wrong.contains("does not stand for"), "{wrong}");
        assert!(warden.burn(ticket.id, &wanted("s")).await.is_err());
        let mut say = async |mark: &str, pin: Option<&str>| {
            let answer = Ask::Answer {
                id: ticket.id,
                mark: mark.to_owned(),
                yes: true,
                for_task: false,
                because: String::new(),
                pin: pin.map(str::to_owned),
                signature: None,
            };
            warden.ask(answer).await
        };
        say(&mark, Some("over the hill")).await.unwrap();
        let burned = warden.burn(ticket.id, &wanted("s")).await.unwrap();
        assert!(burned.is_for(&wanted("s").action));
        assert!(!burned.is_for(&serde_json::json!({})));
        warden.head().await.unwrap();
        let mut said = Vec::new();
        check(&AuditPlace::of(&home), Vec::new(), &mut |_, line| {
            said.push(format!("{} {}", line.ticket, line.summary));
        })
        .unwrap();
        for words in [
            "a1 ticket requested",
            "a1 ticket approved",
            "a1 ticket used",
            "wrong PIN",
        ] {
            assert!(
                said.iter().any(|one| one.contains(words)),
                "{words}: {said:#?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_agent_speaks_for_itself_and_answers_nothing() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let dialled = home.clone();
        let dial = move || crate::blocking::connect_for(&dialled, "code", None);
        // The warden is on this thread.
        let stream = tokio::task::spawn_blocking(dial).await.unwrap().unwrap();
        let stream = std::sync::Mutex::new(Some(stream));
        let mut agent = Client::through(&home, Duration::ZERO, move || {
            let stream = stream.lock().unwrap().take();
            stream.ok_or_else(|| io::Error::other("a second connection"))
        });
        let mut own = entry("own");
        own.agent = "code@web1#7".to_owned();
        agent.note(&own, true).await.unwrap();
        let mut others = entry("other's");
        others.agent = "infra@web1#7".to_owned();
        let said = agent.note(&others, true).await.unwrap_err().to_string();
        assert!(said.contains("cannot speak as infra"), "{said}");
        for (ask, words) in [
            (Ask::Proof, "for people"),
            (
                Ask::Tickets {
                    open: true,
                    limit: 1,
                    before: None,
                },
                "for people",
            ),
            (
                Ask::Pin {
                    old: None,
                    new: "1234567".to_owned(),
                },
                "for people",
            ),
            (
                Ask::TrustToSign {
                    path: "/srv/shop".to_owned(),
                    digest: Some("a".repeat(64)),
                },
                "for people",
            ),
            (
                Ask::For {
                    role: "infra".to_owned(),
                    task: None,
                },
                "named already",
            ),
        ] {
            let said = agent.ask(ask).await.unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
        agent.head().await.unwrap();
        // A person's own connection is nobody's.
        client(&home).note(&others, true).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_for_one_task_takes_no_line_of_another() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let dialled = home.clone();
        for (task, expected) in [
            (Some(("t9", Level::Standard)), "is for t9"),
            (Some(("t1", Level::Standard)), ""),
            (None, ""),
        ] {
            let task = task.map(|(short, level)| OfTask {
                id: "01".to_owned(),
                short: short.to_owned(),
                level,
                workspace: None,
            });
            let home = dialled.clone();
            let dial = move || crate::blocking::connect_for(&home, "code", task);
            let stream = tokio::task::spawn_blocking(dial).await.unwrap().unwrap();
            let stream = std::sync::Mutex::new(Some(stream));
            let mut agent = Client::through(&dialled, Duration::ZERO, move || {
                let stream = stream.lock().unwrap().take();
                stream.ok_or_else(|| io::Error::other("a second connection"))
            });
            let own = Entry {
                agent: "code@web1#7".to_owned(),
                task: "t1".to_owned(),
                ..entry("own")
            };
            let said = agent.note(&own, false).await.err();
            let said = said.map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains(expected), "{said}");
            assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        }
    })
    .await;
}

/// Whoever asks says nothing of the size of it: the warden counts itself before a yes to the kind is enough.
#[tokio::test]
async fn a_yes_to_a_kind_holds_within_the_rules_whatever_is_said() {
    for (rules, expected) in [
        ("acts: {http.change: ask}\n", TicketState::Approved),
        (
            "acts: {http.change: ask}\nat_most: {http.change: {per_hour: 1}}\n",
            TicketState::Requested,
        ),
    ] {
        with_warden(|home| async move {
            let file = home.root.join("config/permissions.yaml");
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, rules).unwrap();
            let mut warden = client(&home);
            let new = "over the hill".to_owned();
            let pin = Some(new.clone());
            warden.ask(Ask::Pin { old: None, new }).await.unwrap();
            let (ticket, mark) = warden.leave(&wanted("a")).await.unwrap();
            assert_eq!(ticket.wanted.above, None);
            let answer = Ask::Answer {
                id: ticket.id,
                mark,
                yes: true,
                for_task: true,
                because: String::new(),
                pin,
                signature: None,
            };
            warden.ask(answer).await.unwrap();
            warden.burn(ticket.id, &wanted("a")).await.unwrap();
            let (next, _) = warden.leave(&wanted("b")).await.unwrap();
            assert_eq!(next.state, expected, "{next:?}");
            let above = next.wanted.above.unwrap_or_default();
            let asks = expected == TicketState::Requested;
            assert_eq!(above.contains("1 within the hour already"), asks, "{above}");
            // The step that has its ticket is told the same one again.
            let (again, _) = warden.leave(&wanted("a")).await.unwrap();
            assert_eq!((again.id, again.state), (ticket.id, TicketState::Used));
        })
        .await;
    }
}

/// However large what is asked for is, nothing of what waits is hidden by it.
#[tokio::test]
async fn a_list_holds_every_ticket_whatever_their_size() {
    with_warden(|home| async move {
        let mut warden = client(&home);
        let mut large = wanted("large");
        large.action["body"] = "\u{1}".repeat(10_000).into();
        for n in 0..12 {
            let step = format!("s{n}");
            let one = Wanted {
                step,
                ..large.clone()
            };
            warden.leave(&one).await.unwrap();
        }
        for (limit, expected) in [(500, 12), (12, 12), (7, 7), (1, 1), (0, 0)] {
            let all = warden.tickets(true, limit).await.unwrap();
            let ids: Vec<u64> = all.iter().map(|(one, _)| one.id.0).collect();
            let newest: Vec<u64> = (0..expected).map(|n| 12 - n).collect();
            assert_eq!(ids, newest);
        }
        // What nobody could look at is not asked for at all.
        let mut claimed = wanted("claimed");
        claimed.claimed = "x".repeat(100_000);
        let said = warden.leave(&claimed).await.unwrap_err().to_string();
        assert!(said.contains("nobody could look at it"), "{said}");
    })
    .await;
}
