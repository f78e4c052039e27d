//! What the supervisor has another host's daemon do, because only there it can be done: with the patch
//! and the clone of a task whose folder lies there.

use crate::ids::ShortId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of orders and of what is said about them; a newer one is refused.
pub const ORDER_VERSION: u32 = 1;
/// What an order about a patch is called on the bus.
pub const PATCH: &str = "patch";

/// What is to be done with a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchWish {
    /// Bring it into the folder, once.
    Apply,
    /// Throw it and the clone away.
    Discard,
}

/// An order about the patch of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchOrder {
    /// [`ORDER_VERSION`].
    pub v: u32,
    /// What.
    pub wish: PatchWish,
    /// Whose patch.
    pub task: ShortId,
    /// The task's folder there.
    pub workspace: PathBuf,
    /// SHA-256 of the patch that the person was shown: no other one is applied.
    pub sha256: String,
    /// The person has read the files in it that programs obey without being asked.
    #[serde(default)]
    pub control_files: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "came")]
pub enum PatchCame {
    /// It was done, now or when it was ordered before.
    Done {
        /// What was done, in a few words.
        said: String,
    },
    /// It was not done.
    Refused {
        /// Why, as a sentence.
        message: String,
        /// The exit code it would have had there.
        #[serde(default = "failed")]
        exit: u8,
    },
}

/// Hosts of an earlier version say no exit code.
fn failed() -> u8 {
    crate::exit::FAILED
}
