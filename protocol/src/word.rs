//! What a person says to a task that was accepted already: words for whoever works on it, or another
//! limit on what it may cost. Kept with who said it; told to a holder once.

use crate::money::MicroUsd;
use crate::task::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest words, in bytes: they travel in one journal entry.
pub const WORD_BYTES: usize = 2000;
/// Most that may be said to one task.
pub const MOST_WORDS: u64 = 50;

/// Words as the journal of a task carries them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Counted from 1 in its task; a number is told once.
    pub number: u64,
    /// The words.
    pub text: String,
    /// Who said them, proven by the kernel.
    pub by: Principal,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoken {
    /// Words for whoever works on the task.
    Words(String),
    /// The most it may cost from now on.
    Budget(MicroUsd),
}

/// Something that was said to a task, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordDocument {
    /// Counted from 1 in its task.
    pub number: u64,
    /// What.
    pub said: Spoken,
    /// Who said it, proven by the kernel.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
    /// When whoever works on it took it in; a limit holds as soon as the bus has it.
    pub heard: Option<Timestamp>,
}

/// Words fit to be told: trimmed, lines end alike.
///
/// # Errors
/// A sentence, where there are none, too many, or some that are no plain text.
pub fn tamed(text: &str) -> Result<String, String> {
    let text = text.replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        return Err("there are no words in it: say something".to_owned());
    }
    if text.len() > WORD_BYTES {
        return Err(format!(
            "a word to a task has at most {WORD_BYTES} bytes, this has {}: say it shorter, or put it into a file of its folder",
            text.len()
        ));
    }
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err("a word to a task is plain text without control characters".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_bounded() {
        let long = "x".repeat(WORD_BYTES);
        let longer = "x".repeat(WORD_BYTES + 1);
        for (text, expected) in [
            ("also log it", Ok("also log it")),
            (" also\r\nlog it\n", Ok("also\nlog it")),
            (long.as_str(), Ok(long.as_str())),
            (longer.as_str(), Err("say it shorter")),
            (" \n ", Err("no words")),
            ("a\u{1b}[2J", Err("plain text")),
        ] {
            match (tamed(text), expected) {
                (Ok(tamed), Ok(expected)) => assert_eq!(tamed, expected),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (tamed, _) => assert!(expected.is_err(), "{text}: {tamed:?}"),
            }
        }
    }
}
