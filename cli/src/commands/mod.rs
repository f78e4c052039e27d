//! One file per command. Each answers with the exit code, or a [`Failure`] that names the next step.

mod agent;
mod agents;
pub mod approvals;
mod attach;
mod audit;
mod backup;
mod bench;
mod brakes;
mod bus;
mod carry;
mod clarify;
mod completions;
mod config;
mod costs;
mod daemon;
mod dead;
mod doctor;
mod down;
pub(crate) mod follow;
mod host;
mod join;
mod key;
mod launcher;
mod ledger;
mod logs;
mod memory;
mod monitor;
pub(crate) mod playbook;
mod restart;
pub(crate) mod run;
mod schedule;
mod secret;
mod signed;
mod status;
mod supervisor;
mod task;
pub(crate) mod team;
#[cfg(debug_assertions)]
mod try_as_agent;
mod up;
mod warden;
mod window;
mod workspace;

use crate::args::{Args, Command, SecretCommand};
use crate::chat;
use crate::context::Context;
use crate::failure::Failure;
use protocol::control::Verb;

/// Does what was asked.
pub async fn run(args: Args) -> Result<u8, Failure> {
    if let Command::Completions { shell } = args.command {
        return completions::run(shell);
    }
    let context = Context::new(args.home.as_deref())?;
    match args.command {
        Command::Chat(args) => chat::run(context, args, chat::Where::Shell).await,
        command => obey(context, command).await,
    }
}

/// Does what was asked of a home; the chat comes in here too.
pub(crate) async fn obey(context: Context, command: Command) -> Result<u8, Failure> {
    // These read settings, which may name what another service keeps.
    let context = match command {
        Command::Agents(_)
        | Command::Audit(_)
        | Command::Config(_)
        | Command::Restart
        | Command::Run(_) => context.with_kept_secrets().await,
        // And these are run beside a team that is down, by cron.
        Command::Backup(_) | Command::Ledger(_) => context.with_asked_secrets().await,
        _ => context,
    };
    match command {
        Command::Up(args) => up::run(&context, &args).await,
        Command::Host(command) => host::run(&context, command).await,
        Command::Down => down::run(&context).await,
        Command::Restart => restart::run(&context).await,
        Command::Status(flags) => status::run(&context, flags.json).await,
        Command::Doctor(flags) => doctor::run(&context, flags.json).await,
        Command::Attach => attach::run(&context).await,
        Command::Run(args) => run::run(&context, *args).await,
        Command::Task(command) => task::run(&context, command).await,
        Command::Agents(command) => agents::run(&context, command).await,
        Command::Freeze => brakes::run(&context, Verb::Freeze).await,
        Command::Thaw => brakes::run(&context, Verb::Thaw).await,
        Command::Monitor => monitor::run(&context).await,
        Command::Logs(args) => logs::run(&context, &args).await,
        Command::Costs(args) => costs::run(&context, args).await,
        Command::Approvals(command) => approvals::run(&context, command).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Dead(command) => dead::run(&context, command).await,
        Command::Workspace(command) => workspace::run(&context, command).await,
        Command::Memory(command) => memory::run(&context, command).await,
        Command::Playbook(command) => playbook::run(&context, command),
        Command::Schedule(command) => schedule::run(&context, command).await,
        Command::Backup(command) => backup::run(&context, command).await,
        Command::Config(command) => config::run(&context, command),
        Command::Secret(command @ SecretCommand::Set { .. }) => {
            secret::run(&context, command).await
        }
        // What the daemon was handed and what it asked for count too.
        Command::Secret(command) => secret::run(&context.in_team().await?, command).await,
        Command::Bus(command) => bus::run(&context, command).await,
        Command::Ledger(command) => ledger::run(&context, command).await,
        Command::Bench(args) => bench::run(&context, args).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Daemon(up) => daemon::run(&context, up.no_tmux).await,
        Command::Supervisor => supervisor::run(context).await,
        Command::Warden => warden::run(context).await,
        Command::Agent { name } => agent::run(context, name).await,
        #[cfg(debug_assertions)]
        Command::TryAsAgent { proxy, name, tries } => {
            try_as_agent::run(context, name, proxy, &tries).await
        }
        Command::Chat(_) => Err(Failure::usage("you are in the chat already")),
        Command::Executor { .. } | Command::Proxy { .. } | Command::Hands => {
            Err(Failure::usage("this runs before everything else"))
        }
        Command::Window { which } => window::run(context, which).await,
    }
}

/// Prints a document as JSON.
fn json(document: &impl serde::Serialize) -> Result<u8, Failure> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
    crate::terminal::exact(&format!("{text}\n"));
    Ok(protocol::exit::DONE)
}

/// The answer was of another kind than the question.
pub(crate) fn strange() -> Failure {
    Failure::new(
        protocol::exit::SERVICE,
        "the supervisor answered something else than it was asked",
    )
    .hint("program and team may be of different versions: ai-infra restart")
}
