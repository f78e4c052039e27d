//! What can be said about backups.

use clap::Subcommand;
use std::path::PathBuf;

/// What can be done with backups.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Back up now; what did not change is not sent again
    Run {
        /// A job of config/backup.yaml, such as memory [default: all of them]
        name: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
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
        /// Where the backups are: a folder, a git URL or s3://bucket/prefix [default: backup.remote]
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// File of the recovery key [default: ~/.config/ai-infra/recovery-key]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}
