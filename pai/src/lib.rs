//! What to do next. This room decides and starts nothing: it has no IO, no clock and no process.
//! Open `algorithm` for the seven phases as a machine that asks for the next thing and is given
//! the answer, and `playbook` for jobs that need no model: how they are written, checked, matched
//! to a person's words, carried out step by step, and reported; `plan` for requests that become
//! several tasks; `schedule` for jobs that begin by themselves.

pub mod algorithm;
pub mod plan;
pub mod playbook;
pub mod schedule;
