//! What can be said about other hosts, and about the team a host joins.

use super::{JsonArgs, UpArgs};
use clap::{Args as ClapArgs, Subcommand};
use protocol::ids::Role;
use std::path::PathBuf;

/// How the team is started, and whose it is.
#[derive(Debug, Clone, ClapArgs)]
pub struct JoinArgs {
    /// How it is started.
    #[command(flatten)]
    pub up: UpArgs,
    /// Work for another host's team: the file that `ai-infra host invite` wrote there, `-` for
    /// standard input, or redis(s)://HOST:PORT to reach it at, with the invitation on standard input
    #[arg(long, value_name = "INVITATION")]
    pub join: Option<String>,
    /// Only these of the invited agents
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "join")]
    pub agents: Vec<Role>,
}

/// What can be done with other hosts.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Make an invitation: a private file for the other host
    Invite {
        /// What the team calls the other host
        name: String,
        /// The agents that work there [default: all]
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        agents: Vec<Role>,
        /// Where the invitation is written, `-` for standard output [default: NAME.invitation]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Every host of the team and what it is at
    List(JsonArgs),
    /// Put a host out: it is not let in again
    Remove {
        /// What the team calls it
        name: String,
    },
    /// On a host that joined a team: work for it no more
    Leave,
}
