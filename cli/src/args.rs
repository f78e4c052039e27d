//! What can be said on the command line. Every command here works; the ones that people and scripts
//! rely on are stable.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use protocol::ids::{RequestId, Role, TaskRef};
use protocol::task::Effort;
use std::path::PathBuf;
use std::time::Duration;

/// A team of AI agents on your own server.
#[derive(Debug, Parser)]
#[command(name = "ai-infra", version, about, arg_required_else_help = true)]
pub struct Args {
    /// Folder that holds all the team writes [default: AI_INFRA_HOME, else /var/lib/ai-infra as
    /// root, else the XDG state folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the team, wait until it is ready, say how to attach
    Up(UpArgs),
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
    Run(Box<RunArgs>),
    /// Look at tasks, stop them, take or leave their changes
    #[command(subcommand)]
    Task(TaskCommand),
    /// Look at the agents
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// What the team has learned
    #[command(subcommand)]
    Memory(MemoryCommand),
    /// Jobs that need no model
    #[command(subcommand)]
    Playbook(PlaybookCommand),
    /// Settings, and where each came from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Keys and passwords, kept in the home with mode 0600
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Print a completion script for a shell
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Run the daemon here (what `up` and systemd start)
    #[command(hide = true)]
    Daemon(UpArgs),
    /// Run the supervisor here
    #[command(hide = true)]
    Supervisor,
    /// Run one agent here
    #[command(hide = true)]
    Agent {
        /// Its role.
        name: Role,
    },
    /// Run the executor of one task, inside its sandbox
    #[command(hide = true)]
    Executor,
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

/// Windows that only show things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WindowName {
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
    #[arg(required_unless_present = "playbook")]
    pub request: Option<String>,
    /// The agent that must do it [default: routing decides]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<Role>,
    /// The folder it is about; it is worked on in a clone [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
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
    /// Run this playbook instead of matching words
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// A parameter of the playbook; may be given more than once
    #[arg(long = "param", value_name = "KEY=VALUE", requires = "playbook", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Your own id for the request; the same id twice is one task
    #[arg(long, value_name = "ID")]
    pub request_id: Option<RequestId>,
    /// 1 (background) to 10 (urgent)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub priority: Option<u8>,
    /// A file of canned replies, where the configuration allows the scripted engine
    #[arg(long, value_name = "FILE", hide = true)]
    pub script: Option<PathBuf>,
}

/// What can be done with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// The newest tasks
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Everything about one task: what was asked, the evidence, what it cost
    Show {
        /// Such as t142
        task: TaskRef,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Watch a task until it rests
    Follow {
        /// Such as t142
        task: TaskRef,
        /// Print one JSON document at the end and nothing else
        #[arg(long)]
        json: bool,
    },
    /// Stop a task
    Cancel {
        /// Such as t142
        task: TaskRef,
    },
    /// The patch a task made
    Diff {
        /// Such as t142
        task: TaskRef,
    },
    /// Bring a task's patch into its workspace
    Apply {
        /// Such as t142
        task: TaskRef,
    },
    /// Throw a task's clone and patch away
    Discard {
        /// Such as t142
        task: TaskRef,
    },
}

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub enum AgentsCommand {
    /// Every agent: what it is for, its level, whether it is up
    List(JsonArgs),
}

/// What can be done with memory.
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// Keep something
    Add {
        /// One line
        title: String,
        /// More about it; `-` reads standard input
        #[arg(long, default_value = "")]
        body: String,
        /// A word to find it by; may be given more than once
        #[arg(long = "tag")]
        tags: Vec<String>,
        /// The project folder it belongs to [default: all projects]
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
    },
    /// Find what is known
    Search {
        /// Words
        query: String,
        /// Only this project's memories and those of none
        #[arg(long, value_name = "DIR")]
        workspace: Option<PathBuf>,
        /// How many
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One memory, as its file
    Show {
        /// Its id
        id: String,
    },
}

/// What can be done with playbooks.
#[derive(Debug, Subcommand)]
pub enum PlaybookCommand {
    /// Every playbook and the words that start it
    List(JsonArgs),
    /// The text of a playbook
    Show {
        /// Its name
        name: String,
    },
    /// Check playbook files, or every playbook there is
    Check {
        /// Files
        files: Vec<PathBuf>,
    },
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every setting and the layer it came from; secrets are masked
    Show(JsonArgs),
    /// Say everything that is wrong with the settings
    Check,
}

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret; its value is read from standard input, never from an argument
    Set {
        /// Such as anthropic-api-key
        name: String,
    },
    /// Names of the secrets that are kept
    List,
}

/// A length of time such as `500ms`, `90s`, `10m`, `2h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time: use 90s, 10m or 2h");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    milliseconds
        .and_then(|unit: u64| number.checked_mul(unit))
        .filter(|milliseconds| (1..=30 * 86_400_000).contains(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

fn dollars(text: &str) -> Result<f64, String> {
    text.strip_prefix('$')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|amount: &f64| amount.is_finite() && *amount >= 0.0 && *amount <= 1e6)
        .ok_or_else(|| format!("`{text}` is no amount of dollars: use 1.50"))
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is no parameter: use key=value"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn lines_are_understood_or_refused() {
        for (line, good) in [
            ("up", true),
            ("up --no-tmux", true),
            ("--home /x up", true),
            ("up --home /x", true),
            ("status --json", true),
            ("run words", true),
            ("run", false),
            ("run --playbook look-over", true),
            ("run --param a=b", false),
            ("run --playbook p --param a=b --param c=", true),
            ("run --playbook p --param =b", false),
            ("run w --timeout 10m --budget $1.50 --effort deep", true),
            ("run w --timeout 0", false),
            ("run w --timeout soon", false),
            ("run w --budget -1", false),
            ("run w --budget NaN", false),
            ("run w --priority 11", false),
            ("run w --agent Code", false),
            ("run w --effort huge", false),
            ("task show t1", true),
            ("task show 1", false),
            ("task", false),
            ("task follow t1 --json", true),
            ("agent code", true),
            ("agent", false),
            ("window monitor", true),
            ("window chat", false),
            ("secret set anthropic-api-key sk-leak", false),
            ("completions bash", true),
            ("bogus", false),
        ] {
            let words = std::iter::once("ai-infra").chain(line.split_whitespace());
            assert_eq!(Args::try_parse_from(words).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("90s", Some(90_000)),
            ("90", Some(90_000)),
            ("10m", Some(600_000)),
            ("250ms", Some(250)),
            ("31d", None),
            ("", None),
            ("s", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
        ] {
            let read = duration(text).ok().map(|time| time.as_millis());
            assert_eq!(read, expected, "{text}");
        }
    }
}
