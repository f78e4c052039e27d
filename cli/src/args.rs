//! What can be said on the command line. Every command here works; the ones that people and scripts
//! rely on are stable.

mod agents;
mod approvals;
mod audit;
mod backup;
mod bench;
mod chat;
mod config;
mod costs;
mod dead;
mod examples;
mod host;
mod ledger;
mod logs;
mod memory;
mod playbook;
mod schedule;
mod task;
mod values;
mod workspace;

pub use agents::AgentsCommand;
pub use approvals::{ApprovalsCommand, Proof, ToSign};
pub use audit::AuditCommand;
pub use backup::{BackupCommand, ConflictsCommand, SideWord, VersionsCommand};
pub use bench::{BenchArgs, BenchName};
pub use chat::ChatArgs;
pub use config::ConfigCommand;
pub use costs::CostsArgs;
pub use dead::DeadCommand;
pub use host::{HostCommand, JoinArgs};
pub use ledger::{BusCommand, LedgerCommand};
pub use logs::LogsArgs;
pub use memory::MemoryCommand;
pub use playbook::PlaybookCommand;
pub use schedule::{AddArgs, ScheduleCommand};
pub use task::TaskCommand;
pub use workspace::WorkspaceCommand;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use protocol::ids::{RequestId, Role};
use protocol::task::Effort;
use std::path::PathBuf;
use std::time::Duration;
use values::{dollars, duration, moment, pair};

/// A team of AI agents on your own server.
#[derive(Debug, Parser)]
#[command(name = "ai-infra", version, about, after_help = examples::ALL, max_term_width = 100, arg_required_else_help = true)]
pub struct Args {
    /// The team's own folder [default: $AI_INFRA_HOME, else the usual place]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What was said on the command line of this process; ends it where that cannot be understood.
pub fn read() -> Args {
    let matches = with_negatives(Args::command()).get_matches();
    Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The grammar in which `-1` is a number that does not fit, and no flag that nobody knows.
fn with_negatives(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| match argument.get_action().takes_values() {
            true => argument.allow_negative_numbers(true),
            false => argument,
        })
        .mut_subcommands(with_negatives)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the team, wait until it is ready, say how to attach
    Up(Box<JoinArgs>),
    /// Let other hosts work for the team
    #[command(subcommand)]
    Host(HostCommand),
    /// Stop the team; tasks go on where they stopped at the next `up`
    Down,
    /// Stop and start the team with the program on disk
    Restart,
    /// Say how the team is
    Status(JsonArgs),
    /// Look at what the team needs on this machine
    Doctor(JsonArgs),
    /// Attach this terminal to the team's tmux session
    Attach,
    /// Give the team a task and wait for its result
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Talk with the supervisor; on a pipe, one request a line
    Chat(ChatArgs),
    /// Look at tasks, stop them, take or leave their changes
    #[command(subcommand, after_help = examples::TASK)]
    Task(TaskCommand),
    /// Look at the agents, let them pause, start them anew
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// Stop all effects at once: nothing is begun, and what runs is stopped in place
    Freeze,
    /// Let a frozen team go on
    #[command(alias = "unfreeze")]
    Thaw,
    /// The team at a glance, drawn again as it changes; `?` shows the keys
    Monitor,
    /// What every process wrote, in order of time
    Logs(Box<LogsArgs>),
    /// What models cost, beside the month's budget
    Costs(CostsArgs),
    /// What agents ask your leave for: look at it, say yes or no
    #[command(subcommand, after_help = examples::APPROVALS)]
    Approvals(ApprovalsCommand),
    /// The record of every act on this host, and whether it is whole
    #[command(subcommand, after_help = examples::AUDIT)]
    Audit(AuditCommand),
    /// Messages that nobody could read or finish
    #[command(subcommand)]
    Dead(DeadCommand),
    /// The folders the team works in, by name
    #[command(subcommand, after_help = examples::WORKSPACE)]
    Workspace(WorkspaceCommand),
    /// What the team has learned
    #[command(subcommand, after_help = examples::MEMORY)]
    Memory(MemoryCommand),
    /// Jobs that need no model
    #[command(subcommand, after_help = examples::PLAYBOOK)]
    Playbook(PlaybookCommand),
    /// Jobs that begin by themselves
    #[command(subcommand, after_help = examples::SCHEDULE)]
    Schedule(ScheduleCommand),
    /// Keep what the team knows and made elsewhere, and get it back
    #[command(subcommand, after_help = examples::BACKUP)]
    Backup(BackupCommand),
    /// Settings, and where each came from
    #[command(subcommand, after_help = examples::CONFIG)]
    Config(ConfigCommand),
    /// Keys and passwords, kept in the home with mode 0600
    #[command(subcommand, after_help = examples::SECRET)]
    Secret(SecretCommand),
    /// Whether Redis is the one the ledger knows, and what to do when it is not
    #[command(subcommand)]
    Bus(BusCommand),
    /// Where the history of the team is kept: a file of the home, or a PostgreSQL database
    #[command(subcommand, after_help = examples::LEDGER)]
    Ledger(LedgerCommand),
    /// Measure the bus or a whole team on this machine, in a scratch home
    Bench(BenchArgs),
    /// Print what makes a shell complete commands, and names of tasks, agents, playbooks, schedules
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: ShellName,
    },
    /// Run the daemon here (what `up` and systemd start)
    #[command(hide = true)]
    Daemon(UpArgs),
    /// Run the supervisor here
    #[command(hide = true)]
    Supervisor,
    /// Run the warden here
    #[command(hide = true)]
    Warden,
    /// Carry out one duty for the warden, told over the standard input
    #[command(hide = true)]
    Hands,
    /// Run one agent here
    #[command(hide = true)]
    Agent {
        /// Its role.
        name: Role,
    },
    /// Try, as an agent behind its walls, what no agent may do: for tests
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    TryAsAgent {
        /// As the proxy of one of its tasks instead
        #[arg(long)]
        proxy: bool,
        /// Its role.
        name: Role,
        /// What to try, such as read:/etc/shadow.
        tries: Vec<String>,
    },
    /// Run the proxy of one task, told its terms over the standard input
    #[command(hide = true)]
    Proxy {
        /// The process that holds it
        holder: Option<u32>,
    },
    /// Run the executor of one task, inside its sandbox
    #[command(hide = true)]
    Executor {
        /// The process that holds it
        holder: Option<u32>,
    },
    /// Run what a tmux window shows
    #[command(hide = true)]
    Window {
        /// Which.
        which: WindowName,
    },
}

/// How the team is started.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct UpArgs {
    /// Run the processes as children of the daemon instead of in tmux windows
    #[arg(long)]
    pub no_tmux: bool,
}

/// Whether a document is printed instead of text.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct JsonArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Shells that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// From version 4.
    Bash,
    /// With compinit.
    Zsh,
    /// From version 3.
    Fish,
}

/// Windows that only show things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WindowName {
    /// The talk with the supervisor.
    Chat,
    /// The team at a glance.
    Monitor,
    /// The merged log.
    Logs,
}

/// How much work a task is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum EffortName {
    /// The shortest way.
    Quick,
    /// The default.
    #[default]
    Standard,
    /// Turn every stone.
    Deep,
}

impl From<EffortName> for Effort {
    fn from(name: EffortName) -> Effort {
        match name {
            EffortName::Quick => Effort::Quick,
            EffortName::Standard => Effort::Standard,
            EffortName::Deep => Effort::Deep,
        }
    }
}

/// A task.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// What you want, in your own words
    #[arg(required_unless_present_any = ["playbook", "plan"])]
    pub request: Option<String>,
    /// The agent that must do it [default: routing decides]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<Role>,
    /// The folder it is about, or the name of a registered one; it is worked on in a clone
    /// [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The host that folder lives on [default: this one]
    #[arg(long, value_name = "NAME", requires = "workspace")]
    pub host: Option<String>,
    /// How much work it is worth
    #[arg(long, value_enum, default_value_t)]
    pub effort: EffortName,
    /// Most it may cost, in dollars
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub budget: Option<f64>,
    /// Print one JSON document at the end and nothing else
    #[arg(long)]
    pub json: bool,
    /// Cancel it when it takes longer, such as 90s, 10m, 2h; exit code 124
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Say its number and leave it working
    #[arg(long)]
    pub no_wait: bool,
    /// Begin it then and not before, such as 2026-11-22T03:00 (time of this machine); it is handed
    /// in and left
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<Timestamp>,
    /// The same, counted from now, such as 10m or 2h
    #[arg(long = "in", value_name = "TIME", value_parser = duration, conflicts_with = "at")]
    pub after: Option<Duration>,
    /// Run this playbook instead of matching words
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// Run the plan in this file: several tasks, one after the other or at the same time
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request", "playbook", "agent", "script"])]
    pub plan: Option<PathBuf>,
    /// A parameter of the playbook; may be given more than once
    #[arg(long = "param", value_name = "KEY=VALUE", requires = "playbook", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// A file that belongs to it: the agent sees it read-only beside the clone; may be given more
    /// than once
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// Attach files also where they look like secrets
    #[arg(long, requires = "attach")]
    pub even_secrets: bool,
    /// Your own id for the request; the same id twice is one task
    #[arg(long, value_name = "ID")]
    pub request_id: Option<RequestId>,
    /// 1 (background) to 10 (urgent)
    #[arg(long, value_name = "N", value_parser = values::whole::<u8>(1, 10))]
    pub priority: Option<u8>,
    /// A file of canned replies, where the configuration allows the scripted engine
    #[arg(long, value_name = "FILE", hide = true)]
    pub script: Option<PathBuf>,
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret; its value is read from standard input, never from an argument
    Set {
        /// Such as anthropic-api-key
        name: String,
        /// Refused, with the right way said: a value has no place in a command line.
        #[arg(hide = true)]
        value: Option<String>,
        /// Keep it without trying it first
        #[arg(long)]
        unchecked: bool,
    },
    /// Names of the secrets that are kept
    List(JsonArgs),
    /// Try the key of the model, and ask AWS Secrets Manager for each secret, where they are kept there; it costs nothing
    Check,
}

#[cfg(test)]
mod help_tests;
#[cfg(test)]
mod tests;
