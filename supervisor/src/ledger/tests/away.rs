//! Tasks of a host that is lost: they wait, go on from where they stood, and can be cancelled.

use super::*;
use crate::ledger::away::{FOR_HOST, KnownHost};
use protocol::ids::TaskRef;
use protocol::task_state::StateName;

async fn on_host(ledger: &Ledger, host: &str) -> Task {
    let id = RequestId::new();
    let new = NewTask {
        host: Some(host.to_owned()),
        ..new_task(id.as_str(), "a")
    };
    match ledger.keep(&new, 1000).await.unwrap() {
        Kept::New(task, _) => *task,
        Kept::Again(task) => panic!("{task:?} was there"),
    }
}

async fn state(ledger: &Ledger, task: &Task) -> TaskState {
    ledger.find(TaskRef::Id(task.id)).await.unwrap().state
}

async fn works(ledger: &Ledger, task: &Task) {
    let phase = Progress::PhaseStarted {
        phase: Phase::Execute,
        at: at(3),
    };
    let said = [claimed(task, 1, 7), progress(task, 2, 7, phase)];
    ledger.fold(&said).await.unwrap();
}

#[test]
fn tasks_of_a_lost_host_wait_and_go_on_where_they_stood() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let (queued, running) = (on_host(ledger, "b").await, on_host(ledger, "b").await);
        let elsewhere = on_host(ledger, "c").await;
        works(ledger, &running).await;
        let told = ledger.wait_for_host("b", "b is away", at(9)).await.unwrap();
        assert_eq!(told.len(), 4, "a state and a note each: {told:?}");
        for task in [&queued, &running] {
            assert_eq!(state(ledger, task).await, FOR_HOST);
            let page = ledger.page(TaskRef::Id(task.id)).await.unwrap();
            assert_eq!(page.notes, ["b is away"]);
        }
        assert_eq!(state(ledger, &elsewhere).await, TaskState::Queued);
        assert_eq!(ledger.waiting_for("b").await.unwrap(), 2);
        assert_eq!(ledger.counts().await.unwrap().for_hosts, 2);
        let in_hand = ledger.in_hand(protocol::ids::ShortId(0), 10).await.unwrap();
        assert_eq!(in_hand.len(), 3, "the bus must know them still");
        let again = ledger.wait_for_host("b", "b is away", at(9)).await.unwrap();
        assert!(again.is_empty(), "{again:?}");
        let told = ledger.host_is_back("b", "b is back", at(20)).await.unwrap();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(state(ledger, &queued).await, TaskState::Queued);
        let phase = Phase::Execute;
        assert_eq!(state(ledger, &running).await, TaskState::Running { phase });
        let again = ledger.host_is_back("b", "b is back", at(20)).await.unwrap();
        assert!(again.is_empty(), "{again:?}");
    });
}

#[test]
fn one_that_was_answered_is_told_to_the_bus_first() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = on_host(ledger, "b").await;
        works(ledger, &task).await;
        ledger.wait_for_host("b", "away", at(9)).await.unwrap();
        // Any wait will do: it goes on, and the bus was not told yet.
        let (owed, _) = ledger.resume(task.id, None, at(10)).await.unwrap().unwrap();
        let told = ledger.wait_for_host("b", "away", at(11)).await.unwrap();
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(ledger.resumes_owed(9).await.unwrap().len(), 1);
        ledger.resumed(task.id, owed.parked).await.unwrap();
        let told = ledger.wait_for_host("b", "away", at(12)).await.unwrap();
        assert_eq!(told.len(), 2);
    });
}

#[test]
fn a_word_from_a_lost_host_counts() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let (next, same, done) = (
            on_host(ledger, "b").await,
            on_host(ledger, "b").await,
            on_host(ledger, "b").await,
        );
        for task in [&next, &same, &done] {
            works(ledger, task).await;
        }
        ledger.wait_for_host("b", "away", at(9)).await.unwrap();
        let phase = Progress::PhaseStarted {
            phase: Phase::Verify,
            at: at(10),
        };
        ledger.fold(&[claimed(&next, 11, 8)]).await.unwrap();
        ledger.fold(&[progress(&same, 12, 7, phase)]).await.unwrap();
        for task in [&next, &same] {
            assert_eq!(state(ledger, task).await.name(), StateName::Running);
        }
        let report = says(&done, 13, 7, News::GivenUp("it broke".to_owned()));
        ledger.fold(&[report]).await.unwrap();
        assert_eq!(state(ledger, &done).await.name(), StateName::Failed);
    });
}

#[test]
fn cancelling_ends_at_once_where_nothing_can_run() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        // Begun, what the bus met (none: it was not told yet); expected.
        for (begun, met, expected) in [
            (false, FREE, StateName::Cancelled),
            (false, None, StateName::Cancelled),
            (false, HELD, StateName::Cancelling),
            (true, FREE, StateName::Cancelled),
            (true, HELD, StateName::Cancelling),
            (true, None, StateName::Cancelling),
        ] {
            let task = on_host(ledger, "b").await;
            if begun {
                works(ledger, &task).await;
            }
            ledger.wait_for_host("b", "away", at(9)).await.unwrap();
            let stopped = ledger.cancel(task.id, met, at(10)).await.unwrap();
            assert_eq!(stopped.state.name(), expected, "{begun} {met:?}");
        }
    });
}

#[test]
fn what_is_known_of_a_host_is_kept() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let unknown = ledger.host("b").await.unwrap();
        assert_eq!(
            (unknown.seen, unknown.lost, unknown.roles),
            (None, None, None)
        );
        let host = KnownHost {
            name: "b".to_owned(),
            seen: Some(at(1)),
            lost: Some(at(2)),
            roles: Some(vec!["code".parse().unwrap()]),
        };
        ledger.keep_host(&host).await.unwrap();
        assert_eq!(ledger.host("b").await.unwrap(), host);
        let back = KnownHost { lost: None, ..host };
        ledger.keep_host(&back).await.unwrap();
        assert_eq!(ledger.hosts().await.unwrap(), [back]);
    });
}
