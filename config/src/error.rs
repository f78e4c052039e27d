//! What is wrong with a configuration, as sentences that name the key, the layer and the next step.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The layer, file and line, or variable that holds it; empty where none does.
    pub place: String,
    /// The sentence.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self {
            place: place.to_string(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.place, self.message)
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// Why there are no settings, or no home.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The layers say something that cannot be; every problem found, one a line.
    #[error("{}", lines(.0))]
    Wrong(Vec<Problem>),
    /// The home folder cannot be used.
    #[error("the home {} {}", .path.display(), .problem)]
    Home {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// Nothing says where the home is.
    #[error("there is no home folder: set AI_INFRA_HOME or HOME, or give --home DIR")]
    NoHome,
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {problem}", .path.display())]
    File {
        /// `read`, `write`, …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said, or what is wrong with it.
        problem: String,
    },
    /// A secret's name or value was refused.
    #[error("{0}")]
    Secret(String),
}

impl ConfigError {
    /// Exit code of the command line: wrong usage or configuration.
    pub fn exit_code(&self) -> u8 {
        protocol::exit::USAGE
    }

    /// A file that could not be read, written, made, ….
    pub fn file(doing: &'static str, path: &Path, problem: impl fmt::Display) -> Self {
        Self::File {
            doing,
            path: path.to_owned(),
            problem: problem.to_string(),
        }
    }

    /// A home that cannot be used.
    pub fn home(path: &Path, problem: impl Into<String>) -> Self {
        Self::Home {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// The problems, one by one.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Self::Wrong(problems) => problems,
            other => vec![Problem::new("", other.to_string())],
        }
    }
}

/// The nearest of the known names, as `; did you mean …?`, or nothing where none is near.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let shortened: String = given.chars().take(64).collect();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&shortened, name), name))
        .filter(|(score, _)| *score > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// Text from outside as it may stand in a sentence: one line, no control characters, short.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names_are_named() {
        let known = ["lease_ms", "name", "queue_limit"];
        for (given, expected) in [
            ("leese_ms", "; did you mean `lease_ms`?"),
            ("queue", "; did you mean `queue_limit`?"),
            ("zzz", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(given, known), expected, "{given}");
        }
    }

    #[test]
    fn quoted_text_is_tame() {
        assert_eq!(quoted("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 61);
    }
}
