//! What can be said about memory.

use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with memory.
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Keep something
    Add {
        /// One line
        title: String,
        /// More about it; `-` reads standard input
        #[arg(long, default_value = "")]
        body: String,
        /// A word to find it by; may be given more than once
        #[arg(long = "tag")]
        tags: Vec<String>,
        /// The project folder it belongs to [default: all projects]
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
    },
    /// Find what is known
    Search {
        /// Words
        query: String,
        /// Only this project's memories and those of none
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// How many
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One memory, as its file
    Show {
        /// Its id
        id: String,
    },
}
