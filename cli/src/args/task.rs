//! The grammar of `ai-infra task`.

use super::values::dollars;
use clap::{Subcommand, ValueEnum};
use protocol::ids::{RequestId, TaskRef};
use protocol::question::Choice;

/// What can be done with tasks.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// The newest tasks
    List {
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = super::values::whole::<usize>(0, super::values::MOST))]
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
    /// What every process logged about a task
    Logs {
        /// Such as t142
        task: TaskRef,
        /// Go on printing what is added
        #[arg(long, short)]
        follow: bool,
        /// Print one JSON document a line
        #[arg(long)]
        json: bool,
    },
    /// Stop a task
    Cancel {
        /// Such as t142
        task: TaskRef,
    },
    /// Answer the question of a task that waits
    Answer {
        /// Such as t142
        task: TaskRef,
        /// What happened to the call in doubt
        #[arg(value_enum, required_unless_present = "text")]
        answer: Option<ChoiceName>,
        /// Words: the answer to a free question, else a remark that is kept with the answer
        #[arg(long, value_name = "WORDS")]
        text: Option<String>,
        /// The number of the question; another that is asked by now is not answered [default: the
        /// newest]
        #[arg(long, value_name = "N")]
        question: Option<u64>,
    },
    /// Say something to whoever works on a task: it is heard before the next step
    Tell {
        /// Such as t142
        task: TaskRef,
        /// The words; they belong to the request from then on
        #[arg(value_name = "WORDS")]
        words: String,
    },
    /// Set what a task may cost from now on
    Budget {
        /// Such as t142
        task: TaskRef,
        /// In dollars, such as 3.00
        #[arg(value_name = "USD", value_parser = dollars)]
        usd: f64,
    },
    /// Say how good a result was, from 1 to 10; words with it are remembered for the next time
    Rate {
        /// Such as t142
        task: TaskRef,
        /// 1 (useless) to 10 (could not be better)
        #[arg(value_name = "1-10", value_parser = super::values::whole::<u8>(1, 10))]
        number: u8,
        /// Why, in your own words
        #[arg(value_name = "WORDS", conflicts_with = "text")]
        words: Vec<String>,
        /// The same as an option
        #[arg(long, value_name = "WORDS")]
        text: Option<String>,
    },
    /// Let a task wait until `resume`; one that runs finishes the step in hand
    Pause {
        /// Such as t142
        task: TaskRef,
    },
    /// Let a paused task go on
    Resume {
        /// Such as t142
        task: TaskRef,
    },
    /// Do an ended task again, as a new task that names the old one
    Retry {
        /// Such as t142
        task: TaskRef,
        /// Your own id for the new task; the same id twice is one task
        #[arg(long, value_name = "ID")]
        request_id: Option<RequestId>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
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
        /// Also where it touches files that programs obey without being asked (.vscode, .envrc, hooks,
        /// build services …): you have read them in `task diff`
        #[arg(long)]
        with_control_files: bool,
    },
    /// Throw a task's clone and patch away
    Discard {
        /// Such as t142
        task: TaskRef,
    },
    /// Let go of old clones of ended tasks, caches and blobs now; the team does it by itself each hour
    Gc {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
}

/// What can be said about a call in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChoiceName {
    /// It happened: go on after it.
    Happened,
    /// It did not happen: make the call.
    Again,
    /// Neither: the task fails.
    Stop,
}

impl From<ChoiceName> for Choice {
    fn from(name: ChoiceName) -> Choice {
        match name {
            ChoiceName::Happened => Choice::Happened,
            ChoiceName::Again => Choice::Again,
            ChoiceName::Stop => Choice::Stop,
        }
    }
}
