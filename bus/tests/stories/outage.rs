//! Redis itself goes away: every handle survives, and nobody loses work for having been cut off.

use crate::server::*;
use bus::broadcast::Listener;
use bus::claim::Inbox;
use bus::error::BusError;
use bus::lease::Renewal;
use bus::outflow::Outflow;
use protocol::envelope::{Envelope, MessageType};
use std::time::{Duration, Instant};

/// Claims over and over for a time, and gets nothing.
async fn nothing_is_reclaimed(inbox: &mut Inbox, time: Duration) {
    let back = Instant::now();
    while back.elapsed() < time {
        let looked = inbox.try_next().await;
        let after = back.elapsed();
        assert!(!matches!(looked, Ok(Some(_))), "reclaimed after {after:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restart_is_survived_by_every_handle_and_gives_holders_grace() {
    let mut server = Server::start();
    let lease = Duration::from_millis(1500);
    let bus = server.bus_with(lease).await;
    let held = submit(&bus).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let mut listener = Listener::open(&bus).await.unwrap();
    let delivery = next(&mut first).await;
    bus.progress(&delivery.lease, &word(&delivery, MessageType::Progress))
        .await
        .unwrap();
    let unfolded = outflow.next().await.unwrap();
    assert_eq!(unfolded.len(), 1);

    server.kill();
    let error = bus.ping().await.unwrap_err();
    assert!(matches!(error, BusError::Unreachable(_)), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert!(second.next().await.is_err() || second.next().await.is_err());
    tokio::time::sleep(lease + Duration::from_millis(200)).await;
    server.start_again();

    nothing_is_reclaimed(&mut second, lease / 2).await;
    assert_eq!(
        bus.renew(&delivery.lease).await.unwrap(),
        Renewal::Held {
            cancel: false,
            pause: false,
            frozen: false
        }
    );
    let taken = delivered(&mut second, 2 * lease + Duration::from_secs(3)).await;
    assert_eq!(taken.lease.task, held);

    bus.finish(&taken.lease, &word(&taken, MessageType::Result))
        .await
        .unwrap();
    outflow.done(&unfolded).await.unwrap();
    let mut said = Vec::new();
    while said.is_empty() {
        said = outflow.next().await.unwrap_or_default();
    }
    let kinds: Vec<MessageType> = said.iter().map(|m| m.envelope.kind).collect();
    assert_eq!(
        kinds,
        [MessageType::Result],
        "what was in hand is not said twice"
    );

    let hint = Envelope::new(&team(), MessageType::Control, "supervisor", "*");
    let heard = async {
        loop {
            let _ = bus.broadcast(&hint).await;
            if let Ok(heard) =
                tokio::time::timeout(Duration::from_millis(100), listener.next()).await
            {
                return heard;
            }
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(10), heard)
        .await
        .unwrap();
    assert_eq!(heard.id, hint.id);
}

#[tokio::test]
async fn a_frozen_redis_costs_nobody_a_lease() {
    let server = Server::start();
    let lease = Duration::from_millis(1500);
    let bus = server.bus_with(lease).await;
    submit(&bus).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let delivery = next(&mut first).await;
    server.signal("-STOP");
    tokio::time::sleep(Duration::from_millis(3500)).await;
    server.signal("-CONT");
    nothing_is_reclaimed(&mut second, lease / 2).await;
    let renewed = bus.renew(&delivery.lease).await;
    assert_eq!(
        renewed.unwrap(),
        Renewal::Held {
            cancel: false,
            pause: false,
            frozen: false
        }
    );
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_answered_again() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(20)).await;
    let mut inbox = inbox(&bus, "code-1").await;
    // Once before, so that Redis has the scripts.
    submit(&bus).await;
    let before = next(&mut inbox).await;
    bus.finish(&before.lease, &word(&before, MessageType::Result))
        .await
        .unwrap();
    server.signal("-STOP");
    // The claim is sent, and given up after the response time; Redis carries it out later. The
    // task is there first because it is written to the socket before.
    let producer = {
        let bus = bus.clone();
        let envelope = work();
        tokio::spawn(async move {
            bus.submit(
                &envelope,
                &role("code"),
                None,
                protocol::task::Class::Normal,
            )
            .await
        })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let lost = inbox.next().await;
    assert!(matches!(lost, Err(BusError::Unreachable(_))), "{lost:?}");
    assert!(producer.await.unwrap().is_err());
    server.signal("-CONT");
    let delivery = delivered(&mut inbox, Duration::from_secs(8)).await;
    assert_eq!(delivery.attempt, 1, "the same claim, not another one");
    bus.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let server = Server::start();
    let mut address = server.address();
    address.url += ".not-there";
    let error = bus::connect::Bus::connect(&address, &team(), LEASE)
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::Unreachable(_)), "{error}");
    address.url = "http://example.org".to_owned();
    let error = bus::connect::Bus::connect(&address, &team(), LEASE)
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::Refused(_)), "{error}");
}
