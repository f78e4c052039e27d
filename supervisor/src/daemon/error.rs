//! Why the daemon cannot start or go on.

use crate::ledger::store::LedgerError;
use crate::tmux::session::TmuxError;
use config::error::ConfigError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the daemon cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The home or its settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No window can be made.
    #[error(transparent)]
    Tmux(#[from] TmuxError),
    /// There is no redis-server.
    #[error(
        "redis-server is not installed: apt-get install redis-server, or set REDIS_URL to a Redis of your own"
    )]
    RedisMissing,
    /// It is too old.
    #[error(
        "redis-server here is {found}: 7 or newer is needed; apt-get install redis-server from a newer release, or set REDIS_URL"
    )]
    RedisTooOld {
        /// What it says of itself.
        found: String,
    },
    /// Redis does not answer.
    #[error("{url}: {said} (the address comes from REDIS_URL or redis.url)")]
    RedisSilent {
        /// Where.
        url: String,
        /// What was tried and seen.
        said: String,
    },
    /// A file, socket or process refused.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// `write`, `listen on`, …
        doing: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DaemonError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            DaemonError::Config(error) => error.exit_code(),
            DaemonError::Ledger(error) => error.exit_code(),
            DaemonError::Tmux(_)
            | DaemonError::RedisMissing
            | DaemonError::RedisTooOld { .. }
            | DaemonError::Io { .. } => protocol::exit::USAGE,
            DaemonError::RedisSilent { .. } => protocol::exit::SERVICE,
        }
    }

    /// Wraps what the system said about a path.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
