//! Markdown, as GitHub reads it: links, images, references, the anchors of headings, and HTML in
//! between.

use std::collections::{BTreeSet, HashMap};

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{Document, Lines, Link, To, html};

/// Reads a document.
pub(super) fn read(text: &str) -> Document {
    let lines = Lines::of(text);
    let mut found = Document::default();
    let mut undefined: Vec<(usize, String)> = Vec::new();
    let mut note = |link: BrokenLink<'_>| {
        if link.link_type == LinkType::Reference
            && is_reference(text, link.span.start, &link.reference)
        {
            undefined.push((link.span.start, link.reference.to_string()));
        }
        None
    };
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
    let mut slugs = Slugs::default();
    let mut heading: Option<String> = None;
    let mut images = 0;
    for (event, range) in parser.into_offset_iter() {
        let mut link = |to: &str| {
            found.links.push(Link {
                line: lines.at(range.start),
                to: To::Target(to.to_owned()),
            });
        };
        match event {
            Event::Start(Tag::Link {
                dest_url,
                link_type,
                ..
            }) => match link_type {
                LinkType::Email => {}
                _ => link(&dest_url),
            },
            Event::Start(Tag::Image { dest_url, .. }) => {
                images += 1;
                link(&dest_url);
            }
            Event::End(TagEnd::Image) => images -= 1,
            Event::Start(Tag::Heading { id, .. }) => {
                found.anchors.extend(id.map(|id| id.to_lowercase()));
                heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => {
                let slug = heading.take().map(|text| slugs.next(&text));
                found.anchors.extend(slug);
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = heading.as_mut().filter(|_| images == 0) {
                    heading.push_str(&words);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut heading {
                    heading.push(' ');
                }
            }
            Event::Html(raw) | Event::InlineHtml(raw) => {
                let first = lines.at(range.start) - 1;
                let inside = html::read(&raw);
                found.anchors.extend(inside.anchors);
                found.links.extend(inside.links.into_iter().map(|l| Link {
                    line: l.line + first,
                    ..l
                }));
            }
            _ => {}
        }
    }
    found
        .links
        .extend(undefined.into_iter().map(|(at, label)| Link {
            line: lines.at(at),
            to: To::Undefined(label),
        }));
    found
}

/// `[text][label]` is meant as a link; `list[i][j]` and `[1][2]` are not.
fn is_reference(text: &str, start: usize, label: &str) -> bool {
    let before = text.get(..start).and_then(|t| t.chars().next_back());
    let number = label.chars().all(|c| c.is_ascii_digit());
    !number
        && !label.starts_with('^')
        && !before.is_some_and(|c| c.is_alphanumeric() || c == ']' || c == '`')
}

/// The anchors GitHub gives to headings: a second one of a name gets `-1`.
#[derive(Default)]
struct Slugs {
    seen: HashMap<String, usize>,
    taken: BTreeSet<String>,
}

impl Slugs {
    fn next(&mut self, heading: &str) -> String {
        let plain = slug(heading);
        let count = self.seen.entry(plain.clone()).or_default();
        let mut name = plain.clone();
        while self.taken.contains(&name) {
            *count += 1;
            name = format!("{plain}-{count}");
        }
        self.taken.insert(name.clone());
        name
    }
}

/// Lower case, spaces to hyphens, and nothing but letters, digits, `_` and `-`.
pub(super) fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ if c.is_alphanumeric() || is_mark(c) => Some(c),
            _ => None,
        })
        .collect()
}

/// Combining marks belong to the letters before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{e31}'..='\u{e4e}')
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn targets(text: &str) -> Vec<(u64, String)> {
        let said = |l: Link| match l.to {
            To::Target(t) => (l.line, t),
            To::Document(d) => (l.line, format!("doc {d}")),
            To::Undefined(u) => (l.line, format!("undefined {u}")),
        };
        read(text).links.into_iter().map(said).collect()
    }

    fn check(text: &str, expected: &[(u64, &str)]) {
        let expected: Vec<(u64, String)> = expected
            .iter()
            .map(|(n, t)| (*n, (*t).to_owned()))
            .collect();
        assert_eq!(targets(text), expected, "{text}");
    }

    #[test]
    fn links_are_read_and_code_is_not() {
        check(
            "a [b](c.md#d \"t\") ![i](i.png)\n",
            &[(1, "c.md#d"), (1, "i.png")],
        );
        check(
            "x\n\n[a][b] and [c]\n\n[b]: b.md\n[c]: <c d.md>\n",
            &[(3, "b.md"), (3, "c d.md")],
        );
        check("`[a](b.md)`\n\n```\n[a](b.md)\n```\n\n    [a](b.md)\n", &[]);
        check(
            "[a][nowhere] v[i][j] [x][1] [just brackets] - [ ] todo\n",
            &[(1, "undefined nowhere")],
        );
        check(
            "x\n<p>\n<a href=\"h.md\">h</a>\n<img src='i.png'>\n</p>\n",
            &[(3, "h.md"), (4, "i.png")],
        );
        check(
            "<https://x.org> <a@b.org> text[^1]\n\n[^1]: note [n](n.md)\n",
            &[(1, "https://x.org"), (3, "n.md")],
        );
        check("<!-- [a](b.md) <a href=\"c.md\"> -->\n", &[]);
    }

    #[test]
    fn headings_get_githubs_anchors() {
        for (heading, expected) in [
            ("Hello World", "hello-world"),
            ("What's new? (v2.0)", "whats-new-v20"),
            ("`code` & more", "code--more"),
            ("snake_case - dash", "snake_case---dash"),
            ("Über uns", "über-uns"),
            ("日本語 の", "日本語-の"),
            ("[link](x) here", "link-here"),
            ("C++ / C#", "c--c"),
        ] {
            let anchors = read(&format!("# {heading}\n")).anchors;
            assert_eq!(
                anchors.into_iter().collect::<Vec<_>>(),
                [expected],
                "{heading}"
            );
        }
        let anchors: Vec<String> =
            read("# A\n## A\n## a-1\n# B {#own}\n<a id=\"Here\"></a>\n\nA\n===\n")
                .anchors
                .into_iter()
                .collect();
        assert_eq!(anchors, ["a", "a-1", "a-1-1", "a-2", "b", "here", "own"]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(\\[|\\]|\\(|\\)|#|<a href=|\"|`|\n|[a-zé ]|.){0,200}") {
            let lines = text.matches('\n').count() as u64 + 1;
            for link in read(&text).links {
                prop_assert!(link.line >= 1 && link.line <= lines);
            }
        }

        #[test]
        fn a_slug_is_its_own_slug(text in ".{0,60}") {
            let once = slug(&text);
            prop_assert_eq!(slug(&once), once);
        }
    }
}
