//! A budget is a gate in front of the call.

use crate::server::*;
use bus::error::{BusError, Cap};
use protocol::ids::TaskId;
use protocol::money::MicroUsd;

#[tokio::test]
async fn caps_hold_before_the_call_and_are_put_right_after_it() {
    let server = Server::start();
    let bus = server.bus().await;
    bus.month_is("2026-11", MicroUsd(0)).await.unwrap();
    let (task, other) = (TaskId::new(), TaskId::new());
    let reserve = async |task, amount| {
        bus.reserve(
            task,
            MicroUsd(amount),
            MicroUsd(100),
            MicroUsd(150),
            "2026-11",
        )
        .await
    };
    let first = reserve(task, 80).await.unwrap();
    let cap_of = |error| match error {
        BusError::Budget { cap, spent, .. } => (cap, spent.0),
        other => panic!("{other}"),
    };
    assert_eq!(
        cap_of(reserve(task, 21).await.unwrap_err()),
        (Cap::Task, 80)
    );
    assert_eq!(
        cap_of(reserve(other, 71).await.unwrap_err()),
        (Cap::Month, 80)
    );
    bus.settle(first, MicroUsd(30)).await.unwrap();
    assert_eq!(bus.spent_by(task).await.unwrap(), MicroUsd(30));

    let lost_in_flight = reserve(other, 90).await.unwrap();
    drop(lost_in_flight);
    assert_eq!(
        bus.spent_in("2026-11").await.unwrap(),
        MicroUsd(120),
        "stays charged"
    );
    let dear = reserve(task, 30).await.unwrap();
    bus.settle(dear, MicroUsd(45)).await.unwrap();
    assert_eq!(
        bus.spent_by(task).await.unwrap(),
        MicroUsd(75),
        "more than was reserved"
    );
    assert!(
        bus.reserve(task, MicroUsd(1), MicroUsd(9), MicroUsd(9), "x")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_hundred_at_once_stay_under_the_cap() {
    let server = Server::start();
    let bus = server.bus().await;
    bus.month_is("2026-11", MicroUsd(0)).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let bus = bus.clone();
            let task = TaskId::new();
            tokio::spawn(async move {
                let (amount, cap) = (MicroUsd(10), MicroUsd(255));
                bus.reserve(task, amount, cap, cap, "2026-11").await.is_ok()
            })
        })
        .collect();
    let mut granted = 0;
    for call in calls {
        granted += u64::from(call.await.unwrap());
    }
    assert_eq!(granted, 25);
}

#[tokio::test]
async fn a_redis_that_does_not_know_the_month_lets_no_call_through() {
    let server = Server::start();
    let bus = server.bus().await;
    let (cap, month) = (MicroUsd(100), "2026-11");
    let reserve = async |amount| {
        bus.reserve(TaskId::new(), MicroUsd(amount), cap, cap, month)
            .await
    };
    let is = async |spent| bus.month_is(month, MicroUsd(spent)).await.unwrap();
    let unknown = |said: Result<_, BusError>| matches!(said, Err(BusError::Unsettled(_)));
    assert!(unknown(reserve(1).await.map(drop)));
    is(70).await;
    reserve(20).await.unwrap();
    let over = reserve(20).await;
    assert!(matches!(over, Err(BusError::Budget { spent, .. }) if spent == MicroUsd(90)));
    // The ledger is behind: nothing is given back by hearing it.
    is(80).await;
    assert_eq!(bus.spent_in(month).await.unwrap(), MicroUsd(90));
    // What is lost here is known there.
    let lost = reserve(5).await.unwrap();
    let _: String = redis::cmd("FLUSHALL").query(&mut server.raw()).unwrap();
    assert!(unknown(reserve(1).await.map(drop)));
    // A call that was under way ends all the same, and the month is as unknown as before.
    bus.settle(lost, MicroUsd(4)).await.unwrap();
    assert!(unknown(reserve(1).await.map(drop)));
    is(94).await;
    assert!(reserve(7).await.is_err());
    reserve(6).await.unwrap();
}

#[tokio::test]
async fn what_a_task_has_cost_is_heard_with_it_and_never_lowered() {
    let server = Server::start();
    let bus = server.bus().await;
    let (task, cap, month) = (TaskId::new(), MicroUsd(100), "2026-11");
    let large = MicroUsd(1_000);
    let reserve = async |task, amount| bus.reserve(task, MicroUsd(amount), cap, large, month).await;
    let is = async |spent| bus.task_is(task, MicroUsd(spent)).await.unwrap();
    bus.month_is(month, MicroUsd(0)).await.unwrap();
    let lost = reserve(task, 60).await.unwrap();
    let _: String = redis::cmd("FLUSHALL").query(&mut server.raw()).unwrap();
    bus.month_is(month, MicroUsd(60)).await.unwrap();
    is(60).await;
    let over = reserve(task, 41).await;
    assert!(
        matches!(over, Err(BusError::Budget { cap: Cap::Task, spent, .. }) if spent == MicroUsd(60)),
        "{over:?}"
    );
    // A call of before the loss ends: nothing is given back for it here.
    bus.settle(lost, MicroUsd(1)).await.unwrap();
    let held = reserve(task, 40).await.unwrap();
    // Said again it changes nothing, nor does a ledger that is behind; what is settled later is put right.
    for spent in [60, 10, 100] {
        is(spent).await;
        assert_eq!(bus.spent_by(task).await.unwrap(), MicroUsd(100));
    }
    bus.settle(held, MicroUsd(10)).await.unwrap();
    assert_eq!(bus.spent_by(task).await.unwrap(), MicroUsd(70));
    // Nobody else's limit has to do with it.
    reserve(TaskId::new(), 100).await.unwrap();
}
