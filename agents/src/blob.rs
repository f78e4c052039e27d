//! What is too large for a stream: files named by their SHA-256, written once, checked when read.

use crate::disk::{Disk, File, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// A reference that travels in place of the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobRef {
    /// Lower-case hex SHA-256 of the content.
    pub blob: String,
    /// Its size.
    pub bytes: u64,
}

/// Why a blob could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk said no.
    #[error("cannot {verb} blob {path}: {source}; check the disk and the home's owner", path = path.display())]
    Io {
        /// `write` or `read`.
        verb: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not what its name says.
    #[error("blob {0} does not have the content its name promises: it was changed on disk")]
    Changed(String),
    /// It is not JSON.
    #[error("blob {0} is not JSON: {1}")]
    NotJson(String, serde_json::Error),
}

/// The blobs of a home.
#[derive(Debug, Clone)]
pub struct Blobs(pub Disk);

impl Blobs {
    /// Gives back `value` where it fits into `limit` bytes as JSON, else keeps it on disk
    /// (written, synced, renamed) and gives back its reference.
    pub fn fit(&self, value: Value, limit: usize) -> Result<Value, BlobError> {
        let text = value.to_string();
        if text.len() <= limit {
            return Ok(value);
        }
        let name = digest(text.as_bytes());
        let kept = self.0.keep(&name, text.as_bytes());
        kept.map_err(|source| self.failed("write", &name, source))?;
        Ok(serde_json::json!({"blob": name, "bytes": text.len()}))
    }

    /// Puts the content back where `value` is a reference.
    pub fn load(&self, value: Value) -> Result<Value, BlobError> {
        let Ok(reference) = serde_json::from_value::<BlobRef>(value.clone()) else {
            return Ok(value);
        };
        let name = reference.blob.as_str();
        let is_digest = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_digest {
            return Err(BlobError::Changed(name.chars().take(80).collect()));
        }
        let read = self.0.read(&File::Blob(name.to_owned()));
        let read = read.and_then(|found| found.ok_or_else(|| io::ErrorKind::NotFound.into()));
        let bytes = read.map_err(|source| self.failed("read", name, source))?;
        if digest(&bytes) != reference.blob {
            return Err(BlobError::Changed(reference.blob));
        }
        serde_json::from_slice(&bytes).map_err(|e| BlobError::NotJson(reference.blob, e))
    }

    fn failed(&self, verb: &'static str, name: &str, source: io::Error) -> BlobError {
        BlobError::Io {
            verb,
            path: self.0.path(&File::Blob(name.to_owned())),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn scratch() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs(Disk::here(config::home::Home::at(folder.path())));
        (folder, blobs)
    }

    #[test]
    fn large_values_come_back_whole_and_changed_ones_are_refused() {
        let (_folder, blobs) = scratch();
        let value = json!({"text": "x".repeat(10_000)});
        let kept = blobs.fit(value.clone(), 4096).unwrap();
        assert!(kept.to_string().len() < 200);
        assert_eq!(blobs.load(kept.clone()).unwrap(), value);
        let name = kept["blob"].as_str().unwrap().to_owned();
        blobs.0.write(&File::Blob(name), b"{}").unwrap();
        assert!(matches!(blobs.load(kept), Err(BlobError::Changed(_))));
    }

    #[test]
    fn a_reference_cannot_name_another_file() {
        let (_folder, blobs) = scratch();
        let evil = json!({"blob": "../../etc/passwd", "bytes": 1});
        assert!(blobs.load(evil).is_err());
        let gone = json!({"blob": "a".repeat(64), "bytes": 1});
        let said = blobs.load(gone).unwrap_err().to_string();
        assert!(said.starts_with("cannot read blob "), "{said}");
    }
}
