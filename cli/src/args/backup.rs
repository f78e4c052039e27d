//! What can be said about backups.

use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Back up now; what did not change is not sent again
    Run {
        /// A job of config/backup.yaml, such as memory [default: all of them]
        name: Option<String>,
        /// Make the repository at GitHub first, private, where it is missing
        #[arg(long)]
        create: bool,
        /// Keep a snapshot apart, sealed, as a release of the repository at GitHub; nothing else is backed up
        #[arg(long, value_name = "TAG")]
        release: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
        /// End when standard input does
        #[arg(long, hide = true)]
        leashed: bool,
    },
    /// Restore the newest backup of the home aside, start its team, compare, and take it away
    Drill {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
        /// End when standard input does
        #[arg(long, hide = true)]
        leashed: bool,
    },
    /// Show the recovery key, for the copy you keep where this machine is not
    Key,
    /// The snapshots that are kept, newest first
    List {
        /// Only this job's
        name: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Read snapshots back from where they are kept and compare every byte
    Verify {
        /// Only this job's
        name: Option<String>,
        /// Every snapshot [default: the newest of each job]
        #[arg(long)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Put a snapshot back: into a folder, or a lost home into its empty place
    Restore {
        /// The job [default: the one that keeps the home]
        name: Option<String>,
        /// Which snapshot, as `list` shows it [default: the newest]
        #[arg(long, value_name = "SNAPSHOT")]
        at: Option<String>,
        /// Into this folder, which is new or empty [default: the home, which is empty]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Where the backups are: a folder, a git URL, s3://bucket/prefix, or the URL of a release at GitHub
        /// [default: backup.remote]
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// File of the recovery key [default: ~/.config/ai-infra/recovery-key]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Configuration files that wait for your decision, because both sides changed them or because
    /// what came would permit more
    Conflicts {
        /// What to do with them [default: list]
        #[command(subcommand)]
        command: Option<ConflictsCommand>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Versions of the configuration: list them, look at one, go back to one
    #[command(subcommand)]
    Versions(VersionsCommand),
}

/// What can be done with what waits.
#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Every file that waits, and why
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// What differs in one of them: lines here (-) and there (+)
    Show {
        /// Its path, as `list` shows it
        path: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Settle it: ours is sent, theirs comes in
    Take {
        /// Which one holds from now on
        side: SideWord,
        /// Paths, as `list` shows them
        #[arg(required_unless_present = "all")]
        paths: Vec<String>,
        /// Every file that waits
        #[arg(long, conflicts_with = "paths")]
        all: bool,
    },
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SideWord {
    /// What lies in the home
    Ours,
    /// What lies in the repository
    Theirs,
}

/// What can be done with versions.
#[derive(Debug, Subcommand)]
pub enum VersionsCommand {
    /// The newest versions, as far as they are known here
    List {
        /// So many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = super::values::whole::<u16>(1, 1000))]
        limit: u16,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// What a version changed
    Show {
        /// Its name, as `list` shows it
        version: String,
    },
    /// Make the home's configuration what it was in a version, and send that
    Rollback {
        /// Its name, as `list` shows it
        version: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
