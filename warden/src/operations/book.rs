//! What was begun and how it ended, a line each, safe on disk before anything is done and before anybody hears
//! of it. The same key never does anything a second time: it gets the end it had, or what was begun is settled.

use jiff::Timestamp;
use protocol::duty::Duty;
use protocol::duty::names::KeptId;
use protocol::duty::order::{End, Outcome};
use protocol::duty::terms::Terms;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The version of a line.
pub const DEED_VERSION: u32 = 1;
/// Ended deeds that are remembered when the file is opened; older keys belong to tasks long over.
const REMEMBERED: usize = 2000;

/// Something that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// [`DEED_VERSION`].
    pub v: u32,
    /// The key under which it is done once.
    pub key: String,
    /// Digest of what it is.
    pub digest: String,
    /// When.
    pub at: Timestamp,
    /// Whose agent asked.
    pub agent: String,
    /// On whose behalf.
    pub principal: String,
    /// The task's number.
    pub task: String,
    /// The step.
    pub step: String,
    /// What.
    pub duty: Duty,
    /// What was granted when it was begun: it is brought to an end under that.
    pub terms: Terms,
    /// The number under which it keeps what it changes.
    pub id: KeptId,
    /// What was seen before.
    pub before: Value,
    /// How it ended; none yet: it was begun.
    pub outcome: Option<Outcome>,
}

/// The book.
#[derive(Debug)]
pub struct Deeds {
    path: PathBuf,
    file: File,
    all: BTreeMap<String, Deed>,
}

impl Deeds {
    /// Opens the file. A last line that was cut off was nobody's deed yet.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(mut file) => {
                file.read_to_end(&mut text)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let whole = text
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let mut all = BTreeMap::new();
        for (at, line) in text
            .get(..whole)
            .unwrap_or_default()
            .split(|b| *b == b'\n')
            .enumerate()
        {
            if line.is_empty() {
                continue;
            }
            let damaged = |why: String| {
                let text = format!("{} is damaged at line {}: {why}", path.display(), at + 1);
                io::Error::new(io::ErrorKind::InvalidData, text)
            };
            let deed: Deed =
                serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            if deed.v > DEED_VERSION {
                return Err(damaged("a newer ai-infra wrote it".to_owned()));
            }
            all.insert(deed.key.clone(), deed);
        }
        forget(&mut all);
        Self::anew(path, all)
    }

    /// Writes the file whole, beside its place first, and goes on at its end.
    fn anew(path: &Path, all: BTreeMap<String, Deed>) -> io::Result<Self> {
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        for deed in all.values() {
            file.write_all(&line(deed)?)?;
        }
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            all,
        })
    }

    /// What became of a key.
    pub fn get(&self, key: &str) -> Option<&Deed> {
        self.all.get(key)
    }

    /// What was begun of what has this digest.
    pub fn of(&self, digest: &str) -> Option<&Deed> {
        self.all.values().find(|deed| deed.digest == digest)
    }

    /// Those that were begun and have no end.
    pub fn open_ones(&self) -> Vec<Deed> {
        let open = self.all.values().filter(|deed| deed.outcome.is_none());
        open.cloned().collect()
    }

    /// The next number to keep something under.
    pub fn next_id(&self) -> KeptId {
        let last = self.all.values().map(|deed| deed.id.number()).max();
        KeptId::of(last.unwrap_or(0) + 1)
    }

    /// Writes that it is begun, or how it ended.
    ///
    /// # Errors
    /// A sentence: then it must not be begun.
    pub fn write(&mut self, deed: Deed) -> Result<(), String> {
        let length = self.file.metadata().map(|about| about.len());
        let written = line(&deed).and_then(|line| {
            self.file.write_all(&line)?;
            self.file.sync_data()
        });
        if let Err(error) = written {
            // Whatever part of it was written is no deed.
            if let Ok(length) = length {
                let _cut = self.file.set_len(length);
            }
            return Err(format!(
                "{} cannot be written: {error}",
                self.path.display()
            ));
        }
        self.all.insert(deed.key.clone(), deed);
        Ok(())
    }
}

/// Keeps every open one, the newest of the others, and the one with the highest number.
fn forget(all: &mut BTreeMap<String, Deed>) {
    let mut ended: Vec<(u32, String)> = all
        .values()
        .filter(|deed| deed.outcome.is_some())
        .map(|deed| (deed.id.number(), deed.key.clone()))
        .collect();
    ended.sort();
    let old = ended.len().saturating_sub(REMEMBERED);
    for (_, key) in ended.into_iter().take(old) {
        all.remove(&key);
    }
}

fn line(deed: &Deed) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(deed).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

/// Whether an end is one that stands: asked again, the same is answered.
pub fn stands(outcome: &Outcome) -> bool {
    matches!(outcome.end, End::Done | End::Failed | End::Undone)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn deed(key: &str, id: u32) -> Deed {
        Deed {
            v: DEED_VERSION,
            key: key.into(),
            digest: "d".into(),
            at: Timestamp::UNIX_EPOCH,
            agent: "infra".into(),
            principal: "ada".into(),
            task: "t1".into(),
            step: "s".into(),
            duty: Duty::KeptFiles,
            terms: Terms::default(),
            id: KeptId::of(id),
            before: json!({"a": 1}),
            outcome: None,
        }
    }

    #[test]
    fn what_was_begun_is_known_after_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operations.jsonl");
        let mut book = Deeds::open(&path).unwrap();
        assert_eq!(book.next_id(), KeptId::of(1));
        book.write(deed("a", 1)).unwrap();
        book.write(deed("b", 2)).unwrap();
        let ended = Deed {
            outcome: Some(Outcome::of(End::Done, "done", Value::Null)),
            ..deed("a", 1)
        };
        book.write(ended.clone()).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"v\":1,\"key\":\"c\"").unwrap();
        let book = Deeds::open(&path).unwrap();
        assert_eq!(book.get("a"), Some(&ended));
        assert_eq!(book.open_ones(), [deed("b", 2)]);
        assert_eq!((book.get("c"), book.next_id()), (None, KeptId::of(3)));
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(
            Deeds::open(&path)
                .unwrap_err()
                .to_string()
                .contains("line 1")
        );
    }

    #[test]
    fn only_old_ends_are_forgotten() {
        let mut all: BTreeMap<String, Deed> = (1..=REMEMBERED as u32 + 10)
            .map(|n| {
                let outcome = (n != 1).then(|| Outcome::not("x"));
                (
                    format!("k{n}"),
                    Deed {
                        outcome,
                        ..deed(&format!("k{n}"), n)
                    },
                )
            })
            .collect();
        forget(&mut all);
        assert_eq!(all.len(), REMEMBERED + 1);
        assert!(all.contains_key("k1") && !all.contains_key("k2") && all.contains_key("k2010"));
    }
}
