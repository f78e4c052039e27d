//! The patch of a task as a file of this home, and beside it the record of its apply: what was put in
//! place once is not put in place again, whoever was killed in between.

use super::PatchError;
use config::private_file;
use guard::apply::FileStep;
use protocol::ids::ShortId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// Largest patch shown or applied, in bytes.
const PATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Version of the record; a newer one is refused.
const RECORD_VERSION: u32 = 2;
/// Largest record, in bytes: some 250 for each file that a patch can hold.
const RECORD_BYTES: u64 = 16 * 1024 * 1024;

/// The patch of the task in this folder.
pub(crate) fn read(folder: &Path, task: ShortId) -> Result<String, PatchError> {
    let path = folder.join("patch.diff");
    let unreadable = |why: String| PatchError::Unreadable {
        path: path.clone(),
        why,
    };
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(PatchError::None(task)),
        Err(e) => return Err(unreadable(e.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(PATCH_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| unreadable(e.to_string()))?;
    match bytes.len() as u64 {
        0 => Err(PatchError::None(task)),
        n if n > PATCH_BYTES => Err(unreadable(format!(
            "it is larger than {PATCH_BYTES} bytes: use `git apply` on the file itself"
        ))),
        _ => String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned())),
    }
}

/// Lower-case hex SHA-256 of a patch.
pub(crate) fn digest(patch: &str) -> String {
    let sum = Sha256::digest(patch.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is remembered of an apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    v: u32,
    /// Of which patch.
    pub(crate) sha256: String,
    /// What was done, once it was; before that it was only begun.
    pub(crate) done: Option<String>,
    /// What it was going to do, since version 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<FileStep>,
}

impl Record {
    /// It is about to be put in place.
    pub(crate) fn begun(sha256: &str, files: &[FileStep]) -> Self {
        Self {
            v: RECORD_VERSION,
            sha256: sha256.to_owned(),
            done: None,
            files: files.to_vec(),
        }
    }

    /// It is in place.
    pub(crate) fn done(sha256: &str, said: &str) -> Self {
        Self {
            done: Some(said.to_owned()),
            ..Self::begun(sha256, &[])
        }
    }

    /// The record in a task's folder; `None` where there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = folder.join("applied.json");
        let bytes = private_file::read(&path, RECORD_BYTES).map_err(|e| e.to_string())?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let record: Self = serde_json::from_slice(&bytes)
            .map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
        match record.v > RECORD_VERSION {
            true => Err(format!(
                "{} has version {}, this program knows up to {RECORD_VERSION}: update it",
                path.display(),
                record.v
            )),
            false => Ok(Some(record)),
        }
    }

    /// Keeps it, whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        let text = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        private_file::write(&folder.join("applied.json"), &text).map_err(|e| e.to_string())
    }

    /// Forgets what was begun and came to nothing.
    pub(crate) fn forget(folder: &Path) {
        // One that stays says only that it was begun.
        let _stays = std::fs::remove_file(folder.join("applied.json"));
    }
}
