//! Tasks are kept once, by one writer, and stopped by the table.

use super::*;
use crate::ledger::patch::PatchState;
use crate::ledger::store::LedgerError;
use jiff::SignedDuration;
use protocol::ids::ShortId;

#[test]
fn a_request_id_is_one_task_and_numbers_are_never_given_again() {
    run(async || {
        let room = room().await;
        let first = room.ledger.keep(&new_task("r1", "a"), 10).await.unwrap();
        let Kept::New(first, _) = first else {
            panic!("not new")
        };
        assert_eq!(first.short_id, ShortId(1));
        let again = room.ledger.keep(&new_task("r1", "a"), 10).await.unwrap();
        assert_eq!(again, Kept::Again(first.clone()));
        let other = room.ledger.keep(&new_task("r1", "b"), 10).await;
        assert!(matches!(other, Err(LedgerError::OtherRequest { .. })));
        assert!(
            room.ledger
                .asked_before(&first.request_id, "b")
                .await
                .is_err()
        );
        let full = room.ledger.keep(&new_task("r2", "a"), 1).await;
        assert!(matches!(full, Err(LedgerError::QueueFull(1))));
        assert_eq!(kept(&room.ledger).await.short_id, ShortId(2));
    });
}

#[test]
fn a_supervisor_that_wakes_up_late_changes_nothing() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let newer = Ledger::open(&room.place).await.unwrap();
        assert!(newer.epoch() > room.ledger.epoch());
        let late = room.ledger.keep(&new_task("late", "a"), 10).await;
        assert!(matches!(late, Err(LedgerError::Superseded)));
        let late = room.ledger.fold(&[claimed(&task, 1, 1)]).await;
        assert!(matches!(late, Err(LedgerError::Superseded)));
        let late = room.ledger.cancel(task.id, false, false, at(1)).await;
        assert!(matches!(late, Err(LedgerError::Superseded)));
        assert_eq!(state(&newer, &task).await, TaskState::Queued);
        assert_eq!(newer.newest(10).await.unwrap().len(), 1);
    });
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    run(async || {
        let room = room().await;
        sqlx::query("UPDATE meta SET value = 99 WHERE key = 'schema'")
            .execute(&mut *room.ledger.writer_for_tests().await)
            .await
            .unwrap();
        let epoch = room.ledger.epoch();
        room.ledger.close().await;
        let error = Ledger::open(&room.place).await.unwrap_err();
        assert!(matches!(error, LedgerError::Newer(99)), "{error}");
        let pool = room.place.writer().await.unwrap();
        let stored: i64 = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'epoch'")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(stored, epoch);
        pool.close().await;
    });
}

#[test]
fn cancelling_follows_the_table() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let queued = kept(ledger).await;
        let stopped = ledger.cancel(queued.id, false, true, at(1)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelled);
        assert_eq!(ledger.stops_owed(9).await.unwrap(), vec![queued.id]);
        ledger.cancel(queued.id, false, false, at(1)).await.unwrap();
        assert!(ledger.stops_owed(9).await.unwrap().is_empty());

        let held = kept(ledger).await;
        let stopped = ledger.cancel(held.id, true, false, at(1)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelling);
        ledger
            .fold(&[reported(&held, 1, 1, TaskState::Cancelled)])
            .await
            .unwrap();
        assert_eq!(state(ledger, &held).await, TaskState::Cancelled);
        let again = ledger.cancel(held.id, true, false, at(2)).await.unwrap();
        assert!(again.told.is_empty());

        let mut late = new_task("late", "a");
        late.deadline = Some(at(10));
        ledger.keep(&late, 10).await.unwrap();
        assert!(ledger.overdue(at(9)).await.unwrap().is_empty());
        assert_eq!(ledger.overdue(at(10)).await.unwrap(), vec![late.id]);
        let failed = TaskState::Failed {
            reason: "deadline passed".to_owned(),
        };
        assert!(
            !ledger
                .end(late.id, failed.clone(), at(10))
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            ledger
                .end(late.id, failed, at(11))
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(ledger.counts().await.unwrap().queued, 0);
    });
}

#[test]
fn of_two_who_apply_a_patch_one_does() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let go = |from, to| room.ledger.patch_move(task.id, from, to, at(1));
        assert!(go(PatchState::Kept, PatchState::Applying).await.unwrap());
        assert!(!go(PatchState::Kept, PatchState::Applying).await.unwrap());
        assert!(go(PatchState::Applying, PatchState::Applied).await.unwrap());
        let state = room.ledger.patch_state(task.id).await.unwrap();
        assert_eq!(state, PatchState::Applied);
        assert!(room.ledger.patch_state(TaskId::new()).await.is_err());
    });
}

#[test]
fn what_is_committed_survives_and_costs_add_up() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let mut end = report(&task, TaskState::Done);
        end.usage.cost = protocol::money::MicroUsd(1_500_000);
        let news = News::Report(Box::new(end));
        room.ledger.fold(&[says(&task, 1, 1, news)]).await.unwrap();
        let reopened = Ledger::open(&room.place).await.unwrap();
        assert_eq!(state(&reopened, &task).await, TaskState::Done);
        let hour = SignedDuration::from_hours(1);
        assert_eq!(reopened.spent_since(at(0)).await.unwrap().0, 1_500_000);
        assert_eq!(reopened.spent_since(at(0) + hour).await.unwrap().0, 0);
    });
}
