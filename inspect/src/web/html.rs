//! What stands on a page: its title, its text as a person sees it, and what it fetches. No more of HTML is read than
//! that, and whatever a page holds is survived.

use std::sync::LazyLock;

use regex::Regex;

/// Something a page fetches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asset {
    /// `image`, `script`, `style`, `icon`, `media` or `frame`.
    pub kind: &'static str,
    /// Its address as it stands there.
    pub address: String,
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its title on one line.
    pub title: Option<String>,
    /// Its text, spaces put together.
    pub text: String,
    /// What it fetches, each once, in order.
    pub assets: Vec<Asset>,
    /// Where relative addresses begin, where it says so.
    pub base: Option<String>,
}

/// Longest title that is told, in characters.
const TITLE: usize = 200;

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"(?s)<!--.*?(?:-->|$)"));
static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"(?is)<(?:script|style|template)\b[^>]*>.*?(?:</(?:script|style|template)\s*>|$)")
});
static TITLED: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?is)<title\b[^>]*>(.*?)</title\s*>"));
static TAG: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r#"(?is)<([a-z][a-z0-9]*)\b((?:[^>"']|"[^"]*"|'[^']*')*)>"#));
static ANY_TAG: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r#"(?s)</?[a-zA-Z!](?:[^>"']|"[^"]*"|'[^']*')*>"#));
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r#"(?is)([a-z][a-z0-9-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#));
static ENTITY: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"));

/// Reads a page.
pub fn read(html: &str) -> Document {
    let mut found = Document::default();
    let (Some(comment), Some(hidden), Some(titled), Some(tag), Some(any)) = (
        COMMENT.as_ref(),
        HIDDEN.as_ref(),
        TITLED.as_ref(),
        TAG.as_ref(),
        ANY_TAG.as_ref(),
    ) else {
        return found;
    };
    let html = comment.replace_all(html, " ");
    let title = titled.captures(&html).and_then(|all| all.get(1));
    found.title = title
        .map(|title| spaced(&decoded(title.as_str())))
        .map(|title| title.chars().take(TITLE).collect())
        .filter(|title: &String| !title.is_empty());
    for one in tag.captures_iter(&html) {
        let name = one.get(1).map_or("", |m| m.as_str()).to_ascii_lowercase();
        let attributes = one.get(2).map_or("", |m| m.as_str());
        look(&name, attributes, &mut found);
    }
    let seen = hidden.replace_all(&html, " ");
    let seen = any.replace_all(&seen, " ");
    found.text = spaced(&decoded(&seen));
    found
}

fn look(name: &str, attributes: &str, found: &mut Document) {
    let value = |key: &str| {
        let all = ATTRIBUTE.as_ref()?.captures_iter(attributes);
        let mut named = all.filter(|one| {
            one.get(1)
                .is_some_and(|m| m.as_str().eq_ignore_ascii_case(key))
        });
        let one = named.next()?;
        let value = one.get(2).or(one.get(3)).or(one.get(4))?;
        Some(decoded(value.as_str().trim())).filter(|value| !value.is_empty())
    };
    let mut add = |kind: &'static str, address: Option<String>| {
        let address = address.filter(|to| {
            let scheme = to
                .split_once(':')
                .map(|(scheme, _)| scheme.to_ascii_lowercase());
            !to.starts_with('#')
                && scheme.is_none_or(|s| s == "http" || s == "https" || s.contains('/'))
        });
        let asset = address.map(|address| Asset { kind, address });
        if let Some(asset) = asset.filter(|asset| !found.assets.contains(asset)) {
            found.assets.push(asset);
        }
    };
    match name {
        "img" => {
            add("image", value("src"));
            // Of several sizes the first.
            let first = value("srcset").and_then(|all| {
                let one = all.split(',').next()?.split_whitespace().next()?;
                Some(one.to_owned())
            });
            add("image", first);
        }
        "script" => add("script", value("src")),
        "link" => {
            let rel = value("rel").unwrap_or_default().to_ascii_lowercase();
            let is = |word: &str| rel.split_whitespace().any(|one| one == word);
            if is("stylesheet") {
                add("style", value("href"));
            } else if is("icon") || is("manifest") || is("apple-touch-icon") {
                add("icon", value("href"));
            } else if is("modulepreload") {
                add("script", value("href"));
            }
        }
        "source" | "video" | "audio" | "track" | "embed" => add("media", value("src")),
        "iframe" => add("frame", value("src")),
        "base" if found.base.is_none() => found.base = value("href"),
        _ => {}
    }
}

/// Whether a text stands on a page, whatever its case and the spaces in it.
pub fn holds(document: &Document, text: &str) -> bool {
    let wanted = spaced(text).to_lowercase();
    let title = document.title.as_deref().unwrap_or_default().to_lowercase();
    document.text.to_lowercase().contains(&wanted) || title.contains(&wanted)
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn decoded(text: &str) -> String {
    let Some(entity) = ENTITY.as_ref() else {
        return text.to_owned();
    };
    let one = |all: &regex::Captures<'_>| {
        let whole = all.get(0).map_or("", |m| m.as_str());
        let name = all.get(1).map_or("", |m| m.as_str());
        let number = name.strip_prefix("#x").or(name.strip_prefix("#X"));
        let number = match number {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => name
                .strip_prefix('#')
                .and_then(|digits| digits.parse().ok()),
        };
        let character = number.and_then(char::from_u32).or(match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            "ndash" => Some('–'),
            "mdash" => Some('—'),
            "hellip" => Some('…'),
            "copy" => Some('©'),
            "auml" => Some('ä'),
            "ouml" => Some('ö'),
            "uuml" => Some('ü'),
            "szlig" => Some('ß'),
            "eacute" => Some('é'),
            _ => None,
        });
        character.map_or_else(|| whole.to_owned(), String::from)
    };
    entity.replace_all(text, one).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_is_read() {
        let page = "<!doctype html><html><head><title>\n The&nbsp;Shop &amp; more </title><base href='/x/'><!-- <img src='no.png'> -->\
            <link rel=\"shortcut icon\" href=f.ico><link rel=stylesheet href='s.css?a=1&amp;b=2'><link rel=canonical href=no>\
            <script src=a.js></script><script>var x = \"<p>Hidden words</p>\";</script></head>\
            <body><h1>Wel<b>come</b></h1> <p title='a > b'>to   all</p><img src=i.png srcset='j.png 2x, k.png 3x'><img src='data:image/png;base64,xx'>\
            <img src=i.png><iframe src='https://other/x'></iframe></body>";
        let read = read(page);
        assert_eq!(read.title.as_deref(), Some("The Shop & more"));
        assert_eq!(read.base.as_deref(), Some("/x/"));
        let told: Vec<String> = read
            .assets
            .iter()
            .map(|a| format!("{} {}", a.kind, a.address))
            .collect();
        assert_eq!(
            told,
            [
                "icon f.ico",
                "style s.css?a=1&b=2",
                "script a.js",
                "image i.png",
                "image j.png",
                "frame https://other/x"
            ]
        );
        for (text, expected) in [
            ("to all", true),
            ("TO  ALL", true),
            ("Hidden words", false),
            ("the shop & more", true),
            ("no.png", false),
        ] {
            assert_eq!(holds(&read, text), expected, "{text}: {}", read.text);
        }
    }

    proptest! {
        #[test]
        fn any_page_is_survived(page in "(?s)(<|>|<!--|-->|<script>|</script>|<title>|</title>|<img src=|<base href='|\"|'| |&#x;|&amp;|&#99999999;|é|.){0,120}") {
            let _ = holds(&read(&page), "a");
        }
    }
}
