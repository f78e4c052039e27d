//! Redis addresses: checked for form, credentials taken out so that they are never shown.

/// What an address looks like, for a sentence that says `must be …`.
pub const EXPECTED: &str =
    "redis://host[:port][/db], rediss://host[:port][/db] or redis+unix:///path";

/// An address without credentials, and the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The address.
    pub url: String,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
}

/// Splits an address. The error never quotes the text: it may hold a password.
pub fn split(text: &str) -> Result<Parts, String> {
    split_checked(text).ok_or_else(|| format!("is not a Redis address: use {EXPECTED}"))
}

fn split_checked(text: &str) -> Option<Parts> {
    if text.len() > 4096 || text.chars().any(|c| c.is_control() || c == ' ') {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    if matches!(scheme, "redis+unix" | "unix") {
        return rest.starts_with('/').then(|| Parts {
            url: format!("redis+unix://{rest}"),
            username: None,
            password: None,
        });
    }
    if !matches!(scheme, "redis" | "rediss") {
        return None;
    }
    let (authority, tail) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    check_host(host)?;
    check_database(tail)?;
    let (username, password) = match credentials.map(|c| c.split_once(':').unwrap_or((c, ""))) {
        Some((user, password)) => (decoded(user)?, decoded(password)?),
        None => (None, None),
    };
    Some(Parts {
        url: format!("{scheme}://{host}{tail}"),
        username,
        password,
    })
}

fn check_host(host: &str) -> Option<()> {
    let name_and_port = match host.strip_prefix('[') {
        Some(v6) => {
            let (address, rest) = v6.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (
                address,
                rest.strip_prefix(':')
                    .or_else(|| rest.is_empty().then_some("6379"))?,
            )
        }
        None => host.split_once(':').unwrap_or((host, "6379")),
    };
    let (name, port) = name_and_port;
    let good = !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
    good.then_some(())
}

fn check_database(tail: &str) -> Option<()> {
    let number = tail.strip_prefix('/').unwrap_or(tail);
    (number.is_empty() || number.parse::<u16>().is_ok()).then_some(())
}

/// Percent-decoded; `None` inside for empty text.
fn decoded(text: &str) -> Option<Option<String>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    let text = String::from_utf8(bytes).ok()?;
    Some((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out() {
        for (text, expected) in [
            ("redis://localhost", Some(("redis://localhost", None, None))),
            (
                "redis://:p%40ss@h:1/2",
                Some(("redis://h:1/2", None, Some("p@ss"))),
            ),
            ("rediss://u:p@h", Some(("rediss://h", Some("u"), Some("p")))),
            ("redis://a@b@h", Some(("redis://h", Some("a@b"), None))),
            ("redis://[::1]:7", Some(("redis://[::1]:7", None, None))),
            ("unix:///x.sock", Some(("redis+unix:///x.sock", None, None))),
            (
                "redis+unix:///x.sock",
                Some(("redis+unix:///x.sock", None, None)),
            ),
            ("redis://", None),
            ("redis://h:0", None),
            ("redis://h:99999", None),
            ("redis://h/x", None),
            ("redis://h?x=1", None),
            ("redis://u:%zz@h", None),
            ("redis://u:%+1@h", None),
            ("redis+unix://x", None),
            ("http://h", None),
            ("h:6379", None),
            ("", None),
        ] {
            let parts = split(text).ok();
            let got = parts
                .as_ref()
                .map(|p| (p.url.as_str(), p.username.as_deref(), p.password.as_deref()));
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn the_error_hides_the_text() {
        let said = split("redis://:hidden@h:bad").err().unwrap_or_default();
        assert!(
            said.contains("not a Redis address") && !said.contains("hidden"),
            "{said}"
        );
    }
}
