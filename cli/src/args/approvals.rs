//! What can be said about leave that agents ask for.

use clap::{Args, Subcommand, ValueEnum};
use protocol::approval::TicketId;
use std::path::PathBuf;

/// How an answer is proven by a key, where the rules name whose signatures count (permissions.principals).
#[derive(Debug, Clone, Default, Args)]
pub struct Proof {
    /// Sign the answer with this ssh key, or with the key in your agent that this .pub file names
    #[arg(long, value_name = "KEY", conflicts_with = "signature")]
    pub sign: Option<PathBuf>,
    /// A signature that was made elsewhere of what --to-sign prints; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
}

/// Which answer is to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ToSign {
    /// Yes, once
    Approve,
    /// Yes to the kind for the rest of the task
    ForTask,
    /// No
    Deny,
}

/// What can be done with tickets. Only a person answers them, and only through the warden of this host.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// Tickets that wait for an answer
    List {
        /// The answered and the used ones too, newest first
        #[arg(long)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Exactly what would be done, as the warden shows it
    Show {
        /// Such as a41
        ticket: TicketId,
        /// Print only what is to be signed for this answer: approve [the usual], for-task or deny
        #[arg(long, value_name = "ANSWER", num_args = 0..=1, default_missing_value = "approve", conflicts_with = "json")]
        to_sign: Option<ToSign>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Say yes: once, to exactly this
    Approve {
        /// Such as a41
        ticket: TicketId,
        /// Its four characters, as `show` says them: who types them has seen what they stand for
        #[arg(value_name = "FOUR")]
        mark: String,
        /// Yes to every act of this kind for the rest of this task
        #[arg(long)]
        for_task: bool,
        /// Why; kept in the record
        #[arg(long, value_name = "WORDS", default_value = "")]
        because: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Say no: the task goes on without it
    Deny {
        /// Such as a41
        ticket: TicketId,
        /// Why; the agent is told
        #[arg(long, value_name = "WORDS", default_value = "")]
        because: String,
        #[command(flatten)]
        proof: Proof,
    },
    /// Keep a PIN that proves it is you, where the agents run as your user; read from the terminal or
    /// standard input, never from an argument
    Pin,
}
