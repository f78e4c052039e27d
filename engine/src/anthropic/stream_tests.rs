//! The fold under every cut, every chunking and hostile streams.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn event(data: Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

fn start() -> String {
    event(
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x",
        "content": [], "usage": {"input_tokens": 9, "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": null, "output_tokens": 1}}}),
    )
}

fn open(index: u64, block: Value) -> String {
    event(json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn delta(index: u64, delta: Value) -> String {
    event(json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn close(index: u64) -> String {
    event(json!({"type": "content_block_stop", "index": index}))
}

fn end(stop: &str) -> String {
    event(
        json!({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 42}}),
    ) + &event(json!({"type": "message_stop"}))
}

fn tool(index: u64, id: &str, pieces: &[&str]) -> String {
    let mut text = open(
        index,
        json!({"type": "tool_use", "id": id, "name": "Read", "input": {}}),
    );
    for piece in pieces {
        text += &delta(
            index,
            json!({"type": "input_json_delta", "partial_json": piece}),
        );
    }
    text + &close(index)
}

fn thinking() -> String {
    open(
        0,
        json!({"type": "thinking", "thinking": "", "signature": ""}),
    ) + &delta(0, json!({"type": "thinking_delta", "thinking": "hm "}))
        + &delta(0, json!({"type": "thinking_delta", "thinking": "…"}))
        + &delta(0, json!({"type": "signature_delta", "signature": "c2ln"}))
        + &close(0)
}

/// Thinking, text, two calls in parallel, pings and an event from the future.
fn sample() -> String {
    start()
        + &event(json!({"type": "ping"}))
        + &thinking()
        + &open(1, json!({"type": "text", "text": ""}))
        + &delta(1, json!({"type": "text_delta", "text": "Grüße "}))
        + "event: from_the_future\ndata: not json\n\n"
        + &delta(1, json!({"type": "text_delta", "text": "👋"}))
        + &close(1)
        + &tool(2, "toolu_a", &["", "{\"file_path\":", " \"a\\n\"}"])
        + &tool(3, "toolu_b", &[])
        + &end("tool_use")
}

fn fold(chunks: &[&[u8]]) -> Result<(Whole, String), StreamError> {
    let mut assembly = Assembly::default();
    let mut text = String::new();
    for chunk in chunks {
        text += &assembly.push(chunk)?.concat();
    }
    assembly.finish().map(|whole| (whole, text))
}

fn fold_text(text: &str) -> Result<Whole, StreamError> {
    fold(&[text.as_bytes()]).map(|(whole, _)| whole)
}

#[test]
fn a_message_is_put_together() {
    let (whole, text) = fold(&[sample().as_bytes()]).unwrap();
    assert_eq!(text, "Grüße 👋");
    assert_eq!(whole.stop, StopReason::ToolUse);
    assert_eq!(whole.model, "claude-x");
    assert_eq!(
        whole.content,
        vec![
            json!({"type": "thinking", "thinking": "hm …", "signature": "c2ln"}),
            json!({"type": "text", "text": "Grüße 👋"}),
            json!({"type": "tool_use", "id": "toolu_a", "name": "Read", "input": {"file_path": "a\n"}}),
            json!({"type": "tool_use", "id": "toolu_b", "name": "Read", "input": {}}),
        ]
    );
    let usage = whole.usage;
    assert_eq!(
        (
            usage.requests,
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.output_tokens
        ),
        (1, 9, 4, 42)
    );
}

#[test]
fn broken_streams_give_no_message() {
    let garbled = |text: &str| {
        let error = fold_text(text).expect_err(text);
        assert!(matches!(error, StreamError::Garbled(_)), "{text}: {error}");
    };
    let text = open(0, json!({"type": "text", "text": ""}));
    garbled(&(start() + &start() + &end("end_turn")));
    garbled(&(start() + &delta(0, json!({"type": "text_delta", "text": "x"})) + &end("end_turn")));
    garbled(&(start() + &text + &text + &close(0) + &end("end_turn")));
    garbled(&(start() + &text + &close(0) + &close(0) + &end("end_turn")));
    garbled(&(start() + &tool(0, "a", &["{\"x\":"]) + &end("tool_use")));
    garbled(&(start() + &tool(0, "a", &["[1]"]) + &end("tool_use")));
    garbled(&(start() + &tool(0, "a", &[]) + &tool(1, "a", &[]) + &end("tool_use")));
    garbled(&(start() + "event: content_block_delta\ndata: {\"ind\n\n" + &end("end_turn")));
    garbled(&text);
    let cut = |text: &str| assert_eq!(fold_text(text), Err(StreamError::CutOff), "{text}");
    cut("");
    cut("<html>not a stream</html>\n\n");
    cut(&(start() + &event(json!({"type": "message_stop"}))));
    cut(&(start() + &text + &end("end_turn")));
}

#[test]
fn the_servers_error_ends_the_stream() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}});
    let failed = StreamError::Failed {
        kind: "overloaded_error".to_owned(),
        message: "busy".to_owned(),
    };
    assert_eq!(
        fold_text(&(start() + &thinking() + &event(error))),
        Err(failed)
    );
}

#[test]
fn calls_cut_by_max_tokens_do_no_harm() {
    let stream = start() + &tool(0, "a", &["{\"file_pa"]) + &end("max_tokens");
    assert_eq!(fold_text(&stream).unwrap().stop, StopReason::MaxTokens);
}

#[test]
fn what_a_cut_stream_cost_is_known_at_least() {
    let mut assembly = Assembly::default();
    assert_eq!(assembly.seen(), None);
    assembly.push(start().as_bytes()).unwrap();
    let text = open(0, json!({"type": "text", "text": ""}))
        + &delta(0, json!({"type": "text_delta", "text": "x".repeat(300)}));
    assembly.push(text.as_bytes()).unwrap();
    let (model, usage) = assembly.seen().unwrap();
    assert_eq!(
        (model, usage.input_tokens, usage.output_tokens),
        ("claude-x", 9, 100)
    );
}

#[test]
fn a_stream_without_end_is_refused() {
    let mut assembly = Assembly::default();
    let megabyte = vec![b'x'; 1024 * 1024];
    let refused = (0..80).find_map(|_| assembly.push(&megabyte).err());
    assert_eq!(refused, Some(StreamError::TooLarge));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_message(cuts in proptest::collection::vec(0usize..4000, 0..40)) {
        let text = sample();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % text.len()).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
        prop_assert_eq!(fold(&chunks), fold(&[text.as_bytes()]));
    }

    #[test]
    fn any_cut_gives_no_message(at in 0usize..4000) {
        let text = sample();
        let at = at % text.len();
        prop_assert_eq!(fold(&[&text.as_bytes()[..at]]), Err(StreamError::CutOff));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..4000) {
        let _ = fold(&[&bytes]);
        let mut text = sample().into_bytes();
        let at = at % text.len();
        text.splice(at..at, bytes);
        let _ = fold(&[&text]);
    }

    #[test]
    fn any_input_survives_any_cutting(words in proptest::collection::vec(".*", 1..5), at in 0usize..200) {
        let input = json!({"words": words});
        let json = input.to_string();
        let at = (0..=at % (json.len() + 1)).rev().find(|i| json.is_char_boundary(*i)).unwrap();
        let whole = fold_text(&(start() + &tool(0, "a", &[&json[..at], &json[at..]]) + &end("tool_use"))).unwrap();
        prop_assert_eq!(&whole.content[0]["input"], &input);
    }
}
