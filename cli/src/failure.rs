//! How a command ends badly: an exit code, a sentence, and lines that say what to do next.

use config::error::ConfigError;
use std::fmt::Display;
use supervisor::client::ClientError;
use supervisor::daemon::error::DaemonError;
use supervisor::daemon::start::StartError;

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit code.
    pub exit: u8,
    /// The sentence; may have more than one line.
    pub message: String,
    /// Lines below it.
    pub hints: Vec<String>,
}

impl Failure {
    /// With an exit code of `protocol::exit`.
    pub fn new(exit: u8, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            hints: Vec::new(),
        }
    }

    /// Wrong usage or configuration.
    pub fn usage(message: impl Display) -> Self {
        Self::new(protocol::exit::USAGE, message)
    }

    /// Adds a line of advice.
    pub fn hint(mut self, line: impl Display) -> Self {
        self.hints.push(line.to_string());
        self
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = error.exit_code();
        match error {
            ConfigError::Wrong(problems) if problems.len() > 1 => Self {
                exit,
                message: format!("{} things are wrong with the settings", problems.len()),
                hints: problems.iter().map(ToString::to_string).collect(),
            },
            error => Self::new(exit, error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self {
            exit: error.exit_code(),
            message: error.to_string(),
            hints: error.hints().to_vec(),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self {
            exit: error.exit_code(),
            message: error.to_string(),
            hints: error.hints().to_vec(),
        }
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        Self::new(error.exit_code(), &error)
    }
}
