//! The logs of every process of a home as one: read in order of time (`history`), filtered (`filter`),
//! followed (`tail`, `flow`), shown line by line by the command and in window 7 (`window`).

pub mod filter;
pub mod flow;
pub mod history;
pub mod line;
pub mod tail;
pub mod viewer;
mod viewer_draw;
pub mod window;
