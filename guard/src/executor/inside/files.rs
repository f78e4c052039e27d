//! Read: lines of a text file, with the hash and length of the whole.

use super::place;
use super::serve::Done;
use crate::act::hex;
use protocol::limits::OUTPUT_BYTES;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// Largest file that is read, in bytes.
const FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Longest part of a line that is shown, in bytes.
const LINE_BYTES: usize = 8 * 1024;

pub(super) fn read(path: &str, offset: u64, limit: u64) -> Result<Done, String> {
    let real = place::existing(path)?;
    let file = File::open(&real).map_err(|e| place::sentence(path, &e))?;
    let meta = file.metadata().map_err(|e| place::sentence(path, &e))?;
    if meta.is_dir() {
        return Err(format!("{path} is a folder: use Glob to list it"));
    }
    if !meta.is_file() {
        return Err(format!("{path} is not a regular file"));
    }
    if meta.len() > FILE_BYTES {
        return Err(format!(
            "{path} has {} bytes: use Grep, or Bash with head",
            meta.len()
        ));
    }
    let read = lines(BufReader::new(file.take(FILE_BYTES)), offset, limit)
        .map_err(|e| place::sentence(path, &e))?
        .ok_or_else(|| {
            format!("{path} is binary: use Profile, or Bash with a program that reads it")
        })?;
    let data = json!({
        "text": read.text,
        "lines": read.lines,
        "bytes": read.bytes,
        "sha256": read.sha256,
        "truncated": read.truncated,
    });
    Ok(Done::good(numbered(&read, offset), data))
}

struct Lines {
    text: String,
    lines: u64,
    bytes: u64,
    sha256: String,
    truncated: bool,
}

/// Reads it all for hash and counts, and keeps the lines asked for; `None` when it is binary.
fn lines(mut from: impl BufRead, offset: u64, limit: u64) -> std::io::Result<Option<Lines>> {
    let mut hash = Sha256::new();
    let (mut kept, mut lines, mut bytes, mut truncated) = (Vec::new(), 0_u64, 0_u64, false);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = from.read_until(b'\n', &mut line)?;
        if n == 0 {
            break;
        }
        hash.update(&line);
        if bytes < 8192 && line.contains(&0) {
            return Ok(None);
        }
        lines += 1;
        bytes += n as u64;
        if lines < offset {
            continue;
        }
        let shown = &line[..n.min(LINE_BYTES)];
        if lines - offset >= limit || kept.len() + shown.len() > OUTPUT_BYTES {
            truncated = true;
            continue;
        }
        kept.extend_from_slice(shown);
        if n > shown.len() {
            truncated = true;
            kept.extend_from_slice("…\n".as_bytes());
        }
    }
    Ok(Some(Lines {
        text: String::from_utf8_lossy(&kept).into_owned(),
        lines,
        bytes,
        sha256: hex(&hash.finalize()),
        truncated,
    }))
}

fn numbered(read: &Lines, offset: u64) -> String {
    let mut text = String::with_capacity(read.text.len() + 64);
    for (number, line) in (offset..).zip(read.text.lines()) {
        text.push_str(&format!("{number:>6}\t{line}\n"));
    }
    if read.truncated {
        text.push_str(&format!(
            "… {} lines in all: read on with offset and limit\n",
            read.lines
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(text: &str, offset: u64, limit: u64) -> Lines {
        lines(text.as_bytes(), offset, limit).unwrap().unwrap()
    }

    #[test]
    fn lines_are_chosen() {
        let read = all("a\nb\nc", 2, 1);
        assert_eq!(
            (read.text.as_str(), read.lines, read.truncated),
            ("b\n", 3, true)
        );
        assert_eq!(numbered(&all("a\nb\n", 1, 9), 1), "     1\ta\n     2\tb\n");
        assert_eq!(all("", 1, 9).lines, 0);
        assert!(all(&"x".repeat(20_000), 1, 9).truncated);
        assert!(lines(b"a\0b".as_slice(), 1, 9).unwrap().is_none());
    }
}
