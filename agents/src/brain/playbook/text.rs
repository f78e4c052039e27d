//! The text of a playbook, by its digest: what was accepted is what is worked by, whatever lies in
//! this home under the name. On another host the text comes over the bus.

use super::fail;
use crate::attached::Kept;
use crate::disk::digest;
use crate::stop::Stop;
use pai::playbook::Playbook;

/// Where a text may be found.
pub(super) struct Text {
    pub(super) kept: Kept,
    pub(super) name: String,
}

impl Text {
    /// The text of this digest. Without one, of a task of an older team, what this home has under
    /// the name.
    pub(super) async fn find(self, sha256: Option<&str>) -> Result<String, Stop> {
        let Some(sha256) = sha256 else {
            return self.by_name();
        };
        let kept = self.kept.content(sha256).await?;
        match kept.and_then(|content| String::from_utf8(content).ok()) {
            Some(text) => Ok(text),
            None => self.of_a_file(sha256),
        }
    }

    fn of_a_file(&self, sha256: &str) -> Result<String, Stop> {
        let all = self.kept.disk.playbooks().map_err(fail)?;
        let same = |yaml: &String| digest(yaml.as_bytes()) == sha256;
        all.into_iter().find(same).ok_or_else(|| {
            fail(format!(
                "the text of playbook {} with which this was accepted is not to be had any more: hand it in again",
                self.name
            ))
        })
    }

    fn by_name(&self) -> Result<String, Stop> {
        let all = self.kept.disk.playbooks().map_err(fail)?;
        let named = |yaml: &String| Playbook::parse(yaml).is_ok_and(|p| p.name == self.name);
        all.into_iter().find(named).ok_or_else(|| {
            fail(format!(
                "playbook {} is not there any more: see `ai-infra playbook list`",
                self.name
            ))
        })
    }
}
