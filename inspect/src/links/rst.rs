//! reStructuredText: links with an address, images and included files, documents of Sphinx, and the
//! anchors of titles and labels. Literal blocks are passed over.

use std::sync::LazyLock;

use regex::Regex;

use super::{Document, Link, To, markdown};

type Pattern = LazyLock<Option<Regex>>;

static LITERAL: Pattern = LazyLock::new(|| Regex::new(r"``.*?``").ok());
static LINK: Pattern =
    LazyLock::new(|| Regex::new(r"(:[\w.+-]+:)?`[^`<]*<([^<>`]+)>`(_{0,2})").ok());
static DOC: Pattern = LazyLock::new(|| Regex::new(r":(doc|download):`([^`<>]+)`").ok());
static DIRECTIVE: Pattern =
    LazyLock::new(|| Regex::new(r"^\s*\.\.\s+(?:\|[^|]+\|\s+)?([\w-]+)::\s*(.*)$").ok());
static TARGET: Pattern =
    LazyLock::new(|| Regex::new(r"^\s*\.\.\s+_(`[^`]+`|[^:`]+):\s*(.*)$").ok());

const FILES: [&str; 4] = ["image", "figure", "include", "literalinclude"];

/// Reads a document.
pub(super) fn read(text: &str) -> Document {
    let mut found = Document::default();
    // Lines deeper than this are a literal block or the body of a directive with code.
    let mut literal: Option<usize> = None;
    let mut contents: Option<usize> = None;
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        let (number, depth) = (number as u64 + 1, line.len() - line.trim_start().len());
        if line.trim().is_empty() {
            before = "";
            continue;
        }
        if literal.is_some_and(|of| depth > of) {
            continue;
        }
        literal = None;
        if contents.is_some_and(|of| depth > of) {
            entry(line.trim(), number, &mut found);
            continue;
        }
        contents = None;
        if is_underline(line)
            && !before.is_empty()
            && line.chars().count() >= before.chars().count()
        {
            found.anchors.insert(markdown::slug(before));
        }
        before = line;
        if let Some((name, argument)) = directive(line) {
            match name.as_str() {
                "toctree" => contents = Some(depth),
                _ if FILES.contains(&name.as_str()) => {
                    push(&mut found, number, To::Target(argument))
                }
                "code" | "code-block" | "sourcecode" | "parsed-literal" | "math" | "raw"
                | "highlight" | "prompt" | "doctest" | "testcode" | "testoutput" | "ipython"
                | "console" => literal = Some(depth),
                _ => {}
            }
            continue;
        }
        if let Some((name, address)) = target(line) {
            found.anchors.insert(markdown::slug(&name));
            if !address.is_empty() && !address.ends_with('_') {
                push(&mut found, number, To::Target(address));
            }
            continue;
        }
        inline(line, number, &mut found);
        if line.trim_end().ends_with("::") && !line.trim_start().starts_with("..") {
            literal = Some(depth);
        }
    }
    found
}

fn push(found: &mut Document, line: u64, to: To) {
    found.links.push(Link { line, to });
}

fn is_underline(line: &str) -> bool {
    let mark = line.chars().next().unwrap_or(' ');
    "=-~^\"'`#*+.:_".contains(mark)
        && line.trim_end().len() >= 3
        && line.trim_end().chars().all(|c| c == mark)
}

fn directive(line: &str) -> Option<(String, String)> {
    let found = DIRECTIVE.as_ref()?.captures(line)?;
    Some((
        found.get(1)?.as_str().to_owned(),
        found.get(2)?.as_str().trim().to_owned(),
    ))
}

fn target(line: &str) -> Option<(String, String)> {
    let found = TARGET.as_ref()?.captures(line)?;
    let name = found.get(1)?.as_str().trim_matches('`').to_owned();
    Some((name, found.get(2)?.as_str().trim().to_owned()))
}

/// An entry of a table of contents: `document` or `title <document>`.
fn entry(line: &str, number: u64, found: &mut Document) {
    let name = match line.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end_matches('>'),
        None => line,
    };
    if !line.starts_with(':') && name != "self" && !name.contains('*') {
        push(found, number, To::Document(name.to_owned()));
    }
}

fn inline(line: &str, number: u64, found: &mut Document) {
    let (Some(literal), Some(link), Some(doc)) = (LITERAL.as_ref(), LINK.as_ref(), DOC.as_ref())
    else {
        return;
    };
    let plain = literal.replace_all(line, "");
    for one in link.captures_iter(&plain) {
        let role = one.get(1).map_or("", |m| m.as_str());
        let to = one.get(2).map_or("", |m| m.as_str()).trim().to_owned();
        let marks = one.get(3).map_or("", |m| m.as_str());
        match role {
            "" if !marks.is_empty() && !to.ends_with('_') => push(found, number, To::Target(to)),
            ":doc:" => push(found, number, To::Document(to)),
            ":download:" => push(found, number, To::Target(to)),
            _ => {}
        }
    }
    for one in doc.captures_iter(&plain) {
        let to = one.get(2).map_or("", |m| m.as_str()).trim().to_owned();
        match one.get(1).map(|m| m.as_str()) {
            Some("doc") => push(found, number, To::Document(to)),
            _ => push(found, number, To::Target(to)),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_leads_somewhere_is_read() {
        let text = "Title\n=====\n\n.. _a label:\n\nSee `here <a.rst>`_ and :doc:`guide/start` and :ref:`x <no>`.\n``not `this <b>`_``\n\n\
                    .. image:: i.png\n   :alt: x\n\nCode::\n\n   `no <c.rst>`_\n\n.. code-block:: rst\n\n   .. image:: no.png\n\n\
                    .. toctree::\n   :maxdepth: 2\n\n   intro\n   Words <deep/page>\n\n.. _site: https://x.org\n";
        let read = read(text);
        let told: Vec<_> = read.links.iter().map(|l| (l.line, l.to.clone())).collect();
        let (t, d) = (
            |s: &str| To::Target(s.to_owned()),
            |s: &str| To::Document(s.to_owned()),
        );
        assert_eq!(
            told,
            [
                (6, t("a.rst")),
                (6, d("guide/start")),
                (9, t("i.png")),
                (23, d("intro")),
                (24, d("deep/page")),
                (26, t("https://x.org"))
            ]
        );
        assert_eq!(
            read.anchors.into_iter().collect::<Vec<_>>(),
            ["a-label", "site", "title"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(\\.\\. |image::|toctree::|`|<|>|_|:|=|\n| |é|.){0,200}") {
            read(&text);
        }
    }
}
