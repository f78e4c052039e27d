//! All lines that the logs of a home hold, older files included, merged by time while they are read:
//! one line of each process is held in memory, however large the files are.

use super::line::{LogLine, parse};
use super::tail::Tail;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longest line kept, in bytes; what is longer is cut.
const LINE: u64 = 64 * 1024;

/// The files of one log: the current one and its older ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Who writes it, such as `code`.
    pub process: String,
    /// The file that grows.
    pub path: PathBuf,
    /// The older ones, oldest first.
    pub older: Vec<PathBuf>,
}

/// The logs of a folder, by name.
pub fn logs(folder: &Path) -> Vec<Log> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: BTreeMap<String, BTreeMap<u64, PathBuf>> = BTreeMap::new();
    for entry in entries {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let (base, number) = match name.rsplit_once('.') {
            Some((base, number)) if base.ends_with(".log") => (base, number.parse().ok()),
            _ => (name.as_str(), name.ends_with(".log").then_some(0)),
        };
        if let Some(number) = number {
            let files = found.entry(base.to_owned()).or_default();
            files.insert(number, entry.path());
        }
    }
    let log = |(base, mut files): (String, BTreeMap<u64, PathBuf>)| {
        files.remove(&0);
        Log {
            process: process_of(&base),
            path: folder.join(&base),
            older: files.into_values().rev().collect(),
        }
    };
    found.into_iter().map(log).collect()
}

/// `agent-code.log` and `agent-code.2.log` are written by `code`.
pub fn process_of(file: &str) -> String {
    let stem = file.strip_suffix(".log").unwrap_or(file);
    let stem = match stem.rsplit_once('.') {
        Some((stem, place)) if place.parse::<u32>().is_ok() => stem,
        _ => stem,
    };
    stem.strip_prefix("agent-").unwrap_or(stem).to_owned()
}

/// The lines of all logs, oldest first.
pub struct History {
    sources: Vec<Source>,
}

impl History {
    /// Of a folder as it is now.
    pub fn open(folder: &Path) -> Self {
        let sources = logs(folder).into_iter().map(Source::new);
        Self {
            sources: sources.collect(),
        }
    }

    /// To go on where it was read to, once every line was read.
    pub fn tails(self) -> Vec<(String, Tail)> {
        let tail = |source: Source| (source.process, source.tail);
        self.sources.into_iter().map(tail).collect()
    }
}

impl Iterator for History {
    type Item = LogLine;

    fn next(&mut self) -> Option<LogLine> {
        let oldest = self
            .sources
            .iter_mut()
            .filter_map(|source| {
                let at = source.head()?.at;
                Some((at, source))
            })
            .min_by_key(|(at, _)| *at)?;
        oldest.1.head.take()
    }
}

/// One log, read from its oldest file on.
struct Source {
    process: String,
    files: Vec<PathBuf>,
    open: Option<(BufReader<File>, u64)>,
    tail: Tail,
    head: Option<LogLine>,
    last: Option<Timestamp>,
}

impl Source {
    fn new(log: Log) -> Self {
        let mut files: Vec<PathBuf> = log.older.into_iter().rev().collect();
        files.insert(0, log.path.clone());
        Self {
            process: log.process,
            files,
            open: None,
            tail: Tail::whole(log.path),
            head: None,
            last: None,
        }
    }

    /// The next line, without taking it.
    fn head(&mut self) -> Option<&LogLine> {
        if self.head.is_none() {
            let raw = self.read()?;
            let mut line = parse(&self.process, &raw);
            // A line without a time belongs to the one before it.
            line.at = line.at.or(self.last);
            self.last = line.at;
            self.head = Some(line);
        }
        self.head.as_ref()
    }

    fn read(&mut self) -> Option<String> {
        loop {
            let Some((reader, read)) = &mut self.open else {
                let path = self.files.pop()?;
                self.open = open(&path).ok().map(|file| (BufReader::new(file), 0));
                continue;
            };
            match next_line(reader) {
                Ok(Some((line, size))) => {
                    *read += size;
                    if !line.trim().is_empty() {
                        return Some(line);
                    }
                }
                // What is not ended yet, or cannot be read, is left to whoever follows.
                Ok(None) | Err(_) => {
                    if let Some((reader, read)) = self.open.take()
                        && self.files.is_empty()
                    {
                        self.tail =
                            Tail::going_on(self.tail.path().to_owned(), reader.into_inner(), read);
                        return None;
                    }
                }
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// The next whole line and its size in the file; a long one is cut.
fn next_line(reader: &mut BufReader<File>) -> io::Result<Option<(String, u64)>> {
    let mut bytes = Vec::new();
    let mut size = reader.by_ref().take(LINE).read_until(b'\n', &mut bytes)? as u64;
    while bytes.last() != Some(&b'\n') {
        let mut rest = Vec::new();
        let more = reader.by_ref().take(LINE).read_until(b'\n', &mut rest)?;
        if more == 0 {
            return Ok(None);
        }
        size += more as u64;
        if rest.last() == Some(&b'\n') {
            bytes.push(b'\n');
        }
    }
    let line = String::from_utf8_lossy(&bytes);
    Ok(Some((line.trim_end().to_owned(), size)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;
    use std::io::Write;

    fn entry(second: u32, message: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-03-01T12:00:{second:02}Z\",\"level\":\"INFO\",\"fields\":{{\"message\":\"{message}\"}}}}\n"
        )
    }

    fn shown(lines: impl Iterator<Item = LogLine>) -> Vec<String> {
        lines
            .map(|line| format!("{} {}", line.process, line.text))
            .collect()
    }

    #[test]
    fn older_files_come_first_and_processes_are_merged_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(
            path("a.log"),
            entry(5, "five") + "panic\n" + &entry(8, "eight"),
        )
        .unwrap();
        fs::write(path("a.log.1"), entry(3, "three")).unwrap();
        fs::write(path("a.log.10"), entry(1, "one")).unwrap();
        fs::write(path("a.2.log"), entry(4, "four")).unwrap();
        fs::write(path("agent-b.log"), entry(2, "two") + &entry(6, "six")).unwrap();
        fs::write(path("c.out"), entry(2, "no log")).unwrap();
        let expected = [
            "a one", "b two", "a three", "a four", "a five", "a panic", "b six", "a eight",
        ];
        assert_eq!(shown(History::open(folder.path())), expected);
        assert!(History::open(&folder.path().join("none")).next().is_none());
    }

    #[test]
    fn whoever_follows_goes_on_without_a_gap_and_without_a_repeat() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let half = entry(2, "two");
        fs::write(&path, entry(1, "one") + &half[..20]).unwrap();
        let mut history = History::open(folder.path());
        assert_eq!(shown(history.by_ref()), ["a one"]);
        let mut tails = history.tails();
        assert!(tails[0].1.look().is_empty());
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&half.as_bytes()[20..]).unwrap();
        let lines: Vec<LogLine> = tails[0]
            .1
            .look()
            .iter()
            .map(|raw| parse("a", raw))
            .collect();
        assert_eq!(shown(lines.into_iter()), ["a two"]);
    }

    #[test]
    fn long_lines_are_cut_and_bad_bytes_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![b'x'; 300_000];
        bytes.extend(b"\n\n\xff\xfe\n");
        fs::write(folder.path().join("a.log"), bytes).unwrap();
        let lines: Vec<LogLine> = History::open(folder.path()).collect();
        assert_eq!((lines.len(), lines[0].raw.len()), (2, LINE as usize));
        assert_eq!(lines[1].text, "\u{fffd}\u{fffd}");
    }
}
