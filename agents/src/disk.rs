//! What an agent keeps on the disk of its host: blobs, notes of what it began, patches. The agent itself can
//! open none of it and has its launcher do it; the launcher, and tests, do it here.

use crate::launcher::hatch::Hatch;
use crate::launcher::wish::Wish;
use config::home::Home;
use guard::clone::{Clone as TaskClone, CloneError};
use protocol::attachment::Attachment;
use protocol::ids::ShortId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file that an agent may keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum File {
    /// Content by its SHA-256, in lower-case hex.
    Blob(String),
    /// What a task has begun outside.
    Begun(ShortId),
    /// The key of the names that a task's secrets have.
    Names(ShortId),
    /// What a task changed.
    Patch(ShortId),
}

impl File {
    /// The task it is of, where it is of one.
    pub fn task(&self) -> Option<ShortId> {
        match self {
            File::Blob(_) => None,
            File::Begun(task) | File::Names(task) | File::Patch(task) => Some(*task),
        }
    }
}

/// The disk of a home, as its agents use it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Disk {
    home: Home,
    hatch: Option<Hatch>,
}

impl Disk {
    /// Used by this process itself.
    pub fn here(home: Home) -> Self {
        Self { home, hatch: None }
    }

    /// Used through a launcher.
    pub fn through(home: Home, hatch: Hatch) -> Self {
        Self {
            home,
            hatch: Some(hatch),
        }
    }

    /// The folder of a task.
    pub fn task(&self, task: ShortId) -> PathBuf {
        self.home.tasks().join(task.to_string())
    }

    /// Where a file lies.
    pub fn path(&self, file: &File) -> PathBuf {
        match file {
            File::Blob(name) => self.home.blobs().join(name),
            File::Begun(task) => self.task(*task).join("begun.json"),
            File::Names(task) => self.task(*task).join("names.key"),
            File::Patch(task) => self.task(*task).join("patch.diff"),
        }
    }

    /// The same, for a name that may be used.
    fn checked(&self, file: &File) -> io::Result<PathBuf> {
        match file {
            File::Blob(name) if !is_digest(name) => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "that names no blob",
            )),
            file => Ok(self.path(file)),
        }
    }

    /// A file; `None` where it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, file: &File) -> io::Result<Option<Vec<u8>>> {
        let path = self.checked(file)?;
        let Some(hatch) = &self.hatch else {
            return match fs::read(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                read => read.map(Some),
            };
        };
        let wish = Wish::Read { file: file.clone() };
        let (there, message) = hatch.ask::<bool>(&wish, b"")?;
        Ok(there.then_some(message.bytes))
    }

    /// Writes a whole file so that after a crash it is there completely or not at all.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let path = self.checked(file)?;
        match &self.hatch {
            None => write_synced(&path, bytes),
            Some(hatch) => {
                let wish = Wish::Write { file: file.clone() };
                hatch.ask(&wish, bytes).map(|((), _)| ())
            }
        }
    }

    /// Keeps a blob. One that is there is touched, so that nobody lets go of it as old.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = File::Blob(name.to_owned());
        let path = self.checked(&file)?;
        if let Some(hatch) = &self.hatch {
            let name = name.to_owned();
            return hatch.ask(&Wish::Keep { name }, bytes).map(|((), _)| ());
        }
        let touched =
            fs::File::open(&path).and_then(|blob| blob.set_modified(std::time::SystemTime::now()));
        match touched {
            Ok(()) => Ok(()),
            Err(_) => write_synced(&path, bytes),
        }
    }

    /// The content of this digest; `None` where it is not there, or is not what the digest says.
    pub fn content(&self, sha256: &str) -> Option<Vec<u8>> {
        let content = self.read(&File::Blob(sha256.to_owned())).ok()??;
        (digest(&content) == sha256).then_some(content)
    }

    /// Lays attached files out of their blobs, readable for everybody and writable for nobody, whatever an
    /// earlier holder left there; answers the folder.
    ///
    /// # Errors
    /// When one is not there, or cannot be written.
    pub fn lay_out(&self, task: ShortId, files: &[Attachment]) -> io::Result<PathBuf> {
        let folder = self.task(task).join("attachments");
        if let Some(hatch) = &self.hatch {
            let files = files.to_vec();
            hatch.ask::<()>(&Wish::LayOut { task, files }, b"")?;
            return Ok(folder);
        }
        protocol::attachment::check(files).map_err(io::Error::other)?;
        emptied(&folder)?;
        for file in files {
            let gone = || io::Error::other(format!("{} is not there any more", file.name));
            let content = self.content(&file.sha256).ok_or_else(gone)?;
            lay(&folder.join(&file.name), &content)?;
        }
        Ok(folder)
    }

    /// Texts of all playbooks.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn playbooks(&self) -> io::Result<Vec<String>> {
        if let Some(hatch) = &self.hatch {
            return hatch.ask(&Wish::Playbooks, b"").map(|(texts, _)| texts);
        }
        let all = config::playbooks::all(&self.home).map_err(io::Error::other)?;
        Ok(all.into_iter().map(|(_, yaml)| yaml).collect())
    }

    /// Whether less than `min_free_mb` million bytes are free on it.
    pub fn is_low(&self, min_free_mb: u64) -> bool {
        match &self.hatch {
            None => config::disk::is_low(&self.home, min_free_mb),
            Some(hatch) => hatch.ask(&Wish::IsLow, b"").is_ok_and(|(low, _)| low),
        }
    }

    /// The finished clone of a task.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn clone_of(&self, task: ShortId) -> Result<TaskClone, CloneError> {
        let folder = self.task(task);
        guard::clone::finished(&folder).ok_or_else(|| CloneError::Refused {
            path: folder,
            why: "there is no clone of a workspace in it".to_owned(),
        })
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The digest a blob is named by.
pub fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let mut file = fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(folder)?.sync_all()
}

fn emptied(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn lay(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o444))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_but_what_is_named_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::here(Home::at(folder.path()));
        for name in [
            "../../etc/passwd",
            "",
            "a",
            &"g".repeat(64),
            &"/".repeat(64),
        ] {
            let file = File::Blob(name.to_owned());
            assert!(disk.read(&file).is_err(), "{name}");
            assert!(disk.write(&file, b"x").is_err(), "{name}");
            assert!(disk.keep(name, b"x").is_err(), "{name}");
        }
        let name = digest(b"kept");
        disk.keep(&name, b"kept").unwrap();
        assert_eq!(disk.content(&name), Some(b"kept".to_vec()));
        disk.write(&File::Blob(name.clone()), b"changed").unwrap();
        assert_eq!(disk.content(&name), None);
        assert_eq!(disk.read(&File::Begun(ShortId(1))).unwrap(), None);
        disk.write(&File::Patch(ShortId(1)), b"p").unwrap();
        assert!(folder.path().join("tasks/t1/patch.diff").is_file());
    }
}
