//! The grammar of `ai-infra chat`.

use clap::Args as ClapArgs;
use std::path::PathBuf;

/// How to talk.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct ChatArgs {
    /// The folder that requests are about [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Print one JSON document a line: proposals, what tasks do, results
    #[arg(long)]
    pub json: bool,
}
