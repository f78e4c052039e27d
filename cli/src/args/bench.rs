//! What can be measured on this machine.

use clap::{Args as ClapArgs, ValueEnum};

/// A measurement.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct BenchArgs {
    /// What is measured
    pub which: BenchName,
    /// How many tasks [default: bus 20000, agent 50, queue 100000]; of walls,
    /// how often each build is run inside and beside [default: 10]
    #[arg(long, value_name = "N", value_parser = super::values::whole::<u32>(1, 10_000_000))]
    pub tasks: Option<u32>,
    /// How many megabytes of repositories `backup` keeps
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub megabytes: u32,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchName {
    /// The bus, beside what redis-benchmark does on the same machine.
    Bus,
    /// A whole team: time to ready, cost of a task, memory and processor time when idle.
    Agent,
    /// A whole team with a long queue: what it weighs, and how soon people are answered.
    Queue,
    /// Backups of real git repositories, to a folder and to git, beside restic.
    Backup,
    /// The sandbox: how soon it stands, and how much longer builds take inside.
    Walls,
}
