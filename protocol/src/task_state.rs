//! The life of a task: the states and the one table of legal moves.

use crate::phase::Phase;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The reason of a task that failed because its deadline passed: the one that has an exit code of its own.
pub const LATE: &str = "deadline passed";

/// What a parked task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A person's leave.
    Approval,
    /// A person's answer to a question.
    Input,
    /// Tasks it started.
    Children,
    /// The host its workspace lives on.
    Host,
    /// Money.
    Budget,
    /// A person paused it.
    Paused,
    /// A due time.
    Time,
    /// Another agent, to whom it is being handed on.
    Handoff,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// Accepted and kept; nobody works on it yet.
    Queued,
    /// An agent holds it.
    Running {
        /// The phase it is in.
        phase: Phase,
    },
    /// Parked; costs nothing.
    Waiting {
        /// For what.
        on: WaitReason,
    },
    /// Told to stop; its process tree is being ended.
    Cancelling,
    /// Every criterion was proven.
    Done,
    /// It ended without what was asked.
    Failed {
        /// Why, as a sentence.
        reason: String,
    },
    /// Policy, budget or lack of a way to do it refused it.
    Refused {
        /// Why, as a sentence.
        reason: String,
    },
    /// A person ended it.
    Cancelled,
}

/// The name of a state, without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// See [`TaskState::Queued`].
    Queued,
    /// See [`TaskState::Running`].
    Running,
    /// See [`TaskState::Waiting`].
    Waiting,
    /// See [`TaskState::Cancelling`].
    Cancelling,
    /// See [`TaskState::Done`].
    Done,
    /// See [`TaskState::Failed`].
    Failed,
    /// See [`TaskState::Refused`].
    Refused,
    /// See [`TaskState::Cancelled`].
    Cancelled,
}

impl StateName {
    /// Every state.
    pub const ALL: [StateName; 8] = [
        StateName::Queued,
        StateName::Running,
        StateName::Waiting,
        StateName::Cancelling,
        StateName::Done,
        StateName::Failed,
        StateName::Refused,
        StateName::Cancelled,
    ];

    /// Nothing moves from here again.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            StateName::Done | StateName::Failed | StateName::Refused | StateName::Cancelled
        )
    }

    /// The one table of moves. `Running` to `Running` is a change of phase or of holder;
    /// `Running` to `Queued` is a lease given back.
    pub fn may_become(self, next: StateName) -> bool {
        use StateName::*;
        match self {
            Queued => matches!(next, Running | Waiting | Cancelled | Refused | Failed),
            Running => matches!(
                next,
                Running | Queued | Waiting | Cancelling | Done | Failed | Refused
            ),
            Waiting => matches!(
                next,
                Queued | Running | Cancelling | Cancelled | Failed | Refused
            ),
            Cancelling => matches!(next, Cancelled | Done | Failed),
            Done | Failed | Refused | Cancelled => false,
        }
    }

    /// The name as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            StateName::Queued => "queued",
            StateName::Running => "running",
            StateName::Waiting => "waiting",
            StateName::Cancelling => "cancelling",
            StateName::Done => "done",
            StateName::Failed => "failed",
            StateName::Refused => "refused",
            StateName::Cancelled => "cancelled",
        }
    }
}

impl TaskState {
    /// The state's name.
    pub fn name(&self) -> StateName {
        match self {
            TaskState::Queued => StateName::Queued,
            TaskState::Running { .. } => StateName::Running,
            TaskState::Waiting { .. } => StateName::Waiting,
            TaskState::Cancelling => StateName::Cancelling,
            TaskState::Done => StateName::Done,
            TaskState::Failed { .. } => StateName::Failed,
            TaskState::Refused { .. } => StateName::Refused,
            TaskState::Cancelled => StateName::Cancelled,
        }
    }

    /// Nothing moves from here again.
    pub fn is_final(&self) -> bool {
        self.name().is_final()
    }

    /// Whether it stays so until a person does something; one that waits for its time, for other
    /// tasks, for a host or for another agent goes on by itself.
    pub fn rests(&self) -> bool {
        match self {
            TaskState::Waiting { on } => !matches!(
                on,
                WaitReason::Time | WaitReason::Children | WaitReason::Host | WaitReason::Handoff
            ),
            state => state.is_final(),
        }
    }

    /// Whether the table allows the move.
    pub fn may_become(&self, next: &TaskState) -> bool {
        self.name().may_become(next.name())
    }

    /// The command line's exit code for a task that rests in this state.
    pub fn exit_code(&self) -> u8 {
        match self {
            TaskState::Done => crate::exit::DONE,
            TaskState::Failed { reason } if reason == LATE => crate::exit::DEADLINE,
            TaskState::Failed { .. } => crate::exit::FAILED,
            TaskState::Refused { .. } => crate::exit::REFUSED,
            TaskState::Cancelled | TaskState::Cancelling => crate::exit::CANCELLED,
            TaskState::Waiting { .. } => crate::exit::WAITS,
            TaskState::Queued | TaskState::Running { .. } => crate::exit::DONE,
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskState::Running { phase } => write!(f, "running({})", phase.as_str()),
            TaskState::Waiting { on } => {
                write!(f, "waiting({})", format!("{on:?}").to_lowercase())
            }
            other => f.write_str(other.name().as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_never_move() {
        for from in StateName::ALL.into_iter().filter(|s| s.is_final()) {
            for to in StateName::ALL {
                assert!(!from.may_become(to), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn every_state_can_reach_an_end() {
        for start in StateName::ALL {
            let mut seen = vec![start];
            let mut at = 0;
            while let Some(&state) = seen.get(at) {
                at += 1;
                for next in StateName::ALL {
                    if state.may_become(next) && !seen.contains(&next) {
                        seen.push(next);
                    }
                }
            }
            assert!(seen.iter().any(|s| s.is_final()), "{start:?} is a trap");
        }
    }

    #[test]
    fn state_has_a_flat_wire_form() {
        let json = serde_json::to_string(&TaskState::Running {
            phase: Phase::Verify,
        });
        assert_eq!(
            json.ok().as_deref(),
            Some(r#"{"state":"running","phase":"verify"}"#)
        );
    }
}
