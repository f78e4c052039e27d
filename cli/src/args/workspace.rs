//! What can be done with the list of folders the team works in.

use super::approvals::Proof;
use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with workspaces.
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Every folder the team has worked in, with its newest task
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Put a folder on the list, or give one that is there another name
    Add {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// What it is to be called, such as shop [default: the end of its path]
        #[arg(long)]
        name: Option<String>,
        /// The host that folder lives on [default: this one]
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },
    /// Let models be told what a folder says to agents (AGENTS.md, CLAUDE.md), as it says it now
    Trust {
        /// The folder
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
        /// Only show what it says, and whether it is trusted
        #[arg(long, conflicts_with_all = ["revoke", "to_sign", "sign", "signature"])]
        show: bool,
        /// Trust it no more; needs no proof, a signature says whose word it is
        #[arg(long)]
        revoke: bool,
        /// Print only what is to be signed, good for half an hour
        #[arg(long, conflicts_with_all = ["sign", "signature"])]
        to_sign: bool,
        #[command(flatten)]
        proof: Proof,
        /// Print one JSON document, with --show
        #[arg(long, requires = "show")]
        json: bool,
    },
    /// Take a folder off the list; nothing in it is touched
    Forget {
        /// Its name, as `workspace list` shows it
        name: String,
    },
}
