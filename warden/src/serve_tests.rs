//! The warden over its real socket.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::audit::line::tests::entry;
use crate::audit::reader::check;
use crate::client::{Client, WardenError};
use std::time::Instant;

async fn with_warden<F: Future<Output = ()>>(work: impl FnOnce(Home) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    tokio::select! {
        ended = run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = work(home.clone()) => {}
    }
}

fn client(home: &Home) -> Client {
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

fn wanted(step: &str) -> crate::tickets::ticket::Wanted {
    crate::tickets::ticket::Wanted {
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
        let dial = move || crate::client::connect_for(&dialled, "code");
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
                Ask::For {
                    role: "infra".to_owned(),
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
