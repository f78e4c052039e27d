//! Content that a task refers to by its digest: the text of its playbook, the files handed in with
//! it. It lies among the blobs of this home, or came over the bus to another host.

use crate::disk::{Disk, File, digest};
use crate::pulse::Hold;
use crate::stop::Stop;
use bus::connect::Bus;
use protocol::attachment::Attachment;
use protocol::ids::{Role, ShortId};
use std::path::PathBuf;

/// Where content may be found.
pub struct Kept {
    /// The disk of this home.
    pub disk: Disk,
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
        if let Some(content) = self.disk.content(sha256) {
            return Ok(Some(content));
        }
        let fetch = || self.bus.blob(&self.role, sha256);
        match self.hold.insist(fetch).await? {
            Some(content) if digest(&content) == sha256 => {
                let blob = File::Blob(sha256.to_owned());
                let kept = self.disk.write(&blob, &content);
                let path = self.disk.path(&blob);
                kept.map_err(|e| Stop::Fail(format!("cannot keep blob {}: {e}", path.display())))?;
                Ok(Some(content))
            }
            _ => Ok(None),
        }
    }

    /// Lays the attached files of a task out, readable for everybody and writable for nobody; answers the folder.
    ///
    /// # Errors
    /// When a file is not to be had, or cannot be written.
    pub async fn lay_out(&self, files: &[Attachment], task: ShortId) -> Result<PathBuf, Stop> {
        for file in files {
            if self.content(&file.sha256).await?.is_none() {
                return Err(Stop::Fail(format!(
                    "the attached file {} is not to be had any more: hand the request in again with it",
                    file.name
                )));
            }
        }
        let laid = self.disk.lay_out(task, files);
        laid.map_err(|e| Stop::Fail(format!("cannot lay out attached files: {e}")))
    }
}
