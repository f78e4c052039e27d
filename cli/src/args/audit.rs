//! What can be said about the record of acts.

use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with the record of every act on this host.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// The newest lines: who did what, by whose wish, and how it ended
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = super::values::whole::<usize>(0, super::values::MOST))]
        lines: usize,
        /// Print the lines as they stand, one JSON document a line
        #[arg(long)]
        json: bool,
    },
    /// Walk the whole chain: exit code 1 where a line was changed, taken out, put in or cut off
    Verify {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The whole chain as it stands, one sealed JSON line an act; a broken one is not exported
    Export {
        /// Into this file, which must not be there [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}
