//! From queue to result: claims, leases, cancellation, weights.

use crate::server::*;
use bus::broadcast::Listener;
use bus::cancel::CancelOutcome;
use bus::claim::Inbox;
use bus::error::BusError;
use bus::lease::Renewal;
use bus::outflow::Outflow;
use bus::publish::Submitted;
use protocol::envelope::MessageType;
use protocol::ids::TaskId;
use protocol::journal::EntryKind;
use protocol::task::Class;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_finished_task_leaves_a_journal_a_result_and_an_empty_queue() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let delivery = next(&mut inbox).await;
    assert_eq!((delivery.lease.task, delivery.attempt), (task, 1));
    bus.journal_append(&delivery.lease, &step(&delivery, "observe"))
        .await
        .unwrap();
    bus.progress(&delivery.lease, &word(&delivery, MessageType::Progress))
        .await
        .unwrap();
    let result = word(&delivery, MessageType::Result);
    bus.finish(&delivery.lease, &result).await.unwrap();
    bus.finish(&delivery.lease, &result).await.unwrap();

    let mut outflow = Outflow::open(&bus).await.unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let messages = outflow.next().await.unwrap();
        kinds.extend(messages.iter().map(|m| m.envelope.kind));
        assert!(messages.iter().all(|m| m.role == role("code")));
        outflow.done(&messages).await.unwrap();
    }
    assert_eq!(kinds, [MessageType::Progress, MessageType::Result]);
    assert!(outflow.next().await.unwrap().is_empty());

    let mut raw = server.raw();
    for stream in ["{main}:q:code:any:normal", "{main}:out:code"] {
        let left: u64 = redis::cmd("XLEN").arg(stream).query(&mut raw).unwrap();
        assert_eq!(left, 0, "{stream}");
    }
    let steps: Vec<EntryKind> = bus
        .journal_read(task)
        .await
        .unwrap()
        .iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(steps, [EntryKind::Phase]);
    assert!(bus.known(task).await.unwrap());
    bus.journal_expire(task, Duration::from_millis(1))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!bus.known(task).await.unwrap());
    assert!(bus.journal_read(task).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_same_task_twice_is_one_task_even_after_its_end() {
    let server = Server::start();
    let bus = server.bus().await;
    let envelope = work();
    let send = async || {
        bus.submit(&envelope, &role("code"), None, Class::Normal)
            .await
            .unwrap()
    };
    assert_eq!(send().await, Submitted::New);
    assert_eq!(send().await, Submitted::Again);
    let mut inbox = inbox(&bus, "code-1").await;
    let delivery = next(&mut inbox).await;
    assert_eq!(send().await, Submitted::Again);
    bus.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
    assert_eq!(send().await, Submitted::Again);
    assert!(inbox.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_holder_whose_task_was_taken_over_can_write_nothing() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let old = next(&mut first).await;
    expire(&mut server.raw(), task);
    let new = next(&mut second).await;
    assert!(new.lease.epoch > old.lease.epoch);
    assert_eq!(new.attempt, 2);

    let fenced = Err(BusError::Fenced { task });
    assert_eq!(
        bus.journal_append(&old.lease, &step(&old, "late")).await,
        fenced
    );
    assert_eq!(
        bus.progress(&old.lease, &word(&old, MessageType::Progress))
            .await,
        fenced
    );
    assert_eq!(
        bus.finish(&old.lease, &word(&old, MessageType::Result))
            .await,
        fenced
    );
    assert_eq!(bus.give_back(&old.lease).await, fenced);
    assert_eq!(bus.renew(&old.lease).await.unwrap(), Renewal::Lost);
    assert!(bus.journal_read(task).await.unwrap().is_empty());

    bus.finish(&new.lease, &word(&new, MessageType::Result))
        .await
        .unwrap();
    assert_eq!(
        bus.finish(&old.lease, &word(&old, MessageType::Result))
            .await,
        fenced
    );
}

#[tokio::test]
async fn an_idle_agent_takes_over_from_a_dead_one_and_never_from_a_living_one() {
    let server = Server::start();
    // Long enough that a busy machine does not let it run out by itself.
    let lease = 2 * LEASE;
    let bus = server.bus_with(lease).await;
    submit(&bus).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let living = next(&mut first).await;
    let until = Instant::now() + 3 * lease;
    while Instant::now() < until {
        assert!(matches!(
            bus.renew(&living.lease).await.unwrap(),
            Renewal::Held { .. }
        ));
        let looked = tokio::time::timeout(lease / 8, second.next()).await;
        assert!(!matches!(looked, Ok(Ok(Some(_)))), "a live lease was taken");
    }
    bus.renew(&living.lease).await.unwrap();
    let died = Instant::now();
    let taken = delivered(&mut second, lease + Duration::from_secs(3)).await;
    let took = died.elapsed();
    assert_eq!((taken.lease.task, taken.attempt), (living.lease.task, 2));
    assert!(
        took >= lease - Duration::from_millis(20),
        "taken {took:?} after the last renewal"
    );
    assert!(
        took <= lease + Duration::from_secs(1),
        "taken only {took:?} after the last renewal"
    );
}

#[tokio::test]
async fn what_is_given_back_comes_first_and_wakes_an_idle_agent() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let begun = submit(&bus).await;
    let delivery = next(&mut first).await;
    assert!(second.next().await.unwrap().is_none());
    let waiting = tokio::spawn(async move {
        let delivery = next(&mut second).await;
        (delivery, Instant::now())
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let given = Instant::now();
    bus.give_back(&delivery.lease).await.unwrap();
    let (again, at) = waiting.await.unwrap();
    assert_eq!((again.lease.task, again.attempt), (begun, 2));
    assert!(
        at - given < Duration::from_millis(500),
        "woken after {:?}",
        at - given
    );

    bus.give_back(&again.lease).await.unwrap();
    submit_as(&bus, Class::Urgent).await;
    assert_eq!(
        next(&mut first).await.lease.task,
        begun,
        "before anything new"
    );
}

#[tokio::test]
async fn cancelling_removes_what_waits_and_tells_who_holds() {
    let server = Server::start();
    let bus = server.bus().await;
    let mut inbox = inbox(&bus, "code-1").await;
    let queued = submit(&bus).await;
    assert_eq!(bus.cancel(queued).await.unwrap(), CancelOutcome::Removed);
    assert_eq!(bus.cancel(queued).await.unwrap(), CancelOutcome::Removed);
    assert!(!bus.known(queued).await.unwrap());
    assert!(inbox.try_next().await.unwrap().is_none());
    assert_eq!(
        bus.cancel(TaskId::new()).await.unwrap(),
        CancelOutcome::Unknown
    );

    let held = submit(&bus).await;
    let delivery = next(&mut inbox).await;
    assert_eq!(
        bus.renew(&delivery.lease).await.unwrap(),
        Renewal::Held {
            cancel: false,
            pause: false,
            frozen: false
        }
    );
    let mut listener = Listener::open(&bus).await.unwrap();
    assert_eq!(bus.cancel(held).await.unwrap(), CancelOutcome::Told);
    assert_eq!(
        bus.renew(&delivery.lease).await.unwrap(),
        Renewal::Held {
            cancel: true,
            pause: false,
            frozen: false
        }
    );
    let hint = listener.next().await;
    assert_eq!(
        (hint.payload.action.as_str(), hint.payload.task_id),
        ("cancel", Some(held))
    );

    expire(&mut server.raw(), held);
    assert!(next(&mut inbox).await.cancel, "the next holder knows");
}

#[tokio::test]
async fn the_daemon_frees_what_a_dead_process_held_at_once() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let task = submit(&bus).await;
    let (mut first, mut second) = (inbox(&bus, "code-1").await, inbox(&bus, "code-2").await);
    let dead = next(&mut first).await;
    assert!(bus.release_holder("code-2").await.unwrap().is_empty());
    assert_eq!(bus.release_holder("code-1").await.unwrap(), [task]);
    assert!(bus.release_holder("code-1").await.unwrap().is_empty());
    assert_eq!(bus.renew(&dead.lease).await.unwrap(), Renewal::Lost);
    assert_eq!(next(&mut second).await.lease.task, task);
}

#[tokio::test]
async fn work_for_one_host_stays_there() {
    let server = Server::start();
    let bus = server.bus().await;
    let envelope = work();
    bus.submit(&envelope, &role("code"), Some("there"), Class::Normal)
        .await
        .unwrap();
    let mut here = inbox(&bus, "code-1").await;
    assert!(here.try_next().await.unwrap().is_none());
    let mut there = Inbox::open(&bus, &role("code"), "there", "code-2")
        .await
        .unwrap();
    assert_eq!(
        Some(next(&mut there).await.lease.task),
        envelope.payload.task_id
    );
    assert!(
        bus.submit(&work(), &role("code"), Some("a:b"), Class::Normal)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn no_class_starves() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    for class in Class::ALL {
        for _ in 0..16 {
            submit_as(&bus, class).await;
        }
    }
    let waiting: Vec<u64> = bus
        .queue_lengths()
        .await
        .unwrap()
        .iter()
        .map(|r| r.2)
        .collect();
    assert_eq!(waiting, [16, 16, 16]);
    let mut inbox = inbox(&bus, "code-1").await;
    for _ in 0..16 {
        next(&mut inbox).await;
    }
    let taken: Vec<u64> = bus
        .queue_lengths()
        .await
        .unwrap()
        .iter()
        .map(|r| 16 - r.2)
        .collect();
    assert_eq!(taken, [12, 2, 2], "urgent, normal, background");
}

#[tokio::test]
async fn a_full_queue_refuses_at_the_producer() {
    let server = Server::start();
    let bus = server.bus().await.with_queue_limit(2);
    submit(&bus).await;
    submit(&bus).await;
    let refused = bus
        .submit(&work(), &role("code"), None, Class::Normal)
        .await;
    assert_eq!(
        refused,
        Err(BusError::QueueFull {
            role: role("code"),
            limit: 2
        })
    );
}

/// Polls a future once and drops it.
async fn begin_and_drop<T>(future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let mut first = inbox(&bus, "code-1").await;
    let task = submit(&bus).await;
    begin_and_drop(first.next()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(next(&mut first).await.lease.task, task);

    let other = submit(&bus).await;
    begin_and_drop(first.next()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(first);
    let mut second = inbox(&bus, "code-2").await;
    assert_eq!(
        next(&mut second).await.lease.task,
        other,
        "given back by the dropped inbox"
    );
}

#[tokio::test]
async fn a_task_that_kills_its_holders_is_given_up_and_said_so() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    for attempt in 1..=5 {
        assert_eq!(next(&mut inbox).await.attempt, attempt);
        assert_eq!(bus.release_holder("code-1").await.unwrap(), [task]);
        rested(&mut server.raw(), task);
    }
    assert!(inbox.try_next().await.unwrap().is_none());
    let dead = bus.dead_letters(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].task), (1, Some(task)));
    assert!(
        dead[0].reason.contains("5 holders died"),
        "{}",
        dead[0].reason
    );
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let said = outflow.next().await.unwrap();
    assert_eq!(said[0].envelope.kind, MessageType::Control);
    assert_eq!(said[0].envelope.payload.action, "dead");
    assert_eq!(said[0].envelope.payload.task_id, Some(task));
}
