//! What can be said about agents.

use super::JsonArgs;
use clap::Subcommand;
use protocol::ids::Role;

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub enum AgentsCommand {
    /// Every agent: what it is for, its level, whether it is up
    List(JsonArgs),
    /// One agent: what it is for, what it may do, what it holds
    Show {
        /// Such as code
        name: Role,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Begin nothing new; what it holds goes on. Holds until `resume`, over every restart
    Pause {
        /// Such as code
        name: Role,
    },
    /// Take work again
    Resume {
        /// Such as code
        name: Role,
    },
    /// Stop and start its process; what it holds goes on where it was
    Restart {
        /// Such as code
        name: Role,
    },
}
