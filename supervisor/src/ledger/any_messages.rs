//! Whatever messages come, in whatever order and however often: the table of states is kept, an
//! end stays an end, and the same message again changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::fold::News;
use super::store::Ledger;
use super::tests::{FREE, HELD, at, claimed, kept, progress, reported, room, run, says, state};
use bus::cancel::CancelOutcome;
use proptest::prelude::*;
use protocol::ids::TaskRef;
use protocol::phase::Phase;
use protocol::report::Progress;
use protocol::task::Task;
use protocol::task_state::{TaskState, WaitReason};

#[derive(Debug, Clone)]
enum Step {
    Claim(u64, u64),
    Phase(u64, u64, Phase),
    Report(u64, u64, TaskState),
    GiveUp(u64),
    Cancel(Option<CancelOutcome>),
    Deadline,
}

/// What the bus may have met when a task was cancelled.
const MET: &[Option<CancelOutcome>] = &[FREE, HELD, Some(CancelOutcome::Unknown), None];

fn any_step() -> impl Strategy<Value = Step> {
    let phase = proptest::sample::select(Phase::ALL.to_vec());
    let state = prop_oneof![
        Just(TaskState::Done),
        Just(TaskState::Cancelled),
        Just(TaskState::Queued),
        Just(TaskState::Waiting {
            on: WaitReason::Input
        }),
        Just(TaskState::Refused {
            reason: "no".to_owned()
        }),
    ];
    prop_oneof![
        (0..40u64, 1..5u64).prop_map(|(m, e)| Step::Claim(m, e)),
        (0..40u64, 1..5u64, phase).prop_map(|(m, e, p)| Step::Phase(m, e, p)),
        (0..40u64, 1..5u64, state).prop_map(|(m, e, s)| Step::Report(m, e, s)),
        (0..40u64).prop_map(Step::GiveUp),
        proptest::sample::select(MET).prop_map(Step::Cancel),
        Just(Step::Deadline),
    ]
}

async fn take(ledger: &Ledger, task: &Task, step: &Step) {
    let incoming = match step {
        Step::Claim(m, e) => claimed(task, *m, *e),
        Step::Phase(m, e, phase) => {
            let phase = *phase;
            progress(task, *m, *e, Progress::PhaseStarted { phase, at: at(1) })
        }
        Step::Report(m, e, state) => reported(task, *m, *e, state.clone()),
        Step::GiveUp(m) => says(task, *m, 99, News::GivenUp("gave up".to_owned())),
        Step::Cancel(met) => {
            ledger.cancel(task.id, *met, at(50)).await.unwrap();
            return;
        }
        Step::Deadline => {
            let reason = "deadline passed".to_owned();
            let to = TaskState::Failed { reason };
            ledger.end(task.id, to, at(50)).await.unwrap();
            return;
        }
    };
    ledger.fold(&[incoming]).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_messages_keep_the_table_and_fold_once(steps in proptest::collection::vec(any_step(), 1..12)) {
        run(async || {
            let room = room().await;
            let task = kept(&room.ledger).await;
            let mut before = state(&room.ledger, &task).await;
            for step in &steps {
                take(&room.ledger, &task, step).await;
                let after = state(&room.ledger, &task).await;
                assert!(super::moves::path(&before, &after).is_some(), "{before} -> {after}");
                assert!(!before.is_final() || before == after, "{before} moved to {after}");
                let page = room.ledger.page(TaskRef::Id(task.id)).await.unwrap();
                take(&room.ledger, &task, step).await;
                if !matches!(step, Step::Cancel(_)) {
                    assert_eq!(room.ledger.page(TaskRef::Id(task.id)).await.unwrap(), page);
                }
                before = state(&room.ledger, &task).await;
            }
        });
    }
}
