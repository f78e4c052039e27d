//! A tool loop, parallel calls, overload and broken streams against aimock.

use crate::support::{Server, aimock, ask, engine, request, wait_until};
use engine::conversation::{Message, StopReason};
use engine::engine::{Engine, EngineError};
use protocol::tool::ToolAnswer;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

struct Mock {
    _server: Server,
    port: u16,
    engine: Engine,
}

fn mock() -> Option<Mock> {
    let Some(program) = aimock() else {
        println!("skipped: aimock not installed (npm i @copilotkit/aimock)");
        return None;
    };
    let port = tests::port::free();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/messages/aimock.json");
    let mut command = Command::new(program);
    command.args([
        "-p",
        &port.to_string(),
        "-f",
        fixtures,
        "--log-level",
        "silent",
        "--strict",
    ]);
    let mock = Mock {
        _server: Server::start(&mut command),
        port,
        engine: engine(&format!("http://127.0.0.1:{port}")),
    };
    wait_until("aimock", || get(port, "/health").contains("200 OK"));
    Some(mock)
}

fn get(port: u16, path: &str) -> String {
    let mut text = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.read_to_string(&mut text);
    }
    text
}

impl Mock {
    /// Requests for a message that the mock has seen.
    fn requests(&self) -> usize {
        get(self.port, "/__aimock/journal")
            .matches("\"/v1/messages\"")
            .count()
    }
}

fn answers(calls: &[protocol::tool::ToolCall]) -> Vec<ToolAnswer> {
    calls
        .iter()
        .map(|call| ToolAnswer {
            id: call.id.clone(),
            is_error: false,
            text: "21C".to_owned(),
            data: Value::Null,
            took_ms: 1,
        })
        .collect()
}

#[tokio::test]
async fn a_tool_loop_of_two_steps() {
    let Some(mock) = mock() else { return };
    let mut request = request("the weather, please");
    let (first, streamed) = ask(&mock.engine, &request).await;
    let first = first.unwrap();
    assert_eq!(streamed, "Checking.");
    assert_eq!(
        (first.stop.clone(), first.usage.input_tokens),
        (StopReason::ToolUse, 100)
    );
    assert_eq!(first.usage.cost.0, 100 + 20 * 10);
    let calls = first.calls();
    assert_eq!(calls[0].input, serde_json::json!({"city": "Paris"}));
    request.messages.push(Message::assistant(&first));
    request.messages.push(Message::results(&answers(&calls)));
    let (second, _) = ask(&mock.engine, &request).await;
    let second = second.unwrap();
    assert_eq!(
        (second.stop.clone(), second.text()),
        (StopReason::EndTurn, "21C in Paris".to_owned())
    );
}

#[tokio::test]
async fn two_calls_at_once_after_thinking() {
    let Some(mock) = mock() else { return };
    let mut request = request("both cities");
    let (first, _) = ask(&mock.engine, &request).await;
    let first = first.unwrap();
    let kinds: Vec<_> = first
        .content
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    assert!(first.content[0]["signature"].is_string());
    let calls = first.calls();
    let ids: Vec<_> = calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["toolu_p1", "toolu_p2"]);
    request.messages.push(Message::assistant(&first));
    request.messages.push(Message::results(&answers(&calls)));
    assert_eq!(ask(&mock.engine, &request).await.0.unwrap().text(), "warm");
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let Some(mock) = mock() else { return };
    let start = std::time::Instant::now();
    let (reply, _) = ask(&mock.engine, &request("busy once")).await;
    assert_eq!(reply.unwrap().text(), "at last");
    assert!(start.elapsed().as_secs() >= 1);
    assert_eq!(mock.requests(), 2);
}

#[tokio::test]
async fn overload_ends_after_bounded_retries() {
    let Some(mock) = mock() else { return };
    let (reply, _) = ask(&mock.engine, &request("always overloaded")).await;
    assert!(
        matches!(reply, Err(EngineError::Overloaded { status: 529, .. })),
        "{reply:?}"
    );
    assert_eq!(mock.requests(), 5);
}

#[tokio::test]
async fn a_broken_stream_is_asked_for_again() {
    let Some(mock) = mock() else { return };
    let (reply, streamed) = ask(&mock.engine, &request("breaks once")).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.text(), reply.usage.requests),
        ("whole".to_owned(), 2)
    );
    assert!(
        streamed.starts_with("this") && streamed.ends_with("whole"),
        "{streamed}"
    );
    assert!(reply.usage.cost.0 > 0);
}

#[tokio::test]
async fn a_stream_that_always_breaks_gives_no_call() {
    let Some(mock) = mock() else { return };
    let (reply, _) = ask(&mock.engine, &request("always breaks")).await;
    let error = reply.expect_err("no message came");
    assert!(matches!(error, EngineError::CutOff { .. }), "{error}");
    assert_eq!(error.spent().unwrap().requests, mock.requests() as u64);
}
