//! Which workspaces a person trusts, each for exactly what it said to agents then. One small file that only
//! the warden writes; what changed since is not trusted, and is forgotten when it is seen. Beside them lies what
//! may be signed about a workspace now: each word is drawn once, for half an hour and for one answer.

pub mod signed;

use crate::audit::seal::hex;
use crate::tickets::ticket::LIFE;
use config::error::ConfigError;
use config::private_file;
use jiff::{SignedDuration, Timestamp};
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
/// For how long whoever asks again what to sign is told the same: at least as long is left to bring it back.
const SAME: SignedDuration = SignedDuration::from_mins(15);

/// A person's word for a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The digest of what it said to agents then.
    pub digest: String,
    /// Login name of who said so, or the signer's.
    pub by: String,
    /// The number of the user who said it, proven by the kernel.
    pub uid: u32,
    /// The key that signed it, where one did: then `by` is the name its owner gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a signature about a workspace must name to count now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Drawn at random, so that nothing that was signed before names it.
    pub word: String,
    /// When it was drawn: it counts for half an hour.
    pub at: Timestamp,
}

impl Asked {
    fn is_late(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) >= LIFE || now < self.at
    }
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    v: u32,
    workspaces: BTreeMap<String, Trust>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    asked: BTreeMap<String, Asked>,
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
        named(path)?;
        digested(&trust.digest)?;
        let mut file = self.read()?;
        if file.workspaces.len() >= MOST && !file.workspaces.contains_key(path) {
            return Err(format!(
                "{MOST} workspaces are trusted already: revoke some"
            ));
        }
        file.workspaces.insert(path.to_owned(), trust);
        file.asked.remove(path);
        self.write(file)
    }

    /// Ends trust on somebody's word, and with it what was asked to be signed; whether there was some.
    ///
    /// # Errors
    /// A sentence, where that cannot be kept.
    pub fn end(&self, path: &str) -> Result<bool, String> {
        let mut file = self.read()?;
        let was = file.workspaces.remove(path).is_some();
        if file.asked.remove(path).is_some() || was {
            self.write(file)?;
        }
        Ok(was)
    }

    /// Ends trust because what was trusted changed. Nobody said anything: what was asked to be signed still is.
    ///
    /// # Errors
    /// A sentence, where that cannot be kept.
    pub fn changed(&self, path: &str) -> Result<(), String> {
        let mut file = self.read()?;
        match file.workspaces.remove(path) {
            Some(_) => self.write(file),
            None => Ok(()),
        }
    }

    /// What a signature about a workspace must name from now on. Asked again soon, it is the same.
    ///
    /// # Errors
    /// A sentence, where it cannot be kept.
    pub fn ask(&self, path: &str, now: Timestamp) -> Result<Asked, String> {
        named(path)?;
        let mut file = self.read()?;
        file.asked.retain(|_, asked| !asked.is_late(now));
        let fresh = |asked: &&Asked| now.duration_since(asked.at) < SAME;
        if let Some(asked) = file.asked.get(path).filter(fresh) {
            return Ok(asked.clone());
        }
        if file.asked.len() >= MOST && !file.asked.contains_key(path) {
            return Err(format!(
                "words about {MOST} workspaces wait to be signed already: try again in half an hour"
            ));
        }
        let bytes: [u8; 16] = rand::random();
        let asked = Asked {
            word: hex(&bytes),
            at: now,
        };
        file.asked.insert(path.to_owned(), asked.clone());
        self.write(file)?;
        Ok(asked)
    }

    /// What a signature about a workspace must name now.
    ///
    /// # Errors
    /// A sentence, where nothing was asked to be signed, its time is over, or something was said since.
    pub fn asked(&self, path: &str, now: Timestamp) -> Result<Asked, String> {
        let asked = self.read()?.asked.remove(path);
        asked.filter(|asked| !asked.is_late(now)).ok_or_else(|| {
            format!(
                "nothing about {path} waits to be signed: it was said already, or its half hour is over; what to sign now: ai-infra workspace trust DIR --to-sign"
            )
        })
    }

    /// The trust in a workspace.
    ///
    /// # Errors
    /// A sentence, where it cannot be read: then nothing is trusted.
    pub fn get(&self, path: &str) -> Result<Option<Trust>, String> {
        Ok(self.read()?.workspaces.remove(path))
    }
}

/// Whether a text may name a workspace.
fn named(path: &str) -> Result<(), String> {
    match Path::new(path).is_absolute() && path.len() <= PATH_BYTES {
        true => Ok(()),
        false => Err("a workspace is named by its whole path".to_owned()),
    }
}

/// Whether a text may be the digest of what one says.
///
/// # Errors
/// A sentence, where it is none.
pub fn digested(digest: &str) -> Result<(), String> {
    match digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err("that is no digest of a workspace".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::ToSpan;

    fn trust() -> Trust {
        Trust {
            digest: "a".repeat(64),
            by: "ada".to_owned(),
            uid: 1000,
            key: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_signed_is_drawn_once_and_good_for_one_word_within_half_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let trusted = Trusted::at(folder.path().join("trust.json"));
        let at = |minute: i64| Timestamp::UNIX_EPOCH + minute.minutes();
        assert!(trusted.asked("/srv/shop", at(0)).is_err());
        let first = trusted.ask("/srv/shop", at(0)).unwrap();
        assert_eq!(first.word.len(), 32);
        // Asked again, by whoever it is, what was signed meanwhile still counts; of another folder it does not.
        assert_eq!(trusted.ask("/srv/shop", at(14)), Ok(first.clone()));
        assert_ne!(trusted.ask("/srv/other", at(14)).unwrap().word, first.word);
        assert_eq!(trusted.asked("/srv/shop", at(29)), Ok(first.clone()));
        assert!(trusted.asked("/srv/shop", at(30)).is_err());
        assert!(
            trusted.asked("/srv/shop", at(-1)).is_err(),
            "a clock put back"
        );
        let late = trusted.ask("/srv/shop", at(15)).unwrap();
        assert_ne!(late.word, first.word);
        // A change by itself is nobody's word.
        trusted.changed("/srv/shop").unwrap();
        assert_eq!(trusted.asked("/srv/shop", at(20)), Ok(late));
        trusted.give("/srv/shop", trust()).unwrap();
        assert!(trusted.asked("/srv/shop", at(20)).is_err());
        let next = trusted.ask("/srv/shop", at(20)).unwrap();
        trusted.changed("/srv/shop").unwrap();
        assert_eq!(trusted.get("/srv/shop"), Ok(None));
        assert_eq!(trusted.asked("/srv/shop", at(21)), Ok(next));
        assert_eq!(trusted.end("/srv/shop"), Ok(false));
        assert!(trusted.asked("/srv/shop", at(21)).is_err());
        assert!(trusted.ask("shop", at(21)).is_err());
    }

    #[test]
    fn nobody_fills_the_file_with_what_is_never_signed() {
        let folder = tempfile::tempdir().unwrap();
        let trusted = Trusted::at(folder.path().join("trust.json"));
        let now = Timestamp::UNIX_EPOCH;
        let asked = (0..MOST).map(|n| {
            let word = String::new();
            (format!("/srv/{n}"), Asked { word, at: now })
        });
        let file = File {
            asked: asked.collect(),
            ..File::default()
        };
        trusted.write(file).unwrap();
        assert!(
            trusted
                .ask("/srv/x", now)
                .unwrap_err()
                .contains("half an hour")
        );
        assert!(trusted.ask("/srv/1", now).is_ok());
        assert!(trusted.ask("/srv/x", now + 30.minutes()).is_ok());
        assert_eq!(trusted.read().unwrap().asked.len(), 1);
    }

    #[test]
    fn trust_is_kept_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let trusted = Trusted::at(folder.path().join("trust.json"));
        let trust = trust();
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
