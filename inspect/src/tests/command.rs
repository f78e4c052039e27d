//! The command that runs a suite: what to start, what to write first, what to read afterwards.

use std::path::{Path, PathBuf};

use super::detect::{Suite, SuiteKind};
use super::{cargo, go, make, npm, pytest};
use crate::limits::InspectError;

/// How to run a suite once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables to add to the environment.
    pub env: Vec<(String, String)>,
    /// Folder to start in, absolute.
    pub cwd: PathBuf,
    /// Files to write first, all below the scratch folder.
    pub files: Vec<(PathBuf, String)>,
    /// Files to read afterwards, if they exist.
    pub outputs: Vec<PathBuf>,
    /// The command as a person would type it.
    pub shown: String,
    /// What a reader of the report must know about the choice; else empty.
    pub note: String,
}

/// Chooses the command. `root` is the absolute workspace, `scratch` an absolute folder that may be written; `only` are
/// names from an earlier report to run alone, where the runner can (else everything runs).
pub fn command(
    suite: &Suite,
    root: &Path,
    only: &[String],
    scratch: &Path,
) -> Result<TestCommand, InspectError> {
    let cwd = if suite.dir == "." {
        root.to_path_buf()
    } else {
        root.join(&suite.dir)
    };
    if !cwd.is_dir() {
        return Err(InspectError::NotAFolder(cwd));
    }
    let mut made = match suite.kind {
        SuiteKind::Cargo => cargo::command(&cwd, only),
        SuiteKind::Npm => npm::command(suite, &cwd, root, only, scratch)?,
        SuiteKind::Pytest => pytest::command(suite, root, &cwd, only, scratch),
        SuiteKind::Go => go::command(only),
        SuiteKind::Make => make::command(suite, &cwd)?,
    };
    made.cwd = cwd;
    Ok(made)
}

pub(super) fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|w| (*w).to_string()).collect()
}
