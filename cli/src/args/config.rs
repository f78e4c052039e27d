//! What can be done with settings.

use super::JsonArgs;
use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use config::trial::FileKind;
use std::path::PathBuf;

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting and the layer it came from; secrets are masked
    Show(JsonArgs),
    /// Say everything that is wrong with the settings, or with files before they are put in place
    Check {
        /// Settings, an AGENT.md, playbooks, schedules, plans [default: what lies in the home]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What the files are for, where neither name nor content says it
        #[arg(long = "as", value_name = "KIND", requires = "files", value_parser = PossibleValuesParser::new(FileKind::words()))]
        kind: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
