//! A budget is a gate in front of the call.

use crate::server::*;
use bus::error::{BusError, Cap};
use protocol::ids::TaskId;
use protocol::money::MicroUsd;

#[tokio::test]
async fn caps_hold_before_the_call_and_are_put_right_after_it() {
    let server = Server::start();
    let bus = server.bus().await;
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
