//! A file that grows, is rotated, cut short, or comes and goes: its new whole lines.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most read at once, in bytes; the rest comes at the next look.
const AT_ONCE: u64 = 1024 * 1024;
/// Longest line kept, in bytes; what is longer is cut.
const LINE: usize = 64 * 1024;

/// A followed file.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    read: u64,
    partial: Vec<u8>,
    /// The rest of a line whose start is not known or too long is passed over.
    passing: bool,
}

impl Tail {
    /// Followed from its first byte.
    pub fn whole(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Followed from where somebody else has read it to: after the last whole line, `read` bytes in.
    pub fn going_on(path: PathBuf, mut file: File, read: u64) -> Self {
        let open = file.seek(SeekFrom::Start(read)).is_ok().then(|| Opened {
            file,
            read,
            partial: Vec::new(),
            passing: false,
        });
        Self { path, open }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// New whole lines since the last look. A file that is gone or cannot be read has none.
    pub fn look(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.open.is_none() {
            self.open = open(&self.path).ok();
        }
        let Some(opened) = &mut self.open else {
            return lines;
        };
        let read = opened.read_new(&mut lines);
        let all_read = matches!(read, Ok(size) if size < AT_ONCE);
        if read.is_err() || (all_read && is_another(&self.path, &opened.file)) {
            self.open = None;
            if let Ok(mut next) = open(&self.path)
                && next.read_new(&mut lines).is_ok()
            {
                self.open = Some(next);
            }
        }
        lines
    }
}

fn open(path: &Path) -> io::Result<Opened> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(Opened {
        file,
        read: 0,
        partial: Vec::new(),
        passing: false,
    })
}

/// Whether the path names another file now, after a rotation. A path that is gone does not: the
/// old file may still be written to until the new one appears.
fn is_another(path: &Path, file: &File) -> bool {
    let same = |a: &Metadata, b: &Metadata| a.ino() == b.ino() && a.dev() == b.dev();
    match (std::fs::symlink_metadata(path), file.metadata()) {
        (Ok(now), Ok(held)) => !same(&now, &held),
        _ => false,
    }
}

impl Opened {
    fn read_new(&mut self, lines: &mut Vec<String>) -> io::Result<u64> {
        if self.file.metadata()?.len() < self.read {
            self.file.seek(SeekFrom::Start(0))?;
            self.read = 0;
            self.partial.clear();
            self.passing = false;
        }
        let mut bytes = Vec::new();
        let size = (&self.file).take(AT_ONCE).read_to_end(&mut bytes)? as u64;
        self.read += size;
        self.split(&bytes, lines);
        Ok(size)
    }

    fn split(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.last() == Some(&b'\n');
            if !self.passing {
                let room = LINE.saturating_sub(self.partial.len());
                self.partial.extend(piece.iter().take(room));
            }
            let full = self.partial.len() >= LINE;
            if (ends || full) && !self.passing {
                let line = String::from_utf8_lossy(&self.partial);
                let line = line.trim_end_matches(['\n', '\r']);
                if !line.is_empty() {
                    lines.push(line.to_owned());
                }
                self.partial.clear();
            }
            self.passing = (self.passing || full) && !ends;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_files_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut tail = Tail::whole(path.clone());
        assert!(tail.look().is_empty());
        append(&path, "one\ntw");
        assert_eq!(tail.look(), ["one"]);
        append(&path, "o\n\nthree\n");
        assert_eq!(tail.look(), ["two", "three"]);
        // Rotated: the last words in the old file, then the new one from its start.
        fs::rename(&path, folder.path().join("x.log.1")).unwrap();
        append(&folder.path().join("x.log.1"), "last\n");
        assert_eq!(tail.look(), ["last"]);
        append(&path, "first\n");
        assert_eq!(tail.look(), ["first"]);
        // Cut short.
        fs::write(&path, "a\n").unwrap();
        assert_eq!(tail.look(), ["a"]);
        fs::remove_file(&path).unwrap();
        assert!(tail.look().is_empty());
        append(&path, "back\n");
        assert_eq!(tail.look(), ["back"]);
    }

    #[test]
    fn long_lines_are_cut_and_bad_bytes_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut bytes = vec![b'x'; 200_000];
        bytes.extend(b"\nnext\n\xff\xfe\n");
        fs::write(&path, bytes).unwrap();
        let lines = Tail::whole(path).look();
        assert_eq!((lines.len(), lines[0].len()), (3, LINE));
        assert_eq!(lines[1], "next");
        assert_eq!(lines[2], "\u{fffd}\u{fffd}");
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("t");
        fs::write(&target, "x\n").unwrap();
        let link = folder.path().join("x.log");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Tail::whole(link).look().is_empty());
    }
}
