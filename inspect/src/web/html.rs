//! What stands on a page: its title, its text as a person sees it, and what it fetches. No more of HTML is read than
//! that, and whatever a page holds is survived.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

/// Something a page fetches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What it fetches, each once, in order, the first thousand.
    pub assets: Vec<Asset>,
    /// Where relative addresses begin, where it says so.
    pub base: Option<String>,
}

/// Longest title that is told, in characters.
const TITLE: usize = 200;
/// Most things that a page fetches; those that follow are not looked at.
const ASSETS: usize = 1000;
/// Longest tag, in bytes.
const TAG_BYTES: usize = 1024 * 1024;
/// Most bytes of a page that are looked through for the end of tags that have none.
const IN_VAIN: usize = 16 * 1024 * 1024;

fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| regex(r"(?s)<!--.*?(?:-->|$)"));
static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    regex(r"(?is)<(?:script|style|template)\b[^>]*>.*?(?:</(?:script|style|template)\s*>|$)")
});
static TITLED: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"(?is)<title\b[^>]*>(.*?)</title\s*>"));
static ATTRIBUTE: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r#"(?is)([a-z][a-z0-9-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#));
static ENTITY: LazyLock<Option<Regex>> =
    LazyLock::new(|| regex(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});"));

/// Reads a page.
pub fn read(html: &str) -> Document {
    let mut found = Document::default();
    let (Some(comment), Some(hidden), Some(titled)) =
        (COMMENT.as_ref(), HIDDEN.as_ref(), TITLED.as_ref())
    else {
        return found;
    };
    let html = comment.replace_all(html, " ");
    let title = titled.captures(&html).and_then(|all| all.get(1));
    found.title = title
        .map(|title| spaced(&decoded(title.as_str())))
        .map(|title| title.chars().take(TITLE).collect())
        .filter(|title: &String| !title.is_empty());
    let mut seen = HashSet::new();
    for tag in Tags::of(&html).filter(|tag| !tag.closes) {
        look(
            &tag.name.to_ascii_lowercase(),
            tag.attributes,
            &mut found,
            &mut seen,
        );
    }
    let shown = hidden.replace_all(&html, " ");
    found.text = spaced(&decoded(&without_tags(&shown)));
    found
}

/// The text between tags, a space for each of them.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut at = 0;
    for tag in Tags::of(html) {
        text.push_str(html.get(at..tag.from).unwrap_or_default());
        text.push(' ');
        at = tag.to;
    }
    text.push_str(html.get(at..).unwrap_or_default());
    text
}

/// A tag on a page.
struct Tag<'a> {
    from: usize,
    to: usize,
    /// It ends something.
    closes: bool,
    name: &'a str,
    attributes: &'a str,
}

/// The tags of a page, each read once: what never ends is looked through so often and no more.
struct Tags<'a> {
    html: &'a str,
    at: usize,
    /// Bytes that may still be looked through in vain.
    patience: usize,
}

impl<'a> Tags<'a> {
    fn of(html: &'a str) -> Self {
        Tags {
            html,
            at: 0,
            patience: IN_VAIN,
        }
    }

    /// The tag that begins at a `<`; else how far it was looked for.
    fn tag(&self, from: usize) -> Result<Tag<'a>, usize> {
        let rest = self.html.get(from..).unwrap_or_default().as_bytes();
        let closes = rest.get(1) == Some(&b'/');
        let name = if closes { 2 } else { 1 };
        let letter = |b: &u8| b.is_ascii_alphabetic() || *b == b'!';
        if !rest.get(name).is_some_and(letter) {
            return Err(1);
        }
        let mut quote = None;
        let inner = rest.iter().take(TAG_BYTES).enumerate().skip(name);
        let end = inner
            .into_iter()
            .find_map(|(at, byte)| match (quote, *byte) {
                (None, b'>') => Some(at),
                (None, b'"' | b'\'') => {
                    quote = Some(*byte);
                    None
                }
                (Some(open), byte) if open == byte => {
                    quote = None;
                    None
                }
                _ => None,
            });
        let end = end.ok_or(rest.len().min(TAG_BYTES))?;
        let words = self.html.get(from + name..from + end).unwrap_or_default();
        let plain = |c: char| !c.is_ascii_alphanumeric() && c != '!';
        let (name, attributes) = words.split_at(words.find(plain).unwrap_or(words.len()));
        Ok(Tag {
            from,
            to: from + end + 1,
            closes,
            name,
            attributes,
        })
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let from = self.at + self.html.get(self.at..)?.find('<')?;
            match self.tag(from) {
                Ok(tag) => {
                    self.at = tag.to;
                    return Some(tag);
                }
                Err(looked) => {
                    self.patience = self.patience.checked_sub(looked)?;
                    self.at = from + 1;
                }
            }
        }
    }
}

/// Notes what a tag fetches, each thing once.
fn look(name: &str, attributes: &str, found: &mut Document, seen: &mut HashSet<Asset>) {
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
        if let Some(asset) = asset.filter(|_| found.assets.len() < ASSETS)
            && seen.insert(asset.clone())
        {
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

    #[test]
    fn a_page_made_to_be_slow_is_read_in_one_go() {
        // Whoever compares each with each, or looks through the rest for each, is at it for hours.
        let many: String = (0..20_000).map(|at| format!("<img src={at}>")).collect();
        let found = read(&many);
        assert_eq!(found.assets.len(), ASSETS);
        let open = "<a\"<b>\"".repeat(100_000);
        assert_eq!(read(&open).assets, []);
        let twice = "<img src=a>".repeat(20_000);
        assert_eq!(read(&twice).assets.len(), 1);
    }

    #[test]
    fn tags_end_where_they_end() {
        for (html, expected) in [
            ("a<b>c</b>d", &["b", "/b"][..]),
            ("<p title='a > b' x=\"'>\">", &["p"]),
            ("1 < 2 <br/>", &["br"]),
            ("<!doctype html><H1>", &["!doctype", "H1"]),
            ("<a 'open <i>", &["i"]),
            ("<a \"open <i>\" <b", &["i"]),
            ("<", &[]),
        ] {
            let got: Vec<String> = Tags::of(html)
                .map(|tag| format!("{}{}", if tag.closes { "/" } else { "" }, tag.name))
                .collect();
            assert_eq!(got, expected, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_survived(page in "(?s)(<|>|<!--|-->|<script>|</script>|<title>|</title>|<img src=|<base href='|\"|'| |&#x;|&amp;|&#99999999;|é|.){0,120}") {
            let _ = holds(&read(&page), "a");
        }
    }
}
