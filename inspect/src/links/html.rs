//! HTML: where `href` and `src` lead, and the anchors of `id` and `name`. Read tag by tag; comments,
//! scripts and styles are passed over.

use std::sync::LazyLock;

use regex::Regex;

use super::{Document, Lines, Link, To};

type Pattern = LazyLock<Option<Regex>>;

static HIDDEN: Pattern = LazyLock::new(|| {
    Regex::new(r"(?is)<!--.*?(?:-->|\z)|<script\b[^>]*>.*?</script>|<style\b[^>]*>.*?</style>").ok()
});
static TAG: Pattern = LazyLock::new(|| {
    Regex::new(r#"(?is)<([a-z][a-z0-9-]*)((?:\s+[^<>"']*(?:"[^"]*"|'[^']*')?)*)\s*/?>"#).ok()
});
static ATTRIBUTE: Pattern = LazyLock::new(|| {
    Regex::new(r#"(?is)(?:^|\s)(href|src|id|name)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).ok()
});

/// Tags whose addresses a reader follows or a browser loads.
const LEADING: [&str; 11] = [
    "a", "img", "link", "script", "iframe", "source", "video", "audio", "area", "embed", "track",
];

/// Reads a document or a piece of one.
pub(super) fn read(text: &str) -> Document {
    let lines = Lines::of(text);
    let mut found = Document::default();
    let (Some(hidden), Some(tag), Some(attribute)) =
        (HIDDEN.as_ref(), TAG.as_ref(), ATTRIBUTE.as_ref())
    else {
        return found;
    };
    // What is hidden becomes spaces of the same length, so that places stay where they are. The
    // opening tag of a script may lead somewhere and stays.
    let blank = |whole: &regex::Captures<'_>| {
        let whole = whole.get(0).map_or("", |m| m.as_str());
        let kept = match whole.starts_with("<!--") {
            true => 0,
            false => whole.find('>').map_or(0, |at| at + 1),
        };
        let (open, rest) = whole.split_at(kept);
        let rest: String = rest
            .bytes()
            .map(|b| if b == b'\n' { '\n' } else { ' ' })
            .collect();
        format!("{open}{rest}")
    };
    let plain = hidden.replace_all(text, blank);
    let mut moved = false;
    for whole in tag.captures_iter(&plain) {
        let name = whole.get(1).map_or("", |m| m.as_str()).to_ascii_lowercase();
        let Some(attributes) = whole.get(2) else {
            continue;
        };
        for one in attribute.captures_iter(attributes.as_str()) {
            let value = one.get(2).or(one.get(3)).map_or("", |m| m.as_str());
            let value = decoded(value.trim());
            let key = one.get(1).map_or("", |m| m.as_str()).to_ascii_lowercase();
            let leads = key == "href" || key == "src";
            if leads && name == "base" {
                moved = true;
            } else if leads && LEADING.contains(&name.as_str()) && !value.is_empty() {
                found.links.push(Link {
                    line: lines.at(whole.get(0).map_or(0, |m| m.start())),
                    to: To::Target(value),
                });
            } else if !leads && !value.is_empty() && (key == "id" || name == "a") {
                found.anchors.insert(value.to_lowercase());
            }
        }
    }
    if moved {
        // Relative addresses mean another place then.
        found
            .links
            .retain(|l| matches!(&l.to, To::Target(t) if t.contains("://")));
    }
    found
}

fn decoded(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_read() {
        let text = "<!-- <a href='no'> -->\n<a class=x href=\"a.html#b\" id='Top'>a</a>\n<script src=\"s.js\">var x = '<a href=\"no\">';</script>\n\
                    <img alt='a > b' src='i.png'/><form name='f'><div data-href=\"no\" id=\"d\">x < y</div>";
        let read = read(text);
        let told: Vec<_> = read.links.iter().map(|l| (l.line, l.to.clone())).collect();
        let to = |t: &str| To::Target(t.to_owned());
        assert_eq!(
            told,
            [(2, to("a.html#b")), (3, to("s.js")), (4, to("i.png"))]
        );
        assert_eq!(read.anchors.into_iter().collect::<Vec<_>>(), ["d", "top"]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(<|>|<!--|-->|<script>|</script>|\"|'| href=| id=|\n|é|.){0,160}") {
            let lines = text.matches('\n').count() as u64 + 1;
            for link in read(&text).links {
                prop_assert!(link.line >= 1 && link.line <= lines);
            }
        }
    }
}
