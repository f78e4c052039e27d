//! What can go wrong on the bus, as sentences with a next step and an exit code.

use protocol::envelope::EnvelopeError;
use protocol::exit;
use protocol::ids::{Role, TaskId};
use protocol::money::MicroUsd;

/// Which cap a reservation ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// The task's own.
    Task,
    /// The team's, for the month.
    Month,
}

impl std::fmt::Display for Cap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Cap::Task => "task",
            Cap::Month => "month",
        })
    }
}

/// Why the bus did not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BusError {
    /// Redis does not answer, or not in time. Whether the command was carried out is unknown.
    #[error(
        "redis does not answer ({0}): check that it runs and that the address is right, then try again"
    )]
    Unreachable(String),
    /// Redis answers and takes no writes for now: a replica, its disk is full, it loads its data.
    #[error("redis takes no writes: {0}")]
    NoWrites(String),
    /// Redis answers, and nobody may begin anything yet; the sentence says why.
    #[error("{0}")]
    Unsettled(String),
    /// The memory of Redis is used up: nothing new is begun, what was begun can be ended.
    #[error(
        "the memory of redis is used up (maxmemory): nothing new is begun until there is room; raise redis.maxmemory_mb, or the maxmemory of your own redis"
    )]
    Full,
    /// Somebody else holds the task now, or nobody does.
    #[error("task {task} is no longer held under this epoch: stop working on it")]
    Fenced {
        /// Which task.
        task: TaskId,
    },
    /// The producer must slow down.
    #[error(
        "the queue of {role} holds {limit} entries and takes no more: wait until agents have caught up"
    )]
    QueueFull {
        /// Whose queue.
        role: Role,
        /// Most entries a stream may hold.
        limit: u64,
    },
    /// The call would cost more than is left.
    #[error(
        "the {cap} budget of {limit} has {spent} spent and does not cover another {wanted}: raise the budget to go on"
    )]
    Budget {
        /// Which cap.
        cap: Cap,
        /// The cap.
        limit: MicroUsd,
        /// Spent and reserved so far.
        spent: MicroUsd,
        /// What was asked for.
        wanted: MicroUsd,
    },
    /// The bus does not carry this.
    #[error("the bus refused it: {0}")]
    Refused(String),
    /// Redis answered with an error.
    #[error("redis refused a command: {0}; `ai-infra doctor` checks its version and users")]
    Redis(String),
    /// Nobody answered a question in time.
    #[error("no answer from {target} within {ms} ms: check that it runs")]
    NoAnswer {
        /// Who was asked.
        target: String,
        /// How long it was waited for, in milliseconds.
        ms: u128,
    },
}

impl BusError {
    /// The command line's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            BusError::Unreachable(_)
            | BusError::NoWrites(_)
            | BusError::Unsettled(_)
            | BusError::Full
            | BusError::Redis(_)
            | BusError::NoAnswer { .. } => exit::SERVICE,
            BusError::Budget { .. } => exit::REFUSED,
            BusError::Fenced { .. } | BusError::QueueFull { .. } | BusError::Refused(_) => {
                exit::FAILED
            }
        }
    }

    /// Whether it is about one message, task or key alone: whoever serves many goes on with the next.
    pub fn is_about_one(&self) -> bool {
        matches!(
            self,
            BusError::Redis(_)
                | BusError::Refused(_)
                | BusError::QueueFull { .. }
                | BusError::Fenced { .. }
        )
    }

    /// Whether a key holds something of another kind than it should.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self, BusError::Redis(said) if said.contains("WRONGTYPE"))
    }

    /// Whether it says that Redis is away, for everybody and for now: trying again later is right,
    /// and the connection behind it is of no more use.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            BusError::Unreachable(_) | BusError::NoWrites(_) | BusError::Unsettled(_)
        )
    }
}

impl From<EnvelopeError> for BusError {
    fn from(error: EnvelopeError) -> Self {
        BusError::Refused(error.to_string())
    }
}

impl From<redis::RedisError> for BusError {
    fn from(error: redis::RedisError) -> Self {
        use redis::{ErrorKind, ServerErrorKind};
        if matches!(error.code(), Some("OOM")) {
            return BusError::Full;
        }
        if let Some(why) = error.code().and_then(no_writes) {
            return BusError::NoWrites(why.to_owned());
        }
        let away = match error.kind() {
            ErrorKind::Io => true,
            ErrorKind::Server(kind) => matches!(
                kind,
                ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown
            ),
            _ => false,
        };
        if away {
            BusError::Unreachable(error.to_string())
        } else {
            BusError::Redis(error.to_string())
        }
    }
}

/// Why a Redis that answers takes no writes, by the first word of its error.
fn no_writes(code: &str) -> Option<&'static str> {
    Some(match code {
        "MISCONF" => {
            "it cannot write to its own disk: free space where it keeps its data (its log says more)"
        }
        "READONLY" => {
            "it is a read-only replica: give the address of the primary (redis.url or REDIS_URL)"
        }
        "LOADING" => "it is loading its data: wait a moment",
        "MASTERDOWN" => "it is a replica whose primary is away: start the primary, or promote it",
        "NOREPLICAS" => "it has fewer good replicas than its min-replicas-to-write: start them",
        "BUSY" => "a script of somebody else's keeps it busy: SCRIPT KILL ends that",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_command_line() {
        let budget = BusError::Budget {
            cap: Cap::Month,
            limit: MicroUsd(20_000_000),
            spent: MicroUsd(19_000_000),
            wanted: MicroUsd(2_000_000),
        };
        assert_eq!(budget.exit_code(), 4);
        assert!(budget.to_string().contains("month budget of $20.00"));
        assert_eq!(BusError::Unreachable("x".into()).exit_code(), 5);
        assert_eq!(BusError::Refused("x".into()).exit_code(), 1);
    }

    #[test]
    fn what_is_about_one_is_told_from_what_is_about_all() {
        let redis = |said: &str| BusError::Redis(said.to_owned());
        for (error, about_one, wrong_type) in [
            (redis("\"WRONGTYPE\": Operation against a key"), true, true),
            (redis("NOPERM"), true, false),
            (BusError::Refused("x".into()), true, false),
            (BusError::Unreachable("WRONGTYPE".into()), false, false),
            (BusError::NoWrites("x".into()), false, false),
            (BusError::Unsettled("x".into()), false, false),
            (BusError::Full, false, false),
        ] {
            let said = (error.is_about_one(), error.is_wrong_type());
            assert_eq!(said, (about_one, wrong_type), "{error}");
        }
    }
}
