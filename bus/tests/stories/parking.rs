//! Tasks that wait: parked once, in no queue, resumed once for each park, cancelled like any other.

use crate::server::*;
use bus::cancel::CancelOutcome;
use bus::claim::Delivery;
use bus::connect::Bus;
use bus::error::BusError;
use bus::park::{Parked, Resumed};
use protocol::envelope::MessageType;
use protocol::ids::{Epoch, TaskId};
use protocol::journal::{EntryKind, JournalEntry};
use redis::Commands;
use std::time::Duration;

fn answer(epoch: Epoch) -> JournalEntry {
    JournalEntry {
        v: protocol::journal::JOURNAL_VERSION,
        epoch,
        at: jiff::Timestamp::UNIX_EPOCH,
        step: "execute/call".to_owned(),
        kind: EntryKind::Answer,
        body: serde_json::json!({ "choice": "happened" }),
    }
}

/// As the supervisor does it: with the work message that it has itself.
async fn resume(
    bus: &Bus,
    of: &Delivery,
    parked: Epoch,
    answer: Option<&JournalEntry>,
) -> Result<Resumed, BusError> {
    let way = (&role("code"), None);
    bus.resume(of.lease.task, parked, way, answer, &of.envelope)
        .await
}

async fn kinds(bus: &Bus, task: TaskId) -> Vec<EntryKind> {
    let journal = bus.journal_read(task).await.unwrap();
    journal.iter().map(|entry| entry.kind).collect()
}

#[tokio::test]
async fn a_parked_task_is_in_no_queue_and_comes_back_with_its_message() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let held = next(&mut inbox).await;
    let report = word(&held, MessageType::Result);
    // The answer of the first call got lost, so it was said again.
    for _ in 0..2 {
        assert_eq!(bus.park(&held.lease, &report).await, Ok(Parked::Waits));
    }
    let mut raw = server.raw();
    let counts: (u64, u64) = (
        raw.xlen("{main}:out:code").unwrap(),
        raw.xlen("{main}:q:code:any:normal").unwrap(),
    );
    assert_eq!(counts, (1, 0), "one report, no work");
    tokio::time::sleep(LEASE + Duration::from_millis(50)).await;
    assert!(inbox.try_next().await.unwrap().is_none());
    assert!(bus.known(task).await.unwrap(), "a sweep leaves it alone");
    let refused = bus.journal_expire(task, Duration::from_secs(1)).await;
    assert!(
        matches!(refused, Err(BusError::Refused(_))),
        "it has not ended"
    );
    for (write, name) in [
        (bus.give_back(&held.lease).await, "give back"),
        (
            bus.journal_append(&held.lease, &step(&held, "late")).await,
            "journal",
        ),
        (bus.finish(&held.lease, &report).await, "finish"),
    ] {
        assert_eq!(write, Err(BusError::Fenced { task }), "{name}");
    }
    let epoch = held.lease.epoch;
    let said = [
        resume(&bus, &held, epoch, Some(&answer(epoch))).await,
        resume(&bus, &held, epoch, Some(&answer(epoch))).await,
    ];
    assert_eq!(said, [Ok(Resumed::Queued), Ok(Resumed::Again)]);
    let again = next(&mut inbox).await;
    assert_eq!(again.envelope, held.envelope);
    assert_eq!(again.attempt, 2);
    assert_eq!(
        kinds(&bus, task).await,
        [EntryKind::Parked, EntryKind::Answer]
    );
    // A copy of the first park that arrives now parks nothing.
    assert_eq!(bus.park(&held.lease, &report).await, Ok(Parked::Waits));
    bus.renew(&again.lease).await.unwrap();
    assert_eq!(bus.park(&again.lease, &report).await, Ok(Parked::Waits));
    let late = resume(&bus, &held, epoch, None).await;
    assert_eq!(
        late,
        Ok(Resumed::Again),
        "that answer was to the first park"
    );
    assert!(inbox.try_next().await.unwrap().is_none());
    let early = resume(&bus, &held, Epoch(again.lease.epoch.0 + 1), None).await;
    assert_eq!(early, Ok(Resumed::Unknown), "no such park");
}

#[tokio::test]
async fn what_is_parked_outlives_redis() {
    let mut server = Server::start();
    let bus = server.bus().await;
    submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    let report = word(&held, MessageType::Result);
    assert_eq!(bus.park(&held.lease, &report).await, Ok(Parked::Waits));
    server.kill();
    server.start_again();
    let bus = server.bus().await;
    let queued = resume(&bus, &held, held.lease.epoch, None).await;
    assert_eq!(queued, Ok(Resumed::Queued));
    server.kill();
    server.start_again();
    let bus = server.bus().await;
    let again = next(&mut inbox(&bus, "code-2").await).await;
    assert_eq!(again.envelope, held.envelope);
}

#[tokio::test]
async fn a_parked_task_can_be_cancelled_and_leaves_nothing() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let held = next(&mut inbox).await;
    let report = word(&held, MessageType::Result);
    bus.park(&held.lease, &report).await.unwrap();
    for _ in 0..2 {
        assert_eq!(bus.cancel(task).await, Ok(CancelOutcome::Removed));
    }
    let resumed = resume(&bus, &held, held.lease.epoch, None).await;
    assert_eq!(resumed, Ok(Resumed::Ended));
    assert!(inbox.try_next().await.unwrap().is_none());
    let mut raw = server.raw();
    for key in [
        format!("{{main}}:role:{task}"),
        format!("{{main}}:task:code:{task}"),
        format!("{{main}}:journal:code:{task}"),
    ] {
        let left: i64 = raw.pttl(&key).unwrap();
        assert!(left > 0, "{key} is kept for ever");
    }
    let way = (&role("code"), None);
    let unknown = bus
        .resume(TaskId::new(), Epoch(1), way, None, &work())
        .await;
    assert_eq!(unknown, Ok(Resumed::Unknown));
}

#[tokio::test]
async fn a_task_that_is_to_stop_is_not_parked() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    assert_eq!(bus.cancel(task).await, Ok(CancelOutcome::Told));
    let report = word(&held, MessageType::Result);
    assert_eq!(bus.park(&held.lease, &report).await, Ok(Parked::Cancelled));
    bus.finish(&held.lease, &report).await.unwrap();
}
