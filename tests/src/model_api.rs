//! A server that speaks the Messages API as a stream, with replies of the story's own, and that can
//! be overloaded from a stated reply on.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
struct Seen {
    proposal: Value,
    turns: Vec<Value>,
    /// Turns of conversations in which a word stands.
    others: Vec<(String, Vec<Value>)>,
    /// The one key that is taken; `None` = any.
    key: Option<String>,
    /// From this many replies on, it refuses with this status.
    refuses: Option<(u64, u16)>,
    replies: u64,
    refusals: u64,
    /// Every request that was answered.
    requests: Vec<Value>,
    /// What is answered where no tools are offered.
    aside: String,
    /// A reply that is a text stops after its first half until this is let go.
    holds: bool,
    /// Connections that were closed by the other side while a reply was held.
    left: u64,
}

/// The server; its threads end with the test process.
pub struct ModelApi {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

impl ModelApi {
    /// Starts it on a free port: `proposal` is what it answers where `propose` is forced, `turns` are
    /// the contents of the n-th reply of any other conversation.
    pub fn start(proposal: Value, turns: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Seen {
            proposal,
            turns,
            ..Seen::default()
        }));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `ANTHROPIC_BASE_URL` is to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Refuses everything after so many replies.
    pub fn refuse_after(&self, replies: u64, status: u16) {
        self.seen().refuses = Some((replies, status));
    }

    /// From now on only this key is taken; any other is refused (401).
    pub fn takes_only(&self, key: &str) {
        self.seen().key = Some(key.to_owned());
    }

    /// Answers again.
    pub fn relent(&self) {
        self.seen().refuses = None;
    }

    /// From now on a reply stops in its middle, until [`ModelApi::goes_on`].
    pub fn holds(&self) {
        self.seen().holds = true;
    }

    /// Lets replies that were held go on.
    pub fn goes_on(&self) {
        self.seen().holds = false;
    }

    /// How many callers went away in the middle of a reply.
    pub fn left(&self) -> u64 {
        self.seen().left
    }

    /// Every request that was answered, as it came.
    pub fn bodies(&self) -> Vec<Value> {
        self.seen().requests.clone()
    }

    /// How many replies were given, each of which costs.
    pub fn replies(&self) -> u64 {
        self.seen().replies
    }

    /// The messages of every request that was answered, as JSON text, oldest first.
    pub fn conversations(&self) -> Vec<String> {
        let seen = self.seen();
        let messages = seen
            .requests
            .iter()
            .map(|body| body["messages"].to_string());
        messages.collect()
    }

    /// What it answers where no tools are offered.
    pub fn answer_aside(&self, text: &str) {
        self.seen().aside = text.to_owned();
    }

    /// Conversations whose messages name `word` have turns of their own.
    pub fn turns_where(&self, word: &str, turns: Vec<Value>) {
        self.seen().others.push((word.to_owned(), turns));
    }

    /// How many requests were refused.
    pub fn refusals(&self) -> u64 {
        self.seen().refusals
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let Some((head, body)) = request_of(&mut stream) else {
        return;
    };
    let shared = seen;
    let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let own = |key: &String| head.contains(&format!("x-api-key: {}\r\n", key.to_lowercase()));
    let strange = seen.key.as_ref().is_some_and(|key| !own(key));
    let refused = seen.refuses.filter(|(from, _)| seen.replies >= *from);
    let refused = strange.then_some((0, 401)).or(refused);
    let answer = match refused {
        Some((_, status)) => {
            seen.refusals += 1;
            refusal(status)
        }
        None => {
            seen.replies += 1;
            seen.requests.push(body.clone());
            message(&named(content(&seen, &body), &body))
        }
    };
    drop(seen);
    let half = answer.len() / 2;
    let half = (half..answer.len()).find(|at| answer.is_char_boundary(*at));
    let (first, second) = answer.split_at(half.unwrap_or_default());
    let _ = stream.write_all(first.as_bytes());
    let held = || shared.lock().unwrap_or_else(PoisonError::into_inner).holds;
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    while held() {
        // Nothing more is said to it: the end of what it says is the end of the caller.
        if matches!(stream.read(&mut [0; 16]), Ok(0)) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).left += 1;
            return;
        }
    }
    let _ = stream.write_all(second.as_bytes());
}

/// The head of a request in small letters, and its JSON body.
fn request_of(stream: &mut TcpStream) -> Option<(String, Value)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))?
            .trim()
            .parse()
            .ok()?;
        if bytes.len() >= head + 4 + length {
            let body = serde_json::from_slice(&bytes[head + 4..head + 4 + length]).ok()?;
            return Some((text + "\r\n", body));
        }
    }
}

/// `{placeholder}` in a reply is the first name of a secret that the conversation shows: which one it is, only its
/// task knows.
fn named(content: Vec<Value>, body: &Value) -> Vec<Value> {
    let said = body["messages"].to_string();
    let found = said.find("[secret:").and_then(|at| {
        let end = said[at..].find(']')?;
        said.get(at..=at + end)
    });
    let Some(name) = found else { return content };
    let text = Value::Array(content).to_string();
    let text = text.replace("{placeholder}", name);
    serde_json::from_str(&text).expect("it was JSON")
}

fn content(seen: &Seen, body: &Value) -> Vec<Value> {
    if body["tool_choice"]["name"] == "propose" {
        let call =
            json!({"type": "tool_use", "id": "p1", "name": "propose", "input": seen.proposal});
        return vec![call];
    }
    if body["tools"].as_array().is_none_or(Vec::is_empty) {
        return vec![json!({"type": "text", "text": seen.aside})];
    }
    let turn = body["messages"].as_array().map_or(0, |all| {
        all.iter().filter(|m| m["role"] == "assistant").count()
    });
    let last = json!({"type": "text", "text": "that is all"});
    let said = body["messages"].to_string();
    let own = seen.others.iter().find(|(word, _)| said.contains(word));
    let turns = own.map_or(&seen.turns, |(_, turns)| turns);
    vec![turns.get(turn).cloned().unwrap_or(last)]
}

fn refusal(status: u16) -> String {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let body =
        json!({"type": "error", "error": {"type": kind, "message": "try later"}}).to_string();
    format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A message as the server sends it, event by event.
fn message(content: &[Value]) -> String {
    let mut events = vec![json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5",
        "content": [], "stop_reason": null, "usage": {"input_tokens": 1000, "output_tokens": 1}}})];
    let mut stop = "end_turn";
    for (index, block) in content.iter().enumerate() {
        let (start, delta) = match block["type"].as_str() {
            Some("tool_use") => {
                stop = "tool_use";
                let mut start = block.clone();
                start["input"] = json!({});
                let input = block["input"].to_string();
                (
                    start,
                    json!({"type": "input_json_delta", "partial_json": input}),
                )
            }
            _ => (json!({"type": "text", "text": ""}), Value::Null),
        };
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        // A text comes in pieces.
        let text = block["text"].as_str().unwrap_or_default();
        let pieces = text
            .split_inclusive(' ')
            .map(|text| json!({"type": "text_delta", "text": text}));
        let deltas = match delta {
            Value::Null => pieces.collect(),
            delta => vec![delta],
        };
        for delta in deltas {
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
        "usage": {"output_tokens": 50}}),
    );
    events.push(json!({"type": "message_stop"}));
    let mut text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            .to_owned();
    for event in events {
        let kind = event["type"].as_str().unwrap_or_default();
        text.push_str(&format!("event: {kind}\ndata: {event}\n\n"));
    }
    text
}
