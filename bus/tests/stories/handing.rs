//! Tasks that change hands: one step moves record and journal, once for each park, and the old role
//! is left with nothing it could write.

use crate::server::*;
use bus::assignment::{Assignment, Work};
use bus::cancel::CancelOutcome;
use bus::claim::Inbox;
use bus::connect::Bus;
use bus::error::BusError;
use bus::park::{Parked, Resumed};
use protocol::envelope::MessageType;
use protocol::ids::{Epoch, Role, ShortId, TaskId};
use protocol::journal::{EntryKind, JournalEntry};
use protocol::level::Level;
use protocol::task::{Ceiling, Class};
use redis::Commands;

fn answer(epoch: Epoch) -> JournalEntry {
    JournalEntry {
        v: protocol::journal::JOURNAL_VERSION,
        epoch,
        at: jiff::Timestamp::UNIX_EPOCH,
        step: "execute/1/give".to_owned(),
        kind: EntryKind::Result,
        body: serde_json::json!({"id": "give", "is_error": false, "text": "handed"}),
    }
}

async fn steps(bus: &Bus, task: TaskId) -> Vec<String> {
    let journal = bus.journal_read(task).await.unwrap();
    journal.into_iter().map(|entry| entry.step).collect()
}

async fn other(bus: &Bus) -> Inbox {
    Inbox::open(bus, &role("qa"), "h", "qa-1").await.unwrap()
}

#[tokio::test]
async fn a_parked_task_moves_with_its_journal_once() {
    let mut server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let (code, qa) = (role("code"), role("qa"));
    let mut at_code = inbox(&bus, "code-1").await;
    let held = next(&mut at_code).await;
    bus.journal_append(&held.lease, &step(&held, "one"))
        .await
        .unwrap();
    let report = word(&held, MessageType::Handoff);
    assert_eq!(bus.park(&held.lease, &report).await, Ok(Parked::Waits));
    let epoch = held.lease.epoch;
    let mut envelope = held.envelope.clone();
    envelope.target = "qa".to_owned();
    let entry = answer(epoch);
    let move_it = async |bus: &Bus| {
        bus.hand_off(task, epoch, (&code, &qa, None), &entry, &envelope)
            .await
    };
    assert_eq!(move_it(&bus).await, Ok(Resumed::Queued));
    assert_eq!(move_it(&bus).await, Ok(Resumed::Again));
    // Redis dies right after: what was said is there, and nothing of it twice.
    server.kill();
    server.start_again();
    let bus = server.bus().await;
    assert_eq!(move_it(&bus).await, Ok(Resumed::Again));
    let mut raw = server.raw();
    let keys: Vec<String> = raw.keys(format!("{{main}}:*code:{task}")).unwrap();
    assert_eq!(keys, Vec::<String>::new(), "the old role has nothing of it");
    let mut at_code = inbox(&bus, "code-2").await;
    assert!(at_code.try_next().await.unwrap().is_none());
    let mut at_qa = other(&bus).await;
    let again = next(&mut at_qa).await;
    assert_eq!(again.envelope, envelope);
    assert_eq!((again.attempt, &again.lease.role), (2, &qa));
    assert!(again.lease.epoch > epoch);
    assert_eq!(steps(&bus, task).await, ["one", "parked", "execute/1/give"]);
    // The old holder wakes up late.
    for (write, name) in [
        (bus.finish(&held.lease, &report).await, "finish"),
        (
            bus.journal_append(&held.lease, &step(&held, "late")).await,
            "journal",
        ),
        (bus.give_back(&held.lease).await, "give back"),
    ] {
        assert_eq!(write, Err(BusError::Fenced { task }), "{name}");
    }
    // And back again; a copy of the first move that arrives now moves nothing.
    bus.park(&again.lease, &word(&again, MessageType::Handoff))
        .await
        .unwrap();
    let back = answer(again.lease.epoch);
    let moved = bus.hand_off(
        task,
        again.lease.epoch,
        (&qa, &code, None),
        &back,
        &held.envelope,
    );
    assert_eq!(moved.await, Ok(Resumed::Queued));
    assert_eq!(move_it(&bus).await, Ok(Resumed::Again));
    let home = next(&mut at_code).await;
    assert_eq!(home.attempt, 3);
    bus.finish(&home.lease, &word(&home, MessageType::Result))
        .await
        .unwrap();
    assert_eq!(move_it(&bus).await, Ok(Resumed::Ended));
}

#[tokio::test]
async fn what_is_not_parked_stays_where_it_is() {
    let server = Server::start();
    let bus = server.bus().await;
    let (code, qa) = (role("code"), role("qa"));
    let task = submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    let epoch = held.lease.epoch;
    let entry = answer(epoch);
    let move_it = async || {
        bus.hand_off(task, epoch, (&code, &qa, None), &entry, &held.envelope)
            .await
    };
    assert_eq!(move_it().await, Ok(Resumed::Unknown), "it is held");
    bus.park(&held.lease, &word(&held, MessageType::Handoff))
        .await
        .unwrap();
    assert_eq!(bus.cancel(task).await, Ok(CancelOutcome::Removed));
    assert_eq!(move_it().await, Ok(Resumed::Ended));
    let nobody = TaskId::new();
    let moved = bus.hand_off(nobody, epoch, (&code, &qa, None), &entry, &held.envelope);
    assert_eq!(moved.await, Ok(Resumed::Unknown));
    assert!(other(&bus).await.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_task_is_stands_beside_its_role() {
    let server = Server::start();
    let bus = server.bus().await;
    let (code, qa) = (role("code"), role("qa"));
    let mut envelope = work();
    let task = envelope.payload.task_id.unwrap();
    envelope.payload.context = serde_json::json!({"short_id": "t7", "workspace": "/srv/a shop",
        "ceiling": {"level": 1, "host_read": true}});
    bus.submit(&envelope, &code, Some("here"), Class::Normal)
        .await
        .unwrap();
    let of = |role: &Role| Assignment {
        role: role.clone(),
        work: Some(Work {
            number: ShortId(7),
            host: Some("here".to_owned()),
            workspace: Some("/srv/a shop".into()),
            ceiling: Some(Ceiling {
                level: Level::Standard,
                host_read: true,
            }),
        }),
    };
    assert_eq!(bus.assignment(task).await, Ok(Some(of(&code))));
    let held = next(&mut inbox(&bus, "code-1").await).await;
    bus.park(&held.lease, &word(&held, MessageType::Handoff))
        .await
        .unwrap();
    let entry = answer(held.lease.epoch);
    let way = (&code, &qa, Some("here"));
    let moved = bus.hand_off(task, held.lease.epoch, way, &entry, &envelope);
    assert_eq!(moved.await, Ok(Resumed::Queued));
    assert_eq!(bus.assignment(task).await, Ok(Some(of(&qa))));
    // An older supervisor named the role alone.
    let (mut raw, given) = (server.raw(), format!("{{main}}:given:{task}"));
    let _: () = raw.del(&given).unwrap();
    let known = bus.assignments(&[task, TaskId::new()]).await.unwrap();
    let old = Assignment {
        role: qa.clone(),
        work: None,
    };
    assert_eq!(known, [Some(old), None]);
    bus.say_again(&envelope, Some("here")).await.unwrap();
    assert_eq!(bus.assignment(task).await, Ok(Some(of(&qa))));
    // What was said stays.
    bus.say_again(&envelope, Some("there")).await.unwrap();
    assert_eq!(bus.assignment(task).await, Ok(Some(of(&qa))));
    // It goes with the task.
    bus.cancel(task).await.unwrap();
    bus.expel(task).await.unwrap();
    assert!(!raw.exists::<_, bool>(&given).unwrap());
}
