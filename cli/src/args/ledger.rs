//! What can be said about the ledger, and about Redis beside it.

use super::JsonArgs;
use clap::Subcommand;

/// What can be decided about Redis.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum BusCommand {
    /// Say whether Redis and the ledger fit together
    Status,
    /// Take both as they are: what was begun waits for you, the rest goes on
    Accept,
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Say where it is, and whether it is whole
    Status(JsonArgs),
    /// Move it, while the team is down: everything is carried and compared, the old one stays good
    Move {
        /// A database, postgres://USER@HOST/DATABASE, or the word `file` [default: ledger.url]
        #[arg(long, value_name = "WHERE")]
        to: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Take over the ledger that `ledger.url` names, from a home that is gone for good
    Take,
}
