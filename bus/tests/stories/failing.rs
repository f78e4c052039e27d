//! A Redis that is slow, is made a replica, or has no disk left: what was acknowledged stays,
//! nobody loses a lease for it, and the error says what is the matter.

use crate::server::*;
use bus::connect::Bus;
use bus::error::BusError;
use bus::lease::Renewal;
use protocol::envelope::MessageType;
use protocol::ids::TaskId;
use protocol::task::Class;
use std::time::{Duration, Instant};

const HELD: Renewal = Renewal::Held {
    cancel: false,
    pause: false,
    frozen: false,
};

fn replicaof(server: &Server, host: &str, port: &str) {
    let _: String = redis::cmd("REPLICAOF")
        .arg(host)
        .arg(port)
        .query(&mut server.raw())
        .unwrap();
}

#[tokio::test]
async fn after_an_outage_longer_than_a_lease_fifty_holders_keep_their_tasks() {
    let server = Server::start();
    let lease = Duration::from_millis(2500);
    let bus = server.bus_with(lease).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let mut held = Vec::new();
    for _ in 0..50 {
        submit(&bus).await;
        held.push(next(&mut first).await);
    }
    server.signal("-STOP");
    tokio::time::sleep(lease + Duration::from_millis(1200)).await;
    server.signal("-CONT");

    // The neighbour is the first to speak, and looks for work all the time.
    let back = Instant::now();
    let mut renewed = 0;
    while back.elapsed() < lease / 2 {
        let looked = second.try_next().await;
        assert!(!matches!(looked, Ok(Some(_))), "taken from its holder");
        if let Some(delivery) = held.get(renewed) {
            assert_eq!(bus.renew(&delivery.lease).await.unwrap(), HELD);
            renewed += 1;
        }
    }
    for delivery in &held[renewed.min(held.len())..] {
        assert_eq!(bus.renew(&delivery.lease).await.unwrap(), HELD);
    }
    for delivery in &held {
        let seen: (Option<u64>, u64) = redis::cmd("HMGET")
            .arg(format!("{{main}}:task:code:{}", delivery.lease.task))
            .arg(&["crashes", "attempts"])
            .query(&mut server.raw())
            .unwrap();
        assert_eq!(seen, (Some(0), 1), "a crash was counted");
        bus.finish(&delivery.lease, &word(delivery, MessageType::Result))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redis_slower_than_usual_costs_nothing() {
    let server = Server::start();
    let lease = Duration::from_millis(2500);
    let bus = server.bus_with(lease).await;
    let mut inbox = inbox(&bus, "code-1").await;
    submit(&bus).await;
    let delivery = next(&mut inbox).await;
    server.signal("-STOP");
    let renewal = {
        let (bus, lease) = (bus.clone(), delivery.lease.clone());
        tokio::spawn(async move { bus.renew(&lease).await })
    };
    tokio::time::sleep(Duration::from_millis(1000)).await;
    server.signal("-CONT");
    assert_eq!(renewal.await.unwrap().unwrap(), HELD);
    let grace: Option<u64> = redis::cmd("GET")
        .arg("{main}:grace")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(grace, None, "a short wait is no outage");
}

#[tokio::test]
async fn a_replica_is_named_and_the_work_goes_on_when_it_is_promoted() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(60)).await;
    let mut inbox = inbox(&bus, "code-1").await;
    submit(&bus).await;
    let delivery = next(&mut inbox).await;
    replicaof(&server, "127.0.0.1", "1");

    let error = bus
        .submit(&work(), &role("code"), None, Class::Normal)
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::NoWrites(_)), "{error}");
    assert!(error.to_string().contains("read-only replica"), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert!(
        bus.renew(&delivery.lease)
            .await
            .unwrap_err()
            .is_unreachable()
    );
    let error = Bus::connect(&server.address(), &team(), LEASE)
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::NoWrites(_)), "{error}");

    replicaof(&server, "NO", "ONE");
    assert_eq!(bus.renew(&delivery.lease).await.unwrap(), HELD);
    bus.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
}

/// Submits until Redis takes no more; what it acknowledged.
async fn fill(bus: &Bus) -> (Vec<TaskId>, BusError) {
    let mut kept = Vec::new();
    for _ in 0..2000 {
        let envelope = work();
        let sent = bus
            .submit(&envelope, &role("code"), None, Class::Normal)
            .await;
        match sent {
            Ok(_) => kept.extend(envelope.payload.task_id),
            Err(error) => return (kept, error),
        }
    }
    panic!("the disk did not fill");
}

async fn all_known(bus: &Bus, tasks: &[TaskId]) {
    assert!(!tasks.is_empty());
    for task in tasks {
        assert!(bus.known(*task).await.unwrap(), "{task} is gone");
    }
}

#[tokio::test]
async fn a_full_disk_under_everysec_is_named_and_nothing_acknowledged_is_lost() {
    let mut server = Server::start_with(|_| vec!["--appendfsync".into(), "everysec".into()]);
    let bus = server.bus_with(Duration::from_secs(60)).await;
    let mut inbox = inbox(&bus, "code-1").await;
    submit(&bus).await;
    let delivery = next(&mut inbox).await;
    server.largest_file("65536");
    let (kept, error) = fill(&bus).await;
    assert!(matches!(error, BusError::NoWrites(_)), "{error}");
    assert!(error.to_string().contains("free space"), "{error}");
    assert!(
        bus.renew(&delivery.lease)
            .await
            .unwrap_err()
            .is_unreachable()
    );
    let finish = bus
        .finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await;
    assert!(finish.unwrap_err().is_unreachable());

    server.largest_file("unlimited");
    let end = Instant::now() + Duration::from_secs(15);
    while bus.renew(&delivery.lease).await != Ok(HELD) {
        assert!(Instant::now() < end, "no writes although there is space");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bus.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
    // Let the write of this second reach the file, as Redis does by itself once a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.kill();
    server.start_again();
    all_known(&bus, &kept).await;
}

#[tokio::test]
async fn a_full_disk_under_always_ends_redis_and_nothing_acknowledged_is_lost() {
    let mut server = Server::start();
    let bus = server.bus_with(Duration::from_secs(60)).await;
    server.largest_file("65536");
    let (kept, error) = fill(&bus).await;
    assert!(error.is_unreachable(), "{error}");
    server.kill();
    server.start_again();
    all_known(&bus, &kept).await;
}
