//! Plans: the end of a part, and what follows from it, are one step; whoever is killed between two
//! steps, the next one goes on and makes nothing twice.

use super::*;
use crate::ledger::keep::{NewPart, Routed};
use crate::ledger::start::ReadyPart;
use crate::ledger::store::LedgerError;
use proptest::prelude::*;
use protocol::plan::{OnFailure, Parent, Part, PartState, Plan};
use protocol::task_state::WaitReason;

fn part(id: &str, after: &[&str], on_failure: OnFailure) -> Part {
    Part {
        id: id.to_owned(),
        ask: Some(format!("do {id}")),
        playbook: None,
        params: Default::default(),
        agent: None,
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        on_failure,
        retries: None,
    }
}

/// `b` and `c` after `a`, `d` after both.
fn diamond(on_failure: OnFailure) -> Plan {
    Plan {
        plan: 1,
        name: "diamond".to_owned(),
        tasks: vec![
            part("a", &[], on_failure),
            part("b", &["a"], on_failure),
            part("c", &["a"], on_failure),
            part("d", &["b", "c"], on_failure),
        ],
        gather: None,
    }
}

async fn kept_plan(ledger: &Ledger, plan: Plan) -> Task {
    kept_for(ledger, plan, None).await
}

async fn kept_for(ledger: &Ledger, plan: Plan, due: Option<Timestamp>) -> Task {
    let routed = Routed {
        agent: "code".parse().unwrap(),
        way: Way::Anthropic,
        because: "said so".to_owned(),
    };
    let parts = plan.tasks.iter().map(|_| NewPart {
        routed: Some(routed.clone()),
        done_by: None,
    });
    let id = RequestId::new();
    let new = NewTask {
        agent: protocol::ids::Role::supervisor(),
        parts: parts.collect(),
        way: Way::Plan {
            plan: Box::new(plan),
        },
        deadline: Some(at(100)),
        due,
        ..new_task(id.as_str(), "a")
    };
    match ledger.keep(&new, 1000).await.unwrap() {
        Kept::New(task, _) => *task,
        Kept::Again(task) => panic!("{task:?} was there"),
    }
}

fn child_of(ready: &ReadyPart) -> NewTask {
    let id = format!("{}/{}/{}", ready.plan.id, ready.part.id, ready.number);
    NewTask {
        parent: Some(Parent {
            task: ready.plan.id,
            short_id: ready.plan.short_id,
            part: ready.part.id.clone(),
            number: ready.number,
        }),
        ..new_task(&id, "a")
    }
}

async fn ready(ledger: &Ledger) -> Vec<ReadyPart> {
    ledger.ready_parts(100).await.unwrap()
}

/// Starts everything that may start; answers the new tasks by part.
async fn start(ledger: &Ledger) -> Vec<Task> {
    let mut tasks = Vec::new();
    for part in ready(ledger).await {
        let started = ledger.start_part(&part, &child_of(&part), 1000).await;
        tasks.extend(started.unwrap().map(|(task, _)| task));
        // The same again, as after a kill: nothing is made twice.
        let again = ledger.start_part(&part, &child_of(&part), 1000).await;
        assert_eq!(again.unwrap(), None);
    }
    tasks
}

async fn ends(ledger: &Ledger, task: &Task, state: TaskState) {
    let report = reported(task, task.short_id.0, 1, state);
    for _ in 0..2 {
        ledger.fold(std::slice::from_ref(&report)).await.unwrap();
    }
}

fn broke() -> TaskState {
    TaskState::Failed {
        reason: "it broke".to_owned(),
    }
}

async fn parts(ledger: &Ledger, plan: &Task) -> String {
    let document = ledger.document(TaskRef::Id(plan.id)).await.unwrap();
    let parts = document.plan.unwrap().parts;
    let names: Vec<&str> = parts.iter().map(|part| part.state.as_str()).collect();
    names.join(" ")
}

#[test]
fn parts_run_in_their_order_and_the_whole_ends_with_the_last() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let plan = kept_plan(ledger, diamond(OnFailure::Stop)).await;
        assert_eq!(state(ledger, &plan).await, super::super::plan::WORKS);
        let a = start(ledger).await;
        assert_eq!(a.len(), 1);
        assert_eq!(
            parts(ledger, &plan).await,
            "running waiting waiting waiting"
        );
        // No agent is sent the plan itself.
        let in_hand = ledger
            .in_hand(protocol::ids::ShortId(0), 100)
            .await
            .unwrap();
        assert_eq!(in_hand.len(), 1);
        ends(ledger, &a[0], TaskState::Done).await;
        let both = start(ledger).await;
        assert_eq!(both.len(), 2);
        ends(ledger, &both[1], TaskState::Done).await;
        assert!(ready(ledger).await.is_empty());
        ends(ledger, &both[0], TaskState::Done).await;
        let last = start(ledger).await;
        ends(ledger, &last[0], TaskState::Done).await;
        let document = ledger.document(TaskRef::Id(plan.id)).await.unwrap();
        assert_eq!(document.state, TaskState::Done);
        assert_eq!(document.children.len(), 4);
        assert_eq!(document.usage.requests, 8, "what its parts used, together");
        assert!(
            document
                .result
                .contains("**d** (t5) done by code, 1 of 1 criteria proven\n> all **good**"),
            "{}",
            document.result
        );
        let spent = ledger.spent_since(at(0)).await.unwrap();
        assert_eq!(spent.0, 0, "and nothing is counted twice");
        let lines = ledger.newest(10).await.unwrap();
        assert_eq!(lines[0].parent, Some(plan.short_id));
        assert_eq!(lines[4].parent, None);
    });
}

#[test]
fn a_supervisor_killed_anywhere_goes_on() {
    run(async || {
        // Opened again before every step: what is not stored is not known.
        let room = room().await;
        let plan = kept_plan(&room.ledger, diamond(OnFailure::Stop)).await;
        let mut made = 0;
        for _ in 0..20 {
            let ledger = Ledger::open(&room.place).await.unwrap();
            if state(&ledger, &plan).await.is_final() {
                break;
            }
            match ready(&ledger).await.first() {
                Some(part) => {
                    let started = ledger.start_part(part, &child_of(part), 1000).await;
                    made += usize::from(started.unwrap().is_some());
                }
                None => {
                    let children = ledger.live_children(plan.id).await.unwrap();
                    let task = ledger.find(TaskRef::Id(children[0])).await.unwrap().task;
                    ends(&ledger, &task, TaskState::Done).await;
                }
            }
        }
        let ledger = Ledger::open(&room.place).await.unwrap();
        assert_eq!(state(&ledger, &plan).await, TaskState::Done);
        assert_eq!(made, 4);
    });
}

#[test]
fn the_start_of_a_part_is_one_step() {
    run(async || {
        let room = room().await;
        let plan = kept_plan(&room.ledger, diamond(OnFailure::Stop)).await;
        let part = ready(&room.ledger).await.remove(0);
        // Refused after the part was looked at: neither task nor part has moved.
        let full = room.ledger.start_part(&part, &child_of(&part), 0).await;
        assert!(matches!(full, Err(LedgerError::QueueFull(0))));
        assert_eq!(
            parts(&room.ledger, &plan).await,
            "ready waiting waiting waiting"
        );
        assert_eq!(room.ledger.newest(10).await.unwrap().len(), 1);
        // Another supervisor took over in between: this one makes nothing.
        let other = Ledger::open(&room.place).await.unwrap();
        let old = room.ledger.start_part(&part, &child_of(&part), 10).await;
        assert!(matches!(old, Err(LedgerError::Superseded)));
        assert_eq!(start(&other).await.len(), 1);
    });
}

#[test]
fn a_failure_is_mended_skipped_or_stops() {
    run(async || {
        for (on_failure, tries, expected) in [
            (OnFailure::Stop, 1, "failed left left left"),
            (OnFailure::Skip, 1, "failed left left left"),
            (OnFailure::Retry, 2, "failed left left left"),
        ] {
            let room = room().await;
            let ledger = &room.ledger;
            let plan = kept_plan(ledger, diamond(on_failure)).await;
            for number in 1..=tries {
                let tasks = start(ledger).await;
                assert_eq!(tasks.len(), 1, "{on_failure:?}");
                assert_eq!(tasks[0].parent.as_ref().unwrap().number, number);
                ends(ledger, &tasks[0], broke()).await;
            }
            assert_eq!(parts(ledger, &plan).await, expected);
            let document = ledger.document(TaskRef::Id(plan.id)).await.unwrap();
            assert_eq!(
                document.state,
                TaskState::Failed {
                    reason: "`a` failed: it broke; 0 of 4 tasks are done".to_owned()
                }
            );
            assert!(
                document.result.contains("**d** not started"),
                "{}",
                document.result
            );
            assert_eq!(document.children.len(), tries as usize);
        }
    });
}

#[test]
fn cancelling_and_deadlines_reach_every_part() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let plan = kept_plan(ledger, diamond(OnFailure::Retry)).await;
        let a = start(ledger).await.remove(0);
        ledger.fold(&[claimed(&a, 50, 1)]).await.unwrap();
        let stopped = ledger.cancel(plan.id, FREE, at(5)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelling);
        assert_eq!(ledger.stops_owed(10).await.unwrap(), [a.id]);
        assert_eq!(parts(ledger, &plan).await, "running left left left");
        ends(ledger, &a, TaskState::Cancelled).await;
        assert_eq!(state(ledger, &plan).await, TaskState::Cancelled);
        assert_eq!(parts(ledger, &plan).await, "failed left left left");

        let idle = kept_plan(ledger, diamond(OnFailure::Stop)).await;
        let stopped = ledger.cancel(idle.id, FREE, at(5)).await.unwrap();
        assert_eq!(stopped.state, TaskState::Cancelled);
        assert!(ready(ledger).await.is_empty());

        let late = kept_plan(ledger, diamond(OnFailure::Stop)).await;
        let a = start(ledger).await.remove(0);
        assert_eq!(ledger.overdue(at(101)).await.unwrap(), [late.id]);
        let reason = "deadline passed".to_owned();
        let to = TaskState::Failed { reason };
        ledger.end(late.id, to.clone(), at(101)).await.unwrap();
        assert_eq!(state(ledger, &late).await, to);
        assert!(ledger.stops_owed(10).await.unwrap().contains(&a.id));
        ends(ledger, &a, TaskState::Done).await;
        assert_eq!(state(ledger, &late).await, to, "an end stays an end");
        assert!(ready(ledger).await.is_empty());
    });
}

#[test]
fn a_plan_for_later_starts_nothing_before_its_time() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let plan = kept_for(ledger, diamond(OnFailure::Stop), Some(at(50))).await;
        let later = TaskState::Waiting {
            on: WaitReason::Time,
        };
        assert_eq!(state(ledger, &plan).await, later);
        assert!(ready(ledger).await.is_empty());
        assert_eq!(ledger.counts().await.unwrap().delayed, 1);
        let number = protocol::ids::ShortId(0);
        assert_eq!(ledger.in_hand(number, 100).await.unwrap(), []);
        let (told, owed) = ledger.queue_due(at(49)).await.unwrap();
        assert!(told.is_empty() && owed.is_empty());
        assert_eq!(ledger.queue_due(at(50)).await.unwrap().1, []);
        assert_eq!(state(ledger, &plan).await, super::super::plan::WORKS);
        assert!(ledger.queue_due(at(51)).await.unwrap().0.is_empty(), "once");
        let phases = ledger.document(TaskRef::Id(plan.id)).await.unwrap().phases;
        assert_eq!(phases[0].started, at(50));
        let a = start(ledger).await.remove(0);
        ends(ledger, &a, TaskState::Done).await;
        assert_eq!(start(ledger).await.len(), 2);

        let taken_back = kept_for(ledger, diamond(OnFailure::Stop), Some(at(90))).await;
        let stopped = ledger.cancel(taken_back.id, FREE, at(60)).await;
        assert_eq!(stopped.unwrap().state, TaskState::Cancelled);
        assert_eq!(parts(ledger, &taken_back).await, "left left left left");
        assert!(ledger.queue_due(at(95)).await.unwrap().0.is_empty());
    });
}

#[test]
fn a_plan_rests_only_where_a_person_is_needed() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let plan = kept_plan(ledger, diamond(OnFailure::Stop)).await;
        let rests = async || ledger.events_after(plan.id, 0).await.unwrap().rests;
        assert!(!rests().await);
        let a = start(ledger).await.remove(0);
        assert!(!rests().await);
        let on = protocol::task_state::WaitReason::Input;
        let mut waits = report(&a, TaskState::Waiting { on });
        waits.question = Some("which one?".to_owned());
        let waits = says(&a, 60, 1, News::Report(Box::new(waits)));
        ledger.fold(&[waits]).await.unwrap();
        assert!(rests().await);
        let document = ledger.document(TaskRef::Id(plan.id)).await.unwrap();
        assert_eq!(document.question.as_deref(), Some("t2 asks: which one?"));
        assert_eq!(document.state.exit_code(), protocol::exit::WAITS);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_ends_leads_to_one_end(
        modes in proptest::collection::vec(0..3usize, 4),
        picks in proptest::collection::vec((0..4usize, 0..5u8), 1..16),
    ) {
        run(async || {
            let room = room().await;
            let ledger = &room.ledger;
            let mut plan = diamond(OnFailure::Stop);
            for (part, mode) in plan.tasks.iter_mut().zip(modes.iter().copied()) {
                part.on_failure = [OnFailure::Stop, OnFailure::Skip, OnFailure::Retry][mode];
            }
            let plan = kept_plan(ledger, plan).await;
            let mut ended: Option<TaskState> = None;
            let mut picks = picks.iter().copied();
            for _ in 0..20 {
                start(ledger).await;
                let live = ledger.live_children(plan.id).await.unwrap();
                let (pick, how) = picks.next().unwrap_or((0, 4));
                if let Some(id) = live.get(pick % live.len().max(1)) {
                    let task = ledger.find(TaskRef::Id(*id)).await.unwrap().task;
                    match how {
                        0 => ends(ledger, &task, broke()).await,
                        1 => { ledger.cancel(task.id, FREE, at(9)).await.unwrap(); }
                        _ => ends(ledger, &task, TaskState::Done).await,
                    }
                }
                let now = state(ledger, &plan).await;
                assert!(ended.is_none() || ended.as_ref() == Some(&now), "{ended:?} -> {now}");
                ended = now.is_final().then_some(now);
            }
            let end = ended.expect("every plan ends");
            let parts = ledger.document(TaskRef::Id(plan.id)).await.unwrap().plan.unwrap().parts;
            assert!(parts.iter().all(|part| part.state.is_final()));
            let done = parts.iter().all(|part| part.state == PartState::Done);
            assert_eq!(end == TaskState::Done, done);
            assert!(parts.iter().all(|part| part.tries <= 2));
        });
    }
}
