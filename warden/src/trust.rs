//! Which workspaces a person trusts, each for exactly what it said to agents then. One small file that only
//! the warden writes; what changed since is not trusted, and is forgotten when it is seen.

use config::error::ConfigError;
use config::private_file;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the file.
const VERSION: u32 = 1;
/// Most workspaces, and the longest path, in bytes.
const MOST: usize = 1_000;
const PATH_BYTES: usize = 4_096;
/// Largest file, in bytes.
const FILE_BYTES: u64 = 16 << 20;

/// A person's word for a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The digest of what it said to agents then.
    pub digest: String,
    /// Login name of who said so.
    pub by: String,
    /// Its number, proven by the kernel.
    pub uid: u32,
    /// When.
    pub at: Timestamp,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    v: u32,
    workspaces: BTreeMap<String, Trust>,
}

/// The trusted workspaces of a host.
#[derive(Debug)]
pub struct Trusted {
    path: PathBuf,
}

impl Trusted {
    /// Kept in this file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    fn read(&self) -> Result<File, String> {
        let told = |error: ConfigError| error.to_string();
        let Some(text) = private_file::read(&self.path, FILE_BYTES).map_err(told)? else {
            return Ok(File::default());
        };
        let file: File = serde_json::from_slice(&text).map_err(|error| {
            format!("{} is damaged ({error}): move it away", self.path.display())
        })?;
        match file.v > VERSION {
            true => Err(format!("a newer ai-infra wrote {}", self.path.display())),
            false => Ok(file),
        }
    }

    fn write(&self, mut file: File) -> Result<(), String> {
        file.v = VERSION;
        let text = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
        private_file::write(&self.path, &text).map_err(|error| error.to_string())
    }

    /// Trusts a workspace, instead of what was trusted of it before.
    ///
    /// # Errors
    /// A sentence, where it cannot be kept.
    pub fn give(&self, path: &str, trust: Trust) -> Result<(), String> {
        if !Path::new(path).is_absolute() || path.len() > PATH_BYTES {
            return Err("a workspace is named by its whole path".to_owned());
        }
        if trust.digest.len() != 64 || !trust.digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("that is no digest of a workspace".to_owned());
        }
        let mut file = self.read()?;
        if file.workspaces.len() >= MOST && !file.workspaces.contains_key(path) {
            return Err(format!(
                "{MOST} workspaces are trusted already: revoke some"
            ));
        }
        file.workspaces.insert(path.to_owned(), trust);
        self.write(file)
    }

    /// Ends trust; whether there was some.
    ///
    /// # Errors
    /// A sentence, where that cannot be kept.
    pub fn end(&self, path: &str) -> Result<bool, String> {
        let mut file = self.read()?;
        let was = file.workspaces.remove(path).is_some();
        if was {
            self.write(file)?;
        }
        Ok(was)
    }

    /// The trust in a workspace.
    ///
    /// # Errors
    /// A sentence, where it cannot be read: then nothing is trusted.
    pub fn get(&self, path: &str) -> Result<Option<Trust>, String> {
        Ok(self.read()?.workspaces.remove(path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn trust_is_kept_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let trusted = Trusted::at(folder.path().join("trust.json"));
        let trust = Trust {
            digest: "a".repeat(64),
            by: "ada".to_owned(),
            uid: 1000,
            at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(trusted.get("/srv/shop"), Ok(None));
        assert_eq!(trusted.end("/srv/shop"), Ok(false));
        trusted.give("/srv/shop", trust.clone()).unwrap();
        assert_eq!(trusted.get("/srv/shop"), Ok(Some(trust.clone())));
        assert_eq!(trusted.get("/srv"), Ok(None));
        assert!(trusted.give("shop", trust.clone()).is_err());
        let digest = "x".repeat(64);
        assert!(trusted.give("/srv/x", Trust { digest, ..trust }).is_err());
        assert_eq!(trusted.end("/srv/shop"), Ok(true));
        assert_eq!(trusted.get("/srv/shop"), Ok(None));
        private_file::write(&folder.path().join("trust.json"), b"{\"v\":1").unwrap();
        assert!(trusted.get("/srv/shop").unwrap_err().contains("damaged"));
    }
}
