//! One request to a granted endpoint: no redirects, no proxy, bounded in time and size. Under a key
//! it is sent again when nobody knows whether it arrived; without one it is sent once.

use super::super::serve::Done;
use super::Failed;
use super::names::{Lost, Names};
use crate::act::Key;
use crate::outside::{Credential, below, changes};
use crate::proxy::address::Nearness;
use protocol::limits::OUTPUT_BYTES;
use reqwest::{Client, Method, Response, Url};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
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
    names: Names,
) -> Result<Done, Failed> {
    if !below(request.url, base) {
        return Err(Failed::Refused(
            "the request leaves its endpoint".to_owned(),
        ));
    }
    looked_up(request.url, &names)
        .await
        .map_err(|lost| Failed::Refused(lost.why()))?;
    // A provider that is installed already is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        .user_agent("ai-infra")
        .dns_resolver(Arc::new(names))
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

/// Looks the endpoint's name up, once for all tries. Whoever granted the address may have it lead into their own
/// network; to the place where machines are told their credentials only an address leads that says so itself.
async fn looked_up(url: &str, names: &Names) -> Result<(), Lost> {
    let nowhere = |why: String| Lost::Nowhere(why);
    let url = Url::parse(url).map_err(|e| nowhere(format!("the address is none: {e}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let names = names.clone();
    let found = tokio::task::spawn_blocking(move || names.find(&host, port, Nearness::Host));
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(Ok(found)) => found.map(drop),
        Ok(Err(e)) => Err(nowhere(format!("the endpoint was not looked up: {e}"))),
        Err(_) => Err(nowhere(
            "nobody says in time where the endpoint is".to_owned(),
        )),
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
    let mut body = String::from_utf8_lossy(&bytes).into_owned();
    let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
    if truncated {
        body.push('…');
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn check(url: &str, to: &'static str, expected: bool) {
        let names = Names::with(String::new(), move |_| Ok(vec![to.parse().unwrap()]));
        let found = looked_up(url, &names).await;
        assert_eq!(found.is_ok(), expected, "{url} {to}: {found:?}");
    }

    #[tokio::test]
    async fn an_endpoint_lies_where_its_owner_says_but_at_no_credentials() {
        check("https://hooks.example/in", "192.0.2.1", true).await;
        check("http://hooks.example/in", "10.0.0.5", true).await;
        check("http://localhost:8080/in", "127.0.0.1", true).await;
        check("http://hooks.example/in", "169.254.169.254", false).await;
        check("http://hooks.example/in", "fd00:ec2::254", false).await;
        check("http://hooks.example/in", "::ffff:169.254.169.254", false).await;
        // Who wrote the address itself meant it.
        check("http://169.254.169.254/latest", "192.0.2.1", true).await;
    }
}
