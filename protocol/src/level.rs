//! Permission levels, 0 (read the workspace) to 3 (once, by a person's ticket).

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a call may touch at most. Ordered: a higher level may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// Reads the workspace, writes nothing, no network, runs only the executor's own readers.
    Restricted,
    /// Writes the task's clone, runs programs and toolchains in the sandbox.
    Standard,
    /// The host's services through the warden's typed operations.
    Elevated,
    /// What a single ticket says, once.
    Privileged,
}

impl Level {
    /// The level an agent must have to ask for an act of this one. No agent has the highest: an act of it is reached from
    /// the one below, by a ticket of its own.
    pub fn of_agent(self) -> Level {
        self.min(Level::Elevated)
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level as u8
    }
}

impl TryFrom<u8> for Level {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            0 => Ok(Level::Restricted),
            1 => Ok(Level::Standard),
            2 => Ok(Level::Elevated),
            3 => Ok(Level::Privileged),
            n => Err(format!("level {n} does not exist: use 0, 1, 2 or 3")),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", *self as u8)
    }
}
