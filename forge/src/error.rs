//! Why GitHub did not do what it was asked for, with the next step. It says what a token lacks in headers;
//! a thing that a token does not see is not there for it (404).

use config::error::quoted;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Why a request did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// No connection, or one that broke.
    #[error("{place} does not answer: {why}")]
    Away {
        /// The address of the API.
        place: String,
        /// What happened.
        why: String,
    },
    /// The token is wrong, or not allowed to do this.
    #[error("{0}")]
    Token(String),
    /// It is not there, or the token does not see it.
    #[error("{what}: it is not there, or the token does not see it: {next}")]
    Missing {
        /// Which.
        what: String,
        /// What to do.
        next: String,
    },
    /// Too many requests; the server wants a longer wait than is useful here.
    #[error(
        "GitHub lets nothing through until {until}: too many requests were made; try again then"
    )]
    Later {
        /// When it may be tried again.
        until: Timestamp,
    },
    /// It was changed by somebody else in between.
    #[error("{0}: somebody else changed it at the same time: look again")]
    Changed(String),
    /// It cannot be as asked.
    #[error("GitHub refused {what}: {why}")]
    Refused {
        /// What was asked for.
        what: String,
        /// What it said.
        why: String,
    },
    /// Something else, that GitHub did not do; or it cannot be known whether it did.
    #[error("{0}")]
    Broken(String),
}

impl ForgeError {
    /// Whether it may have been done all the same.
    pub fn in_doubt(&self) -> bool {
        match self {
            ForgeError::Away { why, .. } | ForgeError::Broken(why) => why.contains(DOUBT),
            _ => false,
        }
    }

    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            ForgeError::Away { .. } | ForgeError::Later { .. } | ForgeError::Broken(_) => {
                protocol::exit::SERVICE
            }
            ForgeError::Changed(_) => protocol::exit::REFUSED,
            ForgeError::Token(_) | ForgeError::Missing { .. } | ForgeError::Refused { .. } => {
                protocol::exit::USAGE
            }
        }
    }
}

/// What is said of a change that may have been made.
pub const DOUBT: &str = "whether it was done cannot be known";

/// How the token is changed.
const SET: &str = "ai-infra secret set github-pat";

/// What an answer means that is neither good nor worth a wait.
pub fn explained(
    what: &str,
    has_token: bool,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> ForgeError {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.filter(|value| !value.is_empty()).map(quoted)
    };
    let said = said(body);
    match status {
        401 if has_token => ForgeError::Token(format!(
            "GitHub does not know the token (wrong, expired or withdrawn): make a new one and {SET} ({said})"
        )),
        401 => ForgeError::Token(format!("{what} needs a token: {SET}")),
        403 => ForgeError::Token(match (header("x-github-sso"), needs(headers)) {
            (Some(_), _) => format!(
                "the token is not authorised for the organisation's single sign-on: do that in GitHub's settings of the token ({said})"
            ),
            (None, Some(needs)) => format!(
                "the token may not do {what}: it needs {needs}; change it in GitHub's settings, or {SET} ({said})"
            ),
            (None, None) => format!("GitHub does not allow {what}: {said}"),
        }),
        404 | 410 => ForgeError::Missing {
            what: what.to_owned(),
            next: match (has_token, needs(headers)) {
                (true, Some(needs)) => format!("a token needs {needs} to see it"),
                (true, None) => {
                    "check its name, and which repositories the token is for".to_owned()
                }
                (false, _) => format!("what is private needs a token: {SET}"),
            },
        },
        301 | 302 | 303 | 307 | 308 => ForgeError::Refused {
            what: what.to_owned(),
            why: match header("location") {
                Some(to) => format!(
                    "it has moved to {to}, which is not followed: name it by where it is now, where that is meant"
                ),
                None => "it has moved, and is not said where".to_owned(),
            },
        },
        409 => ForgeError::Changed(format!("{what} ({said})")),
        300..=499 => ForgeError::Refused {
            what: what.to_owned(),
            why: said,
        },
        _ => ForgeError::Broken(format!("GitHub did not do {what}: {status} ({said})")),
    }
}

/// The permissions that a request needs, as GitHub says them: of fine-grained tokens, else scopes of
/// classic ones.
fn needs(headers: &HeaderMap) -> Option<String> {
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| quoted(value))
    };
    if let Some(permissions) = header("x-accepted-github-permissions") {
        // `contents=write; metadata=read,issues=read`: `;` is "or", `,` is "and".
        let ways: Vec<String> = permissions
            .split(';')
            .map(|way| {
                let parts: Vec<String> = way
                    .split(',')
                    .map(|p| p.trim().replace('=', ": "))
                    .collect();
                parts.join(" and ")
            })
            .collect();
        return Some(format!("the permission {}", ways.join(", or ")));
    }
    let accepted = header("x-accepted-oauth-scopes")?;
    let has = header("x-oauth-scopes").unwrap_or_else(|| "none".to_owned());
    Some(format!("one of the scopes {accepted} (it has: {has})"))
}

/// What an answer says, in one line.
pub fn said(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        let line = text.lines().find(|line| !line.trim().is_empty());
        return quoted(line.unwrap_or("it said nothing"));
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut parts: Vec<String> = text(&value, "message").into_iter().collect();
    for error in value
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let message = error
            .as_str()
            .map(str::to_owned)
            .or_else(|| text(error, "message"));
        let part = message.or_else(|| {
            let (field, code) = (text(error, "field")?, text(error, "code")?);
            Some(format!("{field}: {}", code.replace('_', " ")))
        });
        parts.extend(part);
    }
    match parts.is_empty() {
        true => "it said nothing".to_owned(),
        false => quoted(&parts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn check(status: u16, headers: &[(&'static str, &'static str)], body: &str, expected: &str) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let error = explained("reading o/r", true, status, &headers, body.as_bytes());
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains('\x1b'));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        check(
            401,
            &[],
            r#"{"message":"Bad credentials"}"#,
            "wrong, expired or withdrawn",
        );
        check(
            403,
            &[(
                "x-accepted-github-permissions",
                "contents=write; contents=write,workflows=write",
            )],
            r#"{"message":"Resource not accessible by personal access token"}"#,
            "it needs the permission contents: write, or contents: write and workflows: write; change it",
        );
        check(
            403,
            &[
                ("x-accepted-oauth-scopes", "repo"),
                ("x-oauth-scopes", "gist"),
            ],
            "{}",
            "one of the scopes repo (it has: gist)",
        );
        check(
            403,
            &[("x-github-sso", "required; url=https://x")],
            "{}",
            "single sign-on",
        );
        check(
            404,
            &[],
            "{}",
            "it is not there, or the token does not see it: check its name",
        );
        check(
            307,
            &[("location", "https://api.github.com/repositories/7/pulls")],
            "{}",
            "GitHub refused reading o/r: it has moved to https://api.github.com/repositories/7/pulls, which is not followed",
        );
        check(301, &[], "{}", "it has moved, and is not said where");
        check(
            409,
            &[],
            r#"{"message":"is at 1 but expected 2"}"#,
            "look again",
        );
        check(
            422,
            &[],
            r#"{"message":"Validation Failed","errors":[{"resource":"Release","code":"already_exists","field":"tag_name"},"plain"]}"#,
            "Validation Failed; tag_name: already exists; plain",
        );
        check(500, &[], "<html>\u{1b}[31moops", "500");
        check(500, &[], "", "it said nothing");
    }
}
