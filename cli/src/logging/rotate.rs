//! A log file that begins anew at a size, and of which a bounded number is kept: `x.log` is written,
//! `x.log.1` is the one before, and so on. Two processes never write one file: who finds it locked
//! (a stopped agent beside its successor) takes `x.2.log` and so on.

use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Most processes of one name that write at a time.
const PLACES: u32 = 9;

/// The file and its older ones.
#[derive(Debug)]
pub struct Rotated {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    file: Flock<File>,
    written: u64,
    most: u64,
    files: u64,
}

impl Rotated {
    /// Opens the log of a process, to be continued. `most` bytes a file, `files` of them.
    ///
    /// # Errors
    /// When no file can be opened for it alone.
    pub fn open(folder: &Path, name: &str, most: u64, files: u64) -> io::Result<Self> {
        let (path, file) = alone(folder, name)?;
        Ok(Self {
            written: file.metadata()?.len(),
            folder: folder.to_owned(),
            name: name.to_owned(),
            path,
            file,
            most,
            files,
        })
    }

    /// Makes the file the first of the older ones; the oldest one is gone.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            let from = match number {
                1 => self.path.clone(),
                later => older(&self.path, later - 1),
            };
            match std::fs::rename(&from, older(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let (path, file) = alone(&self.folder, &self.name)?;
        (self.path, self.file) = (path, file);
        self.written = self.file.metadata()?.len();
        Ok(())
    }
}

impl Write for Rotated {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.most {
            // What cannot be moved away (a full disk, a folder somebody made) is written on.
            let _next_time = self.rotate();
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn older(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The first file of a process that nobody else writes.
fn alone(folder: &Path, name: &str) -> io::Result<(PathBuf, Flock<File>)> {
    for place in 1..=PLACES {
        let path = folder.join(match place {
            1 => format!("{name}.log"),
            other => format!("{name}.{other}.log"),
        });
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        if let Ok(file) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            return Ok((path, file));
        }
    }
    let why = format!("{PLACES} processes write logs of {name} already");
    Err(io::Error::new(io::ErrorKind::WouldBlock, why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::collections::BTreeMap;

    fn contents(folder: &Path) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|e| {
                let text = std::fs::read_to_string(e.path()).unwrap();
                (e.file_name().into_string().unwrap(), text)
            })
            .collect()
    }

    fn expect(folder: &Path, expected: &[(&str, &str)]) {
        let expected = expected
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()));
        assert_eq!(contents(folder), expected.collect());
    }

    #[test]
    fn a_file_begins_anew_at_its_size_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rotated::open(folder.path(), "x", 10, 3).unwrap();
        for line in ["one..\n", "two\n", "three\n", "four..\n", "five..\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        drop(log);
        let expected = [
            ("x.log", "five..\n"),
            ("x.log.1", "four..\n"),
            ("x.log.2", "three\n"),
        ];
        expect(folder.path(), &expected);
        // A restart goes on; a longer line than a file has room for stands in one of its own.
        let mut log = Rotated::open(folder.path(), "x", 10, 3).unwrap();
        log.write_all(b"six\n").unwrap();
        log.write_all(b"a long line that is not cut\n").unwrap();
        let expected = [
            ("x.log", "a long line that is not cut\n"),
            ("x.log.1", "six\n"),
            ("x.log.2", "five..\n"),
        ];
        expect(folder.path(), &expected);
    }

    #[test]
    fn two_processes_never_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Rotated::open(folder.path(), "x", 8, 3).unwrap();
        let mut second = Rotated::open(folder.path(), "x", 8, 3).unwrap();
        for _ in 0..3 {
            first.write_all(b"first\n").unwrap();
            second.write_all(b"second\n").unwrap();
        }
        for (name, text) in contents(folder.path()) {
            let expected = if name.starts_with("x.log") {
                "first\n"
            } else {
                "second\n"
            };
            assert_eq!(text, expected, "{name}");
        }
        drop(first);
        let mut third = Rotated::open(folder.path(), "x", 100, 3).unwrap();
        third.write_all(b"third\n").unwrap();
        assert_eq!(contents(folder.path())["x.log"], "first\nthird\n");
    }

    #[test]
    fn what_cannot_be_moved_away_is_written_on() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("x.log.1/full")).unwrap();
        let mut log = Rotated::open(folder.path(), "x", 4, 2).unwrap();
        log.write_all(b"one\n").unwrap();
        log.write_all(b"two\n").unwrap();
        let text = std::fs::read_to_string(folder.path().join("x.log")).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
