//! What a status, an error body or an error event means, as an [`EngineError`].

use super::stream::StreamError;
use crate::engine::EngineError;
use serde_json::Value;
use std::time::Duration;

/// Longest message of a server that is passed on, in characters.
const MESSAGE_CHARS: usize = 400;

/// The meaning of an answer that is not 200. `body` may be anything.
pub fn from_status(status: u16, retry_after: Option<Duration>, body: &[u8]) -> EngineError {
    let message = message_of(body);
    match status {
        401 | 403 => EngineError::Unauthorized(message),
        402 => EngineError::Billing(message),
        413 => EngineError::TooLarge(message),
        400 if message.contains("prompt is too long") => EngineError::TooLarge(message),
        404 => {
            EngineError::BadRequest(format!("{message}; check engine.model and engine.base_url"))
        }
        429 | 529 => EngineError::Overloaded {
            status,
            retry_after,
        },
        408 | 409 | 500.. => EngineError::Server { status, message },
        300..400 => EngineError::BadRequest(format!(
            "it redirects (status {status}), which is not followed; check engine.base_url"
        )),
        _ => EngineError::BadRequest(message),
    }
}

/// The meaning of a stream that gave no message. `CutOff` has no spending yet.
pub fn from_stream(error: StreamError) -> EngineError {
    match error {
        StreamError::Failed { kind, message } => {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            from_status(status_of(&kind), None, body.as_bytes())
        }
        StreamError::CutOff => EngineError::CutOff {
            reason: error.to_string(),
            spent: Box::default(),
        },
        StreamError::Garbled(why) => EngineError::Garbled(clean(&why)),
        StreamError::TooLarge => EngineError::TooLarge(error.to_string()),
    }
}

fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn message_of(body: &[u8]) -> String {
    let said = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| value["error"]["message"].as_str().map(str::to_owned))
        .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    match clean(&said) {
        said if said.is_empty() => "it gave no reason".to_owned(),
        said => said,
    }
}

/// One line, without control characters, cut.
pub fn clean(text: &str) -> String {
    let line: String = text
        .chars()
        .take(MESSAGE_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.trim().to_owned()
}

/// Reads a `retry-after` header in seconds; dates and nonsense are `None`.
pub fn retry_after(header: Option<&str>) -> Option<Duration> {
    let seconds: f64 = header?.trim().parse().ok()?;
    (0.0..=1e9)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_error() {
        let body = br#"{"type":"error","error":{"type":"t","message":"why\n"}}"#;
        let after = Some(Duration::from_secs(3));
        let why = || "why".to_owned();
        for (status, expected) in [
            (400, EngineError::BadRequest(why())),
            (401, EngineError::Unauthorized(why())),
            (402, EngineError::Billing(why())),
            (413, EngineError::TooLarge(why())),
            (
                429,
                EngineError::Overloaded {
                    status: 429,
                    retry_after: after,
                },
            ),
            (
                529,
                EngineError::Overloaded {
                    status: 529,
                    retry_after: after,
                },
            ),
            (
                500,
                EngineError::Server {
                    status: 500,
                    message: why(),
                },
            ),
            (418, EngineError::BadRequest(why())),
        ] {
            assert_eq!(from_status(status, after, body), expected, "{status}");
        }
        assert!(
            matches!(from_status(302, None, b""), EngineError::BadRequest(m) if m.contains("redirect"))
        );
        let long = br#"{"error":{"message":"prompt is too long: 2 > 1"}}"#;
        assert!(matches!(
            from_status(400, None, long),
            EngineError::TooLarge(_)
        ));
    }

    #[test]
    fn hostile_bodies_are_cut_to_a_line() {
        let body = "x\u{1b}[31m".repeat(1000);
        let EngineError::BadRequest(said) = from_status(400, None, body.as_bytes()) else {
            unreachable!("status 400 is a bad request");
        };
        assert!(said.len() <= MESSAGE_CHARS && !said.contains('\u{1b}'));
    }

    #[test]
    fn only_seconds_are_waited_for() {
        let seconds = |n| Some(Duration::from_secs(n));
        for (header, expected) in [
            (None, None),
            (Some("7"), seconds(7)),
            (Some(" 0 "), seconds(0)),
            (Some("-1"), None),
            (Some("NaN"), None),
            (Some("inf"), None),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
        ] {
            assert_eq!(retry_after(header), expected, "{header:?}");
        }
    }
}
