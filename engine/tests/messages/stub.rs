//! What the mock cannot do, told by a raw TCP server: an error in mid-stream, pings, cache usage,
//! silence, redirects, servers that quote the key.

use crate::support::{ask, ask_holding, engine, engine_with, request};
use engine::engine::EngineError;
use protocol::money::MicroUsd;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// One canned answer: raw bytes, then silence for a while, then the connection is closed.
struct Canned(String, Duration);

/// Serves the answers in order, one connection each, and passes on what was asked.
fn serve(answers: Vec<Canned>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for Canned(answer, silence) in answers {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let _ = sender.send(read_request(&stream));
            let _ = stream.write_all(answer.as_bytes());
            std::thread::spawn(move || {
                std::thread::sleep(silence);
                drop(stream);
            });
        }
    });
    (url, asked)
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|n| n > 0) {
        let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn stream(events: &[&str]) -> Canned {
    let body: String = events
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    Canned(format!("{head}{body}"), Duration::ZERO)
}

fn status(line: &str, headers: &str, body: &str) -> Canned {
    let length = body.len();
    Canned(
        format!(
            "HTTP/1.1 {line}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ),
        Duration::ZERO,
    )
}

const START: &str = r#"{"type":"message_start","message":{"model":"claude-stub","usage":{"input_tokens":10,"cache_read_input_tokens":1000,"cache_creation_input_tokens":200,"output_tokens":1}}}"#;
const OPEN: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const TEXT: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}"#;
const CLOSE: &str = r#"{"type":"content_block_stop","index":0}"#;
const TURN: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;
const PING: &str = r#"{"type":"ping"}"#;
const OVERLOADED: &str =
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;

fn good() -> Canned {
    stream(&[START, PING, OPEN, PING, TEXT, CLOSE, TURN, STOP])
}

#[tokio::test]
async fn pings_pass_and_cached_tokens_are_priced() {
    let (url, asked) = serve(vec![good()]);
    let (reply, streamed) = ask(&engine(&url), &request("hi")).await;
    let reply = reply.unwrap();
    assert_eq!(
        (reply.text().as_str(), streamed.as_str()),
        ("hello", "hello")
    );
    // 10 in, 200 written to the cache, 1000 read from it, 5 out.
    assert_eq!(reply.usage.cost, MicroUsd(10 + 250 + 100 + 50));
    let asked = asked.recv().unwrap();
    assert!(
        asked.starts_with("POST /v1/messages HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-api-key: sk-test-secret\r\n"), "{asked}");
    assert!(
        asked.contains("anthropic-version: 2023-06-01\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn an_error_in_mid_stream_is_tried_again_within_the_reservation() {
    let (url, asked) = serve(vec![stream(&[START, OPEN, TEXT, OVERLOADED]), good()]);
    let (reply, _) = ask(&engine(&url), &request("hi")).await;
    let reply = reply.unwrap();
    assert_eq!((reply.text().as_str(), reply.usage.requests), ("hello", 2));
    let bodies: Vec<String> = asked.iter().collect();
    assert!(bodies[0].contains("\"max_tokens\":1000"), "{}", bodies[0]);
    assert!(!bodies[1].contains("\"max_tokens\":1000"), "{}", bodies[1]);
}

#[tokio::test]
async fn a_bare_end_of_the_stream_is_a_cut() {
    let answers = (0..5)
        .map(|_| stream(&[START, OPEN, TEXT, CLOSE, TURN]))
        .collect();
    let (url, _asked) = serve(answers);
    let (reply, _) = ask(&engine(&url), &request("hi")).await;
    let error = reply.unwrap_err();
    assert!(matches!(error, EngineError::CutOff { .. }), "{error}");
    assert!(error.spent().unwrap().cost >= MicroUsd(410), "{error:?}");
}

#[tokio::test]
async fn silence_is_not_waited_for_forever() {
    let mut silent = stream(&[START, OPEN]);
    silent.1 = Duration::from_secs(5);
    let (url, _asked) = serve(vec![silent, good()]);
    let idle = Duration::from_millis(500);
    let (reply, _) = ask(&engine_with(&url, idle), &request("hi")).await;
    assert_eq!(reply.unwrap().text(), "hello");
}

#[tokio::test]
async fn the_key_goes_nowhere_else() {
    let quoted =
        r#"{"error":{"type":"authentication_error","message":"invalid key sk-test-secret"}}"#;
    let (url, _asked) = serve(vec![
        status("401 Unauthorized", "", quoted),
        status(
            "307 Temporary Redirect",
            "location: http://127.0.0.1:1/steal\r\n",
            "",
        ),
    ]);
    let engine = engine(&url);
    let refused = ask(&engine, &request("hi")).await.0.unwrap_err();
    assert!(matches!(refused, EngineError::Unauthorized(_)), "{refused}");
    let redirected = ask(&engine, &request("hi")).await.0.unwrap_err();
    assert!(
        matches!(redirected, EngineError::BadRequest(_)),
        "{redirected}"
    );
    for shown in [
        format!("{refused:?} {refused}"),
        format!("{redirected:?} {engine:?}"),
    ] {
        assert!(!shown.contains("sk-test-secret"), "{shown}");
    }
}

#[tokio::test]
async fn nothing_is_sent_without_enough_money() {
    let (url, asked) = serve(vec![good()]);
    let engine = engine(&url);
    let request = request("hi");
    let less = MicroUsd(engine.estimate(&request).0 - 1);
    let (reply, _) = ask_holding(&engine, &request, less).await;
    assert!(
        matches!(reply, Err(EngineError::Reservation { .. })),
        "{reply:?}"
    );
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_such() {
    let gone = tests::port::free();
    let (reply, _) = ask(&engine(&format!("http://127.0.0.1:{gone}")), &request("hi")).await;
    let error = reply.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable(_)), "{error}");
    assert_eq!(error.exit_code(), protocol::exit::SERVICE);
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_over_https() {
    let (url, _asked) = serve(Vec::new());
    let url = url.replace("http://", "https://");
    let error = ask(&engine(&url), &request("hi")).await.0.unwrap_err();
    // Settings where this machine has no root certificates.
    assert!(
        matches!(
            error,
            EngineError::Unreachable(_) | EngineError::Settings(_)
        ),
        "{error}"
    );
}
