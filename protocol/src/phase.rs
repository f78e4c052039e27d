//! The seven phases of the algorithm, in their fixed order.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One phase of a task's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Gather context and memory.
    Observe,
    /// List the options with their risks.
    Think,
    /// Pick one.
    Plan,
    /// Write the criteria and see that those of change fail first.
    Build,
    /// Do the work.
    Execute,
    /// Check every criterion against the world.
    Verify,
    /// Keep what would have helped.
    Learn,
}

impl Phase {
    /// All seven, in order.
    pub const ALL: [Phase; 7] = [
        Phase::Observe,
        Phase::Think,
        Phase::Plan,
        Phase::Build,
        Phase::Execute,
        Phase::Verify,
        Phase::Learn,
    ];

    /// The phase after this one; `None` after LEARN.
    pub fn next(self) -> Option<Phase> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The name in lower case, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Observe => "observe",
            Phase::Think => "think",
            Phase::Plan => "plan",
            Phase::Build => "build",
            Phase::Execute => "execute",
            Phase::Verify => "verify",
            Phase::Learn => "learn",
        }
    }

    /// Reads a stored name.
    pub fn from_name(name: &str) -> Option<Phase> {
        Self::ALL.into_iter().find(|p| p.as_str() == name)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.as_str().to_ascii_uppercase())
    }
}
