//! Puts files in place below a folder that somebody else may be changing: every path is resolved
//! by the kernel beneath the open folder and through no link, every file is written beside its
//! place first and moved there when all of them are ready.

use super::ApplyError;
use crate::control_files::leads;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, fsync, symlinkat, unlinkat};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// Largest file a patch may touch, in bytes.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A file or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A regular file.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Its permissions.
        mode: u32,
    },
    /// A symlink's target.
    Link(OsString),
}

impl Entry {
    /// The same to git: content, and whether it can be run.
    pub(super) fn same(&self, other: &Entry) -> bool {
        match (self, other) {
            (Entry::Link(a), Entry::Link(b)) => a == b,
            (
                Entry::File {
                    content: a,
                    mode: m,
                },
                Entry::File {
                    content: b,
                    mode: n,
                },
            ) => a == b && (m & 0o100) == (n & 0o100),
            _ => false,
        }
    }
}

/// One path's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Relative path.
    pub(super) path: String,
    /// What must be there now.
    pub(super) old: Option<Entry>,
    /// What shall be there.
    pub(super) new: Option<Entry>,
}

/// An open workspace.
pub(super) struct Tree {
    root: OwnedFd,
}

fn how(flags: OFlag, mode: Mode) -> OpenHow {
    OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
        .mode(mode)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

impl Tree {
    pub(super) fn open(workspace: &Path) -> std::io::Result<Tree> {
        let root = crate::clone::open_folder(workspace)?;
        Ok(Tree { root: root.into() })
    }

    fn folder(&self, path: &str) -> nix::Result<OwnedFd> {
        openat2(
            &self.root,
            path,
            how(OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()),
        )
    }

    /// What is at a path; `None` where nothing is. A folder or special file is an error.
    pub(super) fn read(&self, path: &str) -> Result<Option<Entry>, ApplyError> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        match openat2(&self.root, path, how(flags, Mode::empty())) {
            Ok(fd) => read_file(path, File::from(fd)).map(Some),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(Errno::ELOOP) => {
                let (folder, name) = split(path);
                let folder = self
                    .folder(folder)
                    .map_err(|_| ApplyError::file(path, "a symlink leads there"))?;
                let target = readlinkat(&folder, name).map_err(|e| ApplyError::file(path, e))?;
                Ok(Some(Entry::Link(target)))
            }
            Err(e) => Err(ApplyError::file(path, e)),
        }
    }

    /// Whether a link lies at a path; nothing there is none.
    pub(super) fn is_link(&self, path: &str) -> nix::Result<bool> {
        let (folder, name) = split(path);
        let seen = self
            .folder(folder)
            .and_then(|folder| fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW));
        match seen {
            Ok(stat) => Ok(
                SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFLNK,
            ),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Links at the top by name, and where each leads: below the top, as it says and as it is. What
    /// cannot be read, or leads elsewhere, is none.
    pub(super) fn links_at_top(&self) -> Vec<(String, String)> {
        let top = format!("/proc/self/fd/{}", self.root.as_raw_fd());
        let real = fs::canonicalize(&top).unwrap_or_default();
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("{top}/."))
            .into_iter()
            .flatten()
            .flatten()
        {
            let (Ok(target), Ok(name)) =
                (fs::read_link(entry.path()), entry.file_name().into_string())
            else {
                continue;
            };
            let leads_to = fs::canonicalize(entry.path()).ok();
            let leads_to = leads_to.and_then(|to| Some(to.strip_prefix(&real).ok()?.to_owned()));
            let is = leads_to.and_then(|to| Some(to.to_str()?.to_owned()));
            let says = leads(&name, &target);
            found.extend(is.into_iter().chain(says).map(|to| (name.clone(), to)));
        }
        found
    }

    /// Makes every change, or none: all is written beside its place and the old content checked
    /// before the first file is moved. `placed` hears how many are in place.
    pub(super) fn install(
        &self,
        changes: &[Change],
        placed: &mut dyn FnMut(usize),
    ) -> Result<(), ApplyError> {
        let mut ready = Vec::new();
        let prepared = changes
            .iter()
            .try_for_each(|change| self.prepare(change, &mut ready))
            .and_then(|()| changes.iter().try_for_each(|change| self.check(change)));
        if let Err(e) = prepared {
            for (folder, name) in ready.iter().flatten() {
                let _ = unlinkat(folder, name.as_str(), UnlinkatFlags::NoRemoveDir);
            }
            return Err(e);
        }
        for (done, (change, place)) in changes.iter().zip(&ready).enumerate() {
            self.put(change, place.as_ref())
                .map_err(|e| ApplyError::HalfWay {
                    path: change.path.clone(),
                    why: e.to_string(),
                    done,
                })?;
            placed(done + 1);
        }
        // Whoever is told that it is done must find it after a loss of power too.
        for (folder, _) in ready.iter().flatten() {
            fsync(folder).map_err(|e| ApplyError::HalfWay {
                path: "a folder".to_owned(),
                why: e.to_string(),
                done: changes.len(),
            })?;
        }
        Ok(())
    }

    fn check(&self, change: &Change) -> Result<(), ApplyError> {
        let now = self.read(&change.path)?;
        let same = match (&now, &change.old) {
            (Some(now), Some(old)) => now.same(old),
            (None, None) => true,
            _ => false,
        };
        same.then_some(())
            .ok_or_else(|| ApplyError::Changed(change.path.clone()))
    }

    /// Writes the new content beside its place; remembers where, or that there is nothing to move.
    fn prepare(
        &self,
        change: &Change,
        ready: &mut Vec<Option<(OwnedFd, String)>>,
    ) -> Result<(), ApplyError> {
        let Some(new) = &change.new else {
            ready.push(None);
            return Ok(());
        };
        let fail = |e: std::io::Error| ApplyError::file(&change.path, e);
        let (folder, name) = split(&change.path);
        let folder = self.make_folders(folder).map_err(|e| fail(e.into()))?;
        // Of the same name whenever the same is tried: what a killed one left is taken over.
        let temporary = format!(".ai-infra-{}", super::note::mark(&change.path, new));
        let _was_not_left = unlinkat(&folder, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        let old = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok();
        let like = match old {
            Some(old) => old,
            None => fstat(&folder).map_err(|e| fail(e.into()))?,
        };
        write_beside(&folder, &temporary, new, old.as_ref()).map_err(fail)?;
        give(&folder, &temporary, &like).map_err(|e| fail(e.into()))?;
        ready.push(Some((folder, temporary)));
        Ok(())
    }

    /// Opens a folder, making what is missing; new folders belong to whoever owns the one above.
    fn make_folders(&self, path: &str) -> nix::Result<OwnedFd> {
        let mut folder = self.folder(".")?;
        for name in path.split('/').filter(|name| *name != ".") {
            let flags = how(OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty());
            folder = match openat2(&folder, name, flags) {
                Err(Errno::ENOENT) => {
                    mkdirat(&folder, name, Mode::from_bits_truncate(0o755))?;
                    let above = fstat(&folder)?;
                    give(&folder, name, &above)?;
                    openat2(&folder, name, flags)?
                }
                other => other?,
            };
        }
        Ok(folder)
    }

    fn put(&self, change: &Change, place: Option<&(OwnedFd, String)>) -> nix::Result<()> {
        let (above, name) = split(&change.path);
        if let Some((folder, temporary)) = place {
            return renameat(folder, temporary.as_str(), folder, name);
        }
        let folder = self.folder(above)?;
        unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir)?;
        self.remove_empty(above);
        Ok(())
    }

    /// Removes folders that became empty, as git does; the first that is not ends it.
    fn remove_empty(&self, mut path: &str) {
        while path != "." {
            let (above, name) = split(path);
            let Ok(folder) = self.folder(above) else {
                return;
            };
            if unlinkat(&folder, name, UnlinkatFlags::RemoveDir).is_err() {
                return;
            }
            path = above;
        }
    }
}

fn read_file(path: &str, mut file: File) -> Result<Entry, ApplyError> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata().map_err(|e| ApplyError::file(path, e))?;
    if !meta.is_file() {
        return Err(ApplyError::file(path, "it is not a regular file"));
    }
    if meta.len() > FILE_BYTES {
        return Err(ApplyError::file(path, "it is larger than 256 MB"));
    }
    let mut content = Vec::new();
    (&mut file)
        .take(FILE_BYTES)
        .read_to_end(&mut content)
        .map_err(|e| ApplyError::file(path, e))?;
    Ok(Entry::File {
        content,
        mode: meta.mode() & 0o777,
    })
}

/// Keeps the permissions of what was there, and follows the patch in whether it can be run.
fn write_beside(
    folder: &OwnedFd,
    name: &str,
    entry: &Entry,
    old: Option<&FileStat>,
) -> std::io::Result<()> {
    let (content, mode) = match entry {
        Entry::Link(target) => return Ok(symlinkat(target.as_os_str(), folder, name)?),
        Entry::File { content, mode } => (content, *mode),
    };
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let fd = openat2(folder, name, how(flags, Mode::from_bits_truncate(0o600)))?;
    let mut file = File::from(fd);
    file.write_all(content)?;
    let base = old.map_or(0o644, |old| old.st_mode & 0o666);
    let run = if mode & 0o100 != 0 {
        (base & 0o444) >> 2
    } else {
        0
    };
    fchmod(file.as_fd(), Mode::from_bits_truncate(base | run))?;
    file.sync_all()
}

/// Gives a new entry to the owner of the old one, or of the folder. Only root needs to.
fn give(folder: &OwnedFd, name: &str, like: &FileStat) -> nix::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    fchownat(
        folder,
        name,
        Some(uid),
        Some(gid),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )
}
