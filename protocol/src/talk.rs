//! A question that a person asks the team's model in the chat, and its answer. No work is begun by
//! it; the answer may suggest a request, which goes the way of any other.

use crate::ids::RequestId;
use crate::report::Usage;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The conversation it belongs to: what was said in it before is known to the model.
    pub conversation: RequestId,
    /// The words.
    pub words: String,
    /// The folder that requests of this conversation are about.
    pub workspace: Option<PathBuf>,
}

/// The answer, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What was said, as Markdown.
    pub text: String,
    /// A request that would lead further, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggests: Option<String>,
    /// The model that answered.
    pub model: String,
    /// Tokens and money.
    pub usage: Usage,
    /// It reached the most it may say in one answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
