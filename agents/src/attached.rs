//! Content that a task refers to by its digest: the text of its playbook, the files handed in with
//! it. It lies among the blobs of this home, or came over the bus to another host.

use crate::blob::{hex, write_synced};
use crate::pulse::Hold;
use crate::stop::Stop;
use bus::connect::Bus;
use config::home::Home;
use protocol::attachment::Attachment;
use protocol::ids::Role;
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where content may be found.
pub struct Kept {
    /// This home.
    pub home: Home,
    /// The lease: nothing is fetched without it.
    pub hold: Hold,
    /// The bus.
    pub bus: Bus,
    /// The role it was sent to.
    pub role: Role,
}

impl Kept {
    /// The content of this digest; `None` where it is not to be had, or is not what the digest says.
    ///
    /// # Errors
    /// When the task must stop, or what came cannot be kept here.
    pub async fn content(&self, sha256: &str) -> Result<Option<Vec<u8>>, Stop> {
        if let Some(content) = self.lies_here(sha256) {
            return Ok(Some(content));
        }
        let fetch = || self.bus.blob(&self.role, sha256);
        match self.hold.insist(fetch).await? {
            Some(content) if digest(&content) == sha256 => {
                let path = self.home.blobs().join(sha256);
                let kept = write_synced(&path, &content);
                kept.map_err(|e| Stop::Fail(format!("cannot keep blob {}: {e}", path.display())))?;
                Ok(Some(content))
            }
            _ => Ok(None),
        }
    }

    fn lies_here(&self, sha256: &str) -> Option<Vec<u8>> {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        let content = fs::read(self.home.blobs().join(sha256)).ok();
        content.filter(|content| is_digest && digest(content) == sha256)
    }

    /// Lays attached files out in `folder`, readable for everybody and writable for nobody, whatever
    /// an earlier holder left there.
    ///
    /// # Errors
    /// When a file is not to be had, or cannot be written.
    pub async fn lay_out(&self, files: &[Attachment], folder: PathBuf) -> Result<PathBuf, Stop> {
        let cannot = |e: io::Error| {
            Stop::Fail(format!(
                "cannot lay out attached files in {}: {e}",
                folder.display()
            ))
        };
        protocol::attachment::check(files).map_err(|e| Stop::Fail(e.to_string()))?;
        emptied(&folder).map_err(cannot)?;
        for file in files {
            let content = self.content(&file.sha256).await?.ok_or_else(|| {
                Stop::Fail(format!(
                    "the attached file {} is not to be had any more: hand the request in again with it",
                    file.name
                ))
            })?;
            lay(&folder.join(&file.name), &content).map_err(cannot)?;
        }
        Ok(folder)
    }
}

fn emptied(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn lay(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(0o444))
}

/// The digest a blob is named by.
pub fn digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}
