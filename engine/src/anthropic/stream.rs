//! From a byte stream to a message, as a pure fold: any cutting of the bytes gives the same
//! message, and a stream that ends early gives none.

use super::sse::{SseEvent, SseReader};
use crate::conversation::StopReason;
use protocol::report::Usage;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};

/// Largest stream that is taken, in bytes.
pub const STREAM_BYTES: usize = 64 * 1024 * 1024;
/// Most content blocks of one message.
const BLOCKS: usize = 4096;
/// Largest token count that is believed.
const TOKENS: u64 = 1_000_000_000;

/// Why there is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The stream ended before the message did.
    #[error("the stream ended before the message did")]
    CutOff,
    /// The server gave up in the middle of the stream.
    #[error("{kind}: {message}")]
    Failed {
        /// The server's error type, such as `overloaded_error`.
        kind: String,
        /// What it said.
        message: String,
    },
    /// The stream breaks the protocol.
    #[error("{0}")]
    Garbled(String),
    /// The stream is larger than `STREAM_BYTES`.
    #[error("the reply is larger than {STREAM_BYTES} bytes")]
    TooLarge,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// Content blocks, verbatim.
    pub content: Vec<Value>,
    /// Why the model stopped.
    pub stop: StopReason,
    /// Tokens of this message; the cost is not filled in.
    pub usage: Usage,
    /// The model that answered.
    pub model: String,
}

/// The fold's state.
#[derive(Debug, Default)]
pub struct Assembly {
    reader: SseReader,
    fed: usize,
    started: bool,
    done: bool,
    model: String,
    stop: Option<StopReason>,
    usage: Usage,
    final_usage: bool,
    received: u64,
    blocks: BTreeMap<u64, Block>,
}

#[derive(Debug)]
struct Block {
    value: Value,
    json: String,
    closed: bool,
    broken: bool,
}

impl Assembly {
    /// Takes the next bytes; gives the text they add, piece by piece.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, StreamError> {
        self.fed = self.fed.saturating_add(bytes.len());
        if self.fed > STREAM_BYTES {
            return Err(StreamError::TooLarge);
        }
        let mut texts = Vec::new();
        for event in self.reader.push(bytes) {
            if self.done {
                break;
            }
            texts.extend(self.event(&event)?);
        }
        Ok(texts)
    }

    /// True once the message has ended; nothing more needs to be read.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Tokens known to be used so far, for a message that will not be finished. What was received
    /// is counted when the server has not said a number yet.
    pub fn seen(&self) -> Option<(&str, Usage)> {
        if !self.started {
            return None;
        }
        let mut usage = self.usage.clone();
        if !self.final_usage {
            usage.output_tokens = usage.output_tokens.max(self.received.div_ceil(3));
        }
        Some((&self.model, usage))
    }

    /// The message, if all of it came.
    pub fn finish(self) -> Result<Whole, StreamError> {
        let stop = self.stop.filter(|_| self.done).ok_or(StreamError::CutOff)?;
        if self.blocks.values().any(|block| !block.closed) {
            return Err(StreamError::CutOff);
        }
        let mut ids = HashSet::new();
        for block in self.blocks.values().filter(|_| stop.is_whole()) {
            check_call(block, &mut ids)?;
        }
        let content = self.blocks.into_values().map(|block| block.value).collect();
        Ok(Whole {
            content,
            stop,
            usage: self.usage,
            model: self.model,
        })
    }

    fn event(&mut self, event: &SseEvent) -> Result<Option<String>, StreamError> {
        let Some(data) = parse(event)? else {
            return Ok(None);
        };
        let kind = data["type"].as_str().unwrap_or(&event.name);
        match kind {
            "message_start" => self.start(&data["message"])?,
            "content_block_start" => return self.open(&data),
            "content_block_delta" => return self.grow(&data),
            "content_block_stop" => self.close(&data)?,
            "message_delta" => self.turn(&data),
            "message_stop" => self.done = self.require_start("message_stop").map(|()| true)?,
            "error" => return Err(failed(&data["error"])),
            _ => {}
        }
        Ok(None)
    }

    fn require_start(&self, event: &str) -> Result<(), StreamError> {
        match self.started {
            true => Ok(()),
            false => Err(garbled(format!("{event} came before message_start"))),
        }
    }

    fn start(&mut self, message: &Value) -> Result<(), StreamError> {
        if self.started {
            return Err(garbled("a second message_start".to_owned()));
        }
        self.started = true;
        self.model = message["model"]
            .as_str()
            .map(|name| name.chars().take(128).collect())
            .unwrap_or_default();
        self.usage.requests = 1;
        self.count(&message["usage"]);
        Ok(())
    }

    /// Any field may be missing or null; a later number replaces an earlier one.
    fn count(&mut self, usage: &Value) {
        for (name, field) in [
            ("input_tokens", &mut self.usage.input_tokens),
            ("output_tokens", &mut self.usage.output_tokens),
            ("cache_read_input_tokens", &mut self.usage.cache_read_tokens),
            (
                "cache_creation_input_tokens",
                &mut self.usage.cache_write_tokens,
            ),
        ] {
            if let Some(number) = usage[name].as_u64() {
                *field = number.min(TOKENS);
            }
        }
    }

    fn turn(&mut self, data: &Value) {
        if let Some(reason) = data["delta"]["stop_reason"].as_str() {
            self.stop = Some(StopReason::from_wire(reason));
        }
        self.final_usage |= data["usage"]["output_tokens"].is_u64();
        self.count(&data["usage"]);
    }

    fn open(&mut self, data: &Value) -> Result<Option<String>, StreamError> {
        self.require_start("content_block_start")?;
        let index = index(data)?;
        if self.blocks.len() >= BLOCKS || self.blocks.contains_key(&index) {
            return Err(garbled(format!("content block {index} cannot be opened")));
        }
        let value = data["content_block"].clone();
        if value["type"].as_str().is_none() {
            return Err(garbled(format!("content block {index} has no type")));
        }
        let text = Some(&value)
            .filter(|value| value["type"] == "text")
            .and_then(|value| value["text"].as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        let block = Block {
            value,
            json: String::new(),
            closed: false,
            broken: false,
        };
        self.blocks.insert(index, block);
        Ok(text)
    }

    fn grow(&mut self, data: &Value) -> Result<Option<String>, StreamError> {
        let index = index(data)?;
        let block = self
            .blocks
            .get_mut(&index)
            .filter(|block| !block.closed)
            .ok_or_else(|| garbled(format!("content block {index} is not open")))?;
        let delta = &data["delta"];
        let added = |name: &str| delta[name].as_str().unwrap_or_default();
        let received = match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => append(&mut block.value, "text", added("text")),
            "thinking_delta" => append(&mut block.value, "thinking", added("thinking")),
            "input_json_delta" => {
                block.json.push_str(added("partial_json"));
                added("partial_json").len()
            }
            "signature_delta" => {
                block.value["signature"] = delta["signature"].clone();
                0
            }
            "compaction_delta" => {
                block.value["content"] = delta["content"].clone();
                0
            }
            "citations_delta" => cite(&mut block.value, &delta["citation"]),
            _ => 0,
        };
        self.received += received as u64;
        let text = delta["type"] == "text_delta" && received > 0;
        Ok(text.then(|| added("text").to_owned()))
    }

    fn close(&mut self, data: &Value) -> Result<(), StreamError> {
        let index = index(data)?;
        let block = self
            .blocks
            .get_mut(&index)
            .filter(|block| !block.closed)
            .ok_or_else(|| garbled(format!("content block {index} is not open")))?;
        block.close();
        Ok(())
    }
}

impl Block {
    /// Ends the block; a call's input becomes an object here or is broken.
    fn close(&mut self) {
        self.closed = true;
        let kind = self.value["type"].as_str().unwrap_or_default();
        if kind != "tool_use" && kind != "server_tool_use" {
            return;
        }
        if self.json.trim().is_empty() {
            if !self.value["input"].is_object() {
                self.value["input"] = Value::Object(Map::new());
            }
            return;
        }
        match serde_json::from_str::<Value>(&self.json) {
            Ok(input) if input.is_object() => self.value["input"] = input,
            _ => self.broken = true,
        }
    }
}

/// A call that is to be carried out has a name, an id of its own, and a readable input.
fn check_call<'a>(block: &'a Block, ids: &mut HashSet<&'a str>) -> Result<(), StreamError> {
    if block.value["type"] != "tool_use" {
        return Ok(());
    }
    let (Some(id), Some(name)) = (block.value["id"].as_str(), block.value["name"].as_str()) else {
        return Err(garbled("a call without id or name".to_owned()));
    };
    if block.broken {
        return Err(garbled(format!(
            "the input of the call of {name} is not a JSON object"
        )));
    }
    if id.is_empty() || !ids.insert(id) {
        return Err(garbled(format!("two calls have the id `{id}`")));
    }
    Ok(())
}

fn parse(event: &SseEvent) -> Result<Option<Value>, StreamError> {
    match serde_json::from_str::<Value>(&event.data) {
        Ok(data) if data.is_object() => Ok(Some(data)),
        _ if event.data.trim() == "[DONE]" || is_foreign(&event.name) => Ok(None),
        _ => Err(garbled("an event is not a JSON object".to_owned())),
    }
}

/// True for a named event this fold does not know, whose data it therefore need not read.
fn is_foreign(name: &str) -> bool {
    !name.is_empty()
        && name != "error"
        && !name.starts_with("message_")
        && !name.starts_with("content_block_")
}

fn index(data: &Value) -> Result<u64, StreamError> {
    data["index"]
        .as_u64()
        .ok_or_else(|| garbled("a content block event without an index".to_owned()))
}

fn append(block: &mut Value, field: &str, added: &str) -> usize {
    if let Value::String(text) = &mut block[field] {
        text.push_str(added);
    } else {
        block[field] = added.into();
    }
    added.len()
}

fn cite(block: &mut Value, citation: &Value) -> usize {
    if let Value::Array(list) = &mut block["citations"] {
        list.push(citation.clone());
    } else {
        block["citations"] = Value::Array(vec![citation.clone()]);
    }
    0
}

fn garbled(why: String) -> StreamError {
    StreamError::Garbled(why)
}

fn failed(error: &Value) -> StreamError {
    let text = |name: &str| error[name].as_str().unwrap_or("unknown").to_owned();
    StreamError::Failed {
        kind: text("type"),
        message: text("message"),
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
