//! Pulls plugs by a plan that follows from a seed alone: which process of a team is killed or
//! stopped, and when.

use crate::processes::{self, wait_until};
use crate::team::Team;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::time::Duration;

/// Numbers that follow from a seed (xorshift64*).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next one, below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound.max(1)
    }
}

/// One plug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plug {
    /// The process, by the name of its pid file.
    pub process: String,
    /// Stopped for so long, or killed.
    pub stopped: Option<Duration>,
    /// The pause before it.
    pub after: Duration,
}

/// The plan of a seed: each agent is killed at most three times (a task whose holders die five
/// times is given up on purpose) and stopped for less or more than its lease in between.
pub fn plan(seed: u64, agents: &[&str], many: usize) -> Vec<Plug> {
    let mut numbers = Numbers::new(seed);
    let mut kills = vec![0; agents.len()];
    let mut plan = Vec::new();
    while plan.len() < many {
        let after = Duration::from_millis(100 + numbers.below(700));
        let at = numbers.below(agents.len() as u64) as usize;
        let (process, stopped) = match numbers.below(10) {
            0..=3 if kills[at] < 3 => {
                kills[at] += 1;
                (agents[at], None)
            }
            4..=5 => (agents[at], Some(200 + numbers.below(2300))),
            6 => ("supervisor", None),
            7 => ("daemon", None),
            8 => ("redis", None),
            9 => ("redis", Some(100 + numbers.below(1500))),
            _ => continue,
        };
        plan.push(Plug {
            process: process.to_owned(),
            stopped: stopped.map(Duration::from_millis),
            after,
        });
    }
    plan
}

/// The process id in a pid file of the team.
pub fn pid(team: &Team, process: &str) -> Option<u32> {
    let path = team.home().join(format!("run/pids/{process}.json"));
    let noted: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let pid = u32::try_from(noted["pid"].as_u64()?).ok()?;
    processes::alive(pid).then_some(pid)
}

/// Pulls one plug; a process that is down just now is left alone. A killed daemon is waited for:
/// with the supervisor killed in the same moment nobody is left to bring either back.
pub fn pull(team: &Team, plug: &Plug) {
    std::thread::sleep(plug.after);
    let both = || pid(team, "daemon").is_some() && pid(team, "supervisor").is_some();
    wait_until(Duration::from_secs(20), both);
    let Some(found) = pid(team, &plug.process) else {
        return;
    };
    match plug.stopped {
        None => processes::send(found, Signal::SIGKILL),
        Some(long) => {
            processes::send(found, Signal::SIGSTOP);
            std::thread::sleep(long);
            processes::send(found, Signal::SIGCONT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_its_seed() {
        let agents = ["agent-code", "agent-qa"];
        assert_eq!(plan(7, &agents, 30), plan(7, &agents, 30));
        assert_ne!(plan(7, &agents, 30), plan(8, &agents, 30));
        for agent in agents {
            let killed = |p: &&Plug| p.process == agent && p.stopped.is_none();
            assert!(plan(7, &agents, 90).iter().filter(killed).count() <= 3);
        }
    }
}
