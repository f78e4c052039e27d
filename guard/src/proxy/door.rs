//! A registry that the proxy shows a token: where a question to it leads, what it is shown, and what of its answers is told
//! anew. Pure.

use super::asked::Asked;
use super::fetched::fetched;
use super::shapes::shapes;
use crate::outside::{Credential, below};
use crate::sandbox::spec::PROXY_PORT;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::registry::RegistryKind;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that programs of a task may fetch from in this way, by name.
pub type Doors = BTreeMap<String, Door>;

/// Largest description of a registry of cargo that is read: it has a hundred bytes, and read it takes many times its own.
const CONFIG_BYTES: usize = 1024 * 1024;

/// One registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Its base address.
    pub url: String,
    /// Whose clients fetch from it.
    pub kind: RegistryKind,
    /// Shown to it and to nobody else.
    pub token: Credential,
    /// Who the token belongs to, where that is not the usual name.
    pub user: Option<String>,
    /// Where the index lies below the address, where that is not the usual place.
    pub index: Option<String>,
    /// The scope of npm whose packages come from it.
    pub scope: Option<String>,
    /// Certificates that vouch for it besides those the system knows, as PEM.
    pub authority: Option<String>,
}

impl Door {
    /// The base with a slash at its end. An index of Python is often named itself: what belongs to it lies beside it.
    pub fn base(&self) -> String {
        let url = self.url.trim_end_matches('/');
        let url = match (self.kind, &self.index) {
            (RegistryKind::Pip, None) => url.strip_suffix("/simple").unwrap_or(url),
            _ => url,
        };
        format!("{url}/")
    }

    /// Where its index lies below the base: empty, or with a slash at its end.
    pub fn index(&self) -> String {
        let index = match (&self.index, self.kind) {
            (Some(index), _) => index.trim_matches('/'),
            (None, RegistryKind::Pip) => "simple",
            (None, _) => "",
        };
        match index {
            "" => String::new(),
            index => format!("{index}/"),
        }
    }

    /// Where a question leads.
    ///
    /// # Errors
    /// A sentence: it must not be asked.
    pub fn target(&self, asked: &Asked) -> Result<Url, String> {
        fetched(self.kind, asked)?;
        let base = self.base();
        let mut address = format!("{base}{}", asked.path);
        if let Some(query) = &asked.query {
            address = format!("{address}?{query}");
        }
        let url = Url::parse(&address).map_err(|e| format!("the address is none: {e}"))?;
        match below(url.as_str(), &base) && !url.path().contains("/../") {
            true => Ok(url),
            false => Err("the address leads out of the registry".to_owned()),
        }
    }

    /// The header that lets in.
    pub fn authorization(&self) -> String {
        let token = self.token.reveal();
        match (&self.user, self.kind) {
            (None, RegistryKind::Npm) => format!("Bearer {token}"),
            // Cargo sends a token as it is.
            (None, RegistryKind::Cargo) => token.to_owned(),
            _ => format!("Basic {}", self.basic()),
        }
    }

    fn basic(&self) -> String {
        let usual = match self.kind {
            RegistryKind::Pip => "__token__",
            _ => "x-access-token",
        };
        let user = self.user.as_deref().unwrap_or(usual);
        STANDARD.encode(format!("{user}:{}", self.token.reveal()))
    }

    /// The shapes in which the token could come back.
    pub fn secrets(&self) -> Vec<String> {
        let token = self.token.reveal();
        // What cargo is told to send may hold a scheme: the token is what stands behind it.
        let bare = token.rsplit(' ').next().unwrap_or(token);
        shapes(bare, self.basic())
    }

    /// What of an answer's text names the registry itself, told as programs reach it; `None` where that has more than
    /// `most` bytes, which is known before it is written.
    pub fn told_anew(&self, name: &str, path: &str, text: Vec<u8>, most: usize) -> Option<Vec<u8>> {
        let base = self.base();
        let local = local(name);
        let mut text = match self.kind {
            RegistryKind::Cargo
                if path == format!("{}config.json", self.index()) && text.len() <= CONFIG_BYTES =>
            {
                without_demand(text)
            }
            _ => text,
        };
        let mut names = vec![(base.clone(), local.clone())];
        // Servers behind something that speaks TLS for them often do not know that they are.
        if let Some(rest) = base.strip_prefix("https://") {
            names.push((format!("http://{rest}"), local.clone()));
        }
        if self.kind == RegistryKind::Pip
            && let Ok(url) = Url::parse(&base)
        {
            for quote in ['"', '\''] {
                let from = format!("href={quote}{}", url.path());
                names.push((from, format!("href={quote}{local}")));
            }
        }
        for (from, to) in names {
            text = replaced(text, from.as_bytes(), to.as_bytes(), most)?;
        }
        Some(text)
    }
}

/// Where programs find it, with a slash at its end.
pub fn local(name: &str) -> String {
    format!("http://127.0.0.1:{PROXY_PORT}/{name}/")
}

/// Cargo's description of a registry without the word that it wants a token: the proxy has it.
fn without_demand(text: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice(&text) {
        Ok(Value::Object(mut map)) => {
            map.shift_remove("auth-required");
            Value::Object(map).to_string().into_bytes()
        }
        _ => text,
    }
}

/// `text` with every `from` as `to`; `None` where that has more than `most` bytes.
pub(super) fn replaced(text: Vec<u8>, from: &[u8], to: &[u8], most: usize) -> Option<Vec<u8>> {
    // Counted first: a list of places could be as large as the text.
    let first = next_of(&text, from, 0);
    let count = std::iter::successors(first, |at| next_of(&text, from, at + from.len())).count();
    let length = text.len() + count * to.len() - count * from.len();
    if length > most {
        return None;
    }
    if count == 0 {
        return Some(text);
    }
    let mut all = Vec::with_capacity(length);
    let mut at = 0;
    while let Some(next) = next_of(&text, from, at) {
        all.extend_from_slice(text.get(at..next).unwrap_or_default());
        all.extend_from_slice(to);
        at = next + from.len();
    }
    all.extend_from_slice(text.get(at..).unwrap_or_default());
    Some(all)
}

/// Where the next `what` begins, from a place on.
fn next_of(text: &[u8], what: &[u8], at: usize) -> Option<usize> {
    if what.is_empty() {
        return None;
    }
    let mut all = text.get(at..)?.windows(what.len());
    all.position(|part| part == what).map(|found| at + found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::proxy::asked::read;

    fn door(url: &str, kind: RegistryKind) -> Door {
        Door {
            url: url.to_owned(),
            kind,
            token: Credential::new("s3cret+t"),
            user: None,
            index: None,
            scope: None,
            authority: None,
        }
    }

    fn ask(method: &str, target: &str) -> Asked {
        let body = match method {
            "POST" => "Content-Length: 4\r\n",
            _ => "",
        };
        read(format!("{method} {target} HTTP/1.1\r\nHost: localhost:3128\r\n{body}\r\n").as_bytes())
            .unwrap()
    }

    #[test]
    fn questions_lead_below_the_base() {
        use RegistryKind::{Cargo, Git, Npm, Pip};
        for (url, kind, method, target, expected) in [
            (
                "https://h/p/simple",
                Pip,
                "GET",
                "/c/simple/six/",
                Some("https://h/p/simple/six/"),
            ),
            (
                "https://h/p",
                Pip,
                "GET",
                "/c/packages/a.whl",
                Some("https://h/p/packages/a.whl"),
            ),
            (
                "https://h",
                Npm,
                "GET",
                "/c/@a%2fb",
                Some("https://h/@a%2fb"),
            ),
            (
                "https://h:8/i",
                Cargo,
                "HEAD",
                "/c/config.json",
                Some("https://h:8/i/config.json"),
            ),
            (
                "https://h/g",
                Git,
                "POST",
                "/c/x.git/git-upload-pack",
                Some("https://h/g/x.git/git-upload-pack"),
            ),
            (
                "https://h/g",
                Git,
                "POST",
                "/c/x.git/git-upload-pack?a",
                None,
            ),
            (
                "https://h/g",
                Git,
                "POST",
                "/c/x.git/git-receive-pack",
                None,
            ),
            (
                "https://h/g",
                Git,
                "GET",
                "/c/x.git/info/refs?service=git-receive-pack",
                None,
            ),
            ("https://h/g", Git, "POST", "/c/x.git/other", None),
            (
                "https://h",
                Npm,
                "POST",
                "/c/-/npm/v1/security/advisories/bulk",
                None,
            ),
            ("https://h", Npm, "POST", "/c/x/git-upload-pack", None),
        ] {
            let got = door(url, kind).target(&ask(method, target)).ok();
            assert_eq!(got.as_ref().map(Url::as_str), expected, "{method} {target}");
        }
    }

    #[test]
    fn each_kind_is_shown_the_token_in_its_way() {
        use RegistryKind::{Cargo, Git, Npm, Pip};
        for (kind, expected) in [
            (Pip, "Basic X190b2tlbl9fOnMzY3JldCt0"),
            (Npm, "Bearer s3cret+t"),
            (Cargo, "s3cret+t"),
            (Git, "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0K3Q="),
        ] {
            let mut door = door("https://h", kind);
            assert_eq!(door.authorization(), expected);
            door.user = Some("me".to_owned());
            assert_eq!(door.authorization(), "Basic bWU6czNjcmV0K3Q=");
            for shape in ["s3cret+t", "s3cret%2Bt", "bWU6czNjcmV0K3Q="] {
                assert!(door.secrets().contains(&shape.to_owned()), "{shape}");
            }
        }
    }

    #[track_caller]
    fn anew(door: &Door, path: &str, text: &str, expected: &str) {
        let got = door.told_anew("c", path, text.into(), 1000);
        assert_eq!(String::from_utf8_lossy(&got.unwrap()), expected);
    }

    #[test]
    fn what_names_the_registry_names_the_proxy() {
        let pip = door("https://h/p/simple", RegistryKind::Pip);
        anew(
            &pip,
            "simple/six/",
            "<a href=\"https://h/p/f/six.whl#sha256=1\"><a href='/p/f/b'><a href=\"../../f/c\"><a href=\"https://other/f/d\">",
            "<a href=\"http://127.0.0.1:3128/c/f/six.whl#sha256=1\"><a href='http://127.0.0.1:3128/c/f/b'><a href=\"../../f/c\"><a href=\"https://other/f/d\">",
        );
        let npm = door("https://h", RegistryKind::Npm);
        anew(
            &npm,
            "cart",
            r#"{"tarball":"http://h/cart/-/cart-1.tgz"}"#,
            r#"{"tarball":"http://127.0.0.1:3128/c/cart/-/cart-1.tgz"}"#,
        );
        let cargo = door("https://h/i", RegistryKind::Cargo);
        anew(
            &cargo,
            "config.json",
            r#"{"dl":"https://h/i/dl","auth-required":true}"#,
            r#"{"dl":"http://127.0.0.1:3128/c/dl"}"#,
        );
        anew(
            &cargo,
            "ab/cd/abcd",
            r#"{"auth-required":true}"#,
            r#"{"auth-required":true}"#,
        );
    }

    #[test]
    fn what_would_grow_too_large_is_not_written() {
        let npm = door("http://h", RegistryKind::Npm);
        let text = b"http://h/ ".repeat(10);
        let grown = local("c").len() * 10 + 10;
        for (most, expected) in [(grown, Some(grown)), (grown - 1, None)] {
            let got = npm.told_anew("c", "cart", text.clone(), most);
            assert_eq!(got.map(|got| got.len()), expected);
        }
    }
}
