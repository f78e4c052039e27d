//! What is said to a model and what comes back. Content blocks are kept verbatim, because the
//! next request must carry them (thinking and its signature included) exactly as they came.

use protocol::report::Usage;
use protocol::tool::{ToolAnswer, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;

/// One request: the whole conversation so far, ending with a user message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// Model name.
    pub model: String,
    /// What the model is told about its job; empty = nothing.
    pub system: String,
    /// The turns so far.
    pub messages: Vec<Message>,
    /// The tools it may ask for.
    pub tools: Vec<ToolSpec>,
    /// Whether it must use one.
    pub tool_choice: ToolChoice,
    /// Most output tokens; at least 1.
    pub max_tokens: u32,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `user` or `assistant`.
    pub role: String,
    /// Content blocks, verbatim.
    pub content: Vec<Value>,
}

impl Message {
    /// A user turn of plain text.
    pub fn user(text: &str) -> Self {
        Self {
            role: "user".to_owned(),
            content: vec![json!({"type": "text", "text": text})],
        }
    }

    /// The model's own turn, as it came.
    pub fn assistant(reply: &ModelReply) -> Self {
        Self {
            role: "assistant".to_owned(),
            content: reply.content.clone(),
        }
    }

    /// The answers to one batch of calls: one user turn that holds a result for every call.
    pub fn results(answers: &[ToolAnswer]) -> Self {
        Self {
            role: "user".to_owned(),
            content: answers.iter().map(tool_result).collect(),
        }
    }
}

/// The block that answers one call. An empty text is sent as `(no output)`.
pub fn tool_result(answer: &ToolAnswer) -> Value {
    let text = match answer.text.trim().is_empty() {
        true => "(no output)",
        false => answer.text.as_str(),
    };
    let mut block = json!({"type": "tool_result", "tool_use_id": answer.id, "content": text});
    if answer.is_error {
        block["is_error"] = Value::Bool(true);
    }
    block
}

/// A tool the model may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: 1 to 64 of `a-z A-Z 0-9 _ -`.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON schema of its input, an object.
    pub input_schema: Value,
}

/// Whether the model must use a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    Auto,
    /// It must call this one.
    Tool(String),
    /// It must not.
    None,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said all.
    EndTurn,
    /// It waits for the calls in the reply.
    ToolUse,
    /// `max_tokens` was reached: what it said is not whole.
    MaxTokens,
    /// A stop sequence was met.
    StopSequence,
    /// A server-side tool needs another round: send the content back as it is.
    PauseTurn,
    /// The model refused.
    Refusal,
    /// The conversation filled its window.
    ContextFull,
    /// Anything newer than this list.
    Other(String),
}

impl StopReason {
    /// Reads the wire's name.
    pub fn from_wire(name: &str) -> Self {
        match name {
            "end_turn" => Self::EndTurn,
            "tool_use" => Self::ToolUse,
            "max_tokens" => Self::MaxTokens,
            "stop_sequence" => Self::StopSequence,
            "pause_turn" => Self::PauseTurn,
            "refusal" => Self::Refusal,
            "model_context_window_exceeded" => Self::ContextFull,
            other => Self::Other(other.chars().take(64).collect()),
        }
    }

    /// True when the reply is whole, so that its calls may be carried out.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::EndTurn | Self::ToolUse | Self::StopSequence)
    }
}

/// A whole reply. `content` holds a `tool_use` block only when the call may be carried out: calls
/// of a reply that was cut short by `max_tokens`, a refusal or a full window are taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReply {
    /// Content blocks, verbatim; may be empty.
    pub content: Vec<Value>,
    /// Why it stopped.
    pub stop: StopReason,
    /// Tokens and money of this call, failed attempts that were paid included.
    pub usage: Usage,
    /// The model that answered, as it names itself.
    pub model: String,
}

impl ModelReply {
    /// A reply from its parts; takes out the calls that must not be carried out.
    pub fn new(mut content: Vec<Value>, stop: StopReason, usage: Usage, model: String) -> Self {
        if !stop.is_whole() {
            content.retain(|block| block["type"] != "tool_use");
        }
        Self {
            content,
            stop,
            usage,
            model,
        }
    }

    /// Its text blocks, one after the other.
    pub fn text(&self) -> String {
        self.content
            .iter()
            .filter(|block| block["type"] == "text")
            .filter_map(|block| block["text"].as_str())
            .collect()
    }

    /// The calls it asks for, in order.
    pub fn calls(&self) -> Vec<ToolCall> {
        self.content
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .filter_map(|block| {
                Some(ToolCall {
                    id: block["id"].as_str()?.to_owned(),
                    name: block["name"].as_str()?.to_owned(),
                    input: block["input"].clone(),
                })
            })
            .collect()
    }
}

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

/// Refuses what the API would answer with status 400, before it costs a round trip.
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

    #[test]
    fn calls_of_a_cut_reply_are_gone() {
        let text = json!({"type": "text", "text": "so"});
        for (stop, calls) in [
            (StopReason::ToolUse, 1),
            (StopReason::EndTurn, 1),
            (StopReason::MaxTokens, 0),
            (StopReason::Refusal, 0),
            (StopReason::from_wire("brand_new"), 0),
        ] {
            let reply = says(vec![text.clone(), call("a")], stop.clone());
            assert_eq!(reply.calls().len(), calls, "{stop:?}");
            assert_eq!(reply.text(), "so");
        }
    }

    #[test]
    fn results_carry_errors_and_are_never_empty() {
        assert_eq!(
            tool_result(&answer("a", " \n", true)),
            json!({"type": "tool_result", "tool_use_id": "a", "content": "(no output)", "is_error": true})
        );
    }
}
