//! The ledger: the history of every task and the source for people. One writer, fenced by an
//! epoch row. Open `store` for how it is opened and written, `moves` for how a stored state may
//! change, `keep` for a new task (`together`: several in one write), `fold` for what agents report, `pages` for what people read.
//!
//! It lies in a file (SQLite) or in a database on a server (PostgreSQL): `place`. Every query and every file in
//! `migrations/` is one text for both, through sqlx's `Any`, and every story of `tests` is told on both. So:
//! types are TEXT, BIGINT and DOUBLE PRECISION (a truth is a BIGINT of 0 or 1); parameters are `$1`; what may be
//! there already is `ON CONFLICT … DO NOTHING|UPDATE`; a sum is `CAST(SUM(x) AS BIGINT)`; what is read in an order
//! has one that knows no ties, and text is sorted in Rust, since servers have orders of their own; names from
//! outside that are indexed are cut (`records::cut`, which also takes out NUL). `json_extract(document, '$.key')`
//! is known to both. Nothing is caught in the middle of a write: after an error the whole write is over.

pub mod alive;
pub mod anchors;
#[cfg(test)]
mod any_messages;
pub mod away;
pub mod brakes;
pub mod cancel;
pub mod carry;
mod catalog;
pub mod copy;
pub mod drilled;
pub mod due;
pub mod error;
pub mod events;
pub mod fold;
pub mod handoffs;
pub mod inspect;
pub mod keep;
pub mod marks;
pub mod moves;
pub mod moving;
pub mod pages;
pub mod parts;
pub mod patch;
pub mod place;
pub mod plan;
pub mod questions;
pub mod ratings;
pub mod records;
pub mod report;
pub mod resume;
pub mod retained;
pub mod running;
pub mod schedule_runs;
pub mod schedules;
pub mod server;
pub mod spends;
pub mod standing;
pub mod start;
pub mod store;
pub mod tables;
pub mod talks;
#[cfg(test)]
pub(crate) mod tests;
mod together;
pub mod whereabouts;
pub mod words;
pub mod workspaces;
