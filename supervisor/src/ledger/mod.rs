//! The ledger: the history of every task and the source for people. One writer, fenced by an
//! epoch row. Open `store` for how it is opened and written, `moves` for how a stored state may
//! change, `keep` for a new task, `fold` for what agents report, `pages` for what people read.

#[cfg(test)]
mod any_messages;
pub mod away;
pub mod brakes;
pub mod cancel;
pub mod due;
pub mod events;
pub mod fold;
pub mod handoffs;
pub mod inspect;
pub mod keep;
pub mod marks;
pub mod moves;
pub mod pages;
pub mod parts;
pub mod patch;
pub mod plan;
pub mod questions;
pub mod ratings;
pub mod records;
pub mod report;
pub mod resume;
pub mod running;
pub mod standing;
pub mod start;
pub mod store;
#[cfg(test)]
mod tests;
