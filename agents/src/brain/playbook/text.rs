//! The text of a playbook, by its digest: what was accepted is what is worked by, whatever lies in
//! this home under the name. On another host the text comes over the bus.

use super::fail;
use crate::blob::{hex, write_synced};
use crate::pulse::Hold;
use crate::stop::Stop;
use bus::connect::Bus;
use config::home::Home;
use pai::playbook::Playbook;
use protocol::ids::Role;
use sha2::{Digest, Sha256};

/// Where a text may be found.
pub(super) struct Text {
    pub(super) home: Home,
    pub(super) hold: Hold,
    pub(super) bus: Bus,
    pub(super) role: Role,
    pub(super) name: String,
}

impl Text {
    /// The text of this digest. Without one, of a task of an older team, what this home has under
    /// the name.
    pub(super) async fn find(self, sha256: Option<&str>) -> Result<String, Stop> {
        let Some(sha256) = sha256 else {
            return self.by_name();
        };
        if let Some(text) = self.lies_here(sha256) {
            return Ok(text);
        }
        let fetch = || self.bus.blob(&self.role, sha256);
        let fetched = match self.hold.insist(fetch).await? {
            Some(bytes) if digest(&bytes) == sha256 => String::from_utf8(bytes).ok(),
            _ => None,
        };
        match fetched {
            Some(text) => {
                let path = self.home.blobs().join(sha256);
                write_synced(&path, text.as_bytes()).map_err(fail)?;
                Ok(text)
            }
            None => self.of_a_file(sha256),
        }
    }

    /// Among the blobs of this home.
    fn lies_here(&self, sha256: &str) -> Option<String> {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        let bytes = std::fs::read(self.home.blobs().join(sha256)).ok();
        let bytes = bytes.filter(|bytes| is_digest && digest(bytes) == sha256);
        String::from_utf8(bytes?).ok()
    }

    fn of_a_file(&self, sha256: &str) -> Result<String, Stop> {
        let all = config::playbooks::all(&self.home).map_err(fail)?;
        let same = |yaml: &String| digest(yaml.as_bytes()) == sha256;
        all.into_iter().map(|(_, yaml)| yaml).find(same).ok_or_else(|| {
            fail(format!(
                "the text of playbook {} with which this was accepted is not to be had any more: hand it in again",
                self.name
            ))
        })
    }

    fn by_name(&self) -> Result<String, Stop> {
        let all = config::playbooks::all(&self.home).map_err(fail)?;
        let named = |yaml: &String| Playbook::parse(yaml).is_ok_and(|p| p.name == self.name);
        all.into_iter()
            .map(|(_, yaml)| yaml)
            .find(named)
            .ok_or_else(|| {
                fail(format!(
                    "playbook {} is not there any more: see `ai-infra playbook list`",
                    self.name
                ))
            })
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
