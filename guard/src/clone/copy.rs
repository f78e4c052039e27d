//! Copies a tree while its owner may be changing it: every folder is held open and files are opened
//! relative to it without following links, so that a link put in place of a folder leads nowhere.

use super::CloneError;
use super::heavy::{Facts, Fate, fate, is_candidate, is_ignored, rules};
use super::nested;
use crate::sandbox::spec::{Owner, WORKSPACE};
use ignore::gitignore::Gitignore;
use nix::libc;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{
    DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown,
    symlink,
};
use std::path::{Path, PathBuf};

const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;
const MOST_FILES: u64 = 1_000_000;
pub(super) const MOST_DEPTH: usize = 128;
const MOST_MOUNTS: usize = 64;
const IGNORE_BYTES: u64 = 1024 * 1024;

/// Copies and keeps count.
pub(super) struct Copier {
    source: PathBuf,
    /// Whose the copies become; `None` = the caller's own.
    owner: Option<Owner>,
    /// The workspace belongs to an ordinary user, and root copies for them.
    on_behalf: bool,
    repository: bool,
    bytes: u64,
    files: u64,
    /// Folders of packages that are shown.
    packages: usize,
    pub(super) mounts: Vec<(PathBuf, PathBuf)>,
    pub(super) left_out: Vec<String>,
}

/// A path below an open folder that cannot be led astray.
pub(super) fn below(folder: &File, name: &OsStr) -> PathBuf {
    Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(name)
}

/// Opens a folder without following a link in its last part.
pub(crate) fn open_folder(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY)
        .open(path)
}

fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

impl Copier {
    pub(super) fn new(workspace: &Path, owner: Option<Owner>) -> Result<Copier, CloneError> {
        let uid = fs::metadata(workspace)
            .map_err(CloneError::at(workspace))?
            .uid();
        Ok(Copier {
            source: workspace.to_owned(),
            owner,
            on_behalf: owner.is_some() && uid != 0,
            repository: fs::symlink_metadata(workspace.join(".git")).is_ok(),
            bytes: 0,
            files: 0,
            packages: 0,
            mounts: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// Copies everything but `.git` at the top.
    pub(super) fn workspace(&mut self, work: &Path) -> Result<(), CloneError> {
        let top = open_folder(&self.source).map_err(CloneError::at(&self.source))?;
        let mut stack = Vec::new();
        let exclude = small_text(&self.source.join(".git/info/exclude"));
        stack.extend(exclude.and_then(|text| rules(Path::new(""), &text)));
        self.folder(&top, work, Path::new(""), &mut stack)?;
        times(work, &top).map_err(CloneError::at(work))
    }

    /// Copies a folder outside of the ignore rules, such as `.git/refs`.
    pub(super) fn plain_folder(&mut self, from: &Path, to: &Path) -> Result<(), CloneError> {
        let Ok(folder) = open_folder(from) else {
            return Ok(());
        };
        self.make_folder(to, 0o755)?;
        self.entries(&folder, to, Path::new(""), None)
    }

    /// Copies one file if it is there, outside of the ignore rules.
    pub(super) fn plain_file(&mut self, from: &Path, to: &Path) -> Result<(), CloneError> {
        match fs::symlink_metadata(from) {
            Ok(meta) if meta.is_file() => self.file(from, to, Path::new("")),
            _ => Ok(()),
        }
    }

    /// Makes a folder of the clone that the owner owns.
    pub(super) fn make_folder(&self, path: &Path, mode: u32) -> Result<(), CloneError> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(e) if !(e.kind() == io::ErrorKind::AlreadyExists && is_real_folder(path)) => {
                return Err(CloneError::at(path)(e));
            }
            _ => {}
        }
        fs::set_permissions(path, fs::Permissions::from_mode((mode & 0o777) | 0o700))
            .map_err(CloneError::at(path))?;
        self.give(path)
    }

    /// Writes a new file of the clone that the owner owns.
    pub(super) fn make_file(&self, path: &Path, content: &str) -> Result<(), CloneError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path);
        file.and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(CloneError::at(path))?;
        self.give(path)
    }

    fn give(&self, path: &Path) -> Result<(), CloneError> {
        match self.owner {
            Some(owner) => {
                lchown(path, Some(owner.uid), Some(owner.gid)).map_err(CloneError::at(path))
            }
            None => Ok(()),
        }
    }

    fn folder(
        &mut self,
        from: &File,
        to: &Path,
        relative: &Path,
        stack: &mut Vec<Gitignore>,
    ) -> Result<(), CloneError> {
        let own = small_text(&below(from, OsStr::new(".gitignore")))
            .and_then(|text| rules(relative, &text));
        let before = stack.len();
        stack.extend(own);
        let done = self.entries(from, to, relative, Some(stack));
        stack.truncate(before);
        done
    }

    fn entries(
        &mut self,
        from: &File,
        to: &Path,
        relative: &Path,
        mut stack: Option<&mut Vec<Gitignore>>,
    ) -> Result<(), CloneError> {
        if relative.components().count() > MOST_DEPTH {
            return Err(CloneError::TooLarge {
                limit: format!("{MOST_DEPTH} folders deep"),
            });
        }
        let listing = below(from, OsStr::new("."));
        for entry in fs::read_dir(&listing).map_err(CloneError::at(relative))? {
            let name = entry.map_err(CloneError::at(relative))?.file_name();
            if relative.as_os_str().is_empty() && name == ".git" && stack.is_some() {
                continue;
            }
            self.entry(from, to, relative, &name, stack.as_deref_mut())?;
        }
        Ok(())
    }

    /// Copies one entry of a folder, whatever it is.
    pub(super) fn entry(
        &mut self,
        from: &File,
        to: &Path,
        relative: &Path,
        name: &OsStr,
        stack: Option<&mut Vec<Gitignore>>,
    ) -> Result<(), CloneError> {
        let (path, below_to) = (relative.join(name), to.join(name));
        let source = below(from, name);
        let Ok(meta) = fs::symlink_metadata(&source) else {
            return Ok(());
        };
        let kind = meta.file_type();
        if kind.is_symlink() {
            self.link(&source, &below_to)?;
        } else if kind.is_file() {
            self.file(&source, &below_to, &path)?;
        } else if kind.is_dir() {
            self.subfolder(from, &source, &below_to, &path, stack)?;
        } else if kind.is_socket() || kind.is_fifo() {
            self.left_out
                .push(format!("{}: not a regular file", path.display()));
        }
        Ok(())
    }

    fn subfolder(
        &mut self,
        parent: &File,
        source: &Path,
        to: &Path,
        path: &Path,
        stack: Option<&mut Vec<Gitignore>>,
    ) -> Result<(), CloneError> {
        let folder = match open_folder(source) {
            Ok(folder) => folder,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.left_out
                    .push(format!("{}: may not be read", path.display()));
                return Ok(());
            }
            // Gone, or no folder any more: it changed under our hands.
            Err(_) => return Ok(()),
        };
        let meta = folder.metadata().map_err(CloneError::at(path))?;
        if self.hidden_from_owner(&meta, 0o005) {
            self.left_out
                .push(format!("{}: may not be read by its owner", path.display()));
            return Ok(());
        }
        if stack.is_some() && nested::is_repository(&folder) {
            return self.repository(&folder, to, path);
        }
        match self.fate_of(parent, &folder, path, stack.as_deref()) {
            Fate::LeaveOut => self
                .left_out
                .push(format!("{}: made again when needed", path.display())),
            Fate::Mount => self.mount(to, path)?,
            Fate::Copy => {
                self.make_folder(to, meta.mode())?;
                match stack {
                    Some(stack) => self.folder(&folder, to, path, stack)?,
                    None => self.entries(&folder, to, path, None)?,
                }
                times(to, &folder).map_err(CloneError::at(path))?;
            }
        }
        Ok(())
    }

    fn fate_of(
        &self,
        parent: &File,
        folder: &File,
        path: &Path,
        stack: Option<&Vec<Gitignore>>,
    ) -> Fate {
        let (Some(stack), Some(name)) = (stack, path.file_name().and_then(OsStr::to_str)) else {
            return Fate::Copy;
        };
        if !is_candidate(name) {
            return Fate::Copy;
        }
        let there =
            |folder: &File, name: &str| below(folder, OsStr::new(name)).symlink_metadata().is_ok();
        let facts = Facts {
            ignored: is_ignored(stack, path),
            tagged: there(folder, "CACHEDIR.TAG"),
            repository: self.repository,
            beside_cargo: there(parent, "Cargo.toml"),
        };
        fate(name, &facts)
    }

    /// Leaves an empty folder over which the sandbox shows the user's own.
    fn mount(&mut self, to: &Path, path: &Path) -> Result<(), CloneError> {
        if self.packages >= MOST_MOUNTS {
            self.left_out.push(format!(
                "{}: more than {MOST_MOUNTS} such folders",
                path.display()
            ));
            return Ok(());
        }
        self.packages += 1;
        self.show(to, path, path)
    }

    /// Shows a folder of the workspace in another place of the clone, without counting it.
    pub(super) fn show(&mut self, to: &Path, from: &Path, at: &Path) -> Result<(), CloneError> {
        self.make_folder(to, 0o755)?;
        self.mounts
            .push((self.source.join(from), Path::new(WORKSPACE).join(at)));
        Ok(())
    }

    /// Whether copies belong to this user.
    pub(super) fn is_owner(&self, uid: u32) -> bool {
        self.owner.is_none_or(|owner| owner.uid == uid)
    }

    /// Root could read it, the owner of the workspace could not: it is not ours to hand over.
    fn hidden_from_owner(&self, meta: &Metadata, others: u32) -> bool {
        let Some(owner) = self.owner.filter(|_| self.on_behalf) else {
            return false;
        };
        meta.uid() != owner.uid && meta.mode() & others != others
    }

    fn link(&mut self, source: &Path, to: &Path) -> Result<(), CloneError> {
        let Ok(target) = fs::read_link(source) else {
            return Ok(());
        };
        symlink(&target, to).map_err(CloneError::at(to))?;
        self.give(to)
    }

    pub(super) fn file(&mut self, source: &Path, to: &Path, path: &Path) -> Result<(), CloneError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(source);
        let mut from = match opened {
            Ok(from) => from,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.left_out
                    .push(format!("{}: may not be read", path.display()));
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        let meta = from.metadata().map_err(CloneError::at(path))?;
        if !meta.is_file() {
            return Ok(());
        }
        if self.hidden_from_owner(&meta, 0o004) {
            self.left_out
                .push(format!("{}: may not be read by its owner", path.display()));
            return Ok(());
        }
        self.count(meta.len())?;
        self.copy_content(&mut from, &meta, to)
            .map_err(CloneError::at(path))
    }

    fn count(&mut self, bytes: u64) -> Result<(), CloneError> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.files > MOST_FILES {
            return Err(CloneError::TooLarge {
                limit: format!("{MOST_FILES} files"),
            });
        }
        if self.bytes > MOST_BYTES {
            return Err(CloneError::TooLarge {
                limit: format!("{} GB", MOST_BYTES >> 30),
            });
        }
        Ok(())
    }

    /// `io::copy` of two files shares their blocks where the file system can.
    fn copy_content(&self, from: &mut File, meta: &Metadata, to: &Path) -> io::Result<()> {
        let mut copy = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)?;
        // No more than was counted, however the file grows meanwhile.
        io::copy(&mut from.take(meta.len()), &mut copy)?;
        if let Some(owner) = self.owner {
            fchown(&copy, Some(owner.uid), Some(owner.gid))?;
        }
        copy.set_permissions(fs::Permissions::from_mode((meta.mode() & 0o777) | 0o400))?;
        copy.set_times(
            FileTimes::new()
                .set_modified(meta.modified()?)
                .set_accessed(meta.accessed()?),
        )
    }
}

fn times(to: &Path, from: &File) -> io::Result<()> {
    let meta = from.metadata()?;
    File::open(to)?.set_times(
        FileTimes::new()
            .set_modified(meta.modified()?)
            .set_accessed(meta.accessed()?),
    )
}

/// A small regular file's text; anything else is `None`.
pub(super) fn small_text(path: &Path) -> Option<String> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(IGNORE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
