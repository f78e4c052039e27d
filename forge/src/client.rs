//! Requests to the API: one version, one token, answers of bounded size, all pages of a list.

use crate::error::{DOUBT, ForgeError, explained, said};
use crate::request::{Asked, Body, Got, next_page};
use crate::wait::{self, Answer, Next};
use config::error::quoted;
use config::secret::Secret;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LINK};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// The version of the API that is spoken.
pub const API_VERSION: &str = "2022-11-28";
/// GitHub's own.
pub const PUBLIC: &str = "https://api.github.com";
/// Longest wait for a connection, and for the next bytes of an answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));
/// Largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Most pages of a list.
const PAGES: usize = 50;
/// What stays as it is in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// How a wait is spent: asleep, or noted by a test.
type Pause = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// How far requests may be led from the address that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Led {
    /// Nowhere: an answer that names another place is told, and no proxy of the environment is used. For acts of a model,
    /// which reach what was granted and nothing else.
    Nowhere,
    /// Where answers lead, and by the proxies of the environment: files of a release lie elsewhere. For what people begin.
    AsUsual,
}

/// A way to GitHub.
#[derive(Clone)]
pub struct GitHub {
    http: Client,
    base: Url,
    token: Option<Secret>,
    pause: Pause,
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl GitHub {
    /// At an address, [`PUBLIC`] or an Enterprise's `https://host/api/v3`.
    ///
    /// # Errors
    /// When it is none, or a token would be sent in the clear.
    pub fn at(base: &str, token: Option<Secret>, led: Led) -> Result<Self, ForgeError> {
        let asleep: Pause = Arc::new(|wait| Box::pin(tokio::time::sleep(wait)));
        Self::with_pause(base, token, led, asleep)
    }

    /// The same, with waits spent otherwise: for tests, which note them.
    pub fn with_pause(
        base: &str,
        token: Option<Secret>,
        led: Led,
        pause: Pause,
    ) -> Result<Self, ForgeError> {
        let wrong = |why: &str| ForgeError::Refused {
            what: format!("the address {}", quoted(base)),
            why: why.to_owned(),
        };
        let mut url: Url = base.parse().map_err(|_| wrong("it is no URL"))?;
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err(wrong("it must be https://, so that nobody reads the token"));
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        // The first one that is installed counts, whoever that was.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = match led {
            Led::Nowhere => Client::builder().redirect(Policy::none()).no_proxy(),
            Led::AsUsual => Client::builder(),
        };
        let http = client
            .connect_timeout(PATIENCE.0)
            .read_timeout(PATIENCE.1)
            .user_agent(concat!("ai-infra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ForgeError::Broken(error.to_string()))?;
        Ok(Self {
            http,
            base: url,
            token,
            pause,
        })
    }

    /// The address of a path made of parts, each of them whatever it is.
    pub(crate) fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<Url, ForgeError> {
        let coded: Vec<String> = parts
            .iter()
            .map(|part| utf8_percent_encode(part, PLAIN).to_string())
            .collect();
        // `..` would be another path, coded or not.
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(ForgeError::Refused {
                what: quoted(&parts.join("/")),
                why: "a name in it is empty or only dots".to_owned(),
            });
        }
        let mut url = self
            .base
            .join(&coded.join("/"))
            .map_err(|error| ForgeError::Broken(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, ForgeError> {
        let got = self
            .ask(self.reading(what, self.url(parts, query)?))
            .await?;
        read(what, &got.body)
    }

    /// The same; `None` where it is not there, or the token does not see it.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        what: &str,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Option<T>, ForgeError> {
        match self.get(what, parts, query).await {
            Ok(found) => Ok(Some(found)),
            Err(ForgeError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All pages of a list, `most` things at most. `below` names the list in an answer that is not one.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        parts: &[&str],
        query: &[(&str, &str)],
        below: Option<&str>,
        most: usize,
    ) -> Result<Vec<T>, ForgeError> {
        let size = most.clamp(1, 100).to_string();
        let mut all_query = query.to_vec();
        all_query.push(("per_page", &size));
        let mut url = self.url(parts, &all_query)?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let got = self.ask(self.reading(what, url.clone())).await?;
            let mut page: serde_json::Value = read(what, &got.body)?;
            if let Some(below) = below {
                page = page
                    .get_mut(below)
                    .map(serde_json::Value::take)
                    .unwrap_or_default();
            }
            let page: Vec<T> = serde_json::from_value(page).map_err(|error| odd(what, &error))?;
            all.extend(page);
            let link = got.headers.get(LINK).and_then(|link| link.to_str().ok());
            let next = link
                .and_then(next_page)
                .and_then(|next| url.join(next).ok());
            match next.filter(|next| self.is_at(next) && *next != url) {
                Some(next) if all.len() < most => url = next,
                _ => break,
            }
        }
        all.truncate(most);
        Ok(all)
    }

    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        what: &str,
        parts: &[&str],
        body: &impl Serialize,
    ) -> Result<T, ForgeError> {
        let body = serde_json::to_vec(body).map_err(|error| odd(what, &error))?;
        let asked = Asked {
            method,
            body: Body::Json(body),
            ..self.reading(what, self.url(parts, &[])?)
        };
        let got = self.ask(asked).await?;
        // Some things are done without a word.
        let words = if got.body.is_empty() {
            b"null"
        } else {
            got.body.as_slice()
        };
        read(what, words)
    }

    /// Sends a file.
    pub(crate) async fn send_file<T: DeserializeOwned>(
        &self,
        what: &str,
        url: Url,
        file: &Path,
        bytes: u64,
    ) -> Result<T, ForgeError> {
        let asked = Asked {
            method: Method::POST,
            body: Body::File(file.to_owned(), bytes),
            ..self.reading(what, url)
        };
        read(what, &self.ask(asked).await?.body)
    }

    pub(crate) async fn remove(&self, what: &str, parts: &[&str]) -> Result<(), ForgeError> {
        let asked = Asked {
            method: Method::DELETE,
            ..self.reading(what, self.url(parts, &[])?)
        };
        self.ask(asked).await.map(|_| ())
    }

    /// Reads something large into a file.
    pub(crate) async fn fetch(
        &self,
        what: &str,
        parts: &[&str],
        to: &Path,
    ) -> Result<(), ForgeError> {
        let asked = Asked {
            accept: "application/octet-stream",
            to: Some(to),
            ..self.reading(what, self.url(parts, &[])?)
        };
        self.ask(asked).await.map(|_| ())
    }

    /// Whether an address is one of the API itself.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    fn reading<'a>(&self, what: &'a str, url: Url) -> Asked<'a> {
        Asked {
            method: Method::GET,
            url,
            what,
            body: Body::None,
            // GitHub's own type first; its description names only the plain one.
            accept: "application/vnd.github+json, application/json;q=0.9",
            to: None,
        }
    }

    /// Asks until there is an answer that counts.
    pub(crate) async fn ask(&self, asked: Asked<'_>) -> Result<Got, ForgeError> {
        let twice = asked.method != Method::POST;
        let mut waited = Duration::ZERO;
        let mut tried = 0;
        loop {
            tried += 1;
            let wait = match self.once(&asked).await {
                Ok((status, headers, body)) => {
                    let words = said(&body);
                    let answer = Answer {
                        status,
                        headers: &headers,
                        said: &words,
                    };
                    match wait::next(answer, tried, waited, twice, Timestamp::now()) {
                        Next::Take if (200..300).contains(&status) => {
                            return Ok(Got { headers, body });
                        }
                        Next::Take => {
                            let error = explained(
                                asked.what,
                                self.token.is_some(),
                                status,
                                &headers,
                                &body,
                            );
                            return Err(match (error, twice) {
                                (ForgeError::Broken(why), false) => ForgeError::Broken(format!(
                                    "{why}; {DOUBT}: look before it is tried again"
                                )),
                                (error, _) => error,
                            });
                        }
                        Next::Later(until) => return Err(ForgeError::Later { until }),
                        Next::Again(wait) => wait,
                    }
                }
                Err((why, begun)) => {
                    let again = (twice || !begun) && tried < wait::TRIES;
                    if !again {
                        let place = self.base.host_str().unwrap_or_default().to_owned();
                        let why = match begun && !twice {
                            true => format!("{why}; {DOUBT}: look before it is tried again"),
                            false => why,
                        };
                        return Err(ForgeError::Away { place, why });
                    }
                    wait::pause(tried)
                }
            };
            (self.pause)(wait).await;
            waited = waited.saturating_add(wait);
        }
    }

    /// One try; an error says why, and whether the request may have arrived.
    async fn once(&self, asked: &Asked<'_>) -> Result<(u16, HeaderMap, Vec<u8>), (String, bool)> {
        let mut request = self
            .http
            .request(asked.method.clone(), asked.url.clone())
            .header("x-github-api-version", API_VERSION)
            .header(ACCEPT, asked.accept);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let request = match asked.body.clone() {
            Body::None => request,
            Body::Json(body) => request.header(CONTENT_TYPE, "application/json").body(body),
            Body::File(path, bytes) => {
                let file = tokio::fs::File::open(&path).await;
                let file = file.map_err(|e| (format!("{}: {e}", path.display()), false))?;
                request
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .header(CONTENT_LENGTH, bytes)
                    .body(file)
            }
        };
        let why = |error: reqwest::Error| {
            let begun = !error.is_connect();
            let error = error.without_url();
            let mut why = error.to_string();
            // The causes say more than the first sentence.
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                why = format!("{why}: {next}");
                cause = next.source();
            }
            (quoted(&why), begun)
        };
        let mut answer = request.send().await.map_err(why)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if let (Some(to), 200..=299) = (asked.to, status) {
            let failed = |e: std::io::Error| (format!("{}: {e}", to.display()), true);
            let mut file = tokio::fs::File::create(to).await.map_err(failed)?;
            while let Some(bytes) = answer.chunk().await.map_err(why)? {
                file.write_all(&bytes).await.map_err(failed)?;
            }
            file.sync_all().await.map_err(failed)?;
            return Ok((status, headers, Vec::new()));
        }
        let mut body = Vec::new();
        while let Some(bytes) = answer.chunk().await.map_err(why)? {
            if body.len() + bytes.len() > ANSWER_BYTES {
                let why = format!("its answer is larger than {ANSWER_BYTES} bytes");
                return Err((why, true));
            }
            body.extend_from_slice(&bytes);
        }
        Ok((status, headers, body))
    }
}

fn odd(what: &str, error: &serde_json::Error) -> ForgeError {
    ForgeError::Broken(format!(
        "GitHub's answer to {what} is not what its description says: {}",
        quoted(&error.to_string())
    ))
}

fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, ForgeError> {
    serde_json::from_slice(body).map_err(|error| odd(what, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_not_sent_in_the_clear_and_names_stay_names() {
        for (base, good) in [
            ("https://api.github.com", true),
            ("https://git.example/api/v3/", true),
            ("http://127.0.0.1:4010", true),
            ("http://git.example/api/v3", false),
            ("ftp://x", false),
            ("git.example", false),
        ] {
            assert_eq!(GitHub::at(base, None, Led::Nowhere).is_ok(), good, "{base}");
        }
        let github = GitHub::at("https://git.example/api/v3", None, Led::Nowhere).unwrap();
        let url = github
            .url(&["repos", "o", "a/b c?#"], &[("ref", "x&y")])
            .unwrap();
        assert_eq!(
            url.as_str(),
            "https://git.example/api/v3/repos/o/a%2Fb%20c%3F%23?ref=x%26y"
        );
        assert!(github.url(&["repos", "..", "x"], &[]).is_err());
    }
}
