//! Refuses what the API would answer with status 400, before it costs a round trip. Pure.

use crate::conversation::{Message, ModelRequest, ToolSpec};
use std::collections::HashSet;

/// Why a conversation cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    /// No model is named.
    #[error("the request names no model: set engine.model")]
    Model,
    /// `max_tokens` is zero.
    #[error("max_tokens is 0: set engine.max_tokens to at least 1")]
    MaxTokens,
    /// Wrong first, last or empty turn, or an unknown role.
    #[error("message {at} of the conversation is wrong: {why}")]
    Turn {
        /// Position, from 0.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A call has no result in the next turn.
    #[error("the call `{0}` has no result in the next message: answer every call of a batch")]
    Unanswered(String),
    /// A tool's name or schema is not acceptable.
    #[error(
        "the tool `{0}` cannot be offered: its name must be 1 to 64 of a-z A-Z 0-9 _ - and its schema an object"
    )]
    Tool(String),
}

/// Checks a request before it is sent.
pub fn check(request: &ModelRequest) -> Result<(), ConversationError> {
    if request.model.trim().is_empty() {
        return Err(ConversationError::Model);
    }
    if request.max_tokens == 0 {
        return Err(ConversationError::MaxTokens);
    }
    check_turns(&request.messages)?;
    match request.tools.iter().find(|tool| !acceptable(tool)) {
        Some(tool) => Err(ConversationError::Tool(
            tool.name.chars().take(80).collect(),
        )),
        None => Ok(()),
    }
}

fn acceptable(tool: &ToolSpec) -> bool {
    (1..=64).contains(&tool.name.len())
        && tool
            .name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && tool.input_schema.is_object()
}

fn check_turns(messages: &[Message]) -> Result<(), ConversationError> {
    let turn = |at, why| Err(ConversationError::Turn { at, why });
    for (at, message) in messages.iter().enumerate() {
        if message.role != "user" && message.role != "assistant" {
            return turn(at, "its role is neither user nor assistant");
        }
        if message.content.is_empty() {
            return turn(at, "it holds no content");
        }
        if message.role == "assistant" {
            answered(message, messages.get(at + 1))?;
        }
    }
    match messages.last() {
        Some(last) if last.role == "user" => Ok(()),
        Some(_) => turn(messages.len() - 1, "the last message must be the user's"),
        None => turn(0, "there is no message"),
    }
}

fn answered(turn: &Message, next: Option<&Message>) -> Result<(), ConversationError> {
    let results: HashSet<&str> = next
        .map(|next| next.content.as_slice())
        .unwrap_or_default()
        .iter()
        .filter(|block| block["type"] == "tool_result")
        .filter_map(|block| block["tool_use_id"].as_str())
        .collect();
    let calls = turn.content.iter().filter(|b| b["type"] == "tool_use");
    for id in calls.filter_map(|block| block["id"].as_str()) {
        if !results.contains(id) {
            return Err(ConversationError::Unanswered(id.chars().take(80).collect()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::conversation::{ModelReply, StopReason, ToolChoice};
    use protocol::report::Usage;
    use protocol::tool::ToolAnswer;
    use serde_json::{Value, json};

    fn request(messages: Vec<Message>) -> ModelRequest {
        ModelRequest {
            model: "m".to_owned(),
            system: String::new(),
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: 10,
        }
    }

    fn call(id: &str) -> Value {
        json!({"type": "tool_use", "id": id, "name": "Read", "input": {}})
    }

    fn says(content: Vec<Value>, stop: StopReason) -> ModelReply {
        ModelReply::new(content, stop, Usage::default(), "m".to_owned())
    }

    fn answer(id: &str, text: &str, is_error: bool) -> ToolAnswer {
        ToolAnswer {
            id: id.to_owned(),
            is_error,
            text: text.to_owned(),
            data: Value::Null,
            took_ms: 0,
        }
    }

    #[test]
    fn conversations_the_server_would_refuse_are_refused_here() {
        let asked = Message::assistant(&says(vec![call("a"), call("b")], StopReason::ToolUse));
        let one = Message::results(&[answer("a", "x", false)]);
        let both = Message::results(&[answer("a", "x", false), answer("b", "", true)]);
        let hi = Message::user("hi");
        for (messages, good) in [
            (vec![hi.clone()], true),
            (vec![], false),
            (vec![hi.clone(), asked.clone()], false),
            (vec![hi.clone(), asked.clone(), one], false),
            (vec![hi.clone(), asked.clone(), both], true),
            (vec![hi.clone(), asked, hi.clone()], false),
        ] {
            assert_eq!(
                check(&request(messages.clone())).is_ok(),
                good,
                "{messages:?}"
            );
        }
        let mut zero = request(vec![hi]);
        zero.max_tokens = 0;
        assert_eq!(check(&zero), Err(ConversationError::MaxTokens));
    }
}
