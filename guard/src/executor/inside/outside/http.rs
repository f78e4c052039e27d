//! One request to a granted endpoint: no redirects, no proxy, bounded in time and size. Under a key
//! it is sent again when nobody knows whether it arrived; without one it is sent once.

use super::super::serve::Done;
use super::Failed;
use crate::act::Key;
use crate::outside::{Credential, below, changes};
use protocol::limits::OUTPUT_BYTES;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pauses between tries under one key.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) body: &'a str,
    pub(super) json: bool,
    pub(super) key: Option<&'a Key>,
}

pub(super) async fn send(
    request: &Request<'_>,
    base: &str,
    token: Option<&Credential>,
) -> Result<Done, Failed> {
    if !below(request.url, base) {
        return Err(Failed::Refused(
            "the request leaves its endpoint".to_owned(),
        ));
    }
    // A provider that is installed already is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        .user_agent("ai-infra")
        .build()
        .map_err(|e| Failed::Refused(format!("no connection can be made: {e}")))?;
    let mut pauses = PAUSES.iter();
    loop {
        let unknown = match once(&client, request, token).await {
            Err(Failed::Unknown(why)) => why,
            answered => return answered,
        };
        let repeatable = request.key.is_some() || !changes(request.method);
        match pauses.next().filter(|_| repeatable) {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(Failed::Unknown(unknown)),
        }
    }
}

async fn once(
    client: &Client,
    request: &Request<'_>,
    token: Option<&Credential>,
) -> Result<Done, Failed> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|e| Failed::Refused(e.to_string()))?;
    let mut asked = client.request(method, request.url);
    if let Some(key) = request.key {
        asked = asked.header(key.header.as_str(), key.value.as_str());
    }
    if let Some(token) = token {
        asked = asked.bearer_auth(token.reveal());
    }
    if !request.body.is_empty() {
        let kind = match request.json {
            true => "application/json",
            false => "text/plain; charset=utf-8",
        };
        asked = asked
            .header("content-type", kind)
            .body(request.body.to_owned());
    }
    match asked.send().await {
        Ok(response) => read(response).await,
        // Nothing was sent.
        Err(e) if e.is_connect() || e.is_builder() => Err(Failed::Refused(plain(&e))),
        Err(e) => Err(Failed::Unknown(plain(&e))),
    }
}

async fn read(mut response: Response) -> Result<Done, Failed> {
    let status = response.status();
    let mut bytes = Vec::new();
    let mut truncated = false;
    // The status says what became of the request; an answer that breaks off is only shorter.
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        truncated = bytes.len() > OUTPUT_BYTES;
        if truncated {
            bytes.truncate(OUTPUT_BYTES);
            break;
        }
    }
    let body = String::from_utf8_lossy(&bytes).into_owned();
    let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    let number = status.as_u16();
    let text = match status.is_redirection() {
        true => format!("status {number}: it redirects, which is not followed\n{body}"),
        false => format!("status {number}\n{body}"),
    };
    Ok(Done {
        is_error: !status.is_success(),
        text,
        data: json!({"status": number, "body": body, "json": value, "truncated": truncated}),
    })
}

/// The error with its causes and without the address, which the preview shows.
fn plain(error: &reqwest::Error) -> String {
    let mut text = match error {
        e if e.is_timeout() => "the endpoint did not answer in time".to_owned(),
        e if e.is_connect() => "the endpoint cannot be reached".to_owned(),
        _ => "the request broke off".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        text.push_str(&format!(": {one}"));
        cause = one.source();
    }
    text
}
