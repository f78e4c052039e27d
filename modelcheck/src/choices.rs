//! What agents and their executors can do next.

use crate::agent::{Agent, Pc, Way, Work};
use crate::carrier::Fate;
use crate::state::State;
use crate::team::{Move, Team};
use crate::world::{Executor, LATE_MS};

impl Team {
    pub(crate) fn moves_of(&self, state: &State, i: usize, moves: &mut Vec<Move>) {
        let agent = &state.agents[i];
        let left = state.left;
        let may = |kind: u8| kind > 0 && left.all > 0;
        let engaged = agent.work.is_some() || !agent.lost.is_empty();
        if agent.paused {
            moves.push(Move::Wake(i));
        } else {
            // Agents at leisure differ in nothing but their names: one of them claims for all.
            let at_leisure =
                |a: &Agent| a.work.is_none() && a.lost.is_empty() && !a.paused && !a.yields;
            let other = state.agents[..i].iter().any(at_leisure);
            let (can, speaks) = self.can_go(state, agent);
            if can && !(at_leisure(agent) && other) {
                moves.push(Move::Go(i, Fate::Answered));
                if speaks && may(left.lost) {
                    moves.push(Move::Go(i, Fate::Lost));
                }
            }
            if let Some(work) = &agent.work {
                let told = state.store.field(&self.record(), "cancel").is_some();
                let hears = !matches!(work.pc, Pc::Report(_) | Pc::LetGo | Pc::Sure);
                if told && hears && !work.cancel {
                    moves.push(Move::Renew(i));
                }
                if work.until <= state.store.now && !matches!(work.pc, Pc::LetGo | Pc::Sure) {
                    moves.push(Move::GiveUp(i));
                }
                if may(left.yields) && !agent.yields {
                    moves.push(Move::Yield(i));
                }
            }
            if engaged && may(left.pause) {
                moves.push(Move::Pause(i));
            }
        }
        if engaged && may(left.crash) {
            moves.push(Move::Crash(i));
        }
    }

    pub(crate) fn acts(&self, state: &State, moves: &mut Vec<Move>) {
        for (n, call) in state.world.running.iter().enumerate() {
            if state.store.now < call.until.saturating_add(LATE_MS) {
                moves.push(Move::Act(n));
            }
        }
    }

    /// Whether an agent has a next call, and whether it is one whose answer can get lost.
    fn can_go(&self, state: &State, agent: &Agent) -> (bool, bool) {
        let Some(work) = &agent.work else {
            let queued = self.anything_to_claim(state);
            return (queued, queued);
        };
        match work.pc {
            Pc::Open(at) => (state.store.now >= at, true),
            Pc::Wait(_) => {
                let running = state.world.running.iter();
                let alive = running.filter(|c| self.is_of(c, agent, work)).count() > 0;
                (!alive, false)
            }
            Pc::Call(_) => (true, false),
            Pc::Step(step) => {
                let way = self.way(state, work, step);
                (true, matches!(way, Way::Intent) && self.sure(state, work))
            }
            _ => (true, true),
        }
    }

    fn is_of(&self, call: &Executor, agent: &Agent, work: &Work) -> bool {
        call.of.1 == agent.life && call.epoch == work.lease.epoch.0
    }

    fn anything_to_claim(&self, state: &State) -> bool {
        let lane = self.lane();
        let sets = [
            self.keys.lease(&lane),
            self.keys.back(&lane),
            self.keys.delay(&lane),
        ];
        let stream = self.keys.work(&lane, protocol::task::Class::Normal);
        sets.iter().any(|key| state.store.size(key) > 0)
            || state
                .store
                .stream(&stream)
                .is_some_and(|s| !s.entries.is_empty())
    }
}
