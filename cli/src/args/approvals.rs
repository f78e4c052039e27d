//! What can be said about leave that agents ask for.

use clap::Subcommand;
use protocol::approval::TicketId;

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
    },
    /// Say no: the task goes on without it
    Deny {
        /// Such as a41
        ticket: TicketId,
        /// Why; the agent is told
        #[arg(long, value_name = "WORDS", default_value = "")]
        because: String,
    },
    /// Keep a PIN that proves it is you, where the agents run as your user; read from the terminal or
    /// standard input, never from an argument
    Pin,
}
