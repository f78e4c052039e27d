//! The settings a team was started with, kept in `run/settings.json` without secrets, so that a
//! shell whose own settings differ can be told so.

use crate::error::ConfigError;
use crate::home::Home;
use crate::private_file;
use crate::settings::Settings;
use crate::show::show;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Version of the file; a newer one is refused.
pub const RESOLVED_VERSION: u32 = 1;
/// Largest file read, in bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A key as it was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedKey {
    /// Its value, secrets masked.
    pub value: String,
    /// Its layer.
    pub origin: String,
}

/// What a team was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Version of the file.
    pub v: u32,
    /// Every key.
    pub keys: BTreeMap<String, ResolvedKey>,
}

impl Resolved {
    /// Settings as keys.
    pub fn of(settings: &Settings) -> Self {
        let keys = show(settings)
            .into_iter()
            .map(|(key, value, origin)| (key, ResolvedKey { value, origin }))
            .collect();
        Self {
            v: RESOLVED_VERSION,
            keys,
        }
    }

    /// Keys whose values differ from these settings, in order. A changed secret does not show.
    pub fn differs_from(&self, settings: &Settings) -> Vec<String> {
        let now = Self::of(settings);
        let value = |resolved: &Self, key: &String| resolved.keys.get(key).map(|k| k.value.clone());
        let mut names: Vec<&String> = self.keys.keys().chain(now.keys.keys()).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .filter(|key| value(self, key) != value(&now, key))
            .cloned()
            .collect()
    }
}

fn path(home: &Home) -> PathBuf {
    home.run().join("settings.json")
}

/// Keeps the settings a team is started with.
pub fn write(home: &Home, settings: &Settings) -> Result<(), ConfigError> {
    let path = path(home);
    let json = serde_json::to_vec_pretty(&Resolved::of(settings))
        .map_err(|error| ConfigError::file("write", &path, error))?;
    private_file::write(&path, &json)
}

/// The settings the team was started with; `None` where it never was.
pub fn read(home: &Home) -> Result<Option<Resolved>, ConfigError> {
    let path = path(home);
    let Some(bytes) = private_file::read(&path, FILE_BYTES)? else {
        return Ok(None);
    };
    let resolved: Resolved =
        serde_json::from_slice(&bytes).map_err(|error| ConfigError::file("read", &path, error))?;
    if resolved.v > RESOLVED_VERSION {
        let problem = format!(
            "it has version {}, this program knows up to {RESOLVED_VERSION}; update it",
            resolved.v
        );
        return Err(ConfigError::file("read", &path, problem));
    }
    Ok(Some(resolved))
}
