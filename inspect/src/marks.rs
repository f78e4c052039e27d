//! Notes to self left in the source: TODO, FIXME, XXX and HACK in comments, and calls that say "not written yet".

use protocol::text::cut;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};
use crate::walk;

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// File, relative to the root.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Which mark: `TODO`, `FIXME`, `XXX`, `HACK`, `todo!`, `unimplemented!` or `NotImplementedError`.
    pub mark: String,
    /// The line, trimmed and cut to 200 characters.
    pub text: String,
}

/// All marks of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The first ones, up to the limit, in order of file and line.
    pub findings: Vec<Mark>,
    /// How many there are in all.
    pub total: u64,
    /// Files whose text was read.
    pub files_scanned: u64,
}

/// Looks for marks in every text file.
pub fn scan(root: &Path, limits: &Limits) -> Result<Marks, InspectError> {
    let mut marks = Marks::default();
    for seen in walk::files(root, limits)?.files {
        let Some(text) = walk::text(&seen, limits) else {
            continue;
        };
        marks.files_scanned += 1;
        let prose = is_prose(&seen.name);
        for (number, line) in text.lines().enumerate() {
            let Some(mark) = mark_of(line, prose) else {
                continue;
            };
            marks.total += 1;
            if marks.findings.len() < limits.findings {
                let text = cut(line.trim(), 200);
                marks.findings.push(Mark {
                    path: seen.name.clone(),
                    line: number as u64 + 1,
                    mark,
                    text,
                });
            }
        }
    }
    Ok(marks)
}

/// Text files have no comments: every line of them counts as one.
fn is_prose(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    [".md", ".txt", ".rst", ".adoc", ".org", ".tex"]
        .iter()
        .any(|e| lower.ends_with(e))
}

/// Longer lines are made by programs and are passed over, in bytes.
const LONGEST_LINE: usize = 2000;

/// The first mark of a line. A word counts only in a comment, in capitals and standing alone.
fn mark_of(line: &str, prose: bool) -> Option<String> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:^|[^\w$.-])(TODO|FIXME|XXX|HACK)(?:[^\w.-]|\.(?:\W|$)|$)").ok()
    });
    static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:^|[^\w])(todo!|unimplemented!)\s*[(\[{]|\braise\s+(NotImplementedError)\b")
            .ok()
    });
    let comment = if prose { Some(0) } else { comment_start(line) };
    let code = &line[..comment.unwrap_or(line.len())];
    if let Some(found) = CALL.as_ref()?.captures(code)
        && !prose
    {
        let at = found.get(1).or(found.get(2))?;
        if !inside_string(code, at.start()) {
            return Some(at.as_str().to_string());
        }
    }
    let found = WORD.as_ref()?.captures(&line[comment?..])?;
    Some(found.get(1)?.as_str().to_string())
}

/// Where a comment begins, in the notations of most languages. Quotes are counted, so that `"http://"` and `"#"` are
/// not taken for one.
fn comment_start(line: &str) -> Option<usize> {
    let head = line.trim_start();
    let indent = line.len() - head.len();
    if head.starts_with("* ") || head.starts_with("*/") || head == "*" || head.starts_with("\"\"\"")
    {
        return Some(indent);
    }
    for (at, _) in line.char_indices() {
        let rest = &line[at..];
        let opens = [
            "//", "/*", "#", "--", "<!--", ";;", "%%", "{#", "\"\"\"", "'''",
        ]
        .iter()
        .any(|o| rest.starts_with(o))
            || (at == indent
                && (rest.starts_with(';') || rest.starts_with('%') || rest.starts_with("REM ")));
        if opens && !inside_string(line, at) && !rest.starts_with("#[") && !rest.starts_with("#!") {
            return Some(at);
        }
    }
    None
}

/// True when an odd number of double quotes, or of single quotes that open a word, stands before a place.
fn inside_string(line: &str, at: usize) -> bool {
    let (mut quote, mut escaped) = (None, false);
    let mut before = ' ';
    for c in line[..at].chars() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '`' => quote = Some(c),
            None if c == '\'' && !before.is_alphanumeric() && before != '&' && before != '<' => {
                quote = Some(c)
            }
            _ => {}
        }
        before = c;
    }
    quote.is_some()
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn finds_marks_and_no_decoys() {
        let cases: &[(&str, Option<&str>)] = &[
            ("// TODO: write this", Some("TODO")),
            ("let x = 1; // FIXME(anna) off by one", Some("FIXME")),
            ("# XXX: broken", Some("XXX")),
            (" * HACK for old browsers", Some("HACK")),
            ("/* TODO */", Some("TODO")),
            ("-- TODO index", Some("TODO")),
            ("<!-- TODO -->", Some("TODO")),
            ("    todo!()", Some("todo!")),
            ("    unimplemented!(\"later\")", Some("unimplemented!")),
            (
                "        raise NotImplementedError",
                Some("NotImplementedError"),
            ),
            (
                "    raise NotImplementedError(\"x\")",
                Some("NotImplementedError"),
            ),
            ("let c = '\"'; // TODO after a quote", Some("TODO")),
            ("fn f<'a>(x: &'a str) {} // TODO lifetime", Some("TODO")),
            ("it's fine # TODO apostrophe", Some("TODO")),
            ("const TODO_LIST: u8 = 1;", None),
            ("enum Mark { TODO, FIXME }", None),
            ("let s = \"// TODO in a string\";", None),
            ("print(\"TODO\")", None),
            ("// todo list of the day", None),
            ("// see AUTODOC and METHODOLOGY", None),
            ("// MYTODO and TODOS", None),
            ("// https://example.com/TODO.md is the TODO-list", None),
            ("my_todo!()", None),
            ("except NotImplementedError:", None),
            ("let s = \"todo!()\";", None),
            ("format XXX-XXX-XXXX", None),
            ("// phone XXX-XXXX", None),
        ];
        for (line, expected) in cases {
            assert_eq!(mark_of(line, false).as_deref(), *expected, "{line}");
        }
        assert_eq!(mark_of("TODO write more", true).as_deref(), Some("TODO"));
        assert_eq!(mark_of("call todo!() here", true), None);
    }

    #[test]
    fn scan_gives_places_and_counts_past_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("a.rs"),
            "// TODO one\nfn a() {}\n    // FIXME two\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("b.py"), "# XXX three\n").unwrap();
        let marks = scan(
            dir.path(),
            &Limits {
                findings: 2,
                ..Limits::default()
            },
        )
        .unwrap();
        assert_eq!(
            (marks.total, marks.files_scanned, marks.findings.len()),
            (3, 2, 2)
        );
        let second = &marks.findings[1];
        assert_eq!(
            (second.path.as_str(), second.line, second.text.as_str()),
            ("a.rs", 3, "// FIXME two")
        );
    }
}
