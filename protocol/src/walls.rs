//! The walls of the sandbox and of leave by name, so that a build with debug assertions can take one away and
//! show that the attack it stops then succeeds. A release knows neither the names nor the switch.

/// One wall.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// Only what is bound is there of the host's files.
    Mounts,
    /// A network namespace of its own.
    Network,
    /// `/proc` of its own, which shows nobody else's processes.
    Proc,
    /// The kernel's settings are read-only.
    Settings,
    /// The environment is written from nothing.
    Environment,
    /// Descriptors of the holder stay closed.
    Descriptors,
    /// Mounts below the clone are made where real folders are.
    MountPoints,
    /// Landlock repeats the mounts.
    Landlock,
    /// The filter of system calls.
    Calls,
    /// No user namespace can be made inside.
    Nesting,
    /// Nobody inside is root or holds a right of root.
    Rights,
    /// The executor's memory and pipes are closed to what it runs.
    Opaque,
    /// Bounds on size and number.
    Limits,
    /// What a call leaves running ends with it.
    Leftovers,
    /// The executor's own readers and writers follow no link out of the workspace.
    Links,
    /// The proxy connects only where it may.
    Proxy,
    /// Secrets are masked in what is written, sent and shown.
    Redaction,
    /// No act without its lines in the record.
    Record,
    /// What programs obey without being asked is not written, and not brought home unread.
    ControlFiles,
    /// What a rule asks about is done with a ticket only.
    Leave,
    /// Whoever answers a ticket is proven to be a person.
    Person,
    /// A ticket is good for exactly the act, the task and the step it was asked for.
    Bound,
    /// A ticket is good after a yes only.
    Answered,
    /// A ticket has its time.
    Expiry,
    /// What is done on the host is done for agents of the level it needs.
    Level,
    /// An agent, or the proxy of a task, opens no file and reaches no process but its own.
    AgentFiles,
    /// An agent, or the proxy of a task, runs no program, and makes no call that widens what it may.
    AgentCalls,
    /// An agent, or the proxy of a task, is a user of its own where root may make it one, and holds no right of root.
    AgentUser,
    /// An agent gets clones, sandboxes and notes of tasks that it was given, and of no other.
    AgentTasks,
    /// A sandbox that reaches outside or shows the host is for one act, which its launcher finds allowed.
    OneAct,
    /// A secret is put back only into the file that holds it.
    Placeholders,
    /// A push is made from a repository that no program could write to.
    OwnRepository,
    /// A program on the host is run from copies of the files that others than root can change.
    Copies,
    /// What a program on the host is run from is compared with what a person was shown, right before.
    Compared,
    /// No variable makes a program on the host another one.
    Steering,
}

/// Walls that are taken away in this process; none, unless a test said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Removed {
    #[cfg(debug_assertions)]
    bits: u64,
}

impl Removed {
    /// Whether a wall stands. Without debug assertions every one does.
    pub fn stands(self, wall: Wall) -> bool {
        #[cfg(debug_assertions)]
        return self.bits & (1 << wall as u64) == 0;
        #[cfg(not(debug_assertions))]
        {
            let _every_one_does = wall;
            true
        }
    }
}

#[cfg(debug_assertions)]
impl std::str::FromStr for Removed {
    type Err = String;

    /// Names of walls with `+` between them.
    fn from_str(names: &str) -> Result<Self, String> {
        const ALL: [(&str, Wall); 35] = [
            ("mounts", Wall::Mounts),
            ("network", Wall::Network),
            ("proc", Wall::Proc),
            ("settings", Wall::Settings),
            ("environment", Wall::Environment),
            ("descriptors", Wall::Descriptors),
            ("mount-points", Wall::MountPoints),
            ("landlock", Wall::Landlock),
            ("calls", Wall::Calls),
            ("nesting", Wall::Nesting),
            ("rights", Wall::Rights),
            ("opaque", Wall::Opaque),
            ("limits", Wall::Limits),
            ("leftovers", Wall::Leftovers),
            ("links", Wall::Links),
            ("proxy", Wall::Proxy),
            ("redaction", Wall::Redaction),
            ("record", Wall::Record),
            ("control-files", Wall::ControlFiles),
            ("leave", Wall::Leave),
            ("person", Wall::Person),
            ("bound", Wall::Bound),
            ("answered", Wall::Answered),
            ("expiry", Wall::Expiry),
            ("level", Wall::Level),
            ("agent-files", Wall::AgentFiles),
            ("agent-calls", Wall::AgentCalls),
            ("agent-user", Wall::AgentUser),
            ("agent-tasks", Wall::AgentTasks),
            ("one-act", Wall::OneAct),
            ("placeholders", Wall::Placeholders),
            ("own-repository", Wall::OwnRepository),
            ("copies", Wall::Copies),
            ("compared", Wall::Compared),
            ("steering", Wall::Steering),
        ];
        names.split('+').try_fold(Self::default(), |taken, name| {
            let wall = ALL.iter().find(|(known, _)| *known == name);
            let (_, wall) = wall.ok_or_else(|| {
                let known: Vec<&str> = ALL.iter().map(|(known, _)| *known).collect();
                format!("there is no wall `{name}`: {}", known.join(", "))
            })?;
            Ok(Self {
                bits: taken.bits | (1 << *wall as u64),
            })
        })
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wall_that_is_taken_away_takes_no_other_with_it() {
        let none = Removed::default();
        assert!(none.stands(Wall::Mounts) && none.stands(Wall::Proxy));
        let two: Removed = "mounts+landlock".parse().unwrap();
        assert!(!two.stands(Wall::Mounts) && !two.stands(Wall::Landlock));
        assert!(two.stands(Wall::Network) && two.stands(Wall::Calls));
        for bad in ["", "mounts+", "moat", "mounts landlock"] {
            assert!(bad.parse::<Removed>().is_err(), "{bad}");
        }
    }
}
