//! Where a repository lies: a folder, a git repository, a bucket. A store keeps whole objects under
//! names; one that was put is either there whole or not there.

mod bounded;
pub(crate) mod command;
pub mod folder;
pub mod git;
#[cfg(debug_assertions)]
pub(crate) mod late;
pub mod login;
pub mod s3;
pub mod target;

use crate::error::BackupError;
use jiff::Timestamp;

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its whole name.
    pub name: String,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// A place that keeps objects.
pub trait Store: Send {
    /// The place, as it may be shown.
    fn place(&self) -> String;
    /// The objects below a folder, in order of their names.
    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError>;
    /// An object; `None` where there is none.
    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError>;
    /// Keeps an object, in place of what has its name.
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError>;
    /// Removes an object; one that is not there is fine.
    fn remove(&mut self, name: &str) -> Result<(), BackupError>;
    /// When this returns, all that was put and removed is kept.
    fn settle(&mut self) -> Result<(), BackupError>;
    /// Removes what writers that were killed before `before` have left half written.
    fn sweep(&mut self, _before: Timestamp) -> Result<(), BackupError> {
        Ok(())
    }
    /// Whether a change that others made meanwhile is refused by the store itself, so that no lock is
    /// needed.
    fn refuses_races(&self) -> bool {
        false
    }
}
