//! The body of a request, with its cache breakpoints: one at the end of the tools, one at the end
//! of the system prompt, one at the end of the newest user message.

use crate::conversation::{Message, ModelRequest, ToolChoice, ToolSpec};
use crate::shown;
use protocol::money::MicroUsd;
use protocol::prices::Price;
use serde_json::{Value, json};

/// Largest body the API takes, in bytes.
pub const BODY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a request that are counted as one token when its cost is estimated.
const BYTES_PER_TOKEN: usize = 3;
/// Tokens the server adds when tools are offered.
const TOOL_TOKENS: usize = 500;

/// The JSON body for a request, asking for a stream.
pub fn body(request: &ModelRequest, max_tokens: u32) -> Value {
    let mut body = json!({
        "model": request.model,
        "max_tokens": max_tokens,
        "stream": true,
    });
    if !request.system.trim().is_empty() {
        let mut block = json!({"type": "text", "text": request.system});
        mark(&mut block);
        body["system"] = json!([block]);
    }
    if !request.tools.is_empty() {
        body["tools"] = tools(&request.tools);
        body["tool_choice"] = match &request.tool_choice {
            ToolChoice::Auto => json!({"type": "auto"}),
            ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
            ToolChoice::None => json!({"type": "none"}),
        };
    }
    body["messages"] = messages(&request.messages);
    body
}

fn mark(block: &mut Value) {
    block["cache_control"] = json!({"type": "ephemeral"});
}

fn tools(specs: &[ToolSpec]) -> Value {
    let mut tools: Vec<Value> = specs
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.input_schema,
            })
        })
        .collect();
    if let Some(last) = tools.last_mut() {
        mark(last);
    }
    Value::Array(tools)
}

fn messages(turns: &[Message]) -> Value {
    let newest = turns.iter().rposition(|turn| turn.role == "user");
    turns
        .iter()
        .enumerate()
        .map(|(at, turn)| {
            let mut content = turn.content.clone();
            if Some(at) == newest
                && let Some(last) = content.last_mut().filter(|block| may_be_marked(block))
            {
                mark(last);
            }
            json!({"role": turn.role, "content": content})
        })
        .collect()
}

/// Empty text and blocks of other kinds must not carry a breakpoint.
fn may_be_marked(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("text") => block["text"].as_str().is_some_and(|text| !text.is_empty()),
        Some("tool_result" | "image" | "document") => true,
        _ => false,
    }
}

fn input_cost(request: &ModelRequest, price: &Price) -> f64 {
    let bytes = body(request, request.max_tokens).to_string().len();
    // What is shown costs by what is seen, not by its bytes.
    let blocks = || request.messages.iter().flat_map(|turn| &turn.content);
    let shown: usize = blocks().filter_map(shown::data).map(str::len).sum();
    let bytes = bytes.saturating_sub(shown);
    let seen: usize = blocks().map(shown::tokens).sum();
    let added = match request.tools.is_empty() {
        true => 0,
        false => TOOL_TOKENS,
    };
    (bytes.div_ceil(BYTES_PER_TOKEN) + added + seen) as f64 * price.dearest_input()
}

/// The most a reply should cost: every input token at the dearest input price, every output token
/// used.
pub fn estimate(request: &ModelRequest, price: &Price) -> MicroUsd {
    let output = f64::from(request.max_tokens) * price.output;
    MicroUsd((input_cost(request, price) + output).ceil() as u64)
}

/// Output tokens that another attempt may use when `spent` of `held` is gone: all of them, fewer,
/// or `None` when less than a quarter of what was asked would be left.
pub fn affordable(
    request: &ModelRequest,
    price: &Price,
    held: MicroUsd,
    spent: MicroUsd,
) -> Option<u32> {
    if spent == MicroUsd(0) {
        return Some(request.max_tokens);
    }
    let left = held.0.saturating_sub(spent.0) as f64 - input_cost(request, price);
    if left < 0.0 {
        return None;
    }
    let tokens = match price.output > 0.0 {
        true => (left / price.output).min(f64::from(request.max_tokens)) as u32,
        false => request.max_tokens,
    };
    (tokens >= request.max_tokens.div_ceil(4)).then_some(tokens)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::prices::Prices;

    fn request() -> ModelRequest {
        let tool = |name: &str| ToolSpec {
            name: name.to_owned(),
            description: "d".to_owned(),
            input_schema: json!({"type": "object"}),
        };
        ModelRequest {
            model: "claude-x".to_owned(),
            system: "be brief".to_owned(),
            messages: vec![
                Message::user("one"),
                Message {
                    role: "assistant".to_owned(),
                    content: vec![
                        json!({"type": "thinking", "thinking": "", "signature": "c2ln"}),
                        json!({"type": "text", "text": "two"}),
                    ],
                },
                Message::user("three"),
            ],
            tools: vec![tool("Read"), tool("Write")],
            tool_choice: ToolChoice::Tool("Read".to_owned()),
            max_tokens: 1000,
        }
    }

    #[test]
    fn the_body_is_what_the_api_takes() {
        assert_eq!(
            body(&request(), 700),
            json!({
                "model": "claude-x", "max_tokens": 700, "stream": true,
                "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
                "tools": [
                    {"name": "Read", "description": "d", "input_schema": {"type": "object"}},
                    {"name": "Write", "description": "d", "input_schema": {"type": "object"},
                     "cache_control": {"type": "ephemeral"}}],
                "tool_choice": {"type": "tool", "name": "Read"},
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "one"}]},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "", "signature": "c2ln"},
                        {"type": "text", "text": "two"}]},
                    {"role": "user", "content": [
                        {"type": "text", "text": "three", "cache_control": {"type": "ephemeral"}}]}],
            })
        );
    }

    #[test]
    fn a_picture_of_any_size_is_reserved_for_as_a_picture() {
        let price = Prices::default().of("x");
        let with = |bytes: usize| {
            let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A".repeat(bytes)}});
            let mut request = request();
            request.messages[0].content.insert(0, image);
            estimate(&request, &price)
        };
        assert_eq!(with(4), with(5 << 20));
        let plain = estimate(&request(), &price);
        let more = (with(4).0 - plain.0) as f64 / price.dearest_input();
        assert!((4000.0..6000.0).contains(&more), "{more} tokens");
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let mut bare = request();
        bare.system = " ".to_owned();
        bare.tools.clear();
        bare.messages = vec![Message::user("")];
        let body = body(&bare, 1);
        for key in ["system", "tools", "tool_choice"] {
            assert!(body.get(key).is_none(), "{key}");
        }
        assert!(
            body["messages"][0]["content"][0]
                .get("cache_control")
                .is_none()
        );
    }

    #[test]
    fn a_second_attempt_never_costs_more_than_is_held() {
        let price = Prices::default().of("x");
        let request = request();
        let held = estimate(&request, &price);
        for (spent, expected) in [
            (0, Some(1000)),
            (50 * 100, Some(900)),
            (50 * 740, Some(260)),
            (50 * 760, None),
            (u64::MAX, None),
        ] {
            let got = affordable(&request, &price, held, MicroUsd(spent));
            assert_eq!(got, expected, "{spent}");
        }
    }
}
