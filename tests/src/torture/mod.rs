//! The proof of the promise: a team works while everything that belongs to it is killed and
//! stopped, and at the end it is counted what was lost, what was done twice and what was left over.
//!
//! `rig` is a team under torture, `line` how tasks are handed in and looked at, `effects` what the
//! tasks do and how it is counted, `world` what lies outside their sandboxes, `plugs` who is killed and when, `account` the sums, `courses`
//! what is tried: at random, at every boundary of a journal, and one short course for each fault.
//! The story in `cases/torture.rs` and the program `torture` run the same courses.

pub mod account;
pub mod courses;
pub mod effects;
pub mod line;
pub mod plugs;
pub mod rig;
pub mod world;

/// The roles whose agents work under torture: those that may run programs.
pub const ROLES: [&str; 4] = ["code", "data", "infra", "qa"];
