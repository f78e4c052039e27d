//! The one writer of a chain. Lines go to the file at once and are made safe in groups; room for the
//! lines that end what was begun is set aside before anything is begun, so a full disk stops acts
//! and not lines.

use super::head::{self, HeadFile};
use super::line::{Entry, Line, Stage, digest};
use super::reader::{AuditPlace, ReadError, file_name, files, lines};
use super::seal::SealKey;
use super::verify::Head;
use config::error::ConfigError;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Room that is set aside beyond the end of the file, in bytes: some hundred lines.
pub const RESERVE: u64 = 256 * 1024;
/// A file this long is followed by a new one, in bytes.
const FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Why the book cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The chain or its key cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key cannot be made.
    #[error(transparent)]
    Key(#[from] ConfigError),
    /// The system said no.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another warden writes it.
    #[error("another warden of this home keeps {}", .0.display())]
    Taken(PathBuf),
    /// There is a chain and its key is gone: it could not be gone on with under the same seal.
    #[error("the key that seals {} is gone: put {} back from a backup, or move that folder away to begin a new chain", .folder.display(), .key.display())]
    NoKey {
        /// The chain.
        folder: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// No room for a new act.
    #[error("the disk that holds {} is full: what was begun is still written down, nothing new is begun; free space", .0.display())]
    Full(PathBuf),
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BookError {
    let path = path.to_owned();
    move |source| BookError::Io {
        doing,
        path,
        source,
    }
}

/// The open chain.
#[derive(Debug)]
pub struct Book {
    place: AuditPlace,
    host: String,
    key: SealKey,
    head: Head,
    head_file: HeadFile,
    file: File,
    path: PathBuf,
    /// Bytes of the file that are lines.
    length: u64,
    /// Bytes the disk has set aside for the file.
    reserved: u64,
    _lock: Flock<File>,
}

impl Book {
    /// Opens the chain of a home, or begins one. A line that was cut off while it was written (the power
    /// went) is taken out and said in a line of its own, and so is an end that is not the one the warden
    /// remembers.
    ///
    /// # Errors
    /// When it cannot be read or written, its key is gone, or another warden has it.
    pub fn open(place: AuditPlace, host: &str, now: Timestamp) -> Result<Self, BookError> {
        let lock = lock(&place.head.with_extension("lock"))?;
        let known = files(&place.folder)?;
        let key = match SealKey::read(&place.key)? {
            Some(key) => key,
            None if known.is_empty() => SealKey::make(&place.key)?,
            None => {
                return Err(BookError::NoKey {
                    folder: place.folder,
                    key: place.key,
                });
            }
        };
        let remembered = head::read(&place.head, &key).map_err(io_error("read", &place.head))?;
        let end = End::find(&known)?;
        let path = match known.last() {
            Some((_, path)) => path.clone(),
            None => place.folder.join(file_name(1)),
        };
        let file = open_file(&path)?;
        if end.torn > 0 {
            file.set_len(end.length).map_err(io_error("mend", &path))?;
        }
        let head_file = HeadFile::open(&place.head).map_err(io_error("open", &place.head))?;
        let mut book = Self {
            host: host.to_owned(),
            key,
            head: end.head,
            head_file,
            file,
            path,
            length: end.length,
            reserved: 0,
            place,
            _lock: lock,
        };
        book.note_start(end.torn, remembered, known.is_empty(), now)?;
        Ok(book)
    }

    fn note_start(
        &mut self,
        torn: u64,
        remembered: Option<Head>,
        new: bool,
        now: Timestamp,
    ) -> Result<(), BookError> {
        let cut = remembered.filter(|head| head.seq > self.head.seq);
        let mut said = match new {
            true => "the chain begins".to_owned(),
            false => "the warden goes on".to_owned(),
        };
        if torn > 0 {
            said.push_str(&format!("; {torn} bytes of a line cut off were taken out"));
        }
        if let Some(head) = cut {
            tracing::error!(
                ends = self.head.seq,
                remembered = head.seq,
                "the chain was cut"
            );
            said.push_str(&format!(
                "; THE CHAIN WAS CUT: it ended at line {}, line {} was written",
                self.head.seq, head.seq
            ));
        }
        self.append(note("warden", &said), now)?;
        self.sync_handle()?.sync()
    }

    /// How far it goes.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Writes a line. It is in the file when this returns, and safe from a power cut after the next
    /// [`Syncer::sync`].
    ///
    /// # Errors
    /// When a new act is to be begun and there is no room for the line of its end, or the system says
    /// no; then nothing is written.
    pub fn append(&mut self, entry: Entry, now: Timestamp) -> Result<u64, BookError> {
        let begins = entry.stage == Stage::Before;
        let line = Line::of(entry, self.head.seq + 1, now, &self.host, &self.head.hash);
        let text = line.text(&self.key);
        if self.length > 0 && self.length + text.len() as u64 > FILE_BYTES {
            self.turn()?;
        }
        let room = self.make_room();
        if begins && !room {
            return Err(BookError::Full(self.place.folder.clone()));
        }
        let bytes = format!("{text}\n");
        if let Err(error) = self.file.write_all(bytes.as_bytes()) {
            // Whatever part of it was written is no line.
            let _cut = self.file.set_len(self.length);
            return Err(match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                Errno::ENOSPC | Errno::EDQUOT => BookError::Full(self.place.folder.clone()),
                _ => io_error("write", &self.path)(error),
            });
        }
        self.length += bytes.len() as u64;
        self.head = Head {
            seq: line.seq,
            hash: digest(&text),
        };
        let place = &self.place.head;
        self.head_file
            .write(&self.head, &self.key)
            .map_err(io_error("write", place))?;
        Ok(line.seq)
    }

    /// Goes on in a new file. The old one is made safe first.
    fn turn(&mut self) -> Result<(), BookError> {
        self.sync_handle()?.sync()?;
        let path = self.place.folder.join(file_name(self.head.seq + 1));
        self.file = open_file(&path)?;
        self.path = path;
        (self.length, self.reserved) = (0, 0);
        Ok(())
    }

    /// Whether the disk holds room for the lines to come. Where a file system cannot set room aside, its
    /// free space is looked at.
    fn make_room(&mut self) -> bool {
        if self.reserved >= self.length + RESERVE / 2 {
            return true;
        }
        let wanted = self.length + RESERVE;
        let keep = FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(&self.file, keep, 0, wanted as i64) {
            Ok(()) => {
                self.reserved = wanted;
                true
            }
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                let free = nix::sys::statvfs::fstatvfs(&self.file);
                free.is_ok_and(|disk| disk.blocks_available() * disk.fragment_size() > RESERVE)
            }
            Err(_) => false,
        }
    }

    /// What makes everything written so far safe, usable on another thread.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn sync_handle(&self) -> Result<Syncer, BookError> {
        let file = self.file.try_clone();
        Ok(Syncer {
            file: file.map_err(io_error("open again", &self.path))?,
            path: self.path.clone(),
            seq: self.head.seq,
        })
    }
}

/// Makes lines safe.
#[derive(Debug)]
pub struct Syncer {
    file: File,
    path: PathBuf,
    /// The last line this makes safe.
    pub seq: u64,
}

impl Syncer {
    /// Waits until the disk has them.
    ///
    /// # Errors
    /// What the system says: nothing may be begun on lines that are not safe.
    pub fn sync(&self) -> Result<(), BookError> {
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }
}

/// A line that is no act of a task.
pub fn note(by: &str, said: &str) -> Entry {
    Entry {
        principal: String::new(),
        agent: by.to_owned(),
        task: String::new(),
        call: String::new(),
        epoch: 0,
        level: 0,
        ticket: String::new(),
        tool: String::new(),
        args_sha256: String::new(),
        summary: said.to_owned(),
        stage: Stage::Note,
        outcome: String::new(),
    }
}

/// Where the last file ends.
#[derive(Debug, Default)]
struct End {
    head: Head,
    length: u64,
    torn: u64,
}

impl End {
    fn find(known: &[(u64, PathBuf)]) -> Result<Self, BookError> {
        let mut end = End::default();
        // The last file may hold nothing yet: the one before it then holds the last line.
        for (at, (_, path)) in known.iter().enumerate().rev() {
            let last = at + 1 == known.len();
            let (mut length, mut text) = (0, None);
            let torn = lines(path, &mut |line| {
                length += line.len() as u64 + 1;
                text = Some(line.to_owned());
                Ok(())
            })?;
            if last {
                (end.length, end.torn) = (length, torn);
            }
            if let Some(text) = text {
                // A line nobody can read was written by somebody else: what follows does not fit it, and
                // `audit verify` says so.
                let seq = Line::read(&text, None).map_or(0, |line| line.seq);
                end.head = Head {
                    seq,
                    hash: digest(&text),
                };
                break;
            }
        }
        Ok(end)
    }
}

fn open_file(path: &Path) -> Result<File, BookError> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error("open", path))?;
    let folder = path.parent().unwrap_or(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync", folder))?;
    Ok(file)
}

fn lock(path: &Path) -> Result<Flock<File>, BookError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error("open", path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => Err(BookError::Taken(path.to_owned())),
        Err((_, errno)) => Err(io_error("lock", path)(errno.into())),
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
