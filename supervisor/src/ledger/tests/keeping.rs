//! Tasks are kept once, by one writer, and stopped by the table.

use super::*;
use crate::ledger::patch::PatchState;
use crate::ledger::store::LedgerError;
use jiff::SignedDuration;
use protocol::ids::ShortId;
use protocol::task_state::StateName;

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

/// Everything is asked in one moment; what each came to, in that order.
async fn in_one_moment(room: &Room, asked: Vec<(NewTask, u64)>) -> Vec<Result<Kept, LedgerError>> {
    let tasks = asked.into_iter().map(|(new, limit)| {
        let ledger = room.ledger.clone();
        tokio::spawn(async move { ledger.keep(&new, limit).await })
    });
    let mut said = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        said.push(task.await.unwrap());
    }
    said
}

async fn writes(room: &Room) -> i64 {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = 'writes'")
        .fetch_one(&mut *room.ledger.writer_for_tests().await)
        .await
        .unwrap()
}

fn number(said: &Result<Kept, LedgerError>) -> Option<u64> {
    match said {
        Ok(Kept::New(task, _)) => Some(task.short_id.0),
        _ => None,
    }
}

#[test]
fn requests_of_one_moment_share_a_write_and_each_has_its_own_answer() {
    run(async || {
        let room = room().await;
        let many = |name: &str, many: usize, limit: u64| -> Vec<(NewTask, u64)> {
            let one = |at| (new_task(&format!("{name}{at}"), "a"), limit);
            (0..many).map(one).collect()
        };
        let before = writes(&room).await;
        let said = in_one_moment(&room, many("first", 40, 100)).await;
        let numbers: Vec<u64> = said.iter().filter_map(number).collect();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
        let took = writes(&room).await - before;
        assert!((1..=10).contains(&took), "{took} writes for 40 requests");

        // There is room for five more of ten, whatever write each of them is in.
        let said = in_one_moment(&room, many("second", 10, 45)).await;
        let full = |said: &&Result<_, _>| matches!(said, Err(LedgerError::QueueFull(45)));
        assert_eq!(said.iter().filter(full).count(), 5);
        let numbers: Vec<u64> = said.iter().filter_map(number).collect();
        assert_eq!(numbers, (41..=45).collect::<Vec<_>>());

        // The same id three times, once with other words; one that was kept long ago.
        let mut asked = vec![
            (new_task("same", "a"), 100),
            (new_task("same", "a"), 100),
            (new_task("same", "b"), 100),
            (new_task("first3", "a"), 1),
        ];
        asked.extend(many("third", 3, 100));
        let said = in_one_moment(&room, asked).await;
        assert_eq!(number(&said[0]), Some(46), "{said:?}");
        let again = |said: &Result<Kept, LedgerError>| match said {
            Ok(Kept::Again(task)) => task.short_id.0,
            other => panic!("{other:?}"),
        };
        assert_eq!((again(&said[1]), again(&said[3])), (46, 4));
        assert!(matches!(said[2], Err(LedgerError::OtherRequest { .. })));
        assert_eq!(said[4..].iter().filter_map(number).count(), 3);

        // A text that a server never takes is nobody else's trouble.
        let mut asked = many("fourth", 3, 100);
        asked[1].0.asked = "a\0b".to_owned();
        let said = in_one_moment(&room, asked).await;
        assert!(number(&said[0]).is_some() && number(&said[2]).is_some());
        if matches!(room.place, Place::Server(_)) {
            assert!(matches!(said[1], Err(LedgerError::NotTaken(_))), "{said:?}");
        }
        let lines = room.ledger.newest(1000).await.unwrap();
        let mut numbers: Vec<u64> = lines.iter().map(|line| line.short_id.0).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), lines.len());
    });
}

#[test]
fn whoever_goes_away_while_others_wait_takes_nobody_along() {
    run(async || {
        let room = room().await;
        let gone = {
            let ledger = room.ledger.clone();
            tokio::spawn(async move { ledger.keep(&new_task("gone", "a"), 10).await })
        };
        let stays = {
            let ledger = room.ledger.clone();
            tokio::spawn(async move { ledger.keep(&new_task("stays", "a"), 10).await })
        };
        tokio::task::yield_now().await;
        gone.abort();
        assert!(stays.await.unwrap().is_ok());
        // It may have been kept: asking again is the way to know.
        assert!(room.ledger.keep(&new_task("gone", "a"), 10).await.is_ok());
        assert_eq!(room.ledger.newest(10).await.unwrap().len(), 2);
    });
}

#[test]
fn a_probe_sees_what_the_next_write_would_come_to() {
    run(async || {
        let room = room().await;
        kept(&room.ledger).await;
        assert!(room.ledger.probe().await.is_ok());
        if matches!(room.place, Place::File(_)) {
            return;
        }
        let put = async |key: &str, by: i64| {
            sqlx::query("UPDATE meta SET value = value + $2 WHERE key = $1")
                .bind(key)
                .bind(by)
                .execute(&mut *room.ledger.writer_for_tests().await)
                .await
                .unwrap();
        };
        put("writes", -1).await;
        assert!(matches!(
            room.ledger.probe().await,
            Err(LedgerError::PutBack)
        ));
        put("writes", 1).await;
        put("epoch", 1).await;
        assert!(matches!(
            room.ledger.probe().await,
            Err(LedgerError::Superseded)
        ));
        put("epoch", -1).await;
        assert!(room.ledger.probe().await.is_ok());
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
        let late = room.ledger.cancel(task.id, FREE, at(1)).await;
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
fn one_that_was_given_back_ends_when_the_queue_does_not_have_it_any_more() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let unknown = Some(CancelOutcome::Unknown);
        for (met, then, expected) in [
            (FREE, None, StateName::Cancelled),
            (None, FREE, StateName::Cancelled),
            (HELD, FREE, StateName::Cancelled),
            (HELD, unknown, StateName::Cancelling),
            (unknown, None, StateName::Cancelling),
        ] {
            let task = kept(ledger).await;
            ledger.fold(&[claimed(&task, 1, 1)]).await.unwrap();
            let first = ledger.cancel(task.id, met, at(1)).await.unwrap();
            assert!(!first.told.is_empty());
            let second = ledger.cancel(task.id, then, at(1)).await.unwrap();
            assert_eq!(second.state.name(), expected, "{met:?} {then:?}");
        }
    });
}

#[test]
fn cancelling_follows_the_table() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let queued = kept(ledger).await;
        let stopped = ledger.cancel(queued.id, None, at(1)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelled);
        assert_eq!(ledger.stops_owed(9).await.unwrap(), vec![queued.id]);
        ledger.cancel(queued.id, FREE, at(1)).await.unwrap();
        assert!(ledger.stops_owed(9).await.unwrap().is_empty());

        let held = kept(ledger).await;
        let stopped = ledger.cancel(held.id, HELD, at(1)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelling);
        ledger
            .fold(&[reported(&held, 1, 1, TaskState::Cancelled)])
            .await
            .unwrap();
        assert_eq!(state(ledger, &held).await, TaskState::Cancelled);
        let again = ledger.cancel(held.id, HELD, at(2)).await.unwrap();
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
