//! Checks that take seconds and need neither network nor a server: syntax of data files, read here, and commands the
//! caller runs and gives back to be judged.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};

/// A command worth running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickCommand {
    /// What it checks.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Folder to start in, absolute.
    pub cwd: PathBuf,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickCheck {
    /// What was checked.
    pub name: String,
    /// The command; empty for a check made here.
    pub argv: Vec<String>,
    /// True when it found nothing wrong.
    pub passed: bool,
    /// Exit code; none for a check made here or a command ended by a signal.
    pub exit: Option<i32>,
    /// What was seen, a few lines.
    pub observed: String,
}

/// All checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickChecks {
    /// In the order they were made.
    pub checks: Vec<QuickCheck>,
    /// How many passed.
    pub passed: u64,
    /// How many did not.
    pub failed: u64,
}

/// The commands that fit the project. None writes into it.
pub fn list(_root: &Path) -> Vec<QuickCommand> {
    Vec::new()
}

/// The checks made here: every JSON, YAML and TOML file parses.
pub fn in_process(_root: &Path, _limits: &Limits) -> Result<Vec<QuickCheck>, InspectError> {
    Ok(Vec::new())
}

/// What a command's end means. None where the tool is missing (exit 127, or cargo without the component): that is no
/// finding about the project.
pub fn judge(_command: &QuickCommand, _exit: Option<i32>, _stdout: &str, _stderr: &str) -> Option<QuickCheck> {
    None
}

/// Adds checks up.
pub fn total(checks: Vec<QuickCheck>) -> QuickChecks {
    let passed = checks.iter().filter(|c| c.passed).count() as u64;
    QuickChecks { passed, failed: checks.len() as u64 - passed, checks }
}
