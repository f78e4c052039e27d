//! The lease of an agent in the model: renewed, and let go of.

use crate::agent::Pc;
use crate::carrier::Fate;
use crate::ledger::End;
use crate::state::State;
use crate::team::{LEASE_MS, Team};
use bus::lease::Renewal;

impl Team {
    /// Stops what an agent has running.
    pub(crate) fn stop_calls(&self, state: &mut State, i: usize) {
        let of = (i, state.agents[i].life);
        state.world.running.retain(|call| call.of != of);
    }

    pub(crate) fn drop_work(&self, state: &mut State, i: usize) {
        self.stop_calls(state, i);
        state.agents[i].work = None;
        state.agents[i].yields = false;
    }

    pub(crate) fn let_go(&self, state: &mut State, i: usize) {
        self.stop_calls(state, i);
        if let Some(work) = &mut state.agents[i].work {
            work.pc = Pc::LetGo;
        }
    }

    /// Renews. What a holder hears changes where it goes on. Answers whether it is held still.
    pub(crate) fn renew(&self, state: &mut State, i: usize, fate: Fate) -> bool {
        let Some(work) = state.agents[i].work.clone() else {
            return false;
        };
        let asked = state.store.now;
        let said = self.call(state, fate, async |bus| bus.renew(&work.lease).await);
        match said {
            Ok(Renewal::Held { cancel, .. }) => {
                let until = asked + LEASE_MS;
                let of = (i, state.agents[i].life);
                for call in state.world.running.iter_mut().filter(|call| call.of == of) {
                    call.until = call.until.max(until);
                }
                let mut stop = false;
                if let Some(work) = &mut state.agents[i].work {
                    work.until = until;
                    match work.pc {
                        _ if !cancel => {}
                        Pc::Step(_)
                        | Pc::Confirm(_)
                        | Pc::Call(_)
                        | Pc::Wait(_)
                        | Pc::Record(_) => {
                            work.pc = Pc::Report(End::Cancelled);
                            stop = true;
                        }
                        Pc::Sure | Pc::Open(_) | Pc::Enter | Pc::Tell => work.cancel = true,
                        Pc::Report(_) | Pc::LetGo => {}
                    }
                }
                if stop {
                    self.stop_calls(state, i);
                }
                true
            }
            Ok(Renewal::Lost) => {
                self.drop_work(state, i);
                false
            }
            Err(_) => false,
        }
    }
}
