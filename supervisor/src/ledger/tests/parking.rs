//! Tasks that wait and go on: what is owed to the bus, and what a late or double word changes.

use super::*;
use crate::ledger::fold::Folded;
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::report::Wait;
use protocol::task_state::WaitReason;

const WAITS: TaskState = TaskState::Waiting {
    on: WaitReason::Input,
};

fn answer(epoch: u64) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch: Epoch(epoch),
        at: at(50),
        step: "execute/call".to_owned(),
        kind: EntryKind::Answer,
        body: serde_json::json!({"choice": "happened"}),
    }
}

async fn fold(ledger: &Ledger, incoming: Incoming) -> Folded {
    ledger.fold(&[incoming]).await.unwrap().remove(0)
}

#[test]
fn what_goes_on_is_owed_until_the_bus_has_heard_it() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = kept(ledger).await;
        fold(ledger, claimed(&task, 1, 1)).await;
        assert_eq!(
            ledger.resume(task.id, None, at(2)).await.unwrap(),
            None,
            "it runs"
        );
        let parked = reported(&task, 2, 1, WAITS);
        assert!(matches!(
            fold(ledger, parked.clone()).await,
            Folded::Kept(_)
        ));
        assert_eq!(state(ledger, &task).await, WAITS);
        assert!(
            ledger
                .in_hand(protocol::ids::ShortId(0), 9)
                .await
                .unwrap()
                .is_empty()
        );

        let (owed, _) = ledger
            .resume(task.id, Some(&answer(1)), at(3))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((owed.parked, &owed.answer), (Epoch(1), &Some(answer(1))));
        assert_eq!(state(ledger, &task).await, TaskState::Queued);
        assert_eq!(ledger.resume(task.id, None, at(4)).await.unwrap(), None);
        // The report comes again, because the supervisor was killed after it had folded it.
        assert_eq!(fold(ledger, parked).await, Folded::Again);
        assert_eq!(state(ledger, &task).await, TaskState::Queued);
        let newer = Ledger::open(&room.place).await.unwrap();
        assert_eq!(newer.resumes_owed(9).await.unwrap(), [owed]);
        newer.resumed(task.id, Epoch(1)).await.unwrap();
        assert!(newer.resumes_owed(9).await.unwrap().is_empty());

        fold(&newer, claimed(&task, 3, 2)).await;
        fold(&newer, reported(&task, 4, 2, WAITS)).await;
        let (second, _) = newer.resume(task.id, None, at(5)).await.unwrap().unwrap();
        newer.resumed(task.id, Epoch(1)).await.unwrap();
        let owed = newer.resumes_owed(9).await.unwrap();
        assert_eq!(owed, [second], "a late word was about the first park");
    });
}

#[test]
fn what_is_tried_again_later_goes_on_at_its_time_and_once() {
    run(async || {
        let later = TaskState::Waiting {
            on: WaitReason::Time,
        };
        let room = room().await;
        let ledger = &room.ledger;
        let task = kept(ledger).await;
        fold(ledger, claimed(&task, 1, 1)).await;
        let mut parked = reported(&task, 2, 1, later.clone());
        let wait = Wait {
            until: at(500),
            why: "the model: overloaded".to_owned(),
            number: 1,
            most: 5,
        };
        if let News::Report(report) = &mut parked.news {
            report.wait = Some(wait.clone());
        }
        fold(ledger, parked.clone()).await;
        let document = ledger.document(TaskRef::Id(task.id)).await.unwrap();
        assert_eq!(
            (document.state, document.due),
            (later.clone(), Some(at(500)))
        );
        assert_eq!(document.wait, Some(wait));
        assert_eq!(ledger.counts().await.unwrap().delayed, 1);
        let (told, owed) = ledger.queue_due(at(499)).await.unwrap();
        assert!(told.is_empty() && owed.is_empty());
        let (_, owed) = ledger.queue_due(at(500)).await.unwrap();
        assert_eq!((owed.len(), owed[0].parked), (1, Epoch(1)));
        assert_eq!(ledger.queue_due(at(501)).await.unwrap().1, []);
        assert_eq!(ledger.resumes_owed(9).await.unwrap(), owed);
        assert_eq!(fold(ledger, parked).await, Folded::Again);
        let document = ledger.document(TaskRef::Id(task.id)).await.unwrap();
        assert_eq!((document.due, document.wait), (None, None));
        // One that names no time does not wait for ever.
        fold(ledger, claimed(&task, 3, 2)).await;
        fold(ledger, reported(&task, 4, 2, later)).await;
        assert_eq!(ledger.queue_due(at(9_999)).await.unwrap().1.len(), 1);
    });
}

#[test]
fn one_that_is_to_be_tried_again_can_be_asked_about_instead() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = kept(ledger).await;
        fold(ledger, claimed(&task, 1, 1)).await;
        let later = TaskState::Waiting {
            on: WaitReason::Time,
        };
        fold(ledger, reported(&task, 2, 1, later)).await;
        ledger
            .ask_person(task.id, "it is gone", at(9))
            .await
            .unwrap();
        assert_eq!(state(ledger, &task).await, WAITS);
        assert_eq!(ledger.queue_due(at(9_999)).await.unwrap().1, []);
    });
}

#[test]
fn a_park_the_bus_lost_fails_the_task_unless_it_is_being_stopped() {
    run(async || {
        for stopped in [false, true] {
            let room = room().await;
            let ledger = &room.ledger;
            let task = kept(ledger).await;
            fold(ledger, claimed(&task, 1, 1)).await;
            fold(ledger, reported(&task, 2, 1, WAITS)).await;
            let (owed, _) = ledger.resume(task.id, None, at(3)).await.unwrap().unwrap();
            if stopped {
                ledger.owe_stop(task.id).await.unwrap();
                assert!(ledger.resumes_owed(9).await.unwrap().is_empty());
            }
            let told = ledger.resume_lost(&owed, "gone", at(4)).await.unwrap();
            assert_eq!(told.is_empty(), stopped);
            let expected = if stopped { "queued" } else { "failed" };
            assert_eq!(state(ledger, &task).await.to_string(), expected);
            assert_eq!(ledger.stops_owed(9).await.unwrap(), [task.id]);
        }
    });
}
