//! The grammar of `ai-infra logs`.

use super::values::since;
use crate::logs::line::Level;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use protocol::ids::TaskRef;

/// Which lines of the logs.
#[derive(Debug, Default, Args)]
pub struct LogsArgs {
    /// Go on printing what is added
    #[arg(long, short)]
    pub follow: bool,
    /// Only what this process wrote: an agent, supervisor, daemon or redis
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Only lines about this task, such as t142
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskRef>,
    /// Only lines of this trace, such as 0af7651916cd43dd8448eb211c80319c
    #[arg(long, value_name = "ID", conflicts_with = "task")]
    pub trace: Option<String>,
    /// Only lines at least so important
    #[arg(long, value_enum)]
    pub level: Option<LevelName>,
    /// Only lines since then: 10m, 2h, 3d ago, or a time such as 2026-11-22T03:00
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only lines that hold this text, in any case
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
    /// How many of the newest lines [default: 200; all with --task, --trace or --since]
    #[arg(long, short = 'n', value_name = "N", value_parser = super::values::whole::<usize>(0, super::values::MOST))]
    pub lines: Option<usize>,
    /// Print one JSON document a line
    #[arg(long)]
    pub json: bool,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelName {
    /// The smallest steps.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happened.
    Info,
    /// Something that should not be.
    Warn,
    /// Something that must not be.
    Error,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Level {
        match name {
            LevelName::Trace => Level::Trace,
            LevelName::Debug => Level::Debug,
            LevelName::Info => Level::Info,
            LevelName::Warn => Level::Warn,
            LevelName::Error => Level::Error,
        }
    }
}
