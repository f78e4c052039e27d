//! When work may begin: due times, the rest after a crash, and the brakes.

use crate::server::*;
use bus::cancel::CancelOutcome;
use bus::error::BusError;
use bus::lease::Renewal;
use bus::publish::Submitted;
use jiff::{SignedDuration, Timestamp};
use protocol::ids::TaskId;
use protocol::task::Class;
use std::time::{Duration, Instant};

async fn submit_due(bus: &bus::connect::Bus, due: Timestamp) -> TaskId {
    let envelope = work();
    let sent = bus
        .submit_at(&envelope, &role("code"), None, Class::Normal, Some(due))
        .await
        .unwrap();
    assert_eq!(sent, Submitted::New);
    let again = bus
        .submit_at(&envelope, &role("code"), None, Class::Normal, Some(due))
        .await
        .unwrap();
    assert_eq!(again, Submitted::Again);
    envelope.payload.task_id.unwrap()
}

fn after(ms: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(ms)
}

/// A field of a task's record.
fn field(raw: &mut redis::Connection, task: TaskId, name: &str) -> Option<String> {
    redis::cmd("HGET")
        .arg(format!("{{main}}:task:code:{task}"))
        .arg(name)
        .query(raw)
        .unwrap()
}

#[tokio::test]
async fn a_task_is_had_at_its_due_time_and_not_before() {
    let server = Server::start();
    let bus = server.bus().await;
    let mut inbox = inbox(&bus, "code-1").await;
    let far = submit_due(&bus, after(3_600_000)).await;
    let due = after(700);
    let near = submit_due(&bus, due).await;
    assert!(inbox.try_next().await.unwrap().is_none());
    assert!(bus.known(near).await.unwrap());
    let delivery = next(&mut inbox).await;
    let now = Timestamp::now();
    assert_eq!(delivery.lease.task, near);
    assert!(now >= due && now < due + SignedDuration::from_millis(500));
    assert_eq!(field(&mut server.raw(), near, "body"), None);
    bus.finish(
        &delivery.lease,
        &word(&delivery, protocol::envelope::MessageType::Result),
    )
    .await
    .unwrap();
    assert!(inbox.try_next().await.unwrap().is_none(), "far is not due");
    // A due time that has passed is now.
    let past = submit_due(&bus, after(-5_000)).await;
    assert_eq!(next(&mut inbox).await.lease.task, past);
    assert_eq!(bus.cancel(far).await.unwrap(), CancelOutcome::Removed);
    assert!(!bus.known(far).await.unwrap());
    let left: u64 = redis::cmd("ZCARD")
        .arg("{main}:delay:code:any")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_due_task_whose_stream_is_full_waits_for_room() {
    let server = Server::start();
    let bus = server.bus().await.with_queue_limit(2);
    let mut inbox = inbox(&bus, "code-1").await;
    let due = submit_due(&bus, after(50)).await;
    let (first, second) = (submit(&bus).await, submit(&bus).await);
    tokio::time::sleep(Duration::from_millis(80)).await;
    let held = next(&mut inbox).await;
    assert_eq!(held.lease.task, first);
    assert_eq!(
        field(&mut server.raw(), due, "state").as_deref(),
        Some("delayed")
    );
    bus.finish(
        &held.lease,
        &word(&held, protocol::envelope::MessageType::Result),
    )
    .await
    .unwrap();
    assert_eq!(next(&mut inbox).await.lease.task, second);
    assert_eq!(next(&mut inbox).await.lease.task, due);
    // The set of delayed tasks is bounded too.
    for _ in 0..2 {
        submit_due(&bus, after(3_600_000)).await;
    }
    let full = bus
        .submit_at(
            &work(),
            &role("code"),
            None,
            Class::Normal,
            Some(after(9_000_000)),
        )
        .await;
    assert!(matches!(full, Err(BusError::QueueFull { .. })), "{full:?}");
}

#[tokio::test]
async fn a_task_rests_longer_after_each_crash_but_not_after_the_first() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    next(&mut inbox).await;
    for (crash, rest) in [(1, 0_u64), (2, 1_000), (3, 2_000)] {
        let died = Instant::now();
        if crash == 2 {
            // Nobody saw it die: the lease ran out.
            expire(&mut server.raw(), task);
        } else {
            assert_eq!(bus.release_holder("code-1").await.unwrap(), [task]);
        }
        let taken = next(&mut inbox).await;
        assert_eq!(taken.lease.task, task);
        let took = died.elapsed().as_millis() as u64;
        assert!(
            (rest.saturating_sub(20)..rest + 900).contains(&took),
            "crash {crash}: back after {took} ms"
        );
    }
}

#[tokio::test]
async fn a_frozen_team_and_a_paused_role_claim_nothing_and_holders_are_told() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let held = submit(&bus).await;
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.lease.task, held);
    let roles = |paused| [(role("code"), paused), (role("qa"), false)];
    for (frozen, paused) in [(Some("by root"), false), (None, true)] {
        for _ in 0..2 {
            bus.set_brakes(frozen, &roles(paused)).await.unwrap();
        }
        let waiting = submit(&bus).await;
        assert!(inbox.try_next().await.unwrap().is_none());
        assert_eq!(
            bus.renew(&delivery.lease).await.unwrap(),
            Renewal::Held {
                cancel: false,
                pause: false,
                frozen: frozen.is_some()
            }
        );
        // An idle agent wakes when it is let go.
        let bus_again = bus.clone();
        let roles = roles(false);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            bus_again.set_brakes(None, &roles).await.unwrap();
        });
        let began = Instant::now();
        let taken = next(&mut inbox).await;
        assert_eq!(taken.lease.task, waiting);
        assert!(began.elapsed() < Duration::from_millis(700));
    }
}

#[tokio::test]
async fn under_pressure_only_urgent_tasks_begin_and_what_was_begun_goes_on() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let begun = submit(&bus).await;
    let delivery = next(&mut inbox).await;
    bus.give_back(&delivery.lease).await.unwrap();
    let normal = submit(&bus).await;
    let urgent = submit_as(&bus, Class::Urgent).await;
    for expected in [Some(begun), Some(urgent), None, None] {
        let taken = inbox.next_urgent().await.unwrap();
        assert_eq!(taken.map(|taken| taken.lease.task), expected);
    }
    assert_eq!(next(&mut inbox).await.lease.task, normal);
}
