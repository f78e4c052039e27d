//! How the warden hands a duty to the process that carries it out, and what comes back: one JSON document
//! each way over the pipes of a child that lives for this one order.

use super::Duty;
use super::names::KeptId;
use super::terms::Terms;
use crate::walls::Removed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of both documents.
pub const ORDER_VERSION: u32 = 1;
/// Longest document, in bytes.
pub const ORDER_BYTES: usize = 1024 * 1024;

/// What is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// Say what would be done, change nothing; of a program, keep copies of the files it would run from.
    Look,
    /// Do it.
    Make,
    /// It was begun and nobody knows how it ended: find out, and put back what is half done.
    Settle,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// [`ORDER_VERSION`].
    pub v: u32,
    /// What is wanted.
    pub wish: Wish,
    /// Of which duty.
    pub duty: Duty,
    /// What is granted.
    pub terms: Terms,
    /// The folder in which files are kept before they are changed.
    pub kept: String,
    /// The number under which this one keeps what it changes.
    pub id: Option<KeptId>,
    /// What was seen when it was begun; for [`Wish::Make`] and [`Wish::Settle`]. Of a program it is known at the second look too.
    pub before: Value,
    /// The folder for copies of the files that a program would run; only this one order's.
    #[serde(default)]
    pub copies: Option<String>,
    /// Walls that are taken away; none but in a test.
    #[serde(default)]
    pub walls: Removed,
}

/// A question about a signature. It is no duty: nothing is changed, and no agent can ask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// [`ORDER_VERSION`].
    pub v: u32,
    /// The file that names whose signatures count, as ssh-keygen reads it.
    pub signers: String,
    /// The file of keys that count no more.
    pub revoked: Option<String>,
    /// What the signature must have been made for.
    pub namespace: String,
    /// What must have been signed.
    pub text: String,
    /// The signature, armoured.
    pub signature: String,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Done, or looked at.
    Done,
    /// Not done, and nothing is changed.
    Not,
    /// Begun, and it did not come out as wanted; what is so now is said.
    Failed,
    /// Begun, failed, and put back as it was.
    Undone,
    /// Nobody knows.
    Unknown,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`ORDER_VERSION`].
    pub v: u32,
    /// How it ended.
    pub end: End,
    /// A sentence, or lines.
    pub text: String,
    /// The same as data.
    pub data: Value,
    /// Of a look: what a person is shown before saying yes, as labels and texts.
    pub shown: Vec<(String, String)>,
    /// Of a look: what the world was like; what is done later is done to this world or not at all.
    pub before: Value,
}

impl Outcome {
    /// An end with a sentence.
    pub fn of(end: End, text: impl Into<String>, data: Value) -> Self {
        Self {
            v: ORDER_VERSION,
            end,
            text: text.into(),
            data,
            shown: Vec::new(),
            before: Value::Null,
        }
    }

    /// A refusal: nothing was done.
    pub fn not(text: impl Into<String>) -> Self {
        Self::of(End::Not, text, Value::Null)
    }

    /// A look.
    pub fn look(shown: Vec<(String, String)>, before: Value) -> Self {
        Self {
            shown,
            before,
            ..Self::of(End::Done, "", Value::Null)
        }
    }
}
