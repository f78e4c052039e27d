//! The supervisor's unix socket: many clients, one JSON line a request, served only to the home's
//! owner and root. `listen` makes the socket, `line` reads bounded lines, `verbs` does what is
//! asked.

#[cfg(test)]
mod flow_tests;
pub mod line;
pub mod listen;
pub mod serve;
#[cfg(test)]
mod story;
#[cfg(test)]
mod story_questions;
#[cfg(test)]
mod story_spoiled;
#[cfg(test)]
mod story_team;
#[cfg(test)]
mod story_watch;
mod talk;
pub mod verbs;
