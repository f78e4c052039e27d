//! One line of the chain, as text and back. Only digests of arguments are written, and one redacted
//! line for people; the text of a line is canonical, so that a digest over it means something. Pure.

use super::seal::{SealKey, hex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of a line.
pub const LINE_VERSION: u32 = 1;
/// What stands before the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Longest summary or outcome, in characters; whoever writes more is cut.
pub const WORDS: usize = 200;
/// Longest name (of a tool, an agent, a step …), in characters.
const NAME: usize = 120;

/// How far an act is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is about to be done.
    Before,
    /// It is over; the outcome says how.
    After,
    /// It was not done; the outcome says why.
    Refused,
    /// Something about the record or a ticket, and no act of a task.
    Note,
}

/// What is to be written down; the warden adds number, time, host and the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// On whose behalf, such as `ada(1000)`.
    pub principal: String,
    /// The agent, or who else acts.
    pub agent: String,
    /// The task, such as `t142`; empty where there is none.
    pub task: String,
    /// The step of its journal.
    pub call: String,
    /// The claim it is done under.
    pub epoch: u64,
    /// The level the act needs.
    pub level: u8,
    /// The ticket it is done by, such as `a41`; empty where none is needed.
    pub ticket: String,
    /// The tool.
    pub tool: String,
    /// SHA-256 of the arguments, lower-case hex.
    pub args_sha256: String,
    /// One line for people, redacted.
    pub summary: String,
    /// How far it is.
    pub stage: Stage,
    /// How it ended, or why it was refused.
    pub outcome: String,
}

/// A line as it stands in the chain, without its seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// [`LINE_VERSION`].
    pub v: u32,
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub ts: Timestamp,
    /// Where.
    pub host: String,
    /// See [`Entry`], for this and all that follow.
    pub principal: String,
    /// Who acts.
    pub agent: String,
    /// For which task.
    pub task: String,
    /// At which step.
    pub call: String,
    /// Under which claim.
    pub epoch: u64,
    /// Needed level.
    pub level: u8,
    /// By which ticket.
    pub ticket: String,
    /// With which tool.
    pub tool: String,
    /// Digest of the arguments.
    pub args_sha256: String,
    /// For people.
    pub summary: String,
    /// How far it is.
    pub stage: Stage,
    /// How it ended.
    pub outcome: String,
    /// Digest of the line before.
    pub prev: String,
}

/// Why a text is no line of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not JSON of this shape, or not written as the warden writes it.
    #[error("it is not as the warden writes lines: {0}")]
    Shape(String),
    /// It was written by a newer program.
    #[error("it has version {0}, this program reads up to {LINE_VERSION}: upgrade ai-infra")]
    Newer(u32),
    /// The seal is missing or not one.
    #[error("it carries no seal")]
    NoSeal,
    /// The seal is another line's, or made with another key.
    #[error("its seal does not fit it")]
    Seal,
}

const SEAL: &str = ",\"seal\":\"";
const HEX: usize = 64;

impl Line {
    /// The line that follows `prev` as number `seq`. Texts are cut and control characters taken out,
    /// so a line is one line whatever it was told.
    pub fn of(entry: Entry, seq: u64, ts: Timestamp, host: &str, prev: &str) -> Line {
        Line {
            v: LINE_VERSION,
            seq,
            ts,
            host: tame(host, NAME),
            principal: tame(&entry.principal, NAME),
            agent: tame(&entry.agent, NAME),
            task: tame(&entry.task, NAME),
            call: tame(&entry.call, NAME),
            epoch: entry.epoch,
            level: entry.level,
            ticket: tame(&entry.ticket, NAME),
            tool: tame(&entry.tool, NAME),
            args_sha256: tame(&entry.args_sha256, HEX),
            summary: tame(&entry.summary, WORDS),
            stage: entry.stage,
            outcome: tame(&entry.outcome, WORDS),
            prev: prev.to_owned(),
        }
    }

    fn body(&self) -> String {
        // A struct of strings and numbers always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The sealed text, without a line end.
    pub fn text(&self, key: &SealKey) -> String {
        let body = self.body();
        let open = body.strip_suffix('}').unwrap_or(&body);
        format!("{open}{SEAL}{}\"}}", key.seal(body.as_bytes()))
    }

    /// Reads a text. With a key its seal must fit; without one nobody looks (which is what a check
    /// without the warden's folder can do, and is said as such).
    ///
    /// # Errors
    /// When it is not exactly what [`Line::text`] writes.
    pub fn read(text: &str, key: Option<&SealKey>) -> Result<Line, LineError> {
        let (open, seal) = text.rsplit_once(SEAL).ok_or(LineError::NoSeal)?;
        let seal = seal.strip_suffix("\"}").ok_or(LineError::NoSeal)?;
        let body = format!("{open}}}");
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let shape = |error: serde_json::Error| LineError::Shape(error.to_string());
        let Version { v } = serde_json::from_str(&body).map_err(shape)?;
        if v > LINE_VERSION {
            return Err(LineError::Newer(v));
        }
        let line: Line = serde_json::from_str(&body).map_err(shape)?;
        if line.body() != body {
            return Err(LineError::Shape("its text is not canonical".to_owned()));
        }
        match key {
            Some(key) if !key.fits(body.as_bytes(), seal) => Err(LineError::Seal),
            _ => Ok(line),
        }
    }
}

/// The digest the next line names.
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn tame(text: &str, most: usize) -> String {
    let plain = |c: char| match c.is_control() || is_hidden(c) {
        true => ' ',
        false => c,
    };
    text.chars().map(plain).take(most).collect()
}

/// Characters that reorder or hide others on a terminal.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn entry(summary: &str) -> Entry {
        Entry {
            principal: "ada(1000)".to_owned(),
            agent: "code".to_owned(),
            task: "t1".to_owned(),
            call: "execute/1".to_owned(),
            epoch: 7,
            level: 1,
            ticket: String::new(),
            tool: "Bash".to_owned(),
            args_sha256: digest(summary),
            summary: summary.to_owned(),
            stage: Stage::Before,
            outcome: String::new(),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_one_line_and_reads_back(words in any::<String>(), seq in 1u64..) {
            let key = SealKey::of([7; 32]);
            let line = Line::of(entry(&words), seq, Timestamp::UNIX_EPOCH, "h", GENESIS);
            let text = line.text(&key);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(Line::read(&text, Some(&key)), Ok(line));
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            let _any = Line::read(&text, None);
        }
    }

    #[test]
    fn what_is_not_as_it_was_written_is_refused() {
        let key = SealKey::of([7; 32]);
        let text = Line::of(entry("ls"), 1, Timestamp::UNIX_EPOCH, "h", GENESIS).text(&key);
        let check = |text: &str, words: &str| {
            let said = Line::read(text, Some(&key)).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        };
        check(&text.replace("\"ls\"", "\"rm\""), "seal does not fit");
        check(&text.replace("\"v\":1", "\"v\":2"), "upgrade");
        check(&text.replace("\"v\":1", "\"v\": 1"), "canonical");
        check(&text.replace("\"v\":1", "\"v\":1,\"x\":2"), "unknown field");
        check(&text[..text.len() - 80], "no seal");
        let other = SealKey::of([8; 32]);
        assert_eq!(Line::read(&text, Some(&other)), Err(LineError::Seal));
        assert!(Line::read(&text.replace("\"ls\"", "\"rm\""), None).is_ok());
    }
}
