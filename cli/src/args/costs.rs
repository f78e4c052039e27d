//! What can be asked about money.

use super::values::long_ago;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use protocol::costs::CostsBy;

/// Which costs.
#[derive(Debug, Clone, Copy, Args)]
pub struct CostsArgs {
    /// From when on: a length of time such as 7d or 12h, or a day such as 2026-11-01
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = long_ago)]
    pub since: Timestamp,
    /// What each line is about; days are those of UTC, as the budget's month is
    #[arg(long, value_enum, default_value_t)]
    pub by: CostsByName,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What a line of costs is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CostsByName {
    /// Newest first.
    #[default]
    Day,
    /// Dearest first.
    Agent,
    /// Dearest first.
    Task,
    /// Dearest first.
    Model,
}

impl From<CostsByName> for CostsBy {
    fn from(name: CostsByName) -> CostsBy {
        match name {
            CostsByName::Day => CostsBy::Day,
            CostsByName::Agent => CostsBy::Agent,
            CostsByName::Task => CostsBy::Task,
            CostsByName::Model => CostsBy::Model,
        }
    }
}
