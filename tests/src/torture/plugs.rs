//! Pulls plugs by a plan that follows from a seed alone: who is killed or stopped, and when.

use super::rig::Rig;
use super::{ROLES, account};
use crate::processes;
use nix::sys::signal::Signal;
use std::thread::JoinHandle;
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

/// Whose plug it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Victim {
    /// A process by the name of its pid file, or the tmux server.
    Process(String),
    /// One of the harness's own agents, counted round.
    Spare(u64),
    /// One of the sandboxes that run just then, counted round.
    Executor(u64),
}

/// What happens to one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plug {
    /// Which.
    pub victim: Victim,
    /// Stopped for so long, or killed.
    pub stopped: Option<Duration>,
    /// The pause before it; none = in the same moment as the last one.
    pub after: Duration,
}

/// The plan of a seed, without an end.
#[derive(Debug, Clone)]
pub struct Plan {
    numbers: Numbers,
    lease: Duration,
    tmux: bool,
}

impl Plan {
    /// The plan for a team with this lease, with or without tmux.
    pub fn new(seed: u64, lease: Duration, tmux: bool) -> Self {
        Self {
            numbers: Numbers::new(seed),
            lease,
            tmux,
        }
    }

    /// Up to three leases.
    fn long(&mut self) -> Option<Duration> {
        let most = 3 * self.lease.as_millis() as u64;
        Some(Duration::from_millis(50 + self.numbers.below(most)))
    }

    fn agent(&mut self) -> Victim {
        match self.numbers.below(6) {
            5.. => Victim::Spare(self.numbers.below(8)),
            role => Victim::Process(format!("agent-{}", ROLES[role as usize % ROLES.len()])),
        }
    }
}

impl Iterator for Plan {
    type Item = Plug;

    fn next(&mut self) -> Option<Plug> {
        let numbers = &mut self.numbers;
        let together = numbers.below(8) == 0;
        let pause = Duration::from_millis(30 + numbers.below(400));
        let one = |name: &str| Victim::Process(name.to_owned());
        let (victim, stopped) = match numbers.below(40) {
            0..=13 => (self.agent(), None),
            14..=19 => (self.agent(), self.long()),
            20..=25 => (Victim::Executor(numbers.below(64)), None),
            26..=29 => (one("supervisor"), None),
            30 => (one("supervisor"), self.long()),
            31..=33 => (one("daemon"), None),
            34 => (one("daemon"), self.long()),
            35..=36 => (one("redis"), None),
            37 => (one("redis"), self.long()),
            38 if self.tmux => (one("tmux"), None),
            // Not for longer than a lease: see `pull`.
            _ => {
                let short = 50 + numbers.below(self.lease.as_millis() as u64 / 2);
                (
                    Victim::Executor(numbers.below(64)),
                    Some(Duration::from_millis(short)),
                )
            }
        };
        Some(Plug {
            victim,
            stopped,
            after: if together { Duration::ZERO } else { pause },
        })
    }
}

/// Pulls one plug; says whether there was anybody at it. Who is stopped goes on by itself later,
/// while other plugs are pulled. (A sandbox is not stopped for longer than a lease: its own watch is
/// what ends it with the lease, and a person who stops it together with its holder has stopped the
/// watch but not the programs inside.)
pub fn pull(rig: &Rig, plug: &Plug, stopped: &mut Vec<JoinHandle<()>>) -> bool {
    let round = |all: Vec<u32>, number: u64| {
        let at = (number as usize).checked_rem(all.len())?;
        all.get(at).copied()
    };
    let found = match &plug.victim {
        Victim::Process(name) => rig.pid(name),
        Victim::Spare(number) => round(rig.spare_pids(), *number),
        Victim::Executor(number) => {
            let all = account::orphans(rig).iter().map(|seen| seen.pid).collect();
            round(all, *number)
        }
    };
    let Some(pid) = found else {
        return false;
    };
    match plug.stopped {
        None => processes::send(pid, Signal::SIGKILL),
        Some(long) => {
            processes::send(pid, Signal::SIGSTOP);
            stopped.push(std::thread::spawn(move || {
                std::thread::sleep(long);
                processes::send(pid, Signal::SIGCONT);
            }));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_follows_from_its_seed() {
        let lease = Duration::from_secs(1);
        let plan = |seed| {
            Plan::new(seed, lease, true)
                .take(400)
                .collect::<Vec<Plug>>()
        };
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        let together = plan(7).iter().filter(|p| p.after.is_zero()).count();
        assert!((20..100).contains(&together), "{together}");
        for name in ["agent-code", "supervisor", "daemon", "redis", "tmux"] {
            let all = plan(7);
            let mut its = all
                .iter()
                .filter(|p| p.victim == Victim::Process(name.to_owned()));
            assert!(its.any(|p| p.stopped.is_none()), "{name} is never killed");
        }
        for plug in plan(7) {
            let is_executor = matches!(plug.victim, Victim::Executor(_));
            let longest = if is_executor { lease } else { 4 * lease };
            assert!(plug.stopped.unwrap_or_default() < longest, "{plug:?}");
        }
    }
}
