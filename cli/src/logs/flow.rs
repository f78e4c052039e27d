//! The logs as they go on: what is there, then what is added, files that appear included.

use super::history::{History, logs};
use super::line::{LogLine, parse};
use super::tail::Tail;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Most files followed.
const MOST_FILES: usize = 100;

/// The followed files of a folder.
pub struct Flow {
    folder: PathBuf,
    tails: Vec<Followed>,
}

struct Followed {
    process: String,
    tail: Tail,
    last: Option<Timestamp>,
}

impl Flow {
    /// From where a history was read to.
    pub fn after(folder: &Path, history: History) -> Self {
        let follow = |(process, tail)| Followed {
            process,
            tail,
            last: None,
        };
        Self {
            folder: folder.to_owned(),
            tails: history.tails().into_iter().map(follow).collect(),
        }
    }

    /// New lines of every file, in order of time.
    pub fn look(&mut self) -> Vec<LogLine> {
        self.find_files();
        let mut lines = Vec::new();
        for followed in &mut self.tails {
            for raw in followed.tail.look() {
                let mut line = parse(&followed.process, &raw);
                // A line without a time belongs to the one before it.
                line.at = line.at.or(followed.last);
                followed.last = line.at;
                lines.push(line);
            }
        }
        lines.sort_by_key(|line| line.at);
        lines
    }

    fn find_files(&mut self) {
        for log in logs(&self.folder) {
            let known = self.tails.iter().any(|one| one.tail.path() == log.path);
            if !known && self.tails.len() < MOST_FILES {
                self.tails.push(Followed {
                    process: log.process,
                    tail: Tail::whole(log.path),
                    last: None,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;

    fn entry(second: u32, message: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-03-01T12:00:{second:02}Z\",\"fields\":{{\"message\":\"{message}\"}}}}\n"
        )
    }

    fn shown(lines: impl IntoIterator<Item = LogLine>) -> Vec<String> {
        let words = |line: LogLine| format!("{} {}", line.process, line.text);
        lines.into_iter().map(words).collect()
    }

    #[test]
    fn what_is_there_then_what_is_added_over_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.log"), entry(1, "one")).unwrap();
        let mut history = History::open(folder.path());
        assert_eq!(shown(history.by_ref()), ["a one"]);
        let mut flow = Flow::after(folder.path(), history);
        assert!(flow.look().is_empty());
        fs::write(path("a.log"), entry(1, "one") + &entry(4, "four")).unwrap();
        fs::write(path("agent-new.log"), entry(3, "three") + "panic\n").unwrap();
        assert_eq!(shown(flow.look()), ["new three", "new panic", "a four"]);
        fs::rename(path("a.log"), path("a.log.1")).unwrap();
        fs::write(path("a.log"), entry(5, "five")).unwrap();
        assert_eq!(shown(flow.look()), ["a five"]);
    }
}
