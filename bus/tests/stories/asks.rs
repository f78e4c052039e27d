//! Questions and answers, signs of life.

use crate::server::*;
use bus::ask::Questions;
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

#[tokio::test]
async fn many_ask_at_once_and_each_gets_its_own_answer() {
    let server = Server::start();
    let bus = server.bus().await;
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    let answering = {
        let bus = bus.clone();
        tokio::spawn(async move {
            let mut answered = 0;
            while answered < 12 {
                let Some(asked) = questions.next().await.unwrap() else {
                    continue;
                };
                let mut answer =
                    Envelope::new(&team(), MessageType::Answer, "supervisor", &asked.source);
                answer.payload.context = asked.payload.context.clone();
                bus.answer(&asked, &answer).await.unwrap();
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
                    .ask(&question(&text), Duration::from_secs(10))
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
    let bus = server.bus().await;
    let error = bus
        .ask(&question("late"), Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::NoAnswer { .. }), "{error}");
    assert_eq!(error.exit_code(), 5);
    let mut questions = Questions::open(&bus, "supervisor").await.unwrap();
    assert!(questions.next().await.unwrap().is_none());
    let left: u64 = redis::cmd("XLEN")
        .arg("{main}:ask:supervisor")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(left, 0);
    assert!(bus.ask(&question("x"), Duration::ZERO).await.is_err());
    let unaddressed = bus.answer(&question("x"), &question("y")).await;
    assert!(matches!(unaddressed, Err(BusError::Refused(_))));
}

#[tokio::test]
async fn the_present_are_listed_until_they_fall_silent() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_millis(100)).await;
    let mut presence = Presence {
        instance: "code-1".to_owned(),
        role: role("code"),
        pid: 1,
        version: "0".to_owned(),
        host: "here".to_owned(),
        task: None,
        at: Timestamp::now(),
    };
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
