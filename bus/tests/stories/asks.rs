//! Questions and answers, signs of life.

use crate::server::*;
use bus::ask::{PeerQuestions, Questions};
use bus::connect::Bus;
use bus::error::BusError;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType};
use std::time::Duration;

fn question(text: &str) -> Envelope {
    let mut envelope = Envelope::new(&team(), MessageType::Query, "code", "supervisor");
    envelope.payload.action = "memory".to_owned();
    envelope.payload.context = text.into();
    envelope
}

/// The bus of an agent that was heard of, as each is before it asks anything.
async fn asker(server: &Server) -> Bus {
    let bus = server.bus().await;
    bus.announce(&presence("code-1")).await.unwrap();
    bus
}

fn presence(instance: &str) -> Presence {
    Presence {
        instance: instance.to_owned(),
        role: role("code"),
        pid: 1,
        version: "0".to_owned(),
        host: "here".to_owned(),
        task: None,
        held_back: None,
        at: Timestamp::now(),
    }
}

#[tokio::test]
async fn many_ask_at_once_and_each_gets_its_own_answer() {
    let server = Server::start();
    let bus = asker(&server).await;
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    let answering = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut answered = 0;
            while answered < 12 {
                let Some(asked) = questions.next().await.unwrap() else {
                    continue;
                };
                let mut answer = Envelope::new(
                    &team(),
                    MessageType::Answer,
                    "supervisor",
                    &asked.question.source,
                );
                answer.payload.context = asked.question.payload.context.clone();
                bus.answer(&asked.question, &answer).await.unwrap();
                answered += 1;
            }
        })
    };
    let asking: Vec<_> = (0..12)
        .map(|n| {
            let bus = bus.clone();
            tokio::spawn(async move {
                let text = format!("question {n}");
                let answer = bus
                    .ask(&role("code"), &question(&text), Duration::from_secs(10))
                    .await
                    .unwrap();
                assert_eq!(answer.payload.context, text.as_str());
            })
        })
        .collect();
    for one in asking {
        one.await.unwrap();
    }
    answering.await.unwrap();
}

#[tokio::test]
async fn an_unanswered_question_ends_and_is_not_read_late() {
    let server = Server::start();
    let bus = asker(&server).await;
    let error = bus
        .ask(&role("code"), &question("late"), Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::NoAnswer { .. }), "{error}");
    assert_eq!(error.exit_code(), 5);
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    assert!(questions.next().await.unwrap().is_none());
    let left: u64 = redis::cmd("XLEN")
        .arg("{main}:ask:supervisor:code")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(left, 0);
    assert!(
        bus.ask(&role("code"), &question("x"), Duration::ZERO)
            .await
            .is_err()
    );
    let unaddressed = bus.answer(&question("x"), &question("y")).await;
    assert!(matches!(unaddressed, Err(BusError::Refused(_))));
}

#[tokio::test]
async fn a_late_answer_reaches_nobody_and_does_not_stay() {
    let server = Server::start();
    let bus = asker(&server).await;
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    let asking = {
        let bus = bus.clone();
        tokio::spawn(async move {
            bus.ask(
                &role("code"),
                &question("first"),
                Duration::from_millis(200),
            )
            .await
        })
    };
    let asked = next_question(&mut questions).await;
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, BusError::NoAnswer { .. }), "{error}");
    // The peer was slow: its answer is no error, and no answer to whatever is asked next.
    bus.answer(&asked, &answer("too late")).await.unwrap();
    let key = format!("{{main}}:reply:{}", asked.reply_to.as_deref().unwrap());
    let left: i64 = redis::cmd("PTTL")
        .arg(&key)
        .query(&mut server.raw())
        .unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    let asking = {
        let bus = bus.clone();
        tokio::spawn(async move {
            bus.ask(&role("code"), &question("second"), Duration::from_secs(10))
                .await
        })
    };
    let asked = next_question(&mut questions).await;
    assert_eq!(asked.payload.context, "second");
    bus.answer(&asked, &answer("in time")).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap().payload.context, "in time");
}

#[tokio::test]
async fn a_peer_that_dies_costs_the_asker_its_deadline_and_the_next_one_answers() {
    let server = Server::start();
    let bus = asker(&server).await;
    let asking = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let first = bus
                .ask(&role("code"), &question("x"), Duration::from_millis(300))
                .await;
            (
                first,
                bus.ask(&role("code"), &question("x"), Duration::from_secs(10))
                    .await,
            )
        })
    };
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    let read = next_question(&mut questions).await;
    assert_eq!(read.payload.context, "x");
    // It took the question and died with it.
    drop(questions);
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    let again = next_question(&mut questions).await;
    assert_ne!(
        again.reply_to, read.reply_to,
        "asked anew, not handed out twice"
    );
    bus.answer(&again, &answer("y")).await.unwrap();
    let (first, second) = asking.await.unwrap();
    assert!(matches!(first, Err(BusError::NoAnswer { .. })));
    assert_eq!(second.unwrap().payload.context, "y");
}

#[tokio::test]
async fn an_agent_hears_every_role_and_who_it_is() {
    let server = Server::start();
    let bus = asker(&server).await;
    let mut heard = PeerQuestions::new(&bus, &role("qa"));
    let mut asked = question("x");
    asked.target = "qa".to_owned();
    for by in ["code", "research"] {
        let mut there = presence("one");
        there.role = role(by);
        bus.announce(&there).await.unwrap();
        let asking = {
            let (bus, asked) = (bus.clone(), asked.clone());
            tokio::spawn(async move { bus.ask(&role(by), &asked, Duration::from_secs(30)).await })
        };
        let question = loop {
            if let Some(question) = heard.next().await.unwrap() {
                break question;
            }
        };
        // The second says that it is the first.
        assert_eq!(question.question.source, "code");
        assert_eq!(question.by, role(by));
        bus.answer(&question.question, &answer(by)).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap().payload.context, by);
    }
}

fn answer(text: &str) -> Envelope {
    let mut envelope = Envelope::new(&team(), MessageType::Answer, "supervisor", "code");
    envelope.payload.context = text.into();
    envelope
}

async fn next_question(questions: &mut Questions) -> Envelope {
    for _ in 0..20 {
        if let Some(asked) = questions.next().await.unwrap() {
            assert_eq!(asked.by, role("code"));
            return asked.question;
        }
    }
    panic!("no question came");
}

#[tokio::test]
async fn the_present_are_listed_until_they_fall_silent() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_millis(100)).await;
    let mut presence = presence("code-1");
    bus.announce(&presence).await.unwrap();
    bus.announce(&presence).await.unwrap();
    assert_eq!(bus.present().await.unwrap(), [presence.clone()]);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(bus.present().await.unwrap().is_empty());
    presence.instance = "code-2".to_owned();
    bus.announce(&presence).await.unwrap();
    let kept: u64 = redis::cmd("HLEN")
        .arg("{main}:here:code")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(kept, 1, "the silent are swept");
}
