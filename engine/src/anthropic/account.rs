//! Where requests go and what they are signed with, checked before anything is sent.

use crate::engine::EngineError;
use reqwest::Url;
use reqwest::header::HeaderValue;

/// The address of the Messages API under a base URL. Only http and https, without user name,
/// password, query or fragment.
pub fn endpoint(base_url: &str) -> Result<String, EngineError> {
    let wrong = |why: &str| EngineError::Settings(format!("engine.base_url {why}"));
    let url = Url::parse(base_url.trim()).map_err(|e| wrong(&format!("is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must not hold ? or #"));
    }
    Ok(format!(
        "{}/v1/messages",
        url.as_str().trim_end_matches('/')
    ))
}

/// The header that carries a key; marked so that it is not shown in debug output.
pub fn key_header(api_key: &str) -> Result<HeaderValue, EngineError> {
    let key = api_key.trim();
    if key.is_empty() {
        return Err(EngineError::Settings(
            "there is no API key: set one with `ai-infra secret set anthropic-api-key`".to_owned(),
        ));
    }
    let mut value = HeaderValue::from_str(key).map_err(|_| {
        EngineError::Settings(
            "the API key holds characters that no key has: set it again with `ai-infra secret set anthropic-api-key`"
                .to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_taken() {
        for (base, expected) in [
            (
                "https://api.anthropic.com",
                Some("https://api.anthropic.com/v1/messages"),
            ),
            (
                "http://127.0.0.1:4010/",
                Some("http://127.0.0.1:4010/v1/messages"),
            ),
            (
                "https://gate.example/claude/",
                Some("https://gate.example/claude/v1/messages"),
            ),
            ("ftp://x", None),
            ("file:///etc/passwd", None),
            ("api.anthropic.com", None),
            ("https://me:pw@x", None),
            ("https://x/?a=b", None),
            ("", None),
        ] {
            assert_eq!(endpoint(base).ok().as_deref(), expected, "{base}");
        }
    }

    #[test]
    fn only_keys_are_taken_as_keys() {
        let good = key_header(" sk-1 ").unwrap();
        assert_eq!((good.as_bytes(), good.is_sensitive()), (&b"sk-1"[..], true));
        for bad in ["", "  ", "a\nb", "a\u{7f}b"] {
            let error = key_header(bad).unwrap_err();
            assert!(matches!(error, EngineError::Settings(_)), "{bad:?}");
        }
    }
}
