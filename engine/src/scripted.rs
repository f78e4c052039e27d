//! Replies read from a file, for tests and rehearsals without a model. The n-th assistant turn of
//! a conversation gets the n-th reply, so a task that is resumed elsewhere gets the same ones.

use crate::check;
use crate::conversation::{ModelReply, ModelRequest, StopReason};
use crate::engine::EngineError;
use bus::budget::Reservation;
use protocol::money::MicroUsd;
use protocol::report::Usage;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Largest script, in bytes.
const SCRIPT_BYTES: u64 = 8 * 1024 * 1024;
/// Longest pause before a reply.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// A checked script.
#[derive(Debug, Clone, PartialEq)]
pub struct Scripted {
    replies: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq)]
struct Line {
    reply: ModelReply,
    delay: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    replies: Vec<ReplyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyText {
    content: Vec<Value>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: UsageText,
    /// Waits this long before it answers, in milliseconds.
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UsageText {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
    /// What the call is said to cost, in US dollars.
    cost_usd: f64,
}

/// The text of a script file (at most 8 MiB).
///
/// # Errors
/// When it cannot be read or is larger.
pub fn text(path: &Path) -> Result<String, EngineError> {
    let wrong = |why: String| EngineError::Script(format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|e| wrong(e.to_string()))?
        .len();
    if size > SCRIPT_BYTES {
        return Err(wrong(format!("it is larger than {SCRIPT_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))
}

impl Scripted {
    /// Reads a script: `{"replies": [{"content": [blocks], "stop_reason": …, "usage": {…}}]}`.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        let file: ScriptFile =
            serde_json::from_str(text).map_err(|e| EngineError::Script(e.to_string()))?;
        let replies = file
            .replies
            .into_iter()
            .enumerate()
            .map(|(at, reply)| line(at, reply))
            .collect::<Result<_, _>>()?;
        Ok(Self { replies })
    }

    /// What the next reply says it costs.
    pub fn estimate(&self, request: &ModelRequest) -> MicroUsd {
        self.next(request)
            .map(|line| line.reply.usage.cost)
            .unwrap_or_default()
    }

    /// The reply that is due in this conversation.
    pub async fn reply(
        &self,
        request: &ModelRequest,
        reservation: &Reservation,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ModelReply, EngineError> {
        check::check(request)?;
        let line = self.next(request)?;
        let (needed, held) = (line.reply.usage.cost, reservation.amount());
        if needed > held {
            return Err(EngineError::Reservation { needed, held });
        }
        tokio::time::sleep(line.delay).await;
        on_text(&line.reply.text());
        Ok(line.reply.clone())
    }

    fn next(&self, request: &ModelRequest) -> Result<&Line, EngineError> {
        let turn = request
            .messages
            .iter()
            .filter(|message| message.role == "assistant")
            .count();
        self.replies.get(turn).ok_or_else(|| {
            EngineError::Script(format!(
                "it has {} replies and the conversation asks for number {}: add one",
                self.replies.len(),
                turn + 1
            ))
        })
    }
}

fn line(at: usize, text: ReplyText) -> Result<Line, EngineError> {
    if let Some(block) = text.content.iter().find(|block| !is_block(block)) {
        let shown: String = block.to_string().chars().take(120).collect();
        return Err(EngineError::Script(format!(
            "reply {}: `{shown}` is not a content block (a call needs id, name and an object as input)",
            at + 1
        )));
    }
    let calls = text.content.iter().any(|block| block["type"] == "tool_use");
    let stop = match (text.stop_reason.as_deref(), calls) {
        (Some(name), _) => StopReason::from_wire(name),
        (None, true) => StopReason::ToolUse,
        (None, false) => StopReason::EndTurn,
    };
    let usage = Usage {
        requests: 1,
        input_tokens: text.usage.input_tokens,
        output_tokens: text.usage.output_tokens,
        cache_read_tokens: text.usage.cache_read_input_tokens,
        cache_write_tokens: text.usage.cache_creation_input_tokens,
        cost: MicroUsd::from_dollars(text.usage.cost_usd),
        saved_micro_usd: 0,
    };
    Ok(Line {
        reply: ModelReply::new(text.content, stop, usage, "scripted".to_owned()),
        delay: Duration::from_millis(text.delay_ms).min(LONGEST_DELAY),
    })
}

fn is_block(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("text") => block["text"].is_string(),
        Some("tool_use") => {
            block["id"].is_string() && block["name"].is_string() && block["input"].is_object()
        }
        Some(_) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::conversation::{Message, ToolChoice};

    fn at_turn(turn: usize) -> ModelRequest {
        let mut messages = vec![Message::user("go")];
        for _ in 0..turn {
            messages.push(Message {
                role: "assistant".to_owned(),
                content: vec![serde_json::json!({"type": "text", "text": "…"})],
            });
            messages.push(Message::user("go on"));
        }
        ModelRequest {
            model: "scripted".to_owned(),
            system: String::new(),
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: 1,
        }
    }

    #[test]
    fn the_nth_turn_gets_the_nth_reply() {
        let script = Scripted::parse(
            r#"{"replies": [
                {"content": [{"type": "tool_use", "id": "a", "name": "Read", "input": {}}],
                 "usage": {"input_tokens": 5, "cost_usd": 0.25}},
                {"content": [{"type": "text", "text": "done"}]}]}"#,
        )
        .unwrap();
        let first = &script.next(&at_turn(0)).unwrap().reply;
        assert_eq!(
            (first.stop.clone(), first.calls().len()),
            (StopReason::ToolUse, 1)
        );
        assert_eq!(script.estimate(&at_turn(0)), MicroUsd(250_000));
        let second = &script.next(&at_turn(1)).unwrap().reply;
        assert_eq!(
            (second.stop.clone(), second.text()),
            (StopReason::EndTurn, "done".to_owned())
        );
        let error = script.next(&at_turn(2)).unwrap_err().to_string();
        assert!(error.contains("number 3"), "{error}");
    }

    #[test]
    fn wrong_scripts_are_refused() {
        for text in [
            "",
            "[]",
            r#"{"replies": [{"content": "text"}]}"#,
            r#"{"replies": [{"content": [{"text": "no type"}]}]}"#,
            r#"{"replies": [{"content": [{"type": "tool_use", "id": "a", "name": "R", "input": 3}]}]}"#,
            r#"{"replies": [{"content": [], "stop": "x"}]}"#,
        ] {
            assert!(
                matches!(Scripted::parse(text), Err(EngineError::Script(_))),
                "{text}"
            );
        }
    }
}
