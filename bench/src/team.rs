//! A team of its own for a measurement, driven as a person drives one, and taken down afterwards.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// Nobody waits for the measurement any more.
static CUT_OFF: AtomicBool = AtomicBool::new(false);

/// Ends what is measured at its next step: its team is taken down, and it fails.
pub fn cut_off() {
    CUT_OFF.store(true, Ordering::SeqCst);
}

/// How a team is taken down.
const DOWN: [&str; 1] = ["down"];

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[error("bench: {0}")]
pub struct BenchError(pub(crate) String);

pub(crate) fn fail(error: impl std::fmt::Display) -> BenchError {
    BenchError(error.to_string())
}

/// A team that is taken down when the measurement ends.
pub(crate) struct Team<'a> {
    exe: &'a Path,
    home: TempDir,
    /// Variables that it is not to see.
    without: Vec<String>,
}

impl<'a> Team<'a> {
    /// A new home; nothing is started yet.
    pub(crate) fn new(exe: &'a Path) -> Result<Self, BenchError> {
        let home = tempfile::Builder::new()
            .prefix("ai-infra-bench-")
            .tempdir()
            .map_err(fail)?;
        Ok(Self {
            exe,
            home,
            without: Vec::new(),
        })
    }

    /// One that does not see these variables of this process.
    pub(crate) fn without(mut self, variables: &[String]) -> Self {
        self.without = variables.to_vec();
        self
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What a command prints.
    pub(crate) fn ai(&self, args: &[&str]) -> Result<String, BenchError> {
        if CUT_OFF.load(Ordering::SeqCst) && args != DOWN {
            return Err(fail("cut off; its team was taken down"));
        }
        let mut command = Command::new(self.exe);
        for variable in &self.without {
            command.env_remove(variable);
        }
        let output = command
            .arg("--home")
            .arg(self.home.path())
            .args(args)
            // What is measured is not to wait because the machine is busy.
            .env("AI_INFRA__PRESSURE__ENABLED", "false")
            // Nor is what it made kept where the person's own backups are.
            .env_remove("AI_INFRA__BACKUP__REMOTE")
            .stdin(Stdio::null())
            .output()
            .map_err(fail)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(fail(String::from_utf8_lossy(&output.stderr)))
    }

    /// What it prints, as one document.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value, BenchError> {
        serde_json::from_str(&self.ai(args)?).map_err(fail)
    }
}

impl Drop for Team<'_> {
    fn drop(&mut self) {
        let _ = self.ai(&DOWN);
    }
}
