//! A model check of the team that runs the team's own code: the bus' functions and script texts
//! over a Redis in memory (`carrier`, `lua`, `store`), the real ledger (`ledger`), the agents' fold
//! and the effect classes' rules (`agent`, `hold`, `lease`). `team` and `office` say what can happen next,
//! `state` what a moment consists of, `explore` walks every moment and looks for broken promises.
//!
//! Taken for granted: an executor makes no effect later than a tenth of a second after its deadline
//! or its agent's death (`world`); a process that is not stopped renews in time; the clock of Redis
//! does not go back; what Redis acknowledged it keeps.

pub mod agent;
pub mod carrier;
pub mod choices;
pub mod explore;
pub mod hold;
pub mod lease;
pub mod ledger;
pub mod lua;
pub mod office;
pub mod state;
pub mod store;
pub mod team;
pub mod words;
pub mod world;
