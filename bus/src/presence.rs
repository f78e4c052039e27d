//! Signs of life: which processes of the team run, and what each holds.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::spoiled::Kind;
use crate::{keys, scripts};
use jiff::Timestamp;
use protocol::ids::{Role, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A process of the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Its unique name.
    pub instance: String,
    /// Its role.
    pub role: Role,
    /// Its process id on its host.
    pub pid: u32,
    /// Version of its binary.
    pub version: String,
    /// Its host.
    pub host: String,
    /// The task it holds.
    pub task: Option<TaskId>,
    /// Why it begins only urgent tasks, where its host is under pressure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    /// When it said so.
    pub at: Timestamp,
}

impl Bus {
    /// Says that a process is alive; true for three lease times.
    pub async fn announce(&self, presence: &Presence) -> Result<(), BusError> {
        let text = serde_json::to_string(presence).map_err(|e| BusError::Refused(e.to_string()))?;
        let call = self
            .pulsing()
            .key(self.keys().here(&presence.role))
            .arg(&presence.instance)
            .arg(text)
            .arg(self.keys().lanes())
            .arg(keys::lane(&presence.role, None));
        self.run::<i64>(&scripts::ANNOUNCE, &call, Again::Yes)
            .await
            .map(drop)
    }

    /// Who said so within three lease times, by role and name. A role speaks for itself alone, and
    /// one whose signs cannot be read hides no other.
    pub async fn present(&self) -> Result<Vec<Presence>, BusError> {
        let call = Call::on([self.keys().lanes()]).arg(self.keys().here_prefix());
        let texts: Vec<Vec<u8>> = match self.run(&scripts::PRESENT, &call, Again::Yes).await {
            Err(error) if error.is_wrong_type() => self.signs().await?,
            texts => texts?,
        };
        let read = |pair: &[Vec<u8>]| {
            let [role, text] = pair else { return None };
            let said: Presence = serde_json::from_slice(text).ok()?;
            (said.role.as_str().as_bytes() == role.as_slice()).then_some(said)
        };
        let mut present: Vec<Presence> = texts.chunks(2).filter_map(read).collect();
        present.sort_by(|a, b| (&a.role, &a.instance).cmp(&(&b.role, &b.instance)));
        Ok(present)
    }

    /// What every role says of itself, one role after the other: its name and what it says.
    async fn signs(&self) -> Result<Vec<Vec<u8>>, BusError> {
        let (seconds, _): (u64, u64) = self.query(&redis::cmd("TIME"), Again::Yes).await?;
        let mut signs = Vec::new();
        for role in self.roles().await? {
            let key = self.keys().here(&role);
            let look = redis::cmd("HVALS").arg(&key).to_owned();
            match self.query::<Vec<Vec<u8>>>(&look, Again::Yes).await {
                Ok(values) => {
                    let lasting = values.iter().filter_map(|value| lasting(value, seconds));
                    let of = |text: &[u8]| [role.as_str().as_bytes().to_vec(), text.to_vec()];
                    signs.extend(lasting.flat_map(of));
                }
                Err(error) if error.is_wrong_type() => {
                    // Only the supervisor may; for others the role is silent.
                    if let Err(error) = self.clear(&key, Kind::Hash).await {
                        tracing::debug!(%role, %error, "its signs of life cannot be read");
                    }
                }
                Err(error) if error.is_about_one() => {
                    tracing::warn!(%role, %error, "its signs of life cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(signs)
    }

    /// Every role: those this handle was told of, else those that were ever heard of.
    pub(crate) async fn roles(&self) -> Result<BTreeSet<Role>, BusError> {
        if let Some(roles) = self.known_roles() {
            return Ok(roles.clone());
        }
        let lanes: Vec<Vec<u8>> = self
            .query(redis::cmd("SMEMBERS").arg(self.keys().lanes()), Again::Yes)
            .await?;
        let role = |lane: &Vec<u8>| {
            let lane = std::str::from_utf8(lane).ok()?;
            lane.split(':').next()?.parse().ok()
        };
        Ok(lanes.iter().filter_map(role).collect())
    }
}

/// What a sign of life says, while it lasts: it begins with the millisecond it lasts until.
fn lasting(sign: &[u8], seconds: u64) -> Option<&[u8]> {
    let at = sign.iter().position(|byte| *byte == b' ')?;
    let until: u64 = std::str::from_utf8(&sign[..at]).ok()?.parse().ok()?;
    (until >= seconds.saturating_mul(1000)).then(|| &sign[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn a_sign_lasts_until_its_time() {
        for (sign, expected) in [
            ("5000 {}", Some("{}")),
            ("4999 {}", None),
            ("{}", None),
            ("x {}", None),
            ("", None),
        ] {
            let expected = expected.map(str::as_bytes);
            assert_eq!(lasting(sign.as_bytes(), 5), expected, "{sign}");
        }
    }
}
