//! The ledger against a real database file, as tables of cases.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::fold::{Folded, Incoming, News};
use super::keep::{Kept, NewTask};
use super::patch::PatchState;
use super::store::{Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::document::TaskPage;
use protocol::ids::{Epoch, RequestId, Role, ShortId, TaskId, TaskRef};
use protocol::phase::Phase;
use protocol::report::{CallLine, PhaseSpan, Progress, TaskReport, Usage};
use protocol::task::{Effort, Principal, Task, Way};
use protocol::task_state::{TaskState, WaitReason};

pub(super) struct Room {
    _folder: tempfile::TempDir,
    pub(super) ledger: Ledger,
    file: std::path::PathBuf,
}

pub(super) async fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    Room {
        ledger: Ledger::open(&file).await.unwrap(),
        _folder: folder,
        file,
    }
}

pub(super) fn run<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(story)
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn new_task(request_id: &str, asked: &str) -> NewTask {
    NewTask {
        id: TaskId::new(),
        request_id: request_id.parse().unwrap(),
        asked: asked.to_owned(),
        principal: Principal {
            uid: 1000,
            name: "ada".to_owned(),
        },
        request: "run the tests".to_owned(),
        agent: "code".parse().unwrap(),
        routed_because: "said so".to_owned(),
        way: Way::Anthropic,
        workspace: None,
        effort: Effort::Standard,
        budget: None,
        priority: 5,
        deadline: None,
        accepted: at(0),
    }
}

pub(super) async fn kept(ledger: &Ledger) -> Task {
    let id = RequestId::new();
    match ledger
        .keep(&new_task(id.as_str(), "a"), 1000)
        .await
        .unwrap()
    {
        Kept::New(task, _) => *task,
        Kept::Again(task) => panic!("{task:?} was there"),
    }
}

pub(super) fn says(task: &Task, message: u64, epoch: u64, news: News) -> Incoming {
    Incoming {
        task: task.id,
        message: format!("m{message}"),
        role: "code".parse().unwrap(),
        epoch: Some(Epoch(epoch)),
        at: at(message as i64),
        news,
    }
}

pub(super) fn progress(task: &Task, message: u64, epoch: u64, progress: Progress) -> Incoming {
    says(task, message, epoch, News::Progress(progress))
}

pub(super) fn claimed(task: &Task, message: u64, epoch: u64) -> Incoming {
    let holder = format!("code-{epoch}");
    progress(
        task,
        message,
        epoch,
        Progress::Claimed {
            holder,
            epoch: Epoch(epoch),
            replayed: epoch - 1,
        },
    )
}

fn criterion(id: &str) -> Criterion {
    Criterion {
        id: id.to_owned(),
        text: "the file is there".to_owned(),
        check: Check::File {
            path: "a".to_owned(),
            exists: true,
            contains: None,
            lacks: None,
            sha256: None,
        },
        change: false,
    }
}

fn evidence(id: &str, verdict: Verdict, second: i64) -> Evidence {
    Evidence {
        criterion: id.to_owned(),
        verdict,
        source: EvidenceSource::File,
        observed: format!("{verdict:?} at {second}"),
        measured: at(second),
        tree: None,
    }
}

fn report(task: &Task, state: TaskState) -> TaskReport {
    TaskReport {
        task_id: task.id,
        agent: task.agent.clone(),
        state,
        question: None,
        phases: vec![PhaseSpan {
            phase: Phase::Observe,
            started: at(1),
            ended: Some(at(2)),
        }],
        criteria: vec![criterion("c1")],
        evidence: vec![
            evidence("c1", Verdict::Failed, 3),
            evidence("c1", Verdict::Passed, 9),
        ],
        result: "all **good**".to_owned(),
        artifacts: Vec::new(),
        usage: Usage {
            requests: 2,
            ..Usage::default()
        },
        learned: vec!["m1".to_owned()],
        recalled: Vec::new(),
        calls: Vec::new(),
    }
}

pub(super) fn reported(task: &Task, message: u64, epoch: u64, state: TaskState) -> Incoming {
    says(
        task,
        message,
        epoch,
        News::Report(Box::new(report(task, state))),
    )
}

pub(super) async fn state(ledger: &Ledger, task: &Task) -> TaskState {
    ledger.find(TaskRef::Id(task.id)).await.unwrap().state
}

#[test]
fn a_request_id_is_one_task_and_numbers_are_never_given_again() {
    run(async {
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
    run(async {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let newer = Ledger::open(&room.file).await.unwrap();
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
    run(async {
        let room = room().await;
        sqlx::query("UPDATE meta SET value = 2 WHERE key = 'schema'")
            .execute(&mut *room.ledger.writer_for_tests().await)
            .await
            .unwrap();
        let epoch = room.ledger.epoch();
        room.ledger.close().await;
        let error = Ledger::open(&room.file).await.unwrap_err();
        assert!(matches!(error, LedgerError::Newer(2)), "{error}");
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", room.file.display()))
            .await
            .unwrap();
        let stored: i64 = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'epoch'")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(stored, epoch);
        pool.close().await;
    });
}

#[test]
fn a_run_is_folded_once_and_read_back_whole() {
    run(async {
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
    run(async {
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
    run(async {
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
        fold(says(&task, 8, 10, News::GivenUp("gave up".to_owned()))).await;
        let late = fold(reported(&task, 9, 10, TaskState::Done)).await;
        assert_eq!(late, Folded::Ignored("the task has ended"));
    });
}

#[test]
fn cancelling_follows_the_table() {
    run(async {
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
    run(async {
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
    run(async {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let mut end = report(&task, TaskState::Done);
        end.usage.cost = protocol::money::MicroUsd(1_500_000);
        let news = News::Report(Box::new(end));
        room.ledger.fold(&[says(&task, 1, 1, news)]).await.unwrap();
        let reopened = Ledger::open(&room.file).await.unwrap();
        assert_eq!(state(&reopened, &task).await, TaskState::Done);
        let hour = SignedDuration::from_hours(1);
        assert_eq!(reopened.spent_since(at(0)).await.unwrap().0, 1_500_000);
        assert_eq!(reopened.spent_since(at(0) + hour).await.unwrap().0, 0);
    });
}
