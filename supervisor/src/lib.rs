//! placeholder

pub mod client;
pub mod daemon;
pub mod tmux;
