//! `bench`: measures this machine, in scratch homes; the running team is not touched.

use crate::args::{BenchArgs, BenchName};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::{Own, interrupted};
use crate::terminal;
use bench::table::Report;
use std::path::PathBuf;
use supervisor::daemon::process;
use tokio::task::spawn_blocking;

/// Tasks over the bus unless said otherwise.
const BUS_TASKS: usize = 20_000;
/// Tasks of a whole team unless said otherwise.
const AGENT_TASKS: usize = 50;
/// Tasks of a long queue unless said otherwise.
const QUEUE_TASKS: usize = 100_000;
/// Builds inside and beside unless said otherwise.
const ROUNDS: usize = 10;

/// Measures and prints the table.
pub async fn run(context: &Context, args: BenchArgs) -> Result<u8, Failure> {
    let wanted = args.tasks.and_then(|tasks| usize::try_from(tasks).ok());
    let measuring = async {
        match args.which {
            BenchName::Bus => bus(wanted.unwrap_or(BUS_TASKS)).await,
            BenchName::Agent => agent(wanted.unwrap_or(AGENT_TASKS)).await,
            BenchName::Queue => queue(wanted.unwrap_or(QUEUE_TASKS), on_server(context)).await,
            BenchName::Backup => backup(u64::from(args.megabytes)).await,
            BenchName::Walls => walls(context, wanted.unwrap_or(ROUNDS)).await,
        }
    };
    // The team of a bus is this process, and sandboxes end with it; another one is taken down first.
    let alone = matches!(args.which, BenchName::Bus | BenchName::Walls);
    let _own = (!alone).then(Own::take);
    tokio::pin!(measuring);
    let report = tokio::select! {
        measured = &mut measuring => measured?,
        () = interrupted() => {
            bench::cut_off();
            let ended = measuring.await.err();
            let why = ended.map_or_else(|| "cut off".to_owned(), |failure| failure.message);
            return Err(Failure::new(protocol::exit::CANCELLED, why));
        }
    };
    if args.json {
        return super::json(&report);
    }
    terminal::print(&report.text());
    Ok(protocol::exit::DONE)
}

async fn bus(tasks: usize) -> Result<Report, Failure> {
    bench::bus::run(tasks).await.map_err(failed)
}

async fn agent(tasks: usize) -> Result<Report, Failure> {
    let exe = process::own_exe().map_err(failed)?;
    let measured = spawn_blocking(move || bench::agent::run(&exe, tasks)).await;
    measured.map_err(failed)?.map_err(failed)
}

async fn queue(tasks: usize, server: Vec<String>) -> Result<Report, Failure> {
    let exe = process::own_exe().map_err(failed)?;
    let measured = spawn_blocking(move || bench::queue::run(&exe, tasks, &server)).await;
    measured.map_err(failed)?.map_err(failed)
}

/// The variables that put a new team's ledger on a server.
fn on_server(context: &Context) -> Vec<String> {
    const STARTS: [&str; 3] = ["DATABASE_", "POSTGRES_", "AI_INFRA__LEDGER__"];
    let names = context.env.iter().map(|(name, _)| name.to_owned());
    names
        .filter(|name| STARTS.iter().any(|start| name.starts_with(start)))
        .collect()
}

async fn backup(megabytes: u64) -> Result<Report, Failure> {
    let exe = process::own_exe().map_err(failed)?;
    let measured = spawn_blocking(move || bench::backup::run(&exe, megabytes)).await;
    measured.map_err(failed)?.map_err(failed)
}

async fn walls(context: &Context, rounds: usize) -> Result<Report, Failure> {
    let exe = process::own_exe().map_err(failed)?;
    let home = context.env.get("HOME").map_or("/".into(), PathBuf::from);
    bench::walls::run(&exe, &home, rounds).await.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(protocol::exit::FAILED, error).hint("what is missing here: ai-infra doctor")
}
