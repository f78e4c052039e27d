//! What the daemon knows of each process, and what follows from it: who is to be started now, how
//! the team is, what to tell people. Pure; times are counted from the daemon's start.

use super::identity::Identity;
use super::process::Process;
use super::restart::{History, Next, Policy};
use protocol::document::{DOCUMENT_VERSION, GIVEN_UP, ProcessLine, TeamStatus};
use std::time::Duration;

/// How one process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// To be started at this time.
    Due(Duration),
    /// It runs since `since`; `ready` once it was seen at work.
    Runs {
        /// Who.
        who: Identity,
        /// Since when.
        since: Duration,
        /// Seen at work.
        ready: bool,
    },
    /// It died too often and is left alone.
    GivenUp,
}

/// One process of the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub process: Process,
    /// How it stands.
    pub stand: Stand,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it could not be started last time.
    pub refused: Option<String>,
    history: History,
}

impl Member {
    /// A process that is to be started at once.
    pub fn new(process: Process) -> Self {
        Self {
            process,
            stand: Stand::Due(Duration::ZERO),
            restarts: 0,
            refused: None,
            history: History::default(),
        }
    }

    /// Who it is, while it runs.
    pub fn who(&self) -> Option<Identity> {
        match self.stand {
            Stand::Runs { who, .. } => Some(who),
            _ => None,
        }
    }

    /// It runs and was seen at work.
    pub fn is_ready(&self) -> bool {
        matches!(self.stand, Stand::Runs { ready: true, .. })
    }

    /// It was started (or found running, which is no restart).
    pub fn started(&mut self, who: Identity, now: Duration) {
        if self.history.recent() > 0 {
            self.restarts += 1;
        }
        self.refused = None;
        self.stand = Stand::Runs {
            who,
            since: now,
            // A window that only shows things is at work as soon as it runs.
            ready: self.process.is_view(),
        };
    }

    /// It was seen at work.
    pub fn seen_ready(&mut self) {
        if let Stand::Runs { ready, .. } = &mut self.stand {
            *ready = true;
        }
    }

    /// It died, or could not be started (`why`).
    pub fn ended(&mut self, policy: &Policy, now: Duration, why: Option<String>) -> Next {
        let since = match self.stand {
            Stand::Runs { since, .. } => since,
            _ => now,
        };
        self.refused = why;
        let next = self.history.died(policy, since, now);
        self.stand = match next {
            Next::Again(pause) => Stand::Due(now + pause),
            Next::GiveUp => Stand::GivenUp,
        };
        next
    }

    fn line(&self) -> ProcessLine {
        let state = match self.stand {
            Stand::Runs { ready: true, .. } => "up",
            Stand::Runs { ready: false, .. } => "starting",
            Stand::Due(_) if self.history.recent() == 0 => "starting",
            Stand::Due(_) => "down",
            Stand::GivenUp => GIVEN_UP,
        };
        ProcessLine {
            name: self.process.name().to_owned(),
            pid: self.who().map(|who| who.pid),
            state: state.to_owned(),
            restarts: self.restarts,
            task: None,
        }
    }

    fn problem(&self) -> Option<String> {
        let name = self.process.name();
        let deaths = self.history.recent();
        match (self.stand, &self.refused) {
            (Stand::GivenUp, Some(why)) => Some(format!(
                "{name} could not be started {deaths} times and was given up: {why}; then: ai-infra restart"
            )),
            (Stand::GivenUp, None) => Some(format!(
                "{name} died {deaths} times in a short while and was stopped: read logs/{}.log in the home, then: ai-infra restart",
                self.process.key()
            )),
            (_, Some(why)) => Some(format!("{name} could not be started: {why}")),
            (Stand::Due(_), None) if deaths > 0 => {
                Some(format!("{name} died and is started again in a moment"))
            }
            _ => None,
        }
    }
}

/// Positions of the members to be started now. Redis and the warden come first: nobody else starts
/// before each was ready once.
pub fn due(members: &[Member], now: Duration) -> Vec<usize> {
    let wait = members
        .iter()
        .any(|m| m.process.comes_first() && !m.is_ready() && m.restarts == 0);
    members
        .iter()
        .enumerate()
        .filter(|(_, member)| matches!(member.stand, Stand::Due(at) if at <= now))
        .filter(|(_, member)| !wait || member.process.comes_first())
        .map(|(position, _)| position)
        .collect()
}

/// Everybody who does the team's work is ready.
pub fn all_ready(members: &[Member]) -> bool {
    members
        .iter()
        .all(|member| member.is_ready() || member.process.is_view())
}

/// How the team is. `was_ready` once it was ready since the daemon's start.
pub fn status(members: &[Member], was_ready: bool) -> TeamStatus {
    let given_up = members.iter().any(|member| member.stand == Stand::GivenUp);
    let state = match (all_ready(members), given_up, was_ready) {
        (true, false, _) => "up",
        (_, true, _) | (false, _, true) => "degraded",
        (false, false, false) => "starting",
    };
    TeamStatus {
        version: DOCUMENT_VERSION,
        state: state.to_owned(),
        processes: members.iter().map(Member::line).collect(),
        problems: members.iter().filter_map(Member::problem).collect(),
        ..TeamStatus::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const POLICY: Policy = Policy {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(30),
        limit: 3,
        window: Duration::from_secs(60),
    };
    const WHO: Identity = Identity {
        pid: 7,
        start_time: 1,
    };

    fn team() -> Vec<Member> {
        vec![
            Member::new(Process::Redis),
            Member::new(Process::Supervisor),
            Member::new(Process::Agent("code".parse().unwrap())),
            Member::new(Process::Monitor),
        ]
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn redis_comes_first_and_then_all_at_once() {
        let mut team = team();
        assert_eq!(due(&team, seconds(0)), [0]);
        team[0].started(WHO, seconds(0));
        assert!(due(&team, seconds(0)).is_empty());
        team[0].seen_ready();
        assert_eq!(due(&team, seconds(0)), [1, 2, 3]);
    }

    #[test]
    fn a_death_pauses_only_the_dead() {
        let mut team = team();
        for member in &mut team {
            member.started(WHO, seconds(0));
            member.seen_ready();
        }
        assert_eq!(status(&team, true).state, "up");
        team[2].ended(&POLICY, seconds(5), None);
        assert_eq!(status(&team, true).state, "degraded");
        assert_eq!(status(&team, true).processes[2].state, "down");
        assert_eq!(
            status(&team, true).problems,
            ["code died and is started again in a moment"]
        );
        assert!(due(&team, seconds(5)).is_empty());
        assert_eq!(due(&team, seconds(6)), [2]);
        team[2].started(WHO, seconds(6));
        assert_eq!(status(&team, true).processes[2].state, "starting");
        assert_eq!(team[2].restarts, 1);
        team[2].seen_ready();
        assert_eq!(status(&team, true).state, "up");
    }

    #[test]
    fn a_dead_redis_does_not_hold_up_the_others_later() {
        let mut team = team();
        for member in &mut team {
            member.started(WHO, seconds(0));
            member.seen_ready();
        }
        team[0].ended(&POLICY, seconds(5), None);
        team[0].started(WHO, seconds(6));
        team[1].ended(&POLICY, seconds(6), None);
        assert_eq!(due(&team, seconds(9)), [1]);
    }

    #[test]
    fn a_crash_loop_is_said_with_the_next_step() {
        let mut team = team();
        for _ in 0..3 {
            team[2].started(WHO, seconds(1));
            team[2].ended(&POLICY, seconds(1), None);
        }
        let status = status(&team, false);
        assert_eq!(status.state, "degraded");
        assert_eq!(status.processes[2].state, "crash loop");
        assert_eq!(
            status.problems,
            [
                "code died 3 times in a short while and was stopped: read logs/agent-code.log in the home, then: ai-infra restart"
            ]
        );
    }

    #[test]
    fn windows_do_not_delay_readiness() {
        let mut team = team();
        for member in team.iter_mut().take(3) {
            member.started(WHO, seconds(0));
            member.seen_ready();
        }
        assert!(all_ready(&team));
    }
}
