//! The HTTP side of Claude's Messages API: sends the body, feeds what arrives to the fold, tries
//! again within the reservation. The client, and TLS with it, is made at the first call, so that
//! an agent that waits for work holds neither.

use super::account::{endpoint, key_header};
use super::stream::Assembly;
use super::{failure, request, retry};
use crate::check;
use crate::conversation::{ModelReply, ModelRequest};
use crate::engine::EngineError;
use bus::budget::Reservation;
use protocol::money::MicroUsd;
use protocol::prices::Prices;
use protocol::report::Usage;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::timeout;

/// Version of the API this crate speaks.
const API_VERSION: &str = "2023-06-01";
/// Largest error body that is read, in bytes.
const ERROR_BYTES: usize = 64 * 1024;
/// How long the end of a finished stream is waited for, so that its connection can be kept.
const GOODBYE: Duration = Duration::from_millis(200);

/// How long things may take. There is no overall limit: a long reply is a living one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// To connect.
    pub connect: Duration,
    /// Between two events of a stream, and until its first.
    pub idle: Duration,
    /// Before the first retry; it doubles with every further one.
    pub first_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            first_pause: Duration::from_millis(500),
        }
    }
}

/// Claude, or a server that speaks like it.
pub struct Anthropic {
    url: String,
    key: HeaderValue,
    prices: Prices,
    patience: Patience,
    client: OnceLock<Client>,
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic")
            .field("url", &self.url)
            .field("key", &"***")
            .finish_non_exhaustive()
    }
}

impl Anthropic {
    /// An engine for `{base_url}/v1/messages`. Nothing is connected or loaded yet.
    pub fn new(base_url: &str, api_key: &str, prices: Prices) -> Result<Self, EngineError> {
        Self::with_patience(base_url, api_key, prices, Patience::default())
    }

    /// The same with other time limits.
    pub fn with_patience(
        base_url: &str,
        api_key: &str,
        prices: Prices,
        patience: Patience,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            url: endpoint(base_url)?,
            key: key_header(api_key)?,
            prices,
            patience,
            client: OnceLock::new(),
        })
    }

    /// The most one attempt should cost at the model's price.
    pub fn estimate(&self, request: &ModelRequest) -> MicroUsd {
        request::estimate(request, &self.prices.of(&request.model))
    }

    /// Asks, and asks again where that may help. Attempts that were paid and failed are part of
    /// the reply's usage; all of them together stay within the reservation, for which a later
    /// attempt may get fewer output tokens.
    pub async fn reply(
        &self,
        request: &ModelRequest,
        reservation: &Reservation,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ModelReply, EngineError> {
        check::check(request)?;
        let (needed, held) = (self.estimate(request), reservation.amount());
        if needed > held {
            return Err(EngineError::Reservation { needed, held });
        }
        let price = self.prices.of(&request.model);
        let mut spent = Usage::default();
        let mut max_tokens = request.max_tokens;
        let mut failed = 0;
        loop {
            let failure = match self.attempt(request, max_tokens, on_text).await {
                Ok(mut reply) => {
                    reply.usage.add(&spent);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            spent.add(&failure.seen);
            failed += 1;
            let wait = retry::pause(failed, &failure.error, self.patience.first_pause, jitter());
            let left = request::affordable(request, &price, held, spent.cost);
            let (Some(wait), Some(left)) = (wait, left) else {
                return Err(with_spent(failure.error, spent));
            };
            tracing::warn!(error = %failure.error, failed, ?wait, "model call failed, trying again");
            max_tokens = left;
            tokio::time::sleep(wait).await;
        }
    }

    /// One attempt, with what it used when it failed.
    async fn attempt(
        &self,
        request: &ModelRequest,
        max_tokens: u32,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ModelReply, Failure> {
        let mut assembly = Assembly::default();
        let body = request::body(request, max_tokens);
        let read = self.read(&body, &mut assembly, on_text).await;
        let seen = assembly
            .seen()
            .map(|(model, usage)| self.priced(model, usage));
        let whole = read.and_then(|()| assembly.finish().map_err(failure::from_stream));
        match (whole, seen) {
            (Ok(whole), _) => {
                let usage = self.priced(&whole.model, whole.usage);
                Ok(ModelReply::new(
                    whole.content,
                    whole.stop,
                    usage,
                    whole.model,
                ))
            }
            (Err(EngineError::Unreachable(reason)), Some(seen)) => Err(Failure {
                error: EngineError::CutOff {
                    reason,
                    spent: Box::default(),
                },
                seen,
            }),
            (Err(error), seen) => Err(Failure {
                error,
                seen: seen.unwrap_or_default(),
            }),
        }
    }

    fn priced(&self, model: &str, mut usage: Usage) -> Usage {
        let price = self.prices.of(model);
        usage.cost = price.cost(&usage);
        usage.saved_micro_usd = price.saved(&usage);
        usage
    }

    /// Reads until the message has ended, the stream has, or something failed.
    async fn read(
        &self,
        body: &Value,
        assembly: &mut Assembly,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), EngineError> {
        let mut response = self.send(body).await?;
        while let Some(bytes) = self.wait(response.chunk()).await? {
            for text in assembly.push(&bytes).map_err(failure::from_stream)? {
                on_text(&text);
            }
            if assembly.is_done() {
                let _ = timeout(GOODBYE, response.chunk()).await;
                break;
            }
        }
        Ok(())
    }

    async fn send(&self, body: &Value) -> Result<Response, EngineError> {
        let bytes = body.to_string().into_bytes();
        if bytes.len() > request::BODY_BYTES {
            return Err(EngineError::TooLarge(format!(
                "the conversation is {} bytes, more than the {} the API takes",
                bytes.len(),
                request::BODY_BYTES
            )));
        }
        let call = self
            .client()?
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("x-api-key", self.key.clone())
            .header("anthropic-version", API_VERSION)
            .body(bytes);
        let response = self.wait(call.send()).await?;
        match response.status().as_u16() {
            200 => Ok(response),
            status => Err(self.refusal(status, response).await),
        }
    }

    /// Waits for the network, but not in silence for longer than `patience.idle`.
    async fn wait<T>(
        &self,
        what: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, EngineError> {
        match timeout(self.patience.idle, what).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(EngineError::Unreachable(self.masked(&cause(error)))),
            Err(_) => Err(EngineError::Unreachable(format!(
                "nothing came for {} s",
                self.patience.idle.as_secs()
            ))),
        }
    }

    async fn refusal(&self, status: u16, mut response: Response) -> EngineError {
        let after = failure::retry_after(header(response.headers()));
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES {
            match self.wait(response.chunk()).await {
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                _ => break,
            }
        }
        body.truncate(ERROR_BYTES);
        let said = self.masked(&String::from_utf8_lossy(&body));
        failure::from_status(status, after, said.as_bytes())
    }

    /// A server may quote what it was sent; the key is never passed on.
    fn masked(&self, text: &str) -> String {
        match self.key.to_str() {
            Ok(key) => text.replace(key, "***"),
            Err(_) => text.to_owned(),
        }
    }

    fn client(&self) -> Result<&Client, EngineError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = new_client(self.patience.connect)?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// A client that follows nothing and goes through no proxy.
pub(super) fn new_client(connect: Duration) -> Result<Client, EngineError> {
    // An error means that the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("ai-infra/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| EngineError::Settings(format!("no HTTP client: {}", cause(e))))
}

/// A failed attempt.
struct Failure {
    error: EngineError,
    /// What it used, as far as is known; all zero when it was not paid.
    seen: Usage,
}

fn with_spent(error: EngineError, spent: Usage) -> EngineError {
    match error {
        EngineError::CutOff { reason, .. } => EngineError::CutOff {
            reason,
            spent: Box::new(spent),
        },
        error if spent.cost > MicroUsd(0) => EngineError::CutOff {
            reason: error.to_string(),
            spent: Box::new(spent),
        },
        error => error,
    }
}

/// Any number; callers that failed at the same moment get different ones.
fn jitter() -> u8 {
    uuid::Uuid::now_v7().as_bytes()[15]
}

fn header(headers: &HeaderMap) -> Option<&str> {
    headers.get(RETRY_AFTER)?.to_str().ok()
}

/// What went wrong, in the words of the innermost cause: what lies around it only says that a request was
/// being sent. Without the address.
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut texts = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        texts.push(next.to_string());
        cause = next.source();
    }
    failure::clean(&innermost(&texts))
}

fn innermost(texts: &[String]) -> String {
    let last = texts.last().cloned().unwrap_or_default();
    if texts.iter().any(|text| text.starts_with("dns error")) {
        return "its name is not known here: is there a network?".to_owned();
    }
    last
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_error_says_its_innermost_cause() {
        for (texts, said) in [
            (
                &[
                    "error sending request",
                    "client error (Connect)",
                    "Connection refused (os error 111)",
                ][..],
                "Connection refused (os error 111)",
            ),
            (
                &[
                    "error sending request",
                    "dns error",
                    "Name or service not known",
                ],
                "its name is not known here: is there a network?",
            ),
            (&["operation timed out"], "operation timed out"),
        ] {
            let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(innermost(&texts), said);
        }
    }

    #[test]
    fn the_key_is_never_shown_and_nothing_is_loaded_early() {
        let engine = Anthropic::new("http://x", " sk-secret ", Prices::default()).unwrap();
        assert!(!format!("{engine:?}").contains("sk-secret"));
        assert_eq!(engine.masked("you sent sk-secret"), "you sent ***");
        assert!(engine.client.get().is_none());
    }
}
