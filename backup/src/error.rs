//! How a backup goes wrong, as sentences that name the thing and the next step.

use config::error::ConfigError;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why a backup, or the way back, did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of this machine.
    #[error("cannot {doing} {}: {source}", .path.display())]
    File {
        /// `read`, `write`, …
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is to be put back does not fit on the disk.
    #[error(
        "there is no room for it in {}: it needs {} MB, {} MB are free: make room, or say another disk",
        .path.display(), mega(*.needs), mega(*.free)
    )]
    Room {
        /// Where it should go.
        path: PathBuf,
        /// Bytes that it needs.
        needs: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The place where backups are kept does not answer, or refuses.
    #[error("{target}: {said}")]
    Target {
        /// Which, without credentials.
        target: String,
        /// What happened and what to do.
        said: String,
    },
    /// Something in the repository is not what was written.
    #[error("{what} is damaged ({why}); `ai-infra backup verify` says what else is")]
    Damaged {
        /// Its name.
        what: String,
        /// What was seen.
        why: String,
    },
    /// Written by a newer program.
    #[error(
        "{what} is of version {found}, this binary knows up to {known}: use the newer ai-infra that wrote it"
    )]
    Newer {
        /// Which part.
        what: String,
        /// Its version.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// The recovery key is missing, or is another one.
    #[error("{0}")]
    Key(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The home or its settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl BackupError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            BackupError::File { .. } | BackupError::Room { .. } | BackupError::Damaged { .. } => {
                protocol::exit::FAILED
            }
            BackupError::Target { .. } => protocol::exit::SERVICE,
            BackupError::Busy(_) => protocol::exit::REFUSED,
            BackupError::Newer { .. } | BackupError::Key(_) | BackupError::Refused(_) => {
                protocol::exit::USAGE
            }
            BackupError::Config(error) => error.exit_code(),
        }
    }

    pub(crate) fn damaged(what: impl Display, why: impl Display) -> Self {
        BackupError::Damaged {
            what: what.to_string(),
            why: why.to_string(),
        }
    }
}

/// Millions of bytes, the last one begun.
fn mega(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// For `map_err`: a file that could not be read, written, ….
pub(crate) fn file(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File {
        doing,
        path,
        source,
    }
}
