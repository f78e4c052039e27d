//! Whether a chain is whole: numbers, digests, seals, and that it reaches as far as others have seen
//! it reach. Pure; fed line by line, so a long chain needs no memory.

use super::line::{GENESIS, Line, LineError, Stage, digest};
use super::seal::SealKey;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How far a chain goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of its last line; 0 where there is none.
    pub seq: u64,
    /// Digest of that line.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

/// A head that somebody else remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Who, such as `the ledger`.
    pub by: String,
    /// What.
    pub head: Head,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Fault {
    /// The number the line should have.
    pub line: u64,
    /// Why, a sentence.
    pub why: String,
}

/// What a whole chain came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// Its end.
    pub head: Head,
    /// Acts that were begun and have no line about their end: cut off, or still running.
    pub open: u64,
}

/// A walk along a chain.
#[derive(Debug)]
pub struct Walk {
    key: Option<SealKey>,
    anchors: Vec<Anchor>,
    head: Head,
    open: HashSet<(String, String, u64)>,
}

impl Walk {
    /// A walk that looks at seals where it has the key, and at what others remember.
    pub fn new(key: Option<SealKey>, anchors: Vec<Anchor>) -> Self {
        Self {
            key,
            anchors,
            head: Head::default(),
            open: HashSet::new(),
        }
    }

    /// How far it is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next line, without its line end.
    ///
    /// # Errors
    /// Where the chain breaks here.
    pub fn line(&mut self, text: &str) -> Result<Line, Fault> {
        let seq = self.head.seq + 1;
        let fault = |why: String| Fault { line: seq, why };
        let line = Line::read(text, self.key.as_ref()).map_err(|error| {
            fault(match error {
                LineError::Seal => "it was changed: its seal does not fit it".to_owned(),
                other => other.to_string(),
            })
        })?;
        if line.seq != seq {
            return Err(fault(format!(
                "line {} stands here: lines were taken out or put in",
                line.seq
            )));
        }
        if line.prev != self.head.hash {
            return Err(fault(
                "it does not follow the line before: one of them was changed".to_owned(),
            ));
        }
        self.head = Head {
            seq,
            hash: digest(text),
        };
        let here = self.anchors.iter().find(|one| one.head.seq == seq);
        if let Some(anchor) = here.filter(|one| one.head.hash != self.head.hash) {
            return Err(fault(format!(
                "{} remembers another line: the chain was written anew",
                anchor.by
            )));
        }
        self.count(&line);
        Ok(line)
    }

    fn count(&mut self, line: &Line) {
        let key = (line.task.clone(), line.call.clone(), line.epoch);
        match line.stage {
            Stage::Before => drop(self.open.insert(key)),
            Stage::After => drop(self.open.remove(&key)),
            Stage::Refused | Stage::Note => {}
        }
    }

    /// The chain ends here.
    ///
    /// # Errors
    /// Where somebody remembers that it went on.
    pub fn end(self) -> Result<Whole, Fault> {
        let farthest = self.anchors.iter().max_by_key(|one| one.head.seq);
        if let Some(anchor) = farthest.filter(|one| one.head.seq > self.head.seq) {
            return Err(Fault {
                line: self.head.seq + 1,
                why: format!(
                    "the chain ends before it, and {} remembers line {}: the tail was cut off",
                    anchor.by, anchor.head.seq
                ),
            });
        }
        Ok(Whole {
            head: self.head,
            open: self.open.len() as u64,
        })
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
