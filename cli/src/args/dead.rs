//! What can be said about dead letters.

use clap::Subcommand;

/// What can be done with messages that nobody could read or finish.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// The newest, of every agent
    List {
        /// How many
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = super::values::whole::<usize>(0, super::values::MOST))]
        limit: usize,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One of them: why it is there and what it held
    Show {
        /// As `dead list` shows it, such as code/1763692800000-0
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Hand one in again as a new task; it leaves the list, once
    Replay {
        /// As `dead list` shows it
        id: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
