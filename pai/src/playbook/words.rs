//! A person's words as tokens: quoted texts, paths and numbers are kept as they are, everything
//! else becomes stems in lower case, each with how much it says about what is wanted.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Most tokens of a request that are looked at; longer requests are no playbook's intent.
pub const MOST_TOKENS: usize = 80;

/// How much a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing: articles, politeness, prepositions.
    Stop,
    /// Little: names for the workspace, verbs of telling, question words.
    Soft,
    /// What the request is about.
    Plain,
    /// It changes what is wanted: verbs of change, negations, "why" and "how", times.
    Heavy,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary word.
    Word {
        /// Its stem.
        stem: String,
        /// How much it says.
        weight: Weight,
    },
    /// Text in quotes, without them.
    Quoted,
    /// Something with a slash, a file extension, or a colon inside: a table of a source.
    Path,
    /// A whole number.
    Number,
}

/// A token of a request. Words joined by hyphens share their chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// The text it came from, as written; for a hyphenated word the whole chunk.
    pub raw: String,
    /// Number of the chunk, counted from 0.
    pub chunk: usize,
}

const STOP: &[&str] = &[
    "pls", "plz", "a", "an", "the", "this", "that", "these", "those", "please", "kindly", "can",
    "could", "would", "will", "i", "me", "my", "mine", "our", "us", "we", "you", "your", "to",
    "of", "in", "on", "at", "for", "from", "by", "with", "and", "or", "so", "just", "now", "is",
    "are", "was", "were", "be", "am", "do", "does", "did", "has", "have", "had", "it", "its",
    "there", "any", "some", "all", "each", "also", "hey", "hi", "hello", "thanks", "thank", "let",
    "lets", "want", "need", "like", "one", "ones", "them", "they", "d", "s", "ll", "re", "m", "ve",
    "then", "up", "right",
];

const SOFT: &[&str] = &[
    "here",
    "repository",
    "repo",
    "project",
    "codebase",
    "workspace",
    "folder",
    "directory",
    "base",
    "tell",
    "show",
    "give",
    "list",
    "say",
    "name",
    "report",
    "display",
    "print",
    "what",
    "which",
    "still",
    "currently",
    "quick",
    "quickly",
    "short",
    "brief",
    "whole",
    "full",
    "entire",
    "complete",
    "again",
];

const HEAVY: &[&str] = &[
    "fix",
    "repair",
    "mend",
    "write",
    "rewrite",
    "delete",
    "remove",
    "drop",
    "erase",
    "wipe",
    "deploy",
    "publish",
    "release",
    "add",
    "create",
    "make",
    "build",
    "rebuild",
    "refactor",
    "implement",
    "change",
    "edit",
    "modify",
    "rename",
    "move",
    "copy",
    "migrate",
    "upgrade",
    "update",
    "install",
    "uninstall",
    "clean",
    "cleanup",
    "improve",
    "optimise",
    "optimize",
    "speed",
    "convert",
    "merge",
    "commit",
    "push",
    "pull",
    "revert",
    "rotate",
    "restart",
    "start",
    "stop",
    "kill",
    "disable",
    "enable",
    "ignore",
    "skip",
    "replace",
    "finish",
    "generate",
    "translate",
    "send",
    "store",
    "set",
    "not",
    "never",
    "without",
    "except",
    "no",
    "nothing",
    "why",
    "how",
    "explain",
    "when",
    "before",
    "after",
    "if",
    "unless",
    "until",
    "every",
    "daily",
    "hourly",
    "weekly",
    "nightly",
    "format",
    "clone",
    "free",
    "resolve",
    "solve",
    "correct",
    "compress",
    "archive",
    "ban",
    "block",
    "review",
    "restore",
];

/// The contracted negations end like this.
const NEGATED: &str = "n't";

fn weigh(word: &str, stem: &str) -> Weight {
    if STOP.contains(&word) {
        Weight::Stop
    } else if SOFT_STEMS.contains(stem) {
        Weight::Soft
    } else if HEAVY_STEMS.contains(stem) {
        Weight::Heavy
    } else {
        Weight::Plain
    }
}

static SOFT_STEMS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| SOFT.iter().map(|word| stem(word)).collect());
static HEAVY_STEMS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| HEAVY.iter().map(|word| stem(word)).collect());

/// A small stemmer: plural, -ed, -ing and a final e. Good enough to let "fails", "failed" and
/// "failing" meet; both sides of a comparison go through it.
pub fn stem(word: &str) -> String {
    // Things that wait, and not the doing of it: "update the packages" asks for another thing than "which updates wait?".
    if ["updates", "upgrades"].contains(&word) {
        return word.to_owned();
    }
    let mut stem = word.to_owned();
    if let Some(head) = stem.strip_suffix("ies").filter(|h| h.chars().count() >= 2) {
        stem = format!("{head}y");
    } else if stem.ends_with("sses") {
        stem.truncate(stem.len() - 2);
    } else if stem.ends_with('s')
        && stem.chars().count() > 3
        && !["ss", "us", "is"].iter().any(|end| stem.ends_with(end))
    {
        stem.pop();
    }
    for ending in ["ing", "ed"] {
        if let Some(head) = stem.strip_suffix(ending).filter(|h| h.chars().count() >= 3) {
            stem = undouble(head);
            return stem;
        }
    }
    if stem.ends_with('e') && stem.chars().count() > 3 {
        stem.pop();
    }
    stem
}

fn undouble(head: &str) -> String {
    let mut chars = head.chars().rev();
    match (chars.next(), chars.next()) {
        (Some(last), Some(before)) if last == before && !"aeioulsz".contains(last) => {
            head.chars().take(head.chars().count() - 1).collect()
        }
        _ => head.to_owned(),
    }
}

/// Splits a request into tokens, at most [`MOST_TOKENS`] and one more.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (chunk, (raw, quoted)) in chunks(text).into_iter().enumerate() {
        if found.len() > MOST_TOKENS {
            break;
        }
        if quoted {
            found.push(Token {
                kind: Kind::Quoted,
                raw,
                chunk,
            });
        } else if raw.bytes().all(|b| b.is_ascii_digit()) {
            found.push(Token {
                kind: Kind::Number,
                raw,
                chunk,
            });
        } else if looks_like_path(&raw) {
            found.push(Token {
                kind: Kind::Path,
                raw,
                chunk,
            });
        } else {
            found.extend(words_of(&raw, chunk));
        }
    }
    found
}

/// The words inside one chunk; contracted negations become "not".
pub fn words_of(raw: &str, chunk: usize) -> Vec<Token> {
    let mut lower = raw.to_lowercase().replace('\u{2019}', "'");
    if lower.ends_with(NEGATED) || lower == "dont" || lower == "cannot" {
        "not".clone_into(&mut lower);
    }
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| (word, stem(word)))
        .map(|(word, stem)| Token {
            kind: Kind::Word {
                weight: weigh(word, &stem),
                stem,
            },
            raw: raw.to_owned(),
            chunk,
        })
        .collect()
}

/// Chunks between white space, quoted texts whole, without the punctuation around them.
fn chunks(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '"' => Some('"'),
            '\'' => Some('\''),
            '`' => Some('`'),
            '\u{201c}' => Some('\u{201d}'),
            _ => None,
        };
        let body = rest.get(first.len_utf8()..).unwrap_or_default();
        if let Some(end) = closing.and_then(|c| body.find(c)) {
            found.push((body.get(..end).unwrap_or_default().to_owned(), true));
            let after = body.get(end..).unwrap_or_default();
            rest = after
                .get(after.chars().next().map_or(0, char::len_utf8)..)
                .unwrap_or_default();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let bare = bare(rest.get(..end).unwrap_or_default());
            if !bare.is_empty() {
                found.push((bare.to_owned(), false));
            }
            rest = rest.get(end..).unwrap_or_default();
        }
        rest = rest.trim_start();
    }
    found.retain(|(text, _)| !text.is_empty());
    found
}

fn bare(chunk: &str) -> &str {
    let inner = chunk.trim_matches(|c: char| "\"'`,!?;:()[]{}<>\u{201c}\u{201d}".contains(c));
    inner.trim_end_matches(['.', ',', '!', '?', ';', ':'])
}

/// A slash, or a dot with a short extension of letters and digits after a name.
fn looks_like_path(text: &str) -> bool {
    // Several joined by commas, such as hosts.
    if text.contains(',') && text.split(',').all(looks_like_path) {
        return true;
    }
    // `shop:orders` is a name and not two words; `12:30` is a time.
    let named = |(of, table): (&str, &str)| {
        of.starts_with(|c: char| c.is_ascii_alphabetic())
            && !table.is_empty()
            && !table.contains(':')
    };
    if text.contains('/') || text.split_once(':').is_some_and(named) {
        return true;
    }
    match text.rsplit_once('.') {
        Some((_, extension)) => {
            (1..=12).contains(&extension.len())
                && extension.bytes().all(|b| b.is_ascii_alphanumeric())
                && extension.bytes().any(|b| b.is_ascii_alphabetic())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn stems(text: &str) -> String {
        let show = |token: &Token| match &token.kind {
            Kind::Word {
                weight: Weight::Stop,
                ..
            } => None,
            Kind::Word { stem, .. } => Some(stem.clone()),
            Kind::Quoted => Some(format!("\"{}\"", token.raw)),
            Kind::Path => Some(format!("<{}>", token.raw)),
            Kind::Number => Some(format!("#{}", token.raw)),
        };
        tokens(text)
            .iter()
            .filter_map(show)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn words_become_stems() {
        for (text, expected) in [
            ("Run the tests!", "run test"),
            ("which tests are failing?", "which test fail"),
            ("fails failed failing", "fail fail fail"),
            (
                "running stopped memories passes status",
                "run stop memory pass status",
            ),
            ("don't run it", "not run"),
            ("what's left", "what left"),
            ("profile data.csv.", "profil <data.csv>"),
            ("profile \"my data.csv\", please", "profil \"my data.csv\""),
            (
                "look in ./src/lib.rs (or ../x)",
                "look <./src/lib.rs> <../x>",
            ),
            ("keep 14 days", "keep #14 day"),
            ("profile shop:orders:", "profil <shop:orders>"),
            ("hard-coded keys", "hard cod key"),
            ("an unclosed 'quote", "unclos quot"),
            ("", ""),
            ("?!", ""),
        ] {
            assert_eq!(stems(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            let found = tokens(&text);
            prop_assert!(found.iter().all(|t| !t.raw.is_empty()));
        }

        #[test]
        fn quotes_and_ends_are_survived(text in "[a-z \"'`“”./\\n-]{0,60}") {
            tokens(&text);
        }
    }
}
