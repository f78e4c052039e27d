//! What is said to a model and what comes back. Content blocks are kept verbatim, because the
//! next request must carry them (thinking and its signature included) exactly as they came.

use protocol::report::Usage;
use protocol::tool::{ToolAnswer, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

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
