//! What is too large for a stream: files named by their SHA-256, written once, checked when read.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

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

/// The folder of blobs.
#[derive(Debug, Clone)]
pub struct Blobs(pub PathBuf);

impl Blobs {
    /// Gives back `value` where it fits into `limit` bytes as JSON, else keeps it on disk
    /// (written, synced, renamed) and gives back its reference.
    pub fn fit(&self, value: Value, limit: usize) -> Result<Value, BlobError> {
        let text = value.to_string();
        if text.len() <= limit {
            return Ok(value);
        }
        let name = hex(&Sha256::digest(text.as_bytes()));
        self.keep(&name, text.as_bytes())?;
        Ok(serde_json::json!({"blob": name, "bytes": text.len()}))
    }

    /// Puts the content back where `value` is a reference.
    pub fn load(&self, value: Value) -> Result<Value, BlobError> {
        let Ok(reference) = serde_json::from_value::<BlobRef>(value.clone()) else {
            return Ok(value);
        };
        let path = self.path(&reference.blob)?;
        let bytes = std::fs::read(&path).map_err(|source| BlobError::Io {
            verb: "read",
            path,
            source,
        })?;
        if hex(&Sha256::digest(&bytes)) != reference.blob {
            return Err(BlobError::Changed(reference.blob));
        }
        serde_json::from_slice(&bytes).map_err(|e| BlobError::NotJson(reference.blob, e))
    }

    fn path(&self, name: &str) -> Result<PathBuf, BlobError> {
        let is_digest = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if is_digest {
            Ok(self.0.join(name))
        } else {
            Err(BlobError::Changed(name.chars().take(80).collect()))
        }
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.path(name)?;
        // What is used again is touched, so that nobody lets go of it as old.
        let touched = std::fs::File::open(&path)
            .and_then(|blob| blob.set_modified(std::time::SystemTime::now()));
        if touched.is_ok() {
            return Ok(());
        }
        write_synced(&path, bytes).map_err(|source| BlobError::Io {
            verb: "write",
            path,
            source,
        })
    }
}

/// Writes a whole file so that after a crash it is there completely or not at all.
pub fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn scratch(name: &str) -> Blobs {
        let dir = std::env::temp_dir().join(format!("blobs-{name}-{}", std::process::id()));
        Blobs(dir)
    }

    #[test]
    fn large_values_come_back_whole_and_changed_ones_are_refused() {
        let blobs = scratch("whole");
        let value = json!({"text": "x".repeat(10_000)});
        let kept = blobs.fit(value.clone(), 4096).unwrap();
        assert!(kept.to_string().len() < 200);
        assert_eq!(blobs.load(kept.clone()).unwrap(), value);
        let name = kept["blob"].as_str().unwrap();
        std::fs::write(blobs.0.join(name), b"{}").unwrap();
        assert!(matches!(blobs.load(kept), Err(BlobError::Changed(_))));
        std::fs::remove_dir_all(&blobs.0).unwrap();
    }

    #[test]
    fn a_reference_cannot_name_another_file() {
        let blobs = scratch("escape");
        let evil = json!({"blob": "../../etc/passwd", "bytes": 1});
        assert!(blobs.load(evil).is_err());
    }
}
