//! A repository in a folder: another disk, a mounted share. Objects are written beside, synced and renamed.

use super::{Found, Store};
use crate::error::{BackupError, file};
use crate::names::{INDEX, LOCKS, PACKS, SNAPSHOTS};
use jiff::Timestamp;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What an object is called while it is written.
const UNFINISHED: &str = ".unfinished-";

/// A folder.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder; made when something is put.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Store for Folder {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError> {
        let mut found = Vec::new();
        walk(&self.path(folder), folder, &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file("read", &path)(error)),
        }
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.root);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(file("make", folder))?;
        let written = || -> std::io::Result<()> {
            let mut beside = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .tempfile_in(folder)?;
            beside.write_all(bytes)?;
            beside.as_file().sync_all()?;
            beside.persist(&path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        };
        written().map_err(file("write", &path))
    }

    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(file("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        Ok(())
    }

    fn sweep(&mut self, before: Timestamp) -> Result<(), BackupError> {
        let old = |path: &Path| {
            let modified = fs::symlink_metadata(path).and_then(|about| about.modified());
            let modified = modified.ok().and_then(|at| Timestamp::try_from(at).ok());
            modified.is_some_and(|at| at < before)
        };
        for folder in [PACKS, INDEX, SNAPSHOTS, LOCKS] {
            for path in unfinished(&self.path(folder))? {
                if old(&path) {
                    fs::remove_file(&path).map_err(file("remove", &path))?;
                }
            }
        }
        Ok(())
    }
}

/// What is half written below a folder.
fn unfinished(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file("read", folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(file("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            found.extend(unfinished(&path)?);
        } else if name.is_some_and(|name| name.starts_with(UNFINISHED)) {
            found.push(path);
        }
    }
    Ok(found)
}

fn walk(folder: &Path, name: &str, found: &mut Vec<Found>) -> Result<(), BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file("read", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(file("read", folder))?;
        let Ok(own) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{name}/{own}");
        let about = match entry.metadata() {
            Ok(about) => about,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(file("look at", &entry.path())(error)),
        };
        if about.is_dir() {
            walk(&entry.path(), &name, found)?;
        } else if !own.starts_with(UNFINISHED) {
            let bytes = about.len();
            found.push(Found { name, bytes });
        }
    }
    Ok(())
}
