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
        #[arg(long, default_value_t = 10, value_name = "N", value_parser = super::values::whole::<usize>(0, super::values::MOST))]
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
    /// Forget a memory: no search finds it any more; it can be taken back for 30 days
    Forget {
        /// Its id
        id: String,
        /// Why, for who wonders later
        #[arg(long, default_value = "", conflicts_with = "undo")]
        reason: String,
        /// Take it back
        #[arg(long)]
        undo: bool,
    },
    /// How many there are of which kind, how old, how large, and whether the index is whole
    Stats {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make the search index anew from the files
    Reindex,
    /// Write every memory to a new folder, or to one archive
    Export {
        /// A folder that is not there yet, or a name that ends in .tar.zst
        #[arg(value_name = "PATH")]
        to: PathBuf,
        /// Only the memories of this project folder
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
    },
    /// Keep the memories of an export, of Claude Code or PAI; the same content is kept once
    Import {
        /// A folder, a .tar.zst, .tar.gz or .tar, or one Markdown file such as CLAUDE.md
        #[arg(value_name = "PATH")]
        from: PathBuf,
        /// The project folder that those without a project belong to [default: all projects]
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
