//! What agents report is folded once, by the newest holder only.

use super::*;
use crate::ledger::fold::Folded;
use protocol::document::TaskPage;
use protocol::ids::Role;
use protocol::report::CallLine;
use protocol::task_state::WaitReason;

#[test]
fn a_run_is_folded_once_and_read_back_whole() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let call = CallLine {
            phase: Phase::Execute,
            tool: "Tests".to_owned(),
            summary: "12 passed".to_owned(),
            took_ms: 7,
            is_error: false,
        };
        let phase = Phase::Observe;
        let batch = vec![
            claimed(&task, 1, 1),
            progress(&task, 2, 1, Progress::PhaseStarted { phase, at: at(1) }),
            progress(&task, 3, 1, Progress::PhaseEnded { phase, at: at(2) }),
            progress(
                &task,
                4,
                1,
                Progress::Criteria {
                    criteria: vec![criterion("c1"), criterion("c2")],
                },
            ),
            progress(&task, 5, 1, Progress::Call { line: call.clone() }),
            progress(
                &task,
                6,
                1,
                Progress::Evidence {
                    evidence: evidence("c1", Verdict::Failed, 3),
                },
            ),
            progress(
                &task,
                7,
                1,
                Progress::Note {
                    text: "x".repeat(100_000),
                },
            ),
            reported(&task, 8, 1, TaskState::Done),
        ];
        for part in batch.chunks(3) {
            let folded = room.ledger.fold(part).await.unwrap();
            assert!(
                folded.iter().all(|f| matches!(f, Folded::Kept(_))),
                "{folded:?}"
            );
        }
        let page = room.ledger.page(TaskRef::Id(task.id)).await.unwrap();
        let again = room.ledger.fold(&batch).await.unwrap();
        assert!(
            again.iter().all(|f| !matches!(f, Folded::Kept(_))),
            "{again:?}"
        );
        assert_eq!(room.ledger.page(TaskRef::Id(task.id)).await.unwrap(), page);
        check_page(&page, &call);
        let events = room.ledger.events_after(task.id, 0).await.unwrap();
        assert_eq!(events.state, TaskState::Done);
        let positions: Vec<i64> = events.events.iter().map(|(p, _)| *p).collect();
        assert_eq!(positions, (1..=10).collect::<Vec<i64>>());
        let tail = room.ledger.events_after(task.id, 9).await.unwrap();
        assert_eq!(tail.events.len(), 1);
    });
}

fn check_page(page: &TaskPage, call: &CallLine) {
    assert_eq!(page.document.state, TaskState::Done);
    assert_eq!(page.document.attempts, 1);
    assert_eq!(page.document.phases.len(), 1);
    assert_eq!(page.document.phases[0].ended, Some(at(2)));
    assert_eq!(page.document.criteria.len(), 1);
    assert_eq!(page.document.criteria[0].passed, Some(true));
    assert_eq!(page.document.usage.requests, 2);
    assert_eq!(page.calls, vec![call.clone()]);
    assert_eq!(page.learned, vec!["m1".to_owned()]);
    assert!(page.notes[0].len() <= 4096 && page.notes[0].ends_with("(cut)"));
}

#[test]
fn done_without_proof_is_kept_as_failed() {
    run(async || {
        let room = room().await;
        type Case = (fn(&mut TaskReport), bool);
        let cases: [Case; 5] = [
            (|_| (), true),
            (|r| r.criteria.clear(), false),
            (|r| r.evidence.clear(), false),
            (|r| r.criteria.push(criterion("c2")), false),
            (
                |r| r.evidence.push(evidence("c1", Verdict::Unknown, 20)),
                false,
            ),
        ];
        for (change, done) in cases {
            let task = kept(&room.ledger).await;
            let mut report = report(&task, TaskState::Done);
            change(&mut report);
            let news = News::Report(Box::new(report));
            room.ledger.fold(&[says(&task, 1, 1, news)]).await.unwrap();
            let rests = state(&room.ledger, &task).await;
            assert_eq!(rests == TaskState::Done, done, "{rests}");
        }
    });
}

#[test]
fn older_holders_other_roles_and_late_words_are_ignored() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let fold = |incoming: Incoming| {
            let ledger = room.ledger.clone();
            async move { ledger.fold(&[incoming]).await.unwrap().remove(0) }
        };
        fold(claimed(&task, 1, 5)).await;
        fold(claimed(&task, 2, 9)).await;
        let old = fold(reported(&task, 3, 5, TaskState::Done)).await;
        assert_eq!(old, Folded::Ignored("a newer holder has the task"));
        let mut foreign = reported(&task, 4, 9, TaskState::Done);
        foreign.role = "qa".parse::<Role>().unwrap();
        assert_eq!(fold(foreign).await, Folded::Ignored("another role's task"));
        let waiting = TaskState::Waiting {
            on: WaitReason::Input,
        };
        assert!(matches!(
            fold(reported(&task, 5, 9, waiting.clone())).await,
            Folded::Kept(_)
        ));
        assert_eq!(
            fold(reported(&task, 5, 9, waiting.clone())).await,
            Folded::Again
        );
        let phase = Phase::Learn;
        fold(progress(
            &task,
            6,
            9,
            Progress::PhaseStarted { phase, at: at(7) },
        ))
        .await;
        assert_eq!(state(&room.ledger, &task).await, waiting);
        fold(claimed(&task, 7, 10)).await;
        assert_eq!(
            state(&room.ledger, &task).await.to_string(),
            "running(observe)"
        );
        assert!(room.ledger.stops_owed(9).await.unwrap().is_empty());
        fold(says(&task, 8, 10, News::GivenUp("gave up".to_owned()))).await;
        // It may lie parked on the bus, which never forgets those by itself.
        assert_eq!(room.ledger.stops_owed(9).await.unwrap(), [task.id]);
        let late = fold(reported(&task, 9, 10, TaskState::Done)).await;
        assert_eq!(late, Folded::Ignored("the task has ended"));
    });
}
