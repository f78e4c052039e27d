//! Nothing starves, and whoever waits is woken.

use crate::server::*;
use bus::claim::Inbox;
use bus::connect::Bus;
use protocol::ids::TaskId;
use protocol::task::Class;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

async fn submit_to(bus: &Bus, host: Option<&str>, class: Class) -> TaskId {
    let envelope = work();
    bus.submit(&envelope, &role("code"), host, class)
        .await
        .unwrap();
    envelope.payload.task_id.unwrap()
}

/// How many claims it takes until `wanted` is claimed, each other claim answered with another
/// task of its lane and class, so that this never runs empty.
async fn claims_until(bus: &Bus, inbox: &mut Inbox, wanted: TaskId, full: &[Class]) -> usize {
    for class in full {
        for _ in 0..4 {
            submit_to(bus, None, *class).await;
        }
    }
    for n in 1..=100 {
        if next(inbox).await.lease.task == wanted {
            return n;
        }
        for class in full {
            submit_to(bus, None, *class).await;
        }
    }
    panic!("it starves");
}

#[tokio::test]
async fn background_starts_within_8_claims_under_a_full_urgent_stream() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let mut inbox = inbox(&bus, "code-1").await;
    for (class, most) in [(Class::Background, 8), (Class::Normal, 8)] {
        for _ in 0..3 {
            let task = submit_to(&bus, None, class).await;
            let took = claims_until(&bus, &mut inbox, task, &[Class::Urgent]).await;
            assert!(took <= most, "{class:?} started with claim {took}");
        }
    }
}

#[tokio::test]
async fn a_host_s_own_lane_starts_within_16_claims_under_full_lanes_of_any_host() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let mut inbox = inbox(&bus, "code-1").await;
    for class in Class::ALL {
        let task = submit_to(&bus, Some("here"), class).await;
        let took = claims_until(&bus, &mut inbox, task, &Class::ALL).await;
        assert!(took <= 16, "{class:?} started with claim {took}");
    }
}

#[tokio::test]
async fn every_idle_agent_is_woken_also_one_that_went_idle_before_a_wake() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let mut waits = Vec::new();
        for name in ["code-1", "code-2", "code-3"] {
            let mut inbox = inbox(&bus, name).await;
            assert!(inbox.try_next().await.unwrap().is_none());
            waits.push(tokio::spawn(async move {
                let delivery = next(&mut inbox).await;
                (delivery, Instant::now())
            }));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        let began = Instant::now();
        for _ in 0..3 {
            submit(&bus).await;
        }
        for wait in waits {
            let (delivery, at) = wait.await.unwrap();
            slowest = slowest.max(at.saturating_duration_since(began));
            let end = word(&delivery, protocol::envelope::MessageType::Result);
            bus.finish(&delivery.lease, &end).await.unwrap();
        }
    }
    assert!(
        slowest < Duration::from_millis(500),
        "woken after {slowest:?}"
    );
}
