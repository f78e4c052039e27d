//! Whether a target is there: a file or folder below the root, an anchor in a document, a line of a
//! source file. Nothing outside of the root is looked at.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::To;
use crate::limits::Limits;
use crate::walk;

/// Files by which a folder of documents is known to be made into a site.
const SITES: [&str; 12] = [
    "mkdocs.yml",
    "mkdocs.yaml",
    "book.toml",
    "_config.yml",
    "conf.py",
    "docusaurus.config.js",
    "docusaurus.config.ts",
    "hugo.toml",
    "astro.config.mjs",
    "antora.yml",
    "_quarto.yml",
    "zensical.toml",
];

/// What is to be said of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It leads somewhere.
    Fine,
    /// To the network.
    Outside {
        /// The address without its anchor.
        address: String,
        /// The host's name, lower case.
        host: String,
    },
    /// Not tried.
    Other,
    /// Nowhere.
    Broken {
        /// As it is written.
        target: String,
        /// Why.
        why: String,
    },
}

/// Judges links of one tree.
pub(super) struct Judge<'a> {
    root: &'a Path,
    anchors: &'a HashMap<&'a str, &'a BTreeSet<String>>,
    limits: &'a Limits,
    /// Pages are made from the documents: links may name what they become.
    site: bool,
    lines: RefCell<HashMap<String, Option<u64>>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        root: &'a Path,
        names: &[&str],
        anchors: &'a HashMap<&'a str, &'a BTreeSet<String>>,
        limits: &'a Limits,
    ) -> Self {
        let is_site = |name: &&str| SITES.contains(&name.rsplit('/').next().unwrap_or(name));
        Judge {
            root,
            anchors,
            limits,
            site: names.iter().any(is_site),
            lines: RefCell::default(),
        }
    }

    /// Judges a link of the document `from`.
    pub(super) fn link(&self, from: &str, to: &To) -> Verdict {
        let broken = |target: &str, why: Option<String>| match why {
            None => Verdict::Fine,
            Some(why) => Verdict::Broken {
                target: target.to_owned(),
                why,
            },
        };
        match to {
            To::Undefined(label) => broken(
                &format!("[{label}]"),
                Some("no such reference is defined".to_owned()),
            ),
            To::Target(target) => self
                .target(from, target)
                .unwrap_or_else(|why| broken(target, why)),
            To::Document(name) => match outside(name) {
                Some(verdict) => verdict,
                None => broken(name, self.document(from, name)),
            },
        }
    }

    /// An inner `Ok` for what is not tried; `Err(None)` for what is fine.
    fn target(&self, from: &str, target: &str) -> Result<Verdict, Option<String>> {
        let target = target.trim();
        if let Some(verdict) = outside(target) {
            return Ok(verdict);
        }
        let (path, anchor) = target
            .split_once('#')
            .map_or((target, None), |(p, a)| (p, Some(a)));
        let path = percent_decoded(path.split('?').next().unwrap_or(path));
        if path.is_empty() {
            return Err(anchor.and_then(|a| self.anchor(from, from, a)));
        }
        let Some(candidates) = self.candidates(from, &path) else {
            return Ok(Verdict::Other);
        };
        let Some(found) = candidates.iter().find_map(|c| self.there(c)) else {
            return Err(Some("there is no such file".to_owned()));
        };
        Err(anchor.and_then(|a| self.anchor(from, &found, a)))
    }

    /// The places a path may mean; none when all of them are outside of the root.
    fn candidates(&self, from: &str, path: &str) -> Option<Vec<String>> {
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        let places: Vec<String> = match path.strip_prefix('/') {
            // The top of the repository, or of the site that a folder above becomes.
            Some(rest) => std::iter::once("")
                .chain(std::iter::successors(Some(folder), |f| {
                    f.rsplit_once('/').map(|(above, _)| above)
                }))
                .map(|top| format!("{top}/{rest}"))
                .collect(),
            None => vec![format!("{folder}/{path}")],
        };
        let inside: Vec<String> = places.iter().filter_map(|p| normal(p)).collect();
        (!inside.is_empty()).then_some(inside)
    }

    /// What is there for a place: itself, or in a site what becomes it.
    fn there(&self, place: &str) -> Option<String> {
        let exists = |p: &str| self.root.join(p).symlink_metadata().is_ok();
        if place.is_empty() || exists(place) {
            return Some(place.to_owned());
        }
        let stem = ["html", "htm"]
            .iter()
            .find_map(|e| place.strip_suffix(e)?.strip_suffix('.'));
        let page = if self.site {
            Some(stem.unwrap_or(place))
        } else {
            stem
        };
        let mut made = Vec::new();
        if let Some(page) = page {
            for end in [
                ".md",
                ".mdx",
                ".rst",
                ".html",
                "/index.md",
                "/README.md",
                "/index.rst",
                "/_index.md",
            ] {
                made.push(format!("{page}{end}"));
            }
            made.extend(
                page.strip_suffix("/index")
                    .map(|folder| format!("{folder}/README.md")),
            );
        }
        made.into_iter().find(|p| exists(p))
    }

    /// A document of Sphinx: relative to its folder, or from the top of the sources with `/`.
    fn document(&self, from: &str, name: &str) -> Option<String> {
        let bare = name.split('#').next().unwrap_or(name);
        let places = self.candidates(from, bare).unwrap_or_default();
        let ends = ["", ".rst", ".md", ".txt", ".ipynb", "/index.rst"];
        let exists = |p: &String| {
            ends.iter()
                .any(|e| self.root.join(format!("{p}{e}")).symlink_metadata().is_ok())
        };
        (!places.iter().any(exists)).then(|| "there is no such document".to_owned())
    }

    /// Why an anchor is not there; none when it is, or when nobody can say.
    fn anchor(&self, from: &str, file: &str, anchor: &str) -> Option<String> {
        let wanted = percent_decoded(anchor).to_lowercase();
        if wanted.is_empty() || wanted == "top" || wanted.starts_with(":~:") {
            return None;
        }
        if let Some(numbers) = line_numbers(&wanted) {
            let count = self.lines_of(file)?;
            let last = numbers.into_iter().max()?;
            return (last > count).then(|| format!("{file} has {count} lines"));
        }
        let anchors = self.anchors.get(file)?;
        let named = wanted.strip_prefix("user-content-").unwrap_or(&wanted);
        if anchors.contains(named) || anchors.contains(&wanted) || file.ends_with(".mdx") {
            return None;
        }
        Some(match from == file {
            true => "there is no such heading in this document".to_owned(),
            false => format!("there is no such heading in {file}"),
        })
    }

    fn lines_of(&self, file: &str) -> Option<u64> {
        let mut known = self.lines.borrow_mut();
        *known.entry(file.to_owned()).or_insert_with(|| {
            walk::read_text(&self.root.join(file), self.limits.file_bytes)
                .map(|t| t.lines().count() as u64)
        })
    }
}

/// `l10` and `l10-l20`, as sites of code write them.
fn line_numbers(anchor: &str) -> Option<Vec<u64>> {
    anchor
        .split('-')
        .map(|part| {
            let digits = part.strip_prefix('l')?;
            let line = digits.split_once('c').map_or(digits, |(line, _)| line);
            line.parse().ok()
        })
        .collect()
}

/// What is not a place in the tree.
fn outside(target: &str) -> Option<Verdict> {
    let lower = target.to_ascii_lowercase();
    let rest = ["http://", "https://", "//"]
        .iter()
        .find_map(|scheme| lower.strip_prefix(scheme));
    if let Some(rest) = rest {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or(host);
        let host = host.split(':').next().unwrap_or(host);
        if host.is_empty() {
            return Some(Verdict::Other);
        }
        let address = target.split('#').next().unwrap_or(target);
        return Some(Verdict::Outside {
            address: address.chars().take(500).collect(),
            host: host.chars().take(200).collect(),
        });
    }
    let scheme = lower.split_once(':').is_some_and(|(s, _)| {
        s.len() > 1
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let template = ["{{", "{%", "${", "<%", "$(", "@site"]
        .iter()
        .any(|mark| target.contains(mark));
    let empty = target.is_empty();
    (scheme || template || empty || target.contains("::")).then_some(Verdict::Other)
}

/// A path without `.` and `..`; none when it leaves the root.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// `%20` and its like; what is no UTF-8 afterwards stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .filter(|_| byte == b'%')
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        decoded.push(hex.unwrap_or(byte));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_parts_work() {
        assert_eq!(normal("/a/./b/../c").as_deref(), Some("a/c"));
        assert_eq!(normal("a/../../b"), None);
        assert_eq!(percent_decoded("a%20b%zz%"), "a b%zz%");
        assert_eq!(line_numbers("l10-l20"), Some(vec![10, 20]));
        assert_eq!(line_numbers("l10c5"), Some(vec![10]));
        assert_eq!(line_numbers("linux"), None);
        let host = |t: &str| match outside(t) {
            Some(Verdict::Outside { host, .. }) => host,
            Some(_) => "other".to_owned(),
            None => "inside".to_owned(),
        };
        for (target, expected) in [
            ("https://u@X.org:80/a#b", "x.org"),
            ("//cdn.org/x", "cdn.org"),
            ("mailto:a@b.c", "other"),
            ("{{ url }}", "other"),
            ("a.md", "inside"),
            ("c:/x", "inside"),
            ("#here", "inside"),
        ] {
            assert_eq!(host(target), expected, "{target}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_judged_and_none_leaves(target in "(/|\\.\\.|\\.|#|%|[a-c]|é|.){0,40}") {
            let root = Path::new("/nonexistent-root");
            let anchors = HashMap::new();
            let limits = Limits::default();
            let judge = Judge::new(root, &[], &anchors, &limits);
            judge.link("docs/a.md", &To::Target(target.clone()));
            judge.link("docs/a.md", &To::Document(target.clone()));
            if let Some(path) = normal(&target) {
                prop_assert!(path.split('/').all(|part| part != ".."));
            }
        }
    }
}
