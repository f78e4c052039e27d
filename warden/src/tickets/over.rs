//! Tasks that are over, as the owner of the home says: no leave of theirs counts any more, over any restart. A line each, safe
//! on disk. The newest are kept; of an older one that has leave still, the supervisor says it again.

use config::private_file;
use jiff::Timestamp;
use protocol::ids::TaskId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const OVER_VERSION: u32 = 1;
/// Most that are kept.
const KEPT: usize = 16_384;
/// Longest name of a task, in bytes; a uuid has fewer.
pub const NAME: usize = 64;

/// A task's uuid can be written in several ways: the one that everybody else writes.
pub fn one_name(task: &str) -> String {
    let id = task.parse::<TaskId>();
    id.map_or_else(|_| task.to_owned(), |id| id.to_string())
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    v: u32,
    at: Timestamp,
    task: String,
}

/// All of them.
#[derive(Debug)]
pub struct Over {
    path: PathBuf,
    file: File,
    lines: VecDeque<Line>,
    names: BTreeSet<String>,
}

impl Over {
    /// Opens the file. A last line that was cut off was never answered for.
    ///
    /// # Errors
    /// When it cannot be read or written, or holds something else: leave of a task that is over must not come back.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut text = String::new();
        Self::file(path)?.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let mut lines = VecDeque::new();
        for (at, line) in text.get(..whole).unwrap_or_default().lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|error| {
                let path = path.display();
                let why = format!("{path} is damaged at line {}: {error}", at + 1);
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            lines.push_back(line);
        }
        let names = lines.iter().map(|line| line.task.clone()).collect();
        let mut over = Self {
            path: path.to_owned(),
            file: Self::file(path)?,
            lines,
            names,
        };
        over.anew()?;
        Ok(over)
    }

    fn file(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true).mode(0o600);
        options.open(path)
    }

    /// Writes the file anew, with the newest.
    fn anew(&mut self) -> io::Result<()> {
        while self.lines.len() > KEPT {
            let gone = self.lines.pop_front();
            gone.map(|line| self.names.remove(&line.task));
        }
        let mut text = Vec::new();
        for line in &self.lines {
            text.extend(serde_json::to_vec(line)?);
            text.push(b'\n');
        }
        private_file::write(&self.path, &text).map_err(io::Error::other)?;
        self.file = Self::file(&self.path)?;
        Ok(())
    }

    /// Whether a task is one.
    pub fn is(&self, task: &str) -> bool {
        self.names.contains(&one_name(task))
    }

    /// A task is over. What is no name of one is not kept: nothing is asked under it.
    ///
    /// # Errors
    /// A sentence: it cannot be kept.
    pub fn add(&mut self, task: &str, now: Timestamp) -> Result<(), String> {
        let task = one_name(task);
        if task.len() > NAME || self.names.contains(&task) {
            return Ok(());
        }
        self.keep(task, now).map_err(|error| {
            let path = self.path.display();
            format!("that a task is over cannot be kept in {path}: {error}")
        })
    }

    fn keep(&mut self, task: String, at: Timestamp) -> io::Result<()> {
        let v = OVER_VERSION;
        let line = Line { v, at, task };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let length = self.file.metadata()?.len();
        let written = self.file.write_all(&text);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // Half a line would spoil the next one.
            self.file.set_len(length)?;
            return Err(error);
        }
        self.names.insert(line.task.clone());
        self.lines.push_back(line);
        match self.lines.len() >= 2 * KEPT {
            true => self.anew(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_over_stays_over_and_the_file_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("over.jsonl");
        let now = Timestamp::UNIX_EPOCH;
        let mut over = Over::open(&path).unwrap();
        let id = TaskId::new();
        let otherwise = id.to_string().replace('-', "").to_uppercase();
        over.add(&otherwise, now).unwrap();
        over.add(&id.to_string(), now).unwrap();
        over.add(&"x".repeat(NAME + 1), now).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1);
        text.push_str("{\"v\":1,\"at\":\"19");
        std::fs::write(&path, text).unwrap();
        let mut over = Over::open(&path).unwrap();
        for (task, expected) in [
            (id.to_string(), true),
            (otherwise, true),
            (TaskId::new().to_string(), false),
        ] {
            assert_eq!(over.is(&task), expected, "{task}");
        }
        // As many as would be said in years.
        over.lines.extend((0..2 * KEPT - 2).map(|n| Line {
            v: OVER_VERSION,
            at: now,
            task: format!("t{n}"),
        }));
        over.add("last", now).unwrap();
        assert!(over.is("last") && !over.is(&id.to_string()));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), KEPT);
        std::fs::write(&path, "nonsense\n").unwrap();
        let said = Over::open(&path).unwrap_err().to_string();
        assert!(said.contains("damaged at line 1"), "{said}");
    }
}
