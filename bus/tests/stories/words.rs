//! What people say to a task: in its journal once, wherever it stands and whoever it moves to; a limit
//! on its cost holds from the next reservation on.

use crate::server::*;
use bus::cancel::CancelOutcome;
use bus::connect::Bus;
use bus::error::{BusError, Cap};
use bus::park::Resumed;
use bus::words::Told;
use protocol::envelope::MessageType;
use protocol::ids::{Epoch, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::money::MicroUsd;

fn said(number: u64) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch: Epoch(0),
        at: jiff::Timestamp::UNIX_EPOCH,
        step: format!("word/{number}"),
        kind: EntryKind::Word,
        body: serde_json::json!({ "number": number }),
    }
}

async fn tell(bus: &Bus, task: TaskId, number: u64) -> Told {
    bus.tell(task, number, Some(&said(number)), None)
        .await
        .unwrap()
}

async fn heard(bus: &Bus, task: TaskId) -> Vec<String> {
    let words = bus.words_of(task).await.unwrap();
    words.into_iter().map(|entry| entry.step).collect()
}

#[tokio::test]
async fn a_word_lies_in_the_journal_once_wherever_the_task_stands() {
    let server = Server::start();
    let bus = server.bus().await;
    assert_eq!(tell(&bus, TaskId::new(), 1).await, Told::Unknown);
    let task = submit(&bus).await;
    // Queued; said twice, because the first answer got lost.
    for _ in 0..2 {
        assert_eq!(tell(&bus, task, 1).await, Told::Told);
    }
    let mut inbox = inbox(&bus, "code-1").await;
    let held = next(&mut inbox).await;
    assert_eq!(held.attempt, 1, "a word is no holder's entry");
    let begun = step(&held, "a");
    bus.journal_append(&held.lease, &begun).await.unwrap();
    assert_eq!(tell(&bus, task, 2).await, Told::Told);
    // The holder did not hear that its entry was taken, and says it again.
    bus.journal_append(&held.lease, &begun).await.unwrap();
    let entries = bus.journal_read(task).await.unwrap();
    let steps: Vec<&str> = entries.iter().map(|entry| entry.step.as_str()).collect();
    assert_eq!(steps, ["word/1", "a", "word/2"]);
    // A late repetition of an older one changes nothing.
    assert_eq!(tell(&bus, task, 1).await, Told::Told);
    assert_eq!(bus.told_to(&role("code"), task).await, Ok(2));
    let report = word(&held, MessageType::Result);
    bus.park(&held.lease, &report).await.unwrap();
    assert_eq!(tell(&bus, task, 3).await, Told::Told);
    let parked = held.lease.epoch;
    let way = (&role("code"), &role("qa"), None);
    let moved = bus.hand_off(task, parked, way, &said(0), &work()).await;
    assert_eq!(moved, Ok(Resumed::Queued));
    assert_eq!(tell(&bus, task, 4).await, Told::Told);
    assert_eq!(bus.told_to(&role("qa"), task).await, Ok(4));
    let all = ["word/1", "word/2", "word/3", "word/0", "word/4"];
    assert_eq!(heard(&bus, task).await, all);
    assert_eq!(bus.cancel(task).await, Ok(CancelOutcome::Removed));
    assert_eq!(tell(&bus, task, 5).await, Told::Ended);
    assert_eq!(heard(&bus, task).await.len(), 5, "nothing was added");
}

#[tokio::test]
async fn a_new_limit_holds_at_once_and_a_late_older_one_does_not() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    bus.month_is("2026-11", MicroUsd(0)).await.unwrap();
    let reserve = async |amount: u64| {
        let (own, month) = (MicroUsd(100), MicroUsd(10_000));
        bus.reserve(task, MicroUsd(amount), own, month, "2026-11")
            .await
    };
    let limit =
        async |number: u64, cap: u64| bus.tell(task, number, None, Some(MicroUsd(cap))).await;
    let limit_met = |error: BusError| match error {
        BusError::Budget {
            cap: Cap::Task,
            limit,
            spent,
            ..
        } => (limit.0, spent.0),
        other => panic!("{other}"),
    };
    let first = reserve(90).await.unwrap();
    assert_eq!(limit_met(reserve(11).await.unwrap_err()), (100, 90));
    assert_eq!(limit(1, 200).await, Ok(Told::Told));
    let second = reserve(110).await.unwrap();
    assert_eq!(limit(2, 50).await, Ok(Told::Told));
    assert_eq!(limit(1, 200).await, Ok(Told::Told), "it is the older one");
    assert_eq!(limit_met(reserve(1).await.unwrap_err()), (50, 200));
    for paid in [first, second] {
        bus.settle(paid, MicroUsd(20)).await.unwrap();
    }
    assert!(reserve(10).await.is_ok());
    assert!(reserve(1).await.is_err());
    assert!(heard(&bus, task).await.is_empty(), "a limit is no word");
}

#[tokio::test]
async fn without_the_number_a_word_that_is_told_again_lies_there_twice() {
    let server = Server::start();
    let bus = server.bus().await;
    let faulty = server
        .bus()
        .await
        .with_faults("words-again".parse().unwrap());
    for (bus, expected) in [(bus, 1), (faulty, 2)] {
        let task = submit(&bus).await;
        for _ in 0..2 {
            assert_eq!(tell(&bus, task, 1).await, Told::Told);
        }
        assert_eq!(heard(&bus, task).await.len(), expected);
    }
}
