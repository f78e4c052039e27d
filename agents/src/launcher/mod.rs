//! The launcher of one agent: a process beside it, outside of its walls, that does what the agent may have done and
//! nothing else. [`wish`] is the closed set of what can be asked, [`hatch`] the agent's side, [`serve`] the
//! launcher's; `assigned` knows which tasks the agent was given; `acts` judges what reaches outside; `socket` opens connections to the bus; `sandboxes` makes clones and sandboxes out of the settings and of what lies on this disk,
//! never out of paths that an agent names.

mod acts;
pub(crate) mod assigned;
pub mod hatch;
mod sandboxes;
#[cfg(test)]
mod sandboxes_tests;
pub mod serve;
mod socket;
pub mod user;
pub mod wish;
