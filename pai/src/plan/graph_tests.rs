//! Any graph, any order of ends: one end of the whole, nothing before its time, nothing twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::graph::{End, Graph};
use proptest::prelude::*;
use protocol::plan::{OnFailure, Part, PartState, Plan};
use protocol::task_state::TaskState;

fn part(id: usize, after: Vec<usize>, on_failure: OnFailure) -> Part {
    Part {
        id: format!("p{id}"),
        ask: Some("look".to_owned()),
        playbook: None,
        params: Default::default(),
        agent: None,
        after: after.iter().map(|id| format!("p{id}")).collect(),
        on_failure,
        retries: (on_failure == OnFailure::Retry).then_some(2),
    }
}

fn plan(tasks: Vec<Part>) -> Plan {
    Plan {
        plan: 1,
        name: "p".to_owned(),
        tasks,
        gather: None,
    }
}

fn failed() -> TaskState {
    TaskState::Failed {
        reason: "it broke".to_owned(),
    }
}

fn states(graph: &Graph) -> String {
    let names: Vec<&str> = graph.parts().iter().map(|p| p.state.as_str()).collect();
    names.join(" ")
}

/// Starts and ends parts as told (`0+` starts, `0=` done, `0!` failed, `0-` cancelled, `stop`),
/// and answers how the parts stand and how the whole ended.
fn told(plan: &Plan, story: &str) -> String {
    let mut graph = Graph::new(plan, &[]);
    for step in story.split_whitespace() {
        if step == "stop" {
            graph.stop("a person stopped it");
            continue;
        }
        let (at, what) = step.split_at(step.len() - 1);
        let at: usize = at.parse().unwrap();
        let did = match what {
            "+" => graph.started(at),
            "=" => graph.ended(at, &TaskState::Done),
            "!" => graph.ended(at, &failed()),
            "x" => graph.unstartable(at, "no way"),
            _ => graph.ended(at, &TaskState::Cancelled),
        };
        assert!(did, "{step} of {story}");
    }
    match graph.end() {
        None => states(&graph),
        Some(End::Done) => format!("{} → done", states(&graph)),
        Some(End::Cancelled) => format!("{} → cancelled", states(&graph)),
        Some(End::Failed { reason }) => format!("{} → {reason}", states(&graph)),
    }
}

#[test]
fn failures_mean_what_the_plan_says() {
    use OnFailure::{Retry, Skip, Stop};
    // p0 first, then p1 and p2 beside it, p3 after p1.
    let of = |first: OnFailure| {
        plan(vec![
            part(0, vec![], first),
            part(1, vec![0], Skip),
            part(2, vec![], Stop),
            part(3, vec![1], Stop),
        ])
    };
    for (first, story, expected) in [
        (Stop, "", "ready waiting ready waiting"),
        (
            Stop,
            "0+ 2+ 0= 1+ 2= 1= 3+ 3=",
            "done done done done → done",
        ),
        (Stop, "0+ 2+ 0!", "failed left running left"),
        (
            Stop,
            "0+ 2+ 0! 2=",
            "failed left done left → `p0` failed: it broke; 1 of 4 tasks are done",
        ),
        (
            Stop,
            "0+ 0!",
            "failed left left left → `p0` failed: it broke; 0 of 4 tasks are done",
        ),
        (
            Skip,
            "0+ 2+ 0! 2=",
            "failed left done left → `p0` failed: it broke; 1 of 4 tasks are done",
        ),
        (Skip, "0+ 0!", "failed left ready left"),
        (Retry, "0+ 0!", "ready waiting ready waiting"),
        (Retry, "0+ 0! 0+ 0! 0+ 0=", "done ready ready waiting"),
        (
            Retry,
            "0+ 0! 0+ 0! 0+ 0!",
            "failed left left left → `p0` failed: it broke; 0 of 4 tasks are done",
        ),
        (
            Retry,
            "0+ 0-",
            "failed left left left → `p0` failed: it was cancelled; 0 of 4 tasks are done",
        ),
        (Skip, "0x", "failed left ready left"),
        (Stop, "0+ stop", "running left left left"),
        (Stop, "0+ stop 0!", "failed left left left → cancelled"),
        (Retry, "0+ 0! stop", "failed left left left → cancelled"),
        (
            Stop,
            "0+ 2+ 0= 1+ 1= 2= 3+ stop 3=",
            "done done done done → done",
        ),
    ] {
        assert_eq!(told(&of(first), story), expected, "{first:?} {story}");
    }
}

#[test]
fn what_an_earlier_plan_did_is_not_done_again() {
    let plan = plan(vec![
        part(0, vec![], OnFailure::Stop),
        part(1, vec![0], OnFailure::Stop),
    ]);
    assert_eq!(states(&Graph::new(&plan, &["p0"])), "done ready");
    assert_eq!(Graph::new(&plan, &["p0", "p1"]).end(), Some(End::Done));
}

#[derive(Debug, Clone)]
enum Step {
    Start(usize),
    End(usize, u8),
    Unstartable(usize),
    Stop,
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let on_failure =
        proptest::sample::select(vec![OnFailure::Stop, OnFailure::Skip, OnFailure::Retry]);
    let parts = proptest::collection::vec((any::<u16>(), on_failure), 1..8);
    parts.prop_map(|parts| {
        let made = parts.iter().enumerate().map(|(id, (after, on_failure))| {
            let after = (0..id)
                .filter(|earlier| after >> earlier & 1 == 1)
                .collect();
            part(id, after, *on_failure)
        });
        plan(made.collect())
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8usize).prop_map(Step::Start),
        6 => (0..8usize, 0..8u8).prop_map(|(at, how)| Step::End(at, how)),
        1 => (0..8usize).prop_map(Step::Unstartable),
        1 => Just(Step::Stop),
    ]
}

fn take(graph: &mut Graph, plan: &Plan, step: &Step) {
    match step {
        Step::Start(at) => {
            let before = states(graph);
            if graph.started(*at) {
                for id in &plan.tasks[*at].after {
                    let first = plan.tasks.iter().position(|p| p.id == *id).unwrap();
                    assert_eq!(graph.parts()[first].state, PartState::Done, "{before}");
                }
            }
        }
        Step::End(at, how) => {
            let end = match how {
                0 => failed(),
                1 => TaskState::Cancelled,
                2 => TaskState::Refused {
                    reason: "no".to_owned(),
                },
                _ => TaskState::Done,
            };
            graph.ended(*at, &end);
        }
        Step::Unstartable(at) => {
            graph.unstartable(*at, "no way");
        }
        Step::Stop => graph.stop("stopped"),
    }
}

proptest! {
    #[test]
    fn any_order_of_ends_comes_to_one_end(
        plan in any_plan(),
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let mut graph = Graph::new(&plan, &[]);
        let mut ended: Option<End> = None;
        let mut stopping = false;
        for step in &steps {
            let before = graph.clone();
            take(&mut graph, &plan, step);
            stopping |= matches!(step, Step::Stop) && before.end().is_none();
            for (was, is) in before.parts().iter().zip(graph.parts()) {
                prop_assert!(!was.state.is_final() || was == is, "{was:?} -> {is:?}");
                prop_assert!(is.tries >= was.tries);
            }
            for (part, standing) in plan.tasks.iter().zip(graph.parts()) {
                prop_assert!(standing.tries <= part.tries());
            }
            // Rebuilt from what is stored, it is the same machine.
            let again = Graph::restore(&plan, graph.parts().to_vec(), stopping);
            prop_assert_eq!(&again, &graph);
            let end = graph.end();
            prop_assert!(ended.is_none() || ended == end, "{ended:?} -> {end:?}");
            ended = end;
        }
        // From wherever it stands, ending what runs comes to an end: there is no trap.
        for _ in 0..200 {
            let Some(at) = graph.parts().iter().position(|p| !p.state.is_final() && p.state != PartState::Waiting) else {
                break;
            };
            graph.started(at);
            graph.ended(at, &failed());
            if graph.parts()[at].state == PartState::Ready && stopping {
                break;
            }
        }
        prop_assert!(graph.end().is_some(), "{}", states(&graph));
    }
}
