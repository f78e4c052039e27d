//! How far each host's record of acts was seen to go, beside the ledger's word: a second memory that
//! whoever changes files of a host does not reach. The supervisor's alone; agents may not touch it.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use protocol::audit::AnchorLine;
use std::collections::BTreeMap;

impl Bus {
    /// Remembers a host's. The caller looks first that it is not shorter than what was seen.
    pub async fn anchor(&self, line: &AnchorLine) -> Result<(), BusError> {
        let text = serde_json::to_string(line).map_err(|e| BusError::Refused(e.to_string()))?;
        let mut set = redis::cmd("HSET");
        set.arg(self.keys().audit()).arg(&line.host).arg(text);
        self.query::<i64>(&set, Again::Yes).await.map(drop)
    }

    /// Every host's. What cannot be read is left out.
    pub async fn anchors(&self) -> Result<Vec<AnchorLine>, BusError> {
        let mut get = redis::cmd("HGETALL");
        get.arg(self.keys().audit());
        let texts: BTreeMap<String, Vec<u8>> = self.query(&get, Again::Yes).await?;
        let line = |text: &Vec<u8>| serde_json::from_slice(text).ok();
        Ok(texts.values().filter_map(line).collect())
    }
}
