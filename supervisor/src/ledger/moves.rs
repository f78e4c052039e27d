//! How a stored state is written, read and changed. Pure: the table itself is in `protocol`.

use protocol::phase::Phase;
use protocol::task_state::{StateName, TaskState, WaitReason};

/// The two columns of a state: its name, and what it carries.
pub fn encode(state: &TaskState) -> (&'static str, Option<String>) {
    let carried = match state {
        TaskState::Running { phase } => Some(phase.as_str().to_owned()),
        TaskState::Waiting { on } => Some(wait_name(*on).to_owned()),
        TaskState::Failed { reason } | TaskState::Refused { reason } => Some(reason.clone()),
        TaskState::Queued | TaskState::Cancelling | TaskState::Done | TaskState::Cancelled => None,
    };
    (state.name().as_str(), carried)
}

/// Reads the two columns back; `None` when they are not a state this binary knows.
pub fn decode(name: &str, carried: Option<&str>) -> Option<TaskState> {
    let reason = || carried.unwrap_or_default().to_owned();
    let name = StateName::ALL.into_iter().find(|n| n.as_str() == name)?;
    Some(match name {
        StateName::Queued => TaskState::Queued,
        StateName::Running => TaskState::Running {
            phase: Phase::from_name(carried?)?,
        },
        StateName::Waiting => TaskState::Waiting {
            on: wait_from_name(carried?)?,
        },
        StateName::Cancelling => TaskState::Cancelling,
        StateName::Done => TaskState::Done,
        StateName::Failed => TaskState::Failed { reason: reason() },
        StateName::Refused => TaskState::Refused { reason: reason() },
        StateName::Cancelled => TaskState::Cancelled,
    })
}

const WAITS: [(WaitReason, &str); 8] = [
    (WaitReason::Approval, "approval"),
    (WaitReason::Input, "input"),
    (WaitReason::Children, "children"),
    (WaitReason::Host, "host"),
    (WaitReason::Budget, "budget"),
    (WaitReason::Paused, "paused"),
    (WaitReason::Time, "time"),
    (WaitReason::Handoff, "handoff"),
];

fn wait_name(on: WaitReason) -> &'static str {
    WAITS
        .iter()
        .find(|(reason, _)| *reason == on)
        .map_or("input", |(_, name)| name)
}

fn wait_from_name(name: &str) -> Option<WaitReason> {
    WAITS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(reason, _)| *reason)
}

/// The legal moves that lead from one state to another: none when it is there already, one, or
/// two where a message between was lost (an agent may report the end of a task whose claim was
/// never heard of). `None` when the table has no such way.
pub fn path(from: &TaskState, to: &TaskState) -> Option<Vec<TaskState>> {
    if from == to {
        return Some(Vec::new());
    }
    if from.may_become(to) {
        return Some(vec![to.clone()]);
    }
    let running = TaskState::Running {
        phase: Phase::Observe,
    };
    [running, TaskState::Cancelling]
        .into_iter()
        .find(|between| from.may_become(between) && between.may_become(to))
        .map(|between| vec![between, to.clone()])
        .or_else(|| {
            // Queued, claimed unheard, told to stop, stopped.
            let through = [
                TaskState::Running {
                    phase: Phase::Observe,
                },
                TaskState::Cancelling,
                to.clone(),
            ];
            let mut at = from;
            for next in &through {
                if !at.may_become(next) {
                    return None;
                }
                at = next;
            }
            Some(through.to_vec())
        })
}

/// Where a task goes when its agent reports `reported` while it stands at `from`.
pub fn rest(from: &TaskState, reported: &TaskState) -> TaskState {
    match (from, reported) {
        // Told to stop: whatever it reports but an end of its own is that it stopped.
        (TaskState::Cancelling, TaskState::Done | TaskState::Failed { .. }) => reported.clone(),
        (TaskState::Cancelling, _) => TaskState::Cancelled,
        (_, TaskState::Queued | TaskState::Running { .. } | TaskState::Cancelling) => {
            TaskState::Failed {
                reason: format!("the agent reported `{reported}`, which is not an end"),
            }
        }
        _ => reported.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn every_state() -> Vec<TaskState> {
        let reason = "it's `odd`\n".to_owned();
        let mut all = vec![
            TaskState::Queued,
            TaskState::Cancelling,
            TaskState::Done,
            TaskState::Cancelled,
            TaskState::Failed {
                reason: reason.clone(),
            },
            TaskState::Refused { reason },
        ];
        all.extend(Phase::ALL.map(|phase| TaskState::Running { phase }));
        all.extend(WAITS.map(|(on, _)| TaskState::Waiting { on }));
        all
    }

    #[test]
    fn every_state_is_read_back() {
        for state in every_state() {
            let (name, carried) = encode(&state);
            assert_eq!(decode(name, carried.as_deref()), Some(state));
        }
        for (name, carried) in [
            ("running", None),
            ("running", Some("lunch")),
            ("waiting", Some("godot")),
            ("x", None),
        ] {
            assert_eq!(decode(name, carried), None);
        }
    }

    #[test]
    fn wait_names_are_those_of_the_wire() {
        for (reason, name) in WAITS {
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
        }
    }

    #[test]
    fn every_path_is_legal_and_ends_where_it_should() {
        for from in every_state() {
            for to in every_state() {
                let Some(path) = path(&from, &to) else {
                    continue;
                };
                let mut at = from.clone();
                for next in path {
                    assert!(at.may_become(&next), "{at} -> {next}");
                    at = next;
                }
                assert_eq!(at, to);
            }
        }
    }

    #[test]
    fn a_live_task_can_always_come_to_the_rest_its_agent_reports() {
        for from in every_state().into_iter().filter(|s| !s.is_final()) {
            for reported in every_state() {
                let rest = rest(&from, &reported);
                assert!(path(&from, &rest).is_some(), "{from} -> {rest}");
            }
        }
    }
}
