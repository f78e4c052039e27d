//! What a person is shown of a duty before saying yes, and what the world was like then: kept beside the tickets
//! by the digest of what was asked, so that a restart shows the same and the yes stays bound to it.

use crate::tickets::ticket::action_digest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How long one is kept: longer than any ticket can be used.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const PLANNED_VERSION: u32 = 1;

/// A look at what would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Version of the file.
    v: u32,
    /// When.
    at: Timestamp,
    /// Labels and texts, as the process that would do it rendered them.
    pub shown: Vec<(String, String)>,
    /// What the yes is bound to.
    pub bound: Value,
}

impl Planned {
    /// Digest of all of it: the four characters stand for it too.
    pub fn seal(&self) -> String {
        action_digest(&json!([self.shown, self.bound]))
    }
}

/// The folder of them.
#[derive(Debug, Clone)]
pub struct Plans(PathBuf);

impl Plans {
    /// In a folder, which is made; what is old goes.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, now: Timestamp) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        let plans = Self(folder.to_owned());
        for entry in fs::read_dir(folder)?.flatten() {
            let name = entry.file_name();
            let old = plans
                .get(name.to_string_lossy().trim_end_matches(".json"))
                .is_none_or(|one| now.duration_since(one.at) > KEPT);
            if old {
                let _goes_next_time = fs::remove_file(entry.path());
            }
        }
        Ok(plans)
    }

    fn place(&self, digest: &str) -> Option<PathBuf> {
        let plain = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| self.0.join(format!("{digest}.json")))
    }

    /// What was shown for a digest.
    pub fn get(&self, digest: &str) -> Option<Planned> {
        let text = fs::read(self.place(digest)?).ok()?;
        let planned: Planned = serde_json::from_slice(&text).ok()?;
        (planned.v <= PLANNED_VERSION).then_some(planned)
    }

    /// Lets one go.
    pub fn forget(&self, digest: &str) {
        if let Some(place) = self.place(digest) {
            let _goes_when_it_is_old = fs::remove_file(place);
        }
    }

    /// Keeps one.
    ///
    /// # Errors
    /// A sentence.
    pub fn keep(
        &self,
        digest: &str,
        shown: Vec<(String, String)>,
        bound: Value,
        at: Timestamp,
    ) -> Result<(), String> {
        let planned = Planned {
            v: PLANNED_VERSION,
            at,
            shown,
            bound,
        };
        let place = self.place(digest).ok_or("that is no digest")?;
        let beside = place.with_extension("new");
        let written = serde_json::to_vec(&planned)
            .map_err(std::io::Error::other)
            .and_then(|text| {
                let mut file = fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&beside)?;
                file.write_all(&text)?;
                file.sync_all()?;
                fs::rename(&beside, &place)
            });
        written.map_err(|error| {
            format!(
                "what is to be shown cannot be kept in {}: {error}",
                self.0.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_was_shown_is_shown_again_and_goes_when_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let plans = Plans::open(dir.path(), now).unwrap();
        let digest = "ab".repeat(32);
        let shown = vec![("diff".to_owned(), "+ a".to_owned())];
        plans
            .keep(&digest, shown.clone(), json!({"old": null}), now)
            .unwrap();
        let later = Plans::open(dir.path(), now + SignedDuration::from_hours(1)).unwrap();
        assert_eq!(later.get(&digest).unwrap().shown, shown);
        assert!(later.keep("../x", shown, json!(1), now).is_err() && later.get("../x").is_none());
        later.forget("../x");
        let after = Plans::open(dir.path(), now + SignedDuration::from_hours(25)).unwrap();
        assert!(after.get(&digest).is_none());
    }
}
