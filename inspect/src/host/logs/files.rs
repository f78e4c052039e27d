//! The log files of a host: which there are, and their lines. Rotated and gzipped ones belong to the log they came from.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use crate::host::tree::Tree;

/// Most bytes read of one file, from its end; of a gzipped one, from its start.
const MOST: u64 = 256 << 20;
/// Longest line that is kept, in bytes.
const LINE: u64 = 64 * 1024;
/// Depth of folders below `/var/log`.
const DEPTH: usize = 4;
/// Most files.
const FILES: usize = 2000;

/// A log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its path on the host.
    pub path: String,
    /// The path of the log it belongs to, without what rotation added.
    pub log: String,
}

/// What lies in `/var/log` and is no log of lines.
const BINARY: [&str; 6] = ["wtmp", "btmp", "lastlog", "faillog", "tallylog", "journal"];

/// Log files that were written to since a moment, in order of path.
pub fn find(tree: &Tree, since: Timestamp) -> Vec<LogFile> {
    let mut found = Vec::new();
    look(tree, "/var/log", DEPTH, since, &mut found);
    found
}

fn look(tree: &Tree, folder: &str, depth: usize, since: Timestamp, found: &mut Vec<LogFile>) {
    for name in tree.list(folder) {
        let path = format!("{folder}/{name}");
        let Ok(about) = tree.real(&path).and_then(|place| place.symlink_metadata()) else {
            continue;
        };
        let log = unrotated(&name);
        if about.is_dir() && tree.link(&path).is_none() {
            if depth > 0 && !BINARY.contains(&name.as_str()) {
                look(tree, &path, depth - 1, since, found);
            }
            continue;
        }
        let written = about
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let old = written.is_some_and(|time| (time.as_secs() as i64) < since.as_second());
        if !about.is_file() || old || BINARY.contains(&log) || !is_log(log) {
            continue;
        }
        if [".xz", ".zst", ".bz2"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            tree.note(&path, "compressed in a way that is not read");
        } else if found.len() < FILES {
            found.push(LogFile {
                log: format!("{folder}/{log}"),
                path,
            });
        } else {
            tree.note(folder, "it holds too many logs");
        }
    }
}

fn is_log(name: &str) -> bool {
    let known = [
        "syslog",
        "messages",
        "secure",
        "maillog",
        "cron",
        "debug",
        "dmesg",
        "error_log",
        "access_log",
    ];
    name.ends_with(".log")
        || name.ends_with(".err")
        || known.contains(&name)
        || name.ends_with(".json")
}

/// A log's name without what rotation added: `syslog.2.gz`, `messages-20261120`, `app.log.1`, `app.log-20261120.gz`.
pub fn unrotated(name: &str) -> &str {
    let name = [".gz", ".xz", ".zst", ".bz2"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let digits =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    match name.rsplit_once('.') {
        Some((head, tail)) if digits(tail) || tail == "old" => return head,
        _ => {}
    }
    match name.split_once('-') {
        Some((head, tail)) if tail.len() >= 8 && digits(tail) => head,
        _ => name,
    }
}

/// Calls `each` with every line of a file.
pub fn lines(tree: &Tree, file: &LogFile, each: &mut dyn FnMut(&str)) {
    if let Err(error) = read(tree, file, each) {
        tree.missed(&file.path, &error);
    }
}

fn read(tree: &Tree, file: &LogFile, each: &mut dyn FnMut(&str)) -> std::io::Result<()> {
    let mut opened = tree.open(&file.path)?;
    let packed = file.path.ends_with(".gz");
    let length = opened.metadata()?.len();
    let late = !packed && length > MOST;
    if late {
        opened.seek(SeekFrom::End(-(MOST as i64)))?;
        tree.note(&file.path, "only its last 256 MB were read");
    }
    let inner: Box<dyn Read> = match packed {
        true => Box::new(MultiGzDecoder::new(opened).take(MOST)),
        false => Box::new(opened.take(MOST)),
    };
    let mut reader = BufReader::with_capacity(128 * 1024, inner);
    let mut line = Vec::new();
    let mut first = true;
    loop {
        line.clear();
        if reader.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        if first && line.iter().take(1000).any(|b| *b == 0) {
            return Err(std::io::Error::other("it holds no lines of text"));
        }
        // The first line after a jump is half of one.
        if !(first && late) {
            each(String::from_utf8_lossy(&line).trim_end());
        }
        first = false;
        if !whole {
            skip_line(&mut reader)?;
        }
    }
}

/// Goes on to the next line.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match buffer.iter().position(|b| *b == b'\n') {
            Some(at) => {
                reader.consume(at + 1);
                return Ok(());
            }
            None => {
                let all = buffer.len();
                reader.consume(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::tree::planted::Planted;
    use std::io::Write;

    #[test]
    fn rotation_is_seen_through() {
        for (name, expected) in [
            ("syslog", "syslog"),
            ("syslog.1", "syslog"),
            ("syslog.2.gz", "syslog"),
            ("messages-20261120", "messages"),
            ("app.log-20261120.gz", "app.log"),
            ("app.log.old", "app.log"),
            ("postgresql-15-main.log", "postgresql-15-main.log"),
            ("postgresql-2026-11-21.log", "postgresql-2026-11-21.log"),
        ] {
            assert_eq!(unrotated(name), expected, "{name}");
        }
    }

    #[test]
    fn lines_of_every_kind_of_file_are_read() {
        let host = Planted::new(&[
            ("/var/log/syslog", "one\ntwo"),
            ("/var/log/x/app.log", ""),
            ("/var/log/wtmp", "x"),
            ("/var/log/a.log.xz", "x"),
            ("/var/log/bin.log", "a\0b\n"),
        ]);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"old\n").unwrap();
        host.put("/var/log/syslog.2.gz", gz.finish().unwrap());
        host.put("/var/log/syslog.3.gz", b"\x1f\x8bbroken");
        host.put(
            "/var/log/long.log",
            format!("{}\nshort\n", "x".repeat(200_000)),
        );
        let tree = host.tree();
        let mut seen = Vec::new();
        for file in find(&tree, Timestamp::UNIX_EPOCH) {
            lines(&tree, &file, &mut |line| {
                seen.push(format!(
                    "{} {}",
                    file.log,
                    line.chars().take(6).collect::<String>()
                ))
            });
        }
        assert_eq!(
            seen,
            [
                "/var/log/long.log xxxxxx",
                "/var/log/long.log short",
                "/var/log/syslog one",
                "/var/log/syslog two",
                "/var/log/syslog old"
            ]
        );
        let unread: Vec<_> = tree.unread().into_iter().map(|u| u.path).collect();
        assert_eq!(
            unread,
            [
                "/var/log/a.log.xz",
                "/var/log/bin.log",
                "/var/log/syslog.3.gz"
            ]
        );
        assert!(find(&tree, Timestamp::MAX).is_empty());
    }
}
