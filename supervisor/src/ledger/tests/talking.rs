//! Plain questions: charged at their reservation until their answer is there, what was lost stays
//! charged, a conversation is told again in order, and what is old is forgotten.

use super::super::spends::SpendState;
use super::super::talks::NewTalk;
use super::*;
use protocol::money::MicroUsd;

async fn asks(room: &Room, conversation: &RequestId, second: i64, words: &str) -> TaskId {
    let by = Principal {
        uid: 1000,
        name: "ada".to_owned(),
    };
    let new = NewTalk {
        id: TaskId::new(),
        conversation,
        by: &by,
        model: "opus",
        words,
        reserved: MicroUsd(100),
        at: at(second),
    };
    room.ledger.talk_begins(&new).await.unwrap();
    new.id
}

fn used(cost: u64) -> Usage {
    Usage {
        requests: 1,
        cost: MicroUsd(cost),
        ..Usage::default()
    }
}

async fn check(room: &Room, expected: &[(SpendState, u64)]) {
    let spends = room.ledger.spends_since(at(0)).await.unwrap();
    let seen: Vec<_> = (spends.iter())
        .map(|spend| (spend.state, spend.usage.cost.0))
        .collect();
    assert_eq!(seen, expected);
    assert!(spends.iter().all(|spend| spend.task.is_none()));
    let sum: u64 = expected.iter().map(|(_, cost)| cost).sum();
    assert_eq!(room.ledger.spent_since(at(0)).await.unwrap().0, sum);
}

#[test]
fn answers_are_charged_and_conversations_told_again() {
    use SpendState::{Failed, Lost, Paid, Reserved};
    run(async || {
        let room = room().await;
        let (one, other) = (RequestId::new(), RequestId::new());
        let first = asks(&room, &one, 1, "what is a lease?").await;
        check(&room, &[(Reserved, 100)]).await;
        let ledger = &room.ledger;
        let answer = Some("a claim\0");
        ledger
            .talk_ended(first, answer, &used(30), at(2))
            .await
            .unwrap();
        let second = asks(&room, &one, 3, "and why?").await;
        ledger
            .talk_ended(second, None, &used(7), at(4))
            .await
            .unwrap();
        let third = asks(&room, &one, 5, "why?").await;
        ledger.talks_lost(Some(third)).await.unwrap();
        let fourth = asks(&room, &other, 6, "how?").await;
        check(
            &room,
            &[(Paid, 30), (Failed, 7), (Lost, 100), (Reserved, 100)],
        )
        .await;
        // What is paid is not lost afterwards.
        ledger.talks_lost(Some(first)).await.unwrap();
        ledger.talks_lost(None).await.unwrap();
        check(&room, &[(Paid, 30), (Failed, 7), (Lost, 100), (Lost, 100)]).await;
        ledger
            .talk_ended(fourth, Some("so"), &used(1), at(7))
            .await
            .unwrap();
        let told = ledger.conversation(&one, 10).await.unwrap();
        assert_eq!(
            told,
            [("what is a lease?".to_owned(), "a claim\u{2400}".to_owned())]
        );
        let fifth = asks(&room, &one, 8, "and then?").await;
        ledger
            .talk_ended(fifth, Some("then"), &used(1), at(9))
            .await
            .unwrap();
        let told = ledger.conversation(&one, 10).await.unwrap();
        assert_eq!(
            told.iter().map(|(_, a)| a.as_str()).collect::<Vec<_>>(),
            ["a claim\u{2400}", "then"]
        );
        assert_eq!(ledger.conversation(&one, 1).await.unwrap()[0].1, "then");
        // After a quarter of a year nothing of it is left.
        asks(&room, &other, 91 * 86_400, "what was that?").await;
        assert!(ledger.conversation(&one, 10).await.unwrap().is_empty());
    });
}
