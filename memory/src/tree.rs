//! Where records lie, and how a file comes to lie there: written aside, flushed, renamed, its
//! folders flushed. After a crash a record is there whole or not at all.

use crate::entry::ENTRY_BYTES;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folders that hold records.
const HALLS: [&str; 3] = ["Learning", "Work", "Knowledge"];
/// How deep below the root records are looked for.
const DEEPEST: usize = 5;
/// How long an owner that is ending is waited for.
const LETS_GO: Duration = Duration::from_millis(400);
/// Beginning of the names of files that are being written.
const ASIDE: &str = ".new-";

const README: &str = "# MEMORY\n\n\
What the team has learned, one Markdown file a record. The files are the truth; the search index\n\
is made from them and can be deleted at any time.\n\n\
- `Learning/<PHASE>/YYYY-MM/` what a phase of a task taught\n\
- `Work/YYYY-MM/` what a task left behind\n\
- `Knowledge/YYYY-MM/` what a person or an agent wrote down\n\
- `Forgotten/` what was forgotten: never recalled, removed after 30 days\n\n\
Edit or delete files as you like while the team is down; it notices when it starts. A file of your\n\
own needs a `title` between two `---` lines at its top, and then any text:\n\n\
    ---\n    title: The shop's tests need a running database\n    tags: [shop, tests]\n    ---\n    Start it with `make db`.\n";

/// A file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// File name without `.md`.
    pub id: String,
    /// Path below the root.
    pub path: PathBuf,
    /// Changes when the file does: made of its time and size.
    pub stamp: u64,
    /// When it was last changed, in seconds since 1970.
    pub changed: i64,
}

/// The tree, owned: the lock is held as long as this lives.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    owner: File,
}

impl Drop for Tree {
    /// Unlocks by name: a child that was just forked may still hold a copy of the file.
    fn drop(&mut self) {
        let _ = self.owner.unlock();
    }
}

/// Why the tree cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Another process owns it.
    #[error("{0} is in use by another process: stop the other supervisor first")]
    Owned(PathBuf),
    /// The file system refused.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl Tree {
    /// Makes the tree where it is missing, takes its lock, sweeps what a crash left half written.
    pub fn open(root: &Path) -> Result<Self, TreeError> {
        let io = |error| TreeError::Io(root.to_owned(), error);
        for hall in HALLS {
            make_dirs(&root.join(hall)).map_err(io)?;
        }
        let owner = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join(".owner"))
            .map_err(io)?;
        lock(&owner, root)?;
        let tree = Self {
            root: root.to_owned(),
            owner,
        };
        tree.sweep();
        if !root.join("README.md").exists() {
            tree.keep(Path::new("README.md"), README).map_err(io)?;
        }
        Ok(tree)
    }

    /// Writes a file durably. When it returns, the file survives a killed process and a power cut.
    /// An existing file is never overwritten.
    pub fn keep(&self, path: &Path, text: &str) -> io::Result<()> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        make_dirs(folder)?;
        let mut file = tempfile::Builder::new().prefix(ASIDE).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&target).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }

    /// The same for one of many: it is durable once [`settle`](Self::settle) was called.
    pub fn put(&self, path: &Path, text: &str) -> io::Result<()> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        make_dirs(folder)?;
        let mut file = tempfile::Builder::new().prefix(ASIDE).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist_noclobber(&target).map_err(|e| e.error)?;
        Ok(())
    }

    /// Makes everything that was put durable, at once.
    pub fn settle(&self) -> io::Result<()> {
        Ok(nix::unistd::syncfs(File::open(&self.root)?)?)
    }

    /// A file's text. `path` must come from `files` or be one this process wrote.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        let file = File::open(self.root.join(path))?;
        let mut text = String::new();
        let read = file.take(ENTRY_BYTES + 1).read_to_string(&mut text)?;
        match read as u64 > ENTRY_BYTES {
            true => Err(io::Error::other("it is larger than 1 MiB")),
            false => Ok(text),
        }
    }

    /// What is known of one file, without reading it.
    pub fn look(&self, path: &Path) -> io::Result<Found> {
        let meta = fs::symlink_metadata(self.root.join(path))?;
        if !meta.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let id = path.file_stem().and_then(|stem| stem.to_str());
        let nanos = (meta.mtime() as u64)
            .wrapping_mul(1_000_000_000)
            .wrapping_add(meta.mtime_nsec() as u64);
        Ok(Found {
            id: id.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            stamp: nanos.rotate_left(20) ^ meta.len(),
            changed: meta.mtime(),
        })
    }

    /// Every record file of the tree. Links are not followed, hidden files are not looked at.
    pub fn files(&self) -> Vec<Found> {
        let paths = record_paths(&self.root);
        let looked = paths.iter().filter_map(|path| self.look(path).ok());
        looked.collect()
    }

    /// Moves a file to another place of the tree, durably; what lies there already is replaced.
    pub fn shift(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.root.join(from), self.root.join(to));
        let folders = [&from, &to].map(|path| path.parent().unwrap_or(&self.root).to_owned());
        make_dirs(&folders[1])?;
        fs::rename(&from, &to)?;
        folders
            .iter()
            .try_for_each(|folder| File::open(folder)?.sync_all())
    }

    /// Removes a file, durably; one that is not there is removed already.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let target = self.root.join(path);
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        File::open(target.parent().unwrap_or(&self.root))?.sync_all()
    }

    /// The size of a file, in bytes; 0 where it is gone.
    pub fn size(&self, path: &Path) -> u64 {
        fs::symlink_metadata(self.root.join(path)).map_or(0, |meta| meta.len())
    }

    /// The names in one folder of the tree; none where there is no such folder.
    pub fn names(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(folder));
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Removes what was being written when a process died.
    fn sweep(&self) {
        let mut stale = Vec::new();
        walk(&self.root, &mut |path, hidden| {
            let name = path.file_name().and_then(|name| name.to_str());
            if hidden && name.is_some_and(|name| name.starts_with(ASIDE)) {
                stale.push(self.root.join(path));
            }
        });
        for path in stale {
            let _ = fs::remove_file(path);
        }
    }
}

/// The paths of every record file below a root, which need not be owned.
pub fn record_paths(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, &mut |path, hidden| {
        if !hidden && path.extension().is_some_and(|end| end == "md") {
            found.push(path.to_owned());
        }
    });
    found
}

fn walk(root: &Path, each: &mut dyn FnMut(&Path, bool)) {
    let mut todo: Vec<(PathBuf, usize)> = HALLS.map(|hall| (PathBuf::from(hall), 1)).into();
    while let Some((folder, depth)) = todo.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden && depth < DEEPEST => {
                    todo.push((path, depth + 1));
                }
                Ok(kind) if kind.is_file() => each(&path, hidden),
                _ => {}
            }
        }
    }
}

/// Takes the lock; waits for a moment, in which an owner that is ending lets go.
fn lock(owner: &File, root: &Path) -> Result<(), TreeError> {
    let deadline = Instant::now() + LETS_GO;
    loop {
        match owner.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(LETS_GO / 20);
            }
            Err(TryLockError::WouldBlock) => return Err(TreeError::Owned(root.to_owned())),
            Err(TryLockError::Error(error)) => return Err(TreeError::Io(root.to_owned(), error)),
        }
    }
}

/// Makes folders that only their owner can open, and flushes the parents of those it made.
fn make_dirs(folder: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = folder;
    while !at.is_dir() {
        missing.push(at);
        match at.parent() {
            Some(parent) if parent != Path::new("") => at = parent,
            _ => break,
        }
    }
    for folder in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = folder.parent().filter(|parent| *parent != Path::new("")) {
            File::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        assert!(matches!(Tree::open(dir.path()), Err(TreeError::Owned(_))));
        drop(tree);
        assert!(Tree::open(dir.path()).is_ok());
    }

    #[test]
    fn only_whole_records_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        tree.keep(Path::new("Work/2026-11/m-1.md"), "text").unwrap();
        assert!(
            tree.keep(Path::new("Work/2026-11/m-1.md"), "other")
                .is_err()
        );
        let half = dir.path().join("Work/2026-11/.new-x");
        fs::write(&half, "ha").unwrap();
        fs::write(dir.path().join("Knowledge/notes.txt"), "no record").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("Knowledge/link.md")).unwrap();
        drop(tree);
        let tree = Tree::open(dir.path()).unwrap();
        let ids: Vec<String> = tree.files().into_iter().map(|file| file.id).collect();
        assert_eq!(ids, ["m-1"]);
        assert_eq!(tree.read(Path::new("Work/2026-11/m-1.md")).unwrap(), "text");
        assert!(!half.exists());
    }

    #[test]
    fn a_changed_file_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let path = Path::new("Knowledge/x.md");
        tree.keep(path, "one").unwrap();
        let before = tree.look(path).unwrap().stamp;
        fs::write(dir.path().join(path), "three").unwrap();
        assert_ne!(tree.look(path).unwrap().stamp, before);
    }
}
