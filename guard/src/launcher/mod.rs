//! The two halves of an agent. The agent itself talks to models and to the bus, and stands behind
//! walls of its own ([`walls`]): it opens no file of the home, makes no file, runs no program. Its
//! *launcher* is a process beside it that stands outside of them: it makes clones, starts sandboxes and
//! keeps files, as it is asked over a [`channel`] that nobody else holds an end of. What may be asked is
//! a closed set of wishes (`agents::launcher`).
//!
//! A sandbox needs mounts, and whoever is under Landlock may make none: so the one who starts them
//! cannot be the one who reads what a model says.

pub mod channel;
mod start;
pub mod walls;

pub use start::{Half, divide, name_of};
