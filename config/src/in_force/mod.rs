//! Files of the home that come from elsewhere are put in force all together. What is to change is
//! written down whole beside the home's folders first; from then on it is finished, whoever is killed
//! when: by the same process, or by the next that makes the home ready. A file that a person changed
//! meanwhile is never written over.

use crate::error::ConfigError;
use crate::home::Home;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, RenameFlags, renameat2};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Version of the list.
const VERSION: u64 = 1;
/// Largest file that is read, in bytes.
pub const MOST_BYTES: u64 = crate::document::FILE_BYTES;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether its owner may run it.
    pub executable: bool,
}

/// A file that is to become another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path below the home, with `/` between the parts.
    pub path: String,
    /// As it was read; `None` where there was none.
    pub before: Option<Content>,
    /// As it is to be; `None` where it is to go.
    pub after: Option<Content>,
}

/// A list of changes as it lies on disk; contents lie beside it under their names.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    v: u64,
    changes: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    path: String,
    before: Option<Kept>,
    after: Option<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    executable: bool,
}

/// Called before each file that is touched, with its path; an error ends it there. For tests.
pub type Watch<'a> = &'a mut dyn FnMut(&str) -> Result<(), ConfigError>;

fn list(home: &Home) -> PathBuf {
    home.backup().join("in-force")
}

/// Puts changes in force: all of them, also when this process dies in the middle. Answers the paths that
/// were left alone because they are no longer what was read.
pub fn put(home: &Home, changes: &[Change], watch: Watch<'_>) -> Result<Vec<String>, ConfigError> {
    let _alone = alone(home)?;
    finish_list(home, watch)?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let new = home.backup().join("in-force.new");
    let failed = |e: std::io::Error| ConfigError::file("write", &new, e);
    remove_folder(&new).map_err(failed)?;
    make_folder(&new).map_err(failed)?;
    let mut lines = Vec::new();
    for (number, change) in changes.iter().enumerate() {
        let keep = |content: &Option<Content>, which: &str| -> std::io::Result<Option<Kept>> {
            let Some(content) = content else {
                return Ok(None);
            };
            let name = format!("{number}.{which}");
            write_synced(&new.join(&name), &content.bytes)?;
            let executable = content.executable;
            Ok(Some(Kept { name, executable }))
        };
        lines.push(Line {
            path: change.path.clone(),
            before: keep(&change.before, "before").map_err(failed)?,
            after: keep(&change.after, "after").map_err(failed)?,
        });
    }
    let written = Written {
        v: VERSION,
        changes: lines,
    };
    let text = serde_json::to_vec(&written).map_err(|e| failed(e.into()))?;
    write_synced(&new.join("changes.json"), &text).map_err(failed)?;
    sync_folder(&new).map_err(failed)?;
    // From here on it is decided.
    fs::rename(&new, list(home)).map_err(failed)?;
    sync_folder(&home.backup()).map_err(failed)?;
    finish_list(home, watch)
}

/// Finishes what a process that died had decided; nothing where nothing was.
///
/// # Errors
/// When a file cannot be written. What is decided stays so.
pub fn finish(home: &Home) -> Result<Vec<String>, ConfigError> {
    if !list(home).exists() {
        return Ok(Vec::new());
    }
    let _alone = alone(home)?;
    finish_list(home, &mut |_| Ok(()))
}

fn finish_list(home: &Home, watch: Watch<'_>) -> Result<Vec<String>, ConfigError> {
    let list = list(home);
    let text = match fs::read(list.join("changes.json")) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ConfigError::file("read", &list, error)),
    };
    let written: Written =
        serde_json::from_slice(&text).map_err(|e| ConfigError::file("read", &list, e))?;
    if written.v != VERSION {
        let problem = "it is of another version: use the newer ai-infra that wrote it";
        return Err(ConfigError::file("read", &list, problem));
    }
    let kept = |kept: &Option<Kept>| -> std::io::Result<Option<Content>> {
        let Some(kept) = kept else { return Ok(None) };
        Ok(Some(Content {
            bytes: fs::read(list.join(&kept.name))?,
            executable: kept.executable,
        }))
    };
    let mut left = Vec::new();
    // What goes makes room for what comes: a file where a folder was.
    let (going, coming): (Vec<_>, Vec<_>) =
        (written.changes.iter()).partition(|line| line.after.is_none());
    for line in going.into_iter().chain(coming) {
        let failed = |e: std::io::Error| ConfigError::file("write", &home.root.join(&line.path), e);
        watch(&line.path)?;
        let (before, after) = (kept(&line.before), kept(&line.after));
        let (before, after) = (before.map_err(failed)?, after.map_err(failed)?);
        if !turn_into(&home.root, &line.path, before.as_ref(), after.as_ref()).map_err(failed)? {
            left.push(line.path.clone());
        }
    }
    // A folder without its list is nothing: that goes first.
    fs::remove_file(list.join("changes.json"))
        .and_then(|()| remove_folder(&list))
        .map_err(|e| ConfigError::file("remove", &list, e))?;
    Ok(left)
}

/// Makes one file what it is to be; false where it is not what it was.
fn turn_into(
    root: &Path,
    path: &str,
    before: Option<&Content>,
    after: Option<&Content>,
) -> std::io::Result<bool> {
    let Some(to) = inside(root, path)? else {
        return Ok(false);
    };
    let now = match read(&to) {
        Ok(now) => now,
        // A folder, a link, a huge file: not what was read.
        Err(_) => return Ok(false),
    };
    if now.as_ref() == after {
        return Ok(true);
    }
    if now.as_ref() != before {
        return Ok(false);
    }
    let folder = to.parent().unwrap_or(root);
    let Some(after) = after else {
        return remove(root, &to, before);
    };
    make_folder(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".ai-infra-")
        .tempfile_in(folder)?;
    file.write_all(&after.bytes)?;
    let mode = if after.executable { 0o700 } else { 0o600 };
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    if before.is_none() {
        return match file.persist_noclobber(&to) {
            Ok(_) => sync_folder(folder).map(|()| true),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        };
    }
    // The two change places, so that what lay there can still be looked at.
    match exchange(file.path(), &to) {
        Ok(()) => {
            if read(file.path()).ok().flatten().as_ref() != before {
                exchange(file.path(), &to)?;
                return Ok(false);
            }
        }
        // A file system that cannot do that.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            file.persist(&to).map_err(|error| error.error)?;
        }
        Err(Errno::ENOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    sync_folder(folder)?;
    Ok(true)
}

/// Removes a file, and the folders that are empty then, but not the uppermost.
fn remove(root: &Path, path: &Path, before: Option<&Content>) -> std::io::Result<bool> {
    let folder = path.parent().unwrap_or(root);
    // Taken aside first, so that it can be put back.
    let aside = tempfile::Builder::new()
        .prefix(".ai-infra-")
        .tempdir_in(folder)?;
    let held = aside.path().join("held");
    fs::rename(path, &held)?;
    if read(&held).ok().flatten().as_ref() != before {
        fs::hard_link(&held, path)?;
        return Ok(false);
    }
    aside.close()?;
    sync_folder(folder)?;
    let mut folder = folder;
    while folder
        .strip_prefix(root)
        .is_ok_and(|below| below.components().count() > 1)
        && fs::remove_dir(folder).is_ok()
    {
        folder = folder.parent().unwrap_or(root);
    }
    Ok(true)
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    let here = nix::fcntl::AT_FDCWD;
    renameat2(here, one, here, other, RenameFlags::RENAME_EXCHANGE)
}

/// The path, where no part of it leads out of the home.
fn inside(root: &Path, path: &str) -> std::io::Result<Option<PathBuf>> {
    let mut to = root.to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    for (number, part) in parts.iter().enumerate() {
        if part.is_empty() || *part == "." || *part == ".." {
            return Ok(None);
        }
        to.push(part);
        if number + 1 == parts.len() {
            break;
        }
        match fs::symlink_metadata(&to) {
            Ok(about) if about.is_dir() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(to))
}

/// Reads an ordinary file of at most [`MOST_BYTES`]; `None` where there is none. Links are not followed.
pub fn read(path: &Path) -> std::io::Result<Option<Content>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(std::io::Error::other("it is not an ordinary file"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MB"));
    }
    Ok(Some(Content {
        bytes,
        executable: about.permissions().mode() & 0o100 != 0,
    }))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// One process of the home at a time.
fn alone(home: &Home) -> Result<Flock<File>, ConfigError> {
    let path = home.backup().join("in-force.lock");
    let failed = |problem: &dyn std::fmt::Display| ConfigError::file("lock", &path, problem);
    make_folder(&home.backup()).map_err(|e| failed(&e))?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| failed(&e))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| failed(&error))
}

#[cfg(test)]
mod tests;
