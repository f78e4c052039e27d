//! Tries a key without using a model: the API is asked about the model by name, which costs
//! nothing. Says what is known afterwards, and what is not.

use super::account::key_header;
use super::engine::{cause, new_client};
use crate::engine::EngineError;
use reqwest::Url;
use serde_json::Value;
use std::time::Duration;

/// The version of the API that is spoken.
const VERSION: &str = "2023-06-01";
/// Longest answer that is looked at, in bytes.
const MOST: usize = 64 * 1024;

/// What a try showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The key is good and the model is there.
    Good,
    /// The key is not taken; what the API said.
    Refused(String),
    /// The key is taken, and there is no such model.
    NoModel,
    /// Nobody can say: what was seen.
    Unknown(String),
    /// Nobody answers there, in this time.
    Unreachable(String),
}

/// Asks the API about the model with this key, for at most `patience`.
///
/// # Errors
/// [`EngineError::Settings`] for an address or key that cannot be sent.
pub async fn try_key(
    base_url: &str,
    key: &str,
    model: &str,
    patience: Duration,
) -> Result<Tried, EngineError> {
    let key = key_header(key)?;
    let url = address(base_url, model)?;
    let client = new_client(patience)?;
    let asked = client
        .get(url)
        .header("x-api-key", key)
        .header("anthropic-version", VERSION)
        .timeout(patience);
    let answer = match asked.send().await {
        Ok(answer) => answer,
        Err(error) => return Ok(Tried::Unreachable(cause(error))),
    };
    let status = answer.status().as_u16();
    let known = answer.content_length().unwrap_or(0);
    let body = match known <= MOST as u64 {
        true => answer.bytes().await.unwrap_or_default(),
        false => Default::default(),
    };
    let body = body.get(..body.len().min(MOST)).unwrap_or_default();
    Ok(judged(status, body))
}

fn address(base_url: &str, model: &str) -> Result<Url, EngineError> {
    let messages = super::account::endpoint(base_url)?;
    let wrong = || EngineError::Settings("engine.base_url cannot be asked".to_owned());
    let mut url = Url::parse(&messages).map_err(|_| wrong())?;
    url.path_segments_mut()
        .map_err(|()| wrong())?
        .pop()
        .extend(["models", model]);
    Ok(url)
}

/// What an answer means. Pure.
fn judged(status: u16, body: &[u8]) -> Tried {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error");
    let of = |name: &str| error.and_then(|e| e.get(name)).and_then(Value::as_str);
    let said = of("message").map_or_else(|| format!("status {status}"), super::failure::clean);
    match (status, of("type")) {
        (200..=299, _) => Tried::Good,
        (401 | 403, _) => Tried::Refused(said),
        (404, Some("not_found_error")) => Tried::NoModel,
        (404, _) => {
            Tried::Unknown("it does not say which models there are (status 404)".to_owned())
        }
        _ => Tried::Unknown(said),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn answers_mean_what_they_say() {
        let refused = br#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
        let gone = br#"{"type":"error","error":{"type":"not_found_error","message":"model: x"}}"#;
        for (status, body, expected) in [
            (200, &b"{}"[..], Tried::Good),
            (401, refused, Tried::Refused("invalid x-api-key".to_owned())),
            (403, b"<html>", Tried::Refused("status 403".to_owned())),
            (404, gone, Tried::NoModel),
            (529, b"", Tried::Unknown("status 529".to_owned())),
        ] {
            assert_eq!(judged(status, body), expected, "{status}");
        }
        assert!(matches!(judged(404, b"nothing here"), Tried::Unknown(_)));
    }

    #[test]
    fn the_model_is_one_segment_of_the_address() {
        for (base, model, expected) in [
            (
                "https://api.anthropic.com",
                "m-1",
                "https://api.anthropic.com/v1/models/m-1",
            ),
            (
                "https://gate.example/c/",
                "a/b?c",
                "https://gate.example/c/v1/models/a%2Fb%3Fc",
            ),
        ] {
            assert_eq!(address(base, model).unwrap().as_str(), expected);
        }
    }
}
