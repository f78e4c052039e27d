//! Who was invited: `hosts.json` in the home of the team's first host. Of passwords it holds only
//! the digests that Redis compares.

use config::error::ConfigError;
use config::home::Home;
use config::private_file;
use jiff::Timestamp;
use protocol::ids::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Version of the file; a newer one is refused.
const ROLL_VERSION: u32 = 1;
/// Largest file read, in bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A host that may work for the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// What the team calls it.
    pub name: String,
    /// The roles that may work there.
    pub roles: Vec<Role>,
    /// When its last invitation was made.
    pub invited: Timestamp,
    /// Digests of its users' passwords by what they are for; empty where the Redis is the
    /// person's own, which has one user for all.
    pub digests: BTreeMap<String, String>,
}

/// Every host that was invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    v: u32,
    /// By name.
    pub hosts: Vec<Guest>,
}

impl Default for Roll {
    fn default() -> Self {
        Self {
            v: ROLL_VERSION,
            hosts: Vec::new(),
        }
    }
}

impl Roll {
    /// A host by name.
    pub fn find(&self, name: &str) -> Option<&Guest> {
        self.hosts.iter().find(|guest| guest.name == name)
    }

    /// Puts a host in, in place of what stood there under its name.
    pub fn put(&mut self, guest: Guest) {
        self.remove(&guest.name);
        self.hosts.push(guest);
        self.hosts.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Takes a host out; `None` where there was none.
    pub fn remove(&mut self, name: &str) -> Option<Guest> {
        let at = self.hosts.iter().position(|guest| guest.name == name)?;
        Some(self.hosts.remove(at))
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.hosts.iter().map(|guest| guest.name.clone()).collect()
    }
}

fn path(home: &Home) -> PathBuf {
    home.root.join("hosts.json")
}

/// Reads the roll; an empty one where nobody was invited.
pub fn read(home: &Home) -> Result<Roll, ConfigError> {
    let path = path(home);
    let Some(bytes) = private_file::read(&path, FILE_BYTES)? else {
        return Ok(Roll::default());
    };
    let roll: Roll =
        serde_json::from_slice(&bytes).map_err(|error| ConfigError::file("read", &path, error))?;
    if roll.v > ROLL_VERSION {
        let problem = format!(
            "it has version {}, this program knows up to {ROLL_VERSION}; update it",
            roll.v
        );
        return Err(ConfigError::file("read", &path, problem));
    }
    Ok(roll)
}

/// Keeps the roll, whole or not at all.
pub fn write(home: &Home, roll: &Roll) -> Result<(), ConfigError> {
    let path = path(home);
    let text = serde_json::to_vec_pretty(roll)
        .map_err(|error| ConfigError::file("write", &path, error))?;
    private_file::write(&path, &text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_entry_a_host_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(read(&home).unwrap(), Roll::default());
        let guest = |name: &str, role: &str| Guest {
            name: name.to_owned(),
            roles: vec![role.parse().unwrap()],
            invited: Timestamp::UNIX_EPOCH,
            digests: BTreeMap::new(),
        };
        let mut roll = Roll::default();
        roll.put(guest("b", "code"));
        roll.put(guest("a", "code"));
        roll.put(guest("b", "qa"));
        write(&home, &roll).unwrap();
        let roll = read(&home).unwrap();
        assert_eq!(roll.names(), ["a", "b"]);
        assert_eq!(roll.find("b").unwrap().roles[0].as_str(), "qa");
        assert!(roll.find("c").is_none());
    }
}
