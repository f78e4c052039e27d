//! What a sandbox may be asked twice: nothing of it adds to the world, so a question that a sandbox
//! took to its grave is put to the next one.

use guard::act::Act;
use guard::executor::{Executor, ExecutorError};
use protocol::effect::ProbeAnswer;
use serde_json::Value;

/// A question to the sandbox of the clone.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// What a file holds that is about to be changed; never journaled or shown.
    Holds(&'a str),
    /// Keep the clone as it is; answers the tree's hash.
    Snapshot,
    /// What to remember before this act.
    Before(&'a Act),
    /// Whether this act happened, by what was seen before it.
    Probe(&'a Act, &'a Value),
    /// Put the clone back to this tree.
    Reset(&'a str),
    /// What differs between two trees.
    Patch(&'a str, &'a str),
}

/// What it answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A hash, a patch, what a file holds; empty for a reset.
    Text(String),
    /// What was seen before an act.
    Seen(Value),
    /// Whether it happened.
    Probed(ProbeAnswer),
}

impl Question<'_> {
    /// Puts the question.
    ///
    /// # Errors
    /// When the sandbox has ended or cannot do it.
    pub async fn put(self, executor: &mut Executor) -> Result<Reply, ExecutorError> {
        Ok(match self {
            Question::Holds(path) => Reply::Text(executor.holds(path).await?),
            Question::Snapshot => Reply::Text(executor.snapshot().await?),
            Question::Before(act) => Reply::Seen(executor.before(act).await?),
            Question::Probe(act, before) => Reply::Probed(executor.probe(act, before).await?),
            Question::Reset(tree) => {
                executor.reset(tree).await?;
                Reply::Text(String::new())
            }
            Question::Patch(from, to) => Reply::Text(executor.patch(from, to).await?),
        })
    }
}

impl Reply {
    /// The text; empty where it is none.
    pub fn text(self) -> String {
        match self {
            Reply::Text(text) => text,
            _ => String::new(),
        }
    }

    /// What was seen; null where it is nothing.
    pub fn seen(self) -> Value {
        match self {
            Reply::Seen(value) => value,
            _ => Value::Null,
        }
    }

    /// Whether it happened; unknown where that is not said.
    pub fn probed(self) -> ProbeAnswer {
        match self {
            Reply::Probed(answer) => answer,
            _ => ProbeAnswer::Unknown,
        }
    }
}
