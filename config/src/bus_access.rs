//! How a process of the team finds Redis and who it is there: `run/bus.json`, written by the
//! daemon, readable only by the home's owner.

use crate::error::ConfigError;
use crate::home::Home;
use crate::private_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Version of the file; a newer one is refused.
pub const BUS_ACCESS_VERSION: u32 = 1;
/// Largest file read, in bytes.
const FILE_BYTES: u64 = 1024 * 1024;

/// A Redis user. Without a name and password the connection is made as the default user.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusUser {
    /// User name.
    pub name: Option<String>,
    /// Password, in the clear: the file is private.
    pub password: Option<String>,
}

impl fmt::Debug for BusUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusUser")
            .field("name", &self.name)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// Where Redis is and the users of the team: `supervisor`, `daemon`, `agent-<role>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusAccess {
    /// Version of the file.
    pub v: u32,
    /// `redis://`, `rediss://` or `redis+unix:///path`, without credentials.
    pub url: String,
    /// The certificates (PEM) that may sign the server's own, for `rediss://`; `None` = the
    /// system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Users by what they are for.
    pub users: BTreeMap<String, BusUser>,
}

impl BusAccess {
    /// An access in the current version.
    pub fn new(url: impl Into<String>, users: BTreeMap<String, BusUser>) -> Self {
        Self {
            v: BUS_ACCESS_VERSION,
            url: url.into(),
            ca: None,
            users,
        }
    }

    /// The same access, with the certificates that may sign the server's own.
    pub fn signed_by(mut self, ca: Option<String>) -> Self {
        self.ca = ca;
        self
    }
}

fn path(home: &Home) -> PathBuf {
    home.run().join("bus.json")
}

/// Writes `run/bus.json`, whole or not at all.
pub fn write(home: &Home, access: &BusAccess) -> Result<(), ConfigError> {
    let path = path(home);
    let json = serde_json::to_vec_pretty(access)
        .map_err(|error| ConfigError::file("write", &path, error))?;
    private_file::write(&path, &json)
}

/// Reads `run/bus.json`.
///
/// # Errors
/// When there is none (the team is not up), others may read it, or it is of a newer version.
pub fn read(home: &Home) -> Result<BusAccess, ConfigError> {
    let path = path(home);
    let Some(bytes) = private_file::read(&path, FILE_BYTES)? else {
        let problem = "it does not exist; is the team up? `ai-infra up` makes it";
        return Err(ConfigError::file("read", &path, problem));
    };
    let access: BusAccess =
        serde_json::from_slice(&bytes).map_err(|error| ConfigError::file("read", &path, error))?;
    if access.v > BUS_ACCESS_VERSION {
        let problem = format!(
            "it has version {}, this program knows up to {BUS_ACCESS_VERSION}; update it",
            access.v
        );
        return Err(ConfigError::file("read", &path, problem));
    }
    Ok(access)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn access() -> BusAccess {
        let user = BusUser {
            name: Some("agent-code".into()),
            password: Some("hidden-word".into()),
        };
        BusAccess::new(
            "redis+unix:///x.sock",
            BTreeMap::from([("agent-code".into(), user)]),
        )
    }

    #[test]
    fn round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        assert!(
            read(&home)
                .unwrap_err()
                .to_string()
                .contains("is the team up?")
        );
        write(&home, &access()).unwrap();
        assert_eq!(read(&home).unwrap(), access());
        let newer = BusAccess { v: 99, ..access() };
        write(&home, &newer).unwrap();
        assert!(read(&home).unwrap_err().to_string().contains("version 99"));
    }

    #[test]
    fn passwords_stay_out_of_debug() {
        assert!(!format!("{:?}", access()).contains("hidden-word"));
    }
}
