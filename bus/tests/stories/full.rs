//! The memory of Redis is used up: nothing new is begun, and everything begun comes to its end.

use crate::server::*;
use bus::claim::Inbox;
use bus::connect::Bus;
use bus::error::BusError;
use bus::lease::Renewal;
use bus::outflow::Outflow;
use bus::park::Parked;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::envelope::MessageType;
use protocol::journal::EntryKind;
use protocol::money::MicroUsd;
use protocol::task::Class;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// From now on every write that needs memory is refused, or none is.
fn limit(server: &Server, bytes: u64) {
    let _: String = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(bytes)
        .query(&mut server.raw())
        .unwrap();
}

async fn held(bus: &Bus, inbox: &mut Inbox) -> bus::claim::Delivery {
    submit(bus).await;
    next(inbox).await
}

fn presence() -> Presence {
    Presence {
        instance: "code-1".to_owned(),
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
async fn a_full_redis_begins_nothing_and_ends_everything() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let finished = held(&bus, &mut inbox).await;
    let given = held(&bus, &mut inbox).await;
    let parked = held(&bus, &mut inbox).await;
    let died = held(&bus, &mut inbox).await;
    let cap = MicroUsd(1_000);
    let month = "2026-11";
    bus.month_is(month, MicroUsd(0)).await.unwrap();
    let money = bus
        .reserve(finished.lease.task, MicroUsd(10), cap, cap, month)
        .await
        .unwrap();
    bus.progress(&finished.lease, &word(&finished, MessageType::Progress))
        .await
        .unwrap();
    let queued = submit(&bus).await;
    limit(&server, 1);

    let envelope = work();
    let refused = bus
        .submit(&envelope, &role("code"), None, Class::Normal)
        .await;
    assert_eq!(refused, Err(BusError::Full));
    assert!(matches!(inbox.try_next().await, Err(BusError::Full)));
    let mut intent = step(&finished, "edit");
    intent.kind = EntryKind::Intent;
    let refused = bus.journal_append(&finished.lease, &intent).await;
    assert_eq!(refused, Err(BusError::Full));
    let refused = bus
        .reserve(finished.lease.task, MicroUsd(10), cap, cap, month)
        .await;
    assert!(matches!(refused, Err(BusError::Full)), "{refused:?}");
    let refused = bus
        .progress(&finished.lease, &word(&finished, MessageType::Progress))
        .await;
    assert_eq!(refused, Err(BusError::Full));

    for kind in [EntryKind::Result, EntryKind::ModelReply, EntryKind::Phase] {
        let mut done = step(&finished, "edit");
        done.kind = kind;
        bus.journal_append(&finished.lease, &done).await.unwrap();
    }
    bus.settle(money, MicroUsd(7)).await.unwrap();
    bus.announce(&presence()).await.unwrap();
    assert_eq!(bus.present().await.unwrap().len(), 1);
    let held = Renewal::Held {
        cancel: false,
        pause: false,
        frozen: false,
    };
    assert_eq!(bus.renew(&given.lease).await.unwrap(), held);
    bus.give_back(&given.lease).await.unwrap();
    bus.cancel(finished.lease.task).await.unwrap();
    let told = Renewal::Held {
        cancel: true,
        pause: false,
        frozen: false,
    };
    assert_eq!(bus.renew(&finished.lease).await.unwrap(), told);
    bus.cancel(queued).await.unwrap();
    assert!(!bus.known(queued).await.unwrap());
    bus.finish(&finished.lease, &word(&finished, MessageType::Result))
        .await
        .unwrap();
    let question = word(&parked, MessageType::Result);
    let waits = bus.park(&parked.lease, &question).await;
    assert_eq!(waits.unwrap(), Parked::Waits);
    let (code, task, epoch) = (role("code"), parked.lease.task, parked.lease.epoch);
    let resumed = bus.resume(task, epoch, (&code, None), None, &parked.envelope);
    assert!(matches!(resumed.await, Err(BusError::Full)));
    bus.cancel(parked.lease.task).await.unwrap();
    let freed = bus.release_holder("code-1").await.unwrap();
    assert_eq!(freed, [died.lease.task]);

    // The supervisor may have been started again meanwhile, and reads and lets go all the same.
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let mut heard = 0;
    while heard < 3 {
        let messages = outflow.next().await.unwrap();
        outflow.done(&messages).await.unwrap();
        heard += messages.len();
    }
    let left: u64 = redis::cmd("XLEN")
        .arg("{main}:out:code")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(left, 0);
    bus.journal_expire(finished.lease.task, LONG).await.unwrap();

    limit(&server, 0);
    let mut back = vec![
        delivered(&mut inbox, LONG).await.lease.task,
        delivered(&mut inbox, LONG).await.lease.task,
    ];
    back.sort();
    let mut expected = vec![given.lease.task, died.lease.task];
    expected.sort();
    assert_eq!(back, expected);
    bus.submit(&envelope, &role("code"), None, Class::Normal)
        .await
        .unwrap();
}
