//! What the tmux windows `monitor` and `logs` run. Both only look: they ask the control sockets,
//! read log files, and never start or stop anything.

pub mod frame;
pub mod monitor;
