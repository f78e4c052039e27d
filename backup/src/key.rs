//! The recovery key: an age identity that is made at the first backup and kept outside the home, so
//! that whoever has it and the repository has everything back. Writing needs only its public half.

use crate::error::BackupError;
use age::secrecy::ExposeSecret;
use age::stream::{StreamReader, StreamWriter};
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use config::private_file;
use std::io::Cursor;
use std::path::Path;
use std::str::FromStr;

/// Largest key file, in bytes.
const FILE_BYTES: u64 = 16 * 1024;

/// The key that opens what was written.
#[derive(Clone)]
pub struct RecoveryKey(Identity);

/// Its public half: enough to write.
#[derive(Clone)]
pub struct Public(Recipient);

impl RecoveryKey {
    /// A new one.
    pub fn generate() -> Self {
        RecoveryKey(Identity::generate())
    }

    /// Reads a key file as age writes it; `None` where there is none.
    ///
    /// # Errors
    /// When others may read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Option<Self>, BackupError> {
        let Some(bytes) = private_file::read(path, FILE_BYTES)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes);
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap_or_default();
        let identity = Identity::from_str(line).map_err(|_| {
            BackupError::Key(format!(
                "{} holds no recovery key: it has one line that begins with AGE-SECRET-KEY-1",
                path.display()
            ))
        })?;
        Ok(Some(RecoveryKey(identity)))
    }

    /// Keeps it with mode 0600. Never over another one.
    pub fn write(&self, path: &Path) -> Result<(), BackupError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(crate::error::file("make", folder))?;
        }
        if path.exists() {
            let why = format!("{} is there already and is not replaced", path.display());
            return Err(BackupError::Key(why));
        }
        let text = format!(
            "# recovery key of ai-infra's backups; keep a copy where this machine is not\n# public half: {}\n{}\n",
            self.public(),
            self.reveal()
        );
        Ok(private_file::write(path, text.as_bytes())?)
    }

    /// The key as one line, for the one time it is shown.
    pub fn reveal(&self) -> String {
        self.0.to_string().expose_secret().to_owned()
    }

    /// Its public half.
    pub fn public(&self) -> Public {
        Public(self.0.to_public())
    }

    /// Opens what [`Public::seal`] sealed.
    pub fn open(&self, what: &str, sealed: &[u8]) -> Result<Vec<u8>, BackupError> {
        age::decrypt(&self.0, sealed).map_err(|error| self.refused(what, error))
    }

    /// The same, piece by piece as it is read.
    pub fn opening(
        &self,
        what: &str,
        sealed: Vec<u8>,
    ) -> Result<StreamReader<Cursor<Vec<u8>>>, BackupError> {
        Decryptor::new_buffered(Cursor::new(sealed))
            .and_then(|sealed| sealed.decrypt(std::iter::once(&self.0 as &dyn age::Identity)))
            .map_err(|error| self.refused(what, error))
    }

    fn refused(&self, what: &str, error: DecryptError) -> BackupError {
        match error {
            DecryptError::NoMatchingKeys => BackupError::Key(format!(
                "{what} was written for another recovery key than {}",
                self.public()
            )),
            error => BackupError::damaged(what, error),
        }
    }
}

impl Public {
    /// Seals bytes so that only the recovery key opens them.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, BackupError> {
        age::encrypt(&self.0, plain)
            .map_err(|error| BackupError::Key(format!("encryption failed: {error}")))
    }

    /// The same for what is written piece by piece, behind what `to` holds.
    pub fn sealing(&self, to: Vec<u8>) -> Result<StreamWriter<Vec<u8>>, BackupError> {
        let failed = |why: String| BackupError::Key(format!("encryption failed: {why}"));
        Encryptor::with_recipients(std::iter::once(&self.0 as &dyn age::Recipient))
            .map_err(|error| failed(error.to_string()))?
            .wrap_output(to)
            .map_err(|error| failed(error.to_string()))
    }
}

impl std::fmt::Display for Public {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Public {
    type Err = BackupError;

    fn from_str(text: &str) -> Result<Self, BackupError> {
        Recipient::from_str(text)
            .map(Public)
            .map_err(|why| BackupError::damaged("the repository's recipient", why))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn kept_privately_read_back_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/recovery-key");
        assert!(RecoveryKey::read(&path).unwrap().is_none());
        let key = RecoveryKey::generate();
        key.write(&path).unwrap();
        let again = RecoveryKey::read(&path).unwrap().unwrap();
        assert_eq!(again.reveal(), key.reveal());
        let sealed = key.public().seal(b"secret words").unwrap();
        assert_eq!(again.open("x", &sealed).unwrap(), b"secret words");
        assert!(RecoveryKey::generate().write(&path).is_err());
        let other = RecoveryKey::generate().open("pack 1", &sealed);
        assert!(
            other
                .unwrap_err()
                .to_string()
                .contains("another recovery key")
        );
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(
            again
                .open("pack 1", &bent)
                .unwrap_err()
                .to_string()
                .contains("pack 1 is damaged")
        );
        std::fs::write(&path, "nothing").unwrap();
        assert!(RecoveryKey::read(&path).is_err());
    }
}
