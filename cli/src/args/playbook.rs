//! What can be done with playbooks.

use super::JsonArgs;
use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with playbooks.
#[derive(Debug, Subcommand)]
pub enum PlaybookCommand {
    /// Every playbook and the words that start it
    List(JsonArgs),
    /// What a playbook wants to know, does, and is proven by
    Show {
        /// Its name
        name: String,
        /// Its text instead, as written
        #[arg(long)]
        yaml: bool,
    },
    /// Name everything wrong with playbooks, with line and column: files, folders, or every one there is
    Check {
        /// Files, and folders of `.yaml` files
        #[arg(value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
