//! Window 6 and `ai-infra monitor`: the team at a glance, and the few things one does at once. `state` knows
//! what was seen and what keys mean, `draw` makes the picture of it (both without a terminal), `host` reads
//! the machine's gauges, `run` asks, draws and carries out.

mod draw;
mod draw_team;
mod host;
mod prompt;
pub mod run;
mod state;
#[cfg(test)]
mod tests;
