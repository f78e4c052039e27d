//! Signs of life: which processes of the team run, and what each holds.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
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

    /// Who said so within three lease times, by role and name.
    pub async fn present(&self) -> Result<Vec<Presence>, BusError> {
        let call = Call::on([self.keys().lanes()]).arg(self.keys().here_prefix());
        let texts: Vec<Vec<u8>> = self.run(&scripts::PRESENT, &call, Again::Yes).await?;
        let mut present: Vec<Presence> = texts
            .iter()
            .filter_map(|text| serde_json::from_slice(text).ok())
            .collect();
        present.sort_by(|a, b| (&a.role, &a.instance).cmp(&(&b.role, &b.instance)));
        Ok(present)
    }

    /// Every role that was ever heard of.
    pub(crate) async fn roles(&self) -> Result<BTreeSet<Role>, BusError> {
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
