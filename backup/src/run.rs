//! A backup: walk, cut what changed, send what the repository lacks, and write the snapshot last.

use crate::entry::{self, Entry, Kind};
use crate::error::{BackupError, file};
use crate::holder::Holder;
use crate::key::RecoveryKey;
use crate::known::{Files, Packs, Stamp, nanoseconds};
use crate::lock::{For, Lock};
use crate::names::{CHUNK, Digest, FORMAT, INDEX_CHUNKS, PACKS, SnapshotName, TREE_CHUNK};
use crate::pack::{Filling, Table};
use crate::repository::{Head, Repository, Snapshot};
use crate::sparse;
use crate::walk::{Notes, Root, Seen, walk};
use fastcdc::v2020::{Normalization, StreamCDC};
use jiff::Timestamp;
use protocol::fault::Faults;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How often a file that changes under the reader is read again.
const TRIES: u32 = 3;
/// Most notes kept in a snapshot.
const MOST_NOTES: usize = 1000;

/// What is backed up.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// What it keeps: `workspaces` or `home`.
    pub what: String,
    /// The host.
    pub host: String,
    /// Everything that belongs to it.
    pub roots: Vec<Root>,
    /// Guarantees that are left out, for whoever checks them.
    pub faults: Faults,
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files looked at.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
    /// Bytes sent to the target.
    pub sent: u64,
    /// The snapshot itself is about to be written: from here on it may be there, whatever is heard of it.
    pub closing: bool,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The snapshot.
    pub name: SnapshotName,
    /// How much.
    pub progress: Progress,
    /// What could not be read, as sentences.
    pub notes: Vec<String>,
}

struct Running<'a> {
    repository: &'a mut Repository,
    known: Packs,
    files: Files,
    filling: Filling,
    pending: HashSet<Digest>,
    used: HashSet<Digest>,
    /// The chunks that the snapshot is made of.
    chunks: HashSet<Digest>,
    lock: Option<Lock>,
    progress: Progress,
    tell: &'a mut dyn FnMut(&Progress),
    began: i64,
}

/// Makes a snapshot.
///
/// # Errors
/// When the target does not answer, somebody removes snapshots at the same time, or this machine fails.
/// The repository is then as good as before.
pub fn run(
    repository: &mut Repository,
    job: &Job,
    key: Option<&RecoveryKey>,
    now: fn() -> Timestamp,
    tell: &mut dyn FnMut(&Progress),
) -> Result<Done, BackupError> {
    #[cfg(debug_assertions)]
    if job.faults.snapshot_first() {
        repository.hold_packs_back();
    }
    let who = Holder::me(&repository.cache);
    let lock = Lock::take(repository.store.as_mut(), For::Run, (&job.host, who), now())?;
    let remembered = remembered(repository, job, key);
    let public = repository.public.clone();
    let mut running = match remembered {
        Ok((known, files)) => Running {
            repository,
            known,
            files,
            filling: Filling::new(public),
            pending: HashSet::new(),
            used: HashSet::new(),
            chunks: HashSet::new(),
            lock,
            progress: Progress::default(),
            tell,
            began: i64::try_from(now().as_nanosecond()).unwrap_or(i64::MAX),
        },
        Err(error) => {
            if let Some(lock) = lock {
                lock.free(repository.store.as_mut())?;
            }
            return Err(error);
        }
    };
    let result = running.all(job, now);
    if let Some(lock) = running.lock.take() {
        let freed = lock.free(running.repository.store.as_mut());
        if result.is_ok() {
            freed?;
        }
    }
    result
}

fn remembered(
    repository: &mut Repository,
    job: &Job,
    key: Option<&RecoveryKey>,
) -> Result<(Packs, Files), BackupError> {
    let mut known = repository.known(key)?;
    known.leave(&sparse::noted(&repository.cache, &job.name));
    let files = Files::load(&repository.cache.join(format!("files-{}", job.name)))?;
    Ok((known, files))
}

impl Running<'_> {
    fn all(&mut self, job: &Job, now: fn() -> Timestamp) -> Result<Done, BackupError> {
        let began = now();
        let name = SnapshotName::new(began, &job.name);
        let mut notes = Notes::new();
        let listed = tempfile::tempfile_in(&self.repository.cache)
            .map_err(file("write", &self.repository.cache))?;
        let mut list = BufWriter::new(listed);
        for root in &job.roots {
            walk(root, &mut notes, &mut |seen, notes| {
                if let Some(entry) = self.take(&seen, notes)? {
                    serde_json::to_writer(&mut list, &entry)
                        .map_err(std::io::Error::from)
                        .and_then(|()| list.write_all(b"\n"))
                        .map_err(file("write", Path::new("the list of files")))?;
                }
                self.keep_lock(now())
            })?;
        }
        let failed = |error| file("write", Path::new("the list of files"))(error);
        let mut listed = list
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        listed.rewind().map_err(failed)?;
        let tree = self.cut(&mut listed, TREE_CHUNK, Path::new("the list of files"))?;
        self.flush()?;
        // Its room is needed no more.
        self.filling = Filling::new(self.repository.public.clone());
        self.publish()?;
        let head = self.head();
        self.check_there(&head, now)?;
        notes.truncate(MOST_NOTES);
        let roots = job.roots.iter();
        let snapshot = Snapshot {
            v: FORMAT,
            job: job.name.clone(),
            what: job.what.clone(),
            host: job.host.clone(),
            began,
            files: self.progress.files,
            bytes: self.progress.bytes,
            roots: roots
                .map(|r| (entry::written(&r.label), entry::written(&r.path)))
                .collect(),
            tree,
            notes: notes.clone(),
        };
        self.progress.closing = true;
        (self.tell)(&self.progress);
        self.repository.keep_snapshot(&name, &head, &snapshot)?;
        self.files.done()?;
        let (cache, packs) = (&self.repository.cache, self.known.path());
        // The snapshot is there whatever comes of this.
        if let Err(error) = sparse::note(cache, &job.name, packs, &self.used, &self.chunks) {
            tracing::warn!(%error, "packs that are needed in part were not noted");
        }
        (self.tell)(&self.progress);
        Ok(Done {
            name,
            progress: self.progress.clone(),
            notes,
        })
    }

    /// One thing that was found, as a line of the list; `None` where it is nothing to keep.
    fn take(&mut self, seen: &Seen<'_>, notes: &mut Notes) -> Result<Option<Entry>, BackupError> {
        let about = seen.about;
        let mut entry = Entry {
            path: entry::written(seen.label),
            kind: Kind::Folder,
            mode: about.permissions().mode() & 0o7777,
            modified: nanoseconds(about.mtime(), about.mtime_nsec()),
            owner: (about.uid(), about.gid()),
            size: 0,
            link: None,
            chunks: Vec::new(),
        };
        if about.is_symlink() {
            entry.kind = Kind::Link;
            match std::fs::read_link(seen.path) {
                Ok(to) => entry.link = Some(entry::written(&to)),
                Err(_) => return Ok(None),
            }
        } else if about.is_file() {
            entry.kind = Kind::File;
            let Some((chunks, size)) = self.contents(seen, notes)? else {
                return Ok(None);
            };
            (entry.chunks, entry.size) = (chunks, size);
            self.progress.files += 1;
            self.progress.bytes += size;
            (self.tell)(&self.progress);
        } else if !about.is_dir() {
            return Ok(None);
        }
        Ok(Some(entry))
    }

    fn contents(
        &mut self,
        seen: &Seen<'_>,
        notes: &mut Notes,
    ) -> Result<Option<(Vec<Digest>, u64)>, BackupError> {
        let stamp = Stamp::of(seen.about);
        if let Some(chunks) = self.files.unchanged(seen.label, stamp)
            && self.has_all(&chunks)
        {
            self.files.keep(seen.label, stamp, &chunks)?;
            return Ok(Some((chunks, seen.about.len())));
        }
        for left in (0..TRIES).rev() {
            let mut opened = match open(seen.path) {
                Ok(opened) => opened,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    notes.push(format!("{} cannot be read: {error}", seen.path.display()));
                    return Ok(None);
                }
            };
            let looked = |opened: &File| opened.metadata().map_err(file("look at", seen.path));
            let before = looked(&opened)?;
            let chunks = match self.cut(&mut opened, CHUNK, seen.path) {
                Err(BackupError::File {
                    doing: "read",
                    source,
                    ..
                }) => {
                    notes.push(format!("{} cannot be read: {source}", seen.path.display()));
                    return Ok(None);
                }
                cut => cut?,
            };
            let after = looked(&opened)?;
            let stamp = Stamp::of(&after);
            let steady = Stamp::of(&before) == stamp;
            if steady && !stamp.is_fresh(self.began) {
                self.files.keep(seen.label, stamp, &chunks)?;
            }
            if steady || left == 0 {
                if !steady {
                    notes.push(format!("{} changed while it was read", seen.path.display()));
                }
                return Ok(Some((chunks, after.len())));
            }
        }
        Ok(None)
    }

    /// Whether the repository has all of these; what is used is remembered.
    fn has_all(&mut self, chunks: &[Digest]) -> bool {
        let there = |c: &Digest| self.pending.contains(c) || self.known.pack_of(c).is_some();
        if !chunks.iter().all(there) {
            return false;
        }
        self.used
            .extend(chunks.iter().filter_map(|c| self.known.pack_of(c)));
        self.chunks.extend(chunks);
        true
    }

    /// Cuts bytes into chunks and keeps what is new.
    fn cut(
        &mut self,
        mut from: &mut dyn Read,
        (least, usual, most): (usize, usize, usize),
        path: &Path,
    ) -> Result<Vec<Digest>, BackupError> {
        let mut first = Vec::with_capacity(8 * 1024);
        (&mut from)
            .take(least as u64)
            .read_to_end(&mut first)
            .map_err(file("read", path))?;
        if first.is_empty() {
            return Ok(Vec::new());
        }
        if first.len() < least {
            return Ok(vec![self.keep(&first)?]);
        }
        let seed = self.repository.naming.seed();
        let whole = first.as_slice().chain(from);
        let level = Normalization::Level1;
        let mut chunks = Vec::new();
        for chunk in StreamCDC::with_level_and_seed(whole, least, usual, most, level, seed) {
            let chunk = chunk.map_err(|error| file("read", path)(error.into()))?;
            chunks.push(self.keep(&chunk.data)?);
        }
        Ok(chunks)
    }

    /// Keeps a chunk, unless the repository has it.
    fn keep(&mut self, chunk: &[u8]) -> Result<Digest, BackupError> {
        let name = self.repository.naming.of(chunk);
        self.chunks.insert(name);
        if let Some(pack) = self.known.pack_of(&name) {
            self.used.insert(pack);
        } else if self.pending.insert(name) {
            self.filling.add(name, chunk)?;
            if self.filling.is_full() {
                self.flush()?;
            }
        }
        Ok(name)
    }

    /// Sends the pack that is being filled.
    fn flush(&mut self) -> Result<(), BackupError> {
        if self.filling.is_empty() {
            return Ok(());
        }
        let (sealed, table) = self.filling.close()?;
        let name = crate::names::pack(&table.pack);
        self.repository.store.put(&name, &sealed)?;
        self.progress.sent += sealed.len() as u64;
        self.filling.used(sealed);
        self.used.insert(table.pack);
        self.known.add(&table, None)?;
        self.pending.clear();
        (self.tell)(&self.progress);
        Ok(())
    }

    /// Publishes the tables that the snapshot needs and nobody has published.
    fn publish(&mut self) -> Result<(), BackupError> {
        let tables = self.known.unpublished(&self.used)?;
        let mut group: Vec<Table> = Vec::new();
        let mut many = 0;
        let mut left = tables.len();
        for table in tables {
            many += table.chunks.len();
            group.push(table);
            left -= 1;
            if many >= INDEX_CHUNKS || left == 0 {
                let index = self.repository.publish(&group)?;
                for table in group.drain(..) {
                    self.known.add(&table, Some(index))?;
                }
                many = 0;
            }
        }
        Ok(())
    }

    fn head(&self) -> Head {
        let mut packs: Vec<Digest> = self.used.iter().copied().collect();
        packs.sort();
        Head {
            v: FORMAT,
            packs,
            indexes: self.known.indexes(&self.used),
        }
    }

    /// What the snapshot will name must be there: somebody may have removed it while this run slept.
    fn check_there(&mut self, head: &Head, now: fn() -> Timestamp) -> Result<(), BackupError> {
        self.repository.store.settle()?;
        let store = self.repository.store.as_mut();
        let held = match &self.lock {
            Some(lock) => lock.holds(store, now())?,
            None => true,
        };
        let there = self.repository.there(PACKS)?;
        if !held || !head.packs.iter().all(|pack| there.contains(pack)) {
            return Err(BackupError::Busy(format!(
                "{}: this run stood still so long that its lock ran out, or packs were removed meanwhile; nothing is lost: run it again",
                self.repository.store.place()
            )));
        }
        Ok(())
    }

    fn keep_lock(&mut self, now: Timestamp) -> Result<(), BackupError> {
        match &mut self.lock {
            Some(lock) => lock.keep(self.repository.store.as_mut(), now),
            None => Ok(()),
        }
    }
}

/// Opens a file to read; one that became something else meanwhile blocks nobody.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}
