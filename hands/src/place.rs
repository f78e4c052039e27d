//! A place of a file: the folder, opened once, and the name in it. What is read, written, renamed, taken away and made safe is
//! reached through that one descriptor, so whoever may move a folder on the way leads nothing of it elsewhere meanwhile.

use crate::{Refused, begun};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Largest file that is kept or placed, in bytes.
pub const FILE_BYTES: u64 = 256 * 1024;

/// Who owns a file, and what who may do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Read, write and run, as chmod has them.
    pub mode: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Where a file is, or is to be.
#[derive(Debug)]
pub struct Place {
    folder: OwnedFd,
    name: OsString,
    path: PathBuf,
}

impl Place {
    /// One that was granted by its name: no folder on its way is a link.
    ///
    /// # Errors
    /// A sentence that says where it leads instead.
    pub fn granted(path: &Path) -> Result<Self, Refused> {
        Self::opened(path, ResolveFlag::RESOLVE_NO_SYMLINKS).map_err(|error| {
            let shown = path.display();
            let above = path.parent().unwrap_or(Path::new("/"));
            match std::fs::canonicalize(above) {
                Ok(real) if error == Errno::ELOOP => {
                    format!("{shown} leads to {}, which is not granted", real.display())
                }
                _ => format!("{shown} cannot be used: {error}"),
            }
            .into()
        })
    }

    /// One below a folder of the install's own or of the web server's, wherever links of its owner lead.
    ///
    /// # Errors
    /// A sentence.
    pub fn led(path: &Path) -> Result<Self, Refused> {
        let failed = |error| format!("{} cannot be used: {error}", path.display()).into();
        Self::opened(path, ResolveFlag::empty()).map_err(failed)
    }

    fn opened(path: &Path, resolve: ResolveFlag) -> Result<Self, Errno> {
        let name = path.file_name().ok_or(Errno::EISDIR)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        Ok(Self {
            folder: openat2(AT_FDCWD, folder, how)?,
            name: name.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Its path, for people and for what is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn about(&self) -> Result<Option<FileStat>, Errno> {
        let here = self.name.as_os_str();
        match fstatat(&self.folder, here, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(about) => Ok(Some(about)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose the file there is.
    pub fn owner(&self) -> Option<Owner> {
        let about = self.about().ok()??;
        Some(Owner {
            mode: about.st_mode & 0o777,
            uid: about.st_uid,
            gid: about.st_gid,
        })
    }

    /// Reads a file that is an ordinary one; `None` where nothing is there.
    ///
    /// # Errors
    /// A sentence: it is a link, a folder, too large, no text or cannot be read.
    pub fn read(&self) -> Result<Option<String>, Refused> {
        let shown = self.path.display();
        let about = self
            .about()
            .map_err(|error| format!("{shown} cannot be looked at: {error}"))?;
        let Some(about) = about else {
            return Ok(None);
        };
        let odd = || format!("{shown} is a link or no ordinary file: it is left alone");
        if SFlag::from_bits_truncate(about.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
            return Err(odd().into());
        }
        // Whatever is there by now: nothing is waited for, and no link is followed.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = openat(&self.folder, self.name.as_os_str(), flags, Mode::empty())
            .map_err(|error| format!("{shown} cannot be opened: {error}"))?;
        let file = File::from(file);
        let unread = |error: std::io::Error| format!("{shown} cannot be read: {error}");
        let about = file.metadata().map_err(unread)?;
        if !about.is_file() {
            return Err(odd().into());
        }
        if about.len() > FILE_BYTES {
            return Err(
                format!("{shown} is larger than {FILE_BYTES} bytes: it is left alone").into(),
            );
        }
        let mut text = String::new();
        file.take(FILE_BYTES)
            .read_to_string(&mut text)
            .map_err(unread)?;
        Ok(Some(text))
    }

    /// Puts a text in place of whatever is there, for whoever owned it, or takes that away.
    ///
    /// # Errors
    /// A sentence. It is as it was, unless it is begun.
    pub fn put(&self, text: Option<&str>, owner: Option<&Owner>) -> Result<(), Refused> {
        let done = match text {
            Some(text) => {
                let mode = owner.map_or(0o644, |owner| owner.mode);
                self.placed(text, mode, owner).map(Some)
            }
            None => self.removed(),
        };
        let safe = done.and_then(|changed| {
            let Some(folder) = changed else {
                return Ok(());
            };
            begun::mark();
            Ok(fsync(folder)?)
        });
        safe.map_err(|error| format!("{} cannot be written: {error}", self.path.display()).into())
    }

    /// Writes a file that nobody but root or the install's owner reads, and which is none of the host's.
    ///
    /// # Errors
    /// When it cannot be written, or is not safe.
    pub fn write_own(&self, text: &str) -> std::io::Result<()> {
        Ok(fsync(self.placed(text, 0o600, None)?)?)
    }

    /// Writes a file whole, beside its place first; the folder is to be made safe.
    fn placed(&self, text: &str, mode: u32, owner: Option<&Owner>) -> std::io::Result<OwnedFd> {
        let beside = format!(
            ".{}.{}.new",
            self.name.to_string_lossy(),
            std::process::id()
        );
        let remove = || unlinkat(&self.folder, beside.as_str(), UnlinkatFlags::NoRemoveDir);
        let placed = (|| -> std::io::Result<OwnedFd> {
            let folder = self.readable()?;
            let _left_by_nobody = remove();
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            let private = Mode::S_IRUSR | Mode::S_IWUSR;
            let mut file = File::from(openat(&self.folder, beside.as_str(), flags, private)?);
            if let Some(owner) = owner {
                fchown(&file, Some(owner.uid), Some(owner.gid))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            let name = self.name.as_os_str();
            renameat(&self.folder, beside.as_str(), &self.folder, name)?;
            Ok(folder)
        })();
        if placed.is_err() {
            let _not_placed = remove();
        }
        placed
    }

    /// Takes it away; the folder is to be made safe, where anything was there.
    fn removed(&self) -> std::io::Result<Option<OwnedFd>> {
        let folder = self.readable()?;
        let name = self.name.as_os_str();
        match unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Some(folder)),
        }
    }

    /// The folder as it can be made safe: opened before anything is changed in it.
    fn readable(&self) -> std::io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(openat(&self.folder, ".", flags, Mode::empty())?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A folder of somebody's own with a file in it, and one that is not theirs.
    fn two() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().canonicalize().unwrap();
        let (own, other) = (at.join("own"), at.join("other"));
        fs::create_dir_all(own.join("conf")).unwrap();
        fs::create_dir_all(other.join("conf")).unwrap();
        fs::write(own.join("conf/a"), "own").unwrap();
        fs::write(other.join("conf/a"), "other").unwrap();
        (dir, own, other)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_that_becomes_a_link_leads_nothing_elsewhere() {
        let (_dir, own, other) = two();
        let place = Place::granted(&own.join("conf/a")).unwrap();
        let moved = own.with_file_name("moved");
        fs::rename(&own, &moved).unwrap();
        symlink(&other, &own).unwrap();
        // What was opened stays what it is.
        assert_eq!(place.read().unwrap().as_deref(), Some("own"));
        place.put(Some("new"), place.owner().as_ref()).unwrap();
        assert_eq!(fs::read_to_string(moved.join("conf/a")).unwrap(), "new");
        place.put(None, None).unwrap();
        assert!(names(&moved.join("conf")).is_empty());
        assert_eq!(fs::read_to_string(other.join("conf/a")).unwrap(), "other");
        assert_eq!(names(&other.join("conf")), ["a"]);
        // What is opened now is refused, and so is what lies there.
        let said = Place::granted(&own.join("conf/a")).unwrap_err().to_string();
        assert!(said.contains("other/conf, which is not granted"), "{said}");
        assert!(Place::granted(&own.join("gone/a")).is_err());
        // Folders of an owner's own may be links.
        let led = Place::led(&own.join("conf/a")).unwrap();
        assert_eq!(led.read().unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn what_is_no_ordinary_file_is_neither_read_nor_waited_for() {
        let (_dir, own, other) = two();
        let (link, pipe) = (own.join("link"), own.join("pipe"));
        symlink(other.join("conf/a"), &link).unwrap();
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for path in [link, pipe, own.join("conf")] {
            let said = Place::granted(&path).unwrap().read().unwrap_err();
            assert!(said.to_string().contains("left alone"), "{said}");
        }
        assert_eq!(Place::granted(&own.join("x")).unwrap().read(), Ok(None));
        fs::write(own.join("big"), vec![b'x'; FILE_BYTES as usize + 1]).unwrap();
        let said = Place::granted(&own.join("big")).unwrap().read();
        assert!(said.unwrap_err().to_string().contains("larger than"));
    }

    #[tokio::test]
    async fn what_was_placed_is_begun_and_what_was_refused_or_kept_is_not() {
        let (_dir, own, _other) = two();
        let put = async |name: &str, text: Option<&'static str>| {
            let place = Place::granted(&own.join(name)).unwrap();
            let (put, far) = begun::noted(async move { place.put(text, None).is_ok() }).await;
            (put, far.begun)
        };
        assert_eq!(put("conf/a", Some("x")).await, (true, true));
        assert_eq!(put("conf/a", None).await, (true, true));
        assert_eq!(put("conf/a", None).await, (true, false));
        // A folder is not replaced by a file.
        assert_eq!(put("conf", Some("x")).await, (false, false));
        assert_eq!(names(&own), ["conf"]);
        let place = Place::led(&own.join("note")).unwrap();
        let kept = begun::noted(async move { place.write_own("x").is_ok() }).await;
        assert_eq!(kept, (true, begun::Begun::default()));
    }
}
