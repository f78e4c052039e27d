//! The key that seals lines, kept with mode 0600 in the warden's folder. On a root install that folder
//! is root's; where agents share the owner's uid, Landlock around each of them is the wall, and `audit verify`
//! says so.

use config::error::ConfigError;
use config::private_file;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::path::Path;

const BYTES: usize = 32;

/// The sealing key. Never printed.
#[derive(Clone)]
pub struct SealKey([u8; BYTES]);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// A key from its bytes.
    pub fn of(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The key of a folder; `None` where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, others may read it, or it is no key.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let Some(bytes) = private_file::read(path, BYTES as u64)? else {
            return Ok(None);
        };
        let bytes = <[u8; BYTES]>::try_from(bytes.as_slice())
            .map_err(|_| ConfigError::file("use", path, "it is no sealing key: 32 bytes"))?;
        Ok(Some(Self(bytes)))
    }

    /// Makes a new one and keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn make(path: &Path) -> Result<Self, ConfigError> {
        let bytes: [u8; BYTES] = rand::random();
        private_file::write(path, &bytes)?;
        Ok(Self(bytes))
    }

    fn mac(&self, what: &[u8]) -> Option<Hmac<Sha256>> {
        // A key of any length is fine for HMAC.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(what);
        Some(mac)
    }

    /// The seal of some bytes, lower-case hex.
    pub fn seal(&self, what: &[u8]) -> String {
        let mac = self.mac(what).map(|mac| mac.finalize().into_bytes());
        mac.map(|bytes| hex(&bytes)).unwrap_or_default()
    }

    /// Whether a seal is that of these bytes; the time it takes says nothing about where it differs.
    pub fn fits(&self, what: &[u8], seal: &str) -> bool {
        let (Some(mac), Some(seal)) = (self.mac(what), unhex(seal)) else {
            return false;
        };
        mac.verify_slice(&seal).is_ok()
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 2 * BYTES || !text.bytes().all(plain) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_seal_is_for_its_bytes_and_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        assert!(SealKey::read(&path).unwrap().is_none());
        let key = SealKey::make(&path).unwrap();
        let again = SealKey::read(&path).unwrap().unwrap();
        let seal = key.seal(b"line");
        assert!(again.fits(b"line", &seal) && !again.fits(b"lin", &seal));
        assert!(!again.fits(b"line", &seal.to_uppercase()));
        assert!(!SealKey::make(&path).unwrap().fits(b"line", &seal));
        std::fs::write(&path, b"short").unwrap();
        assert!(SealKey::read(&path).is_err());
    }
}
