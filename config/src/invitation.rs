//! An invitation: all that another host needs to join a team, in one private text. Written by
//! `host invite` on the team's first host, kept by the joining one as `join.json`. It holds
//! passwords: it travels through a pipe or as a file with mode 0600, never on a command line.

use crate::bus_access::BusUser;
use crate::error::ConfigError;
use crate::home::Home;
use crate::{host_name, private_file, redis_url};
use protocol::ids::{Role, TeamName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the text; a newer one is refused.
pub const INVITATION_VERSION: u32 = 1;
/// Largest invitation, in bytes.
pub const INVITATION_BYTES: u64 = 256 * 1024;

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Version of the text.
    pub v: u32,
    /// Which team.
    pub team: TeamName,
    /// The team's first host, which gives the work out.
    pub first: String,
    /// The id of the home there.
    pub home: String,
    /// What the team calls the joining host.
    pub host: String,
    /// The roles that may work there.
    pub roles: Vec<Role>,
    /// `redis://` or `rediss://`, without credentials.
    pub url: String,
    /// The certificate that signs the Redis' own, PEM; `None` = the system's authorities.
    pub ca: Option<String>,
    /// The team's lease time, in milliseconds.
    pub lease_ms: u64,
    /// The host's users: `daemon`, `agent-<role>`.
    pub users: BTreeMap<String, BusUser>,
}

impl Invitation {
    /// Reads and checks an invitation. The sentence never quotes it: it holds passwords.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Ok(Version { v }) = serde_json::from_slice(text) else {
            return Err("is not an invitation: it is made by `ai-infra host invite NAME` on the team's first host".to_owned());
        };
        if v > INVITATION_VERSION {
            return Err(format!(
                "is an invitation of version {v}, this program knows up to {INVITATION_VERSION}: update it"
            ));
        }
        let made = serde_json::from_slice::<Self>(text);
        let Ok(made) = made else {
            return Err("is an invitation that was changed or cut off: make another".to_owned());
        };
        made.check().map(|()| made)
    }

    fn check(&self) -> Result<(), String> {
        let url = redis_url::split(&self.url)?;
        let problem = if url.url.starts_with("redis+unix") {
            "names a socket, which no other host can reach"
        } else if url.username.is_some() || url.password.is_some() {
            "holds credentials in its address"
        } else if !host_name::is_host(&self.host) || !host_name::is_host(&self.first) {
            "names no host"
        } else if self.roles.is_empty() {
            "lets no agent work"
        } else if !(300..=600_000).contains(&self.lease_ms) {
            "has a lease time that no team has"
        } else {
            return Ok(());
        };
        Err(format!("{problem}: make another invitation"))
    }

    /// Settings that follow from it and are laid above all others.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("team.name", self.team.to_string()),
            ("team.lease_ms", self.lease_ms.to_string()),
            ("redis.url", self.url.clone()),
            ("redis.listen.address", String::new()),
        ]
    }

    /// The same invitation for fewer roles.
    ///
    /// # Errors
    /// Names the roles that were not invited.
    pub fn only(mut self, roles: &[Role]) -> Result<Self, String> {
        if roles.is_empty() {
            return Ok(self);
        }
        let strange: Vec<&str> = roles
            .iter()
            .filter(|role| !self.roles.contains(role))
            .map(Role::as_str)
            .collect();
        if !strange.is_empty() {
            let invited: Vec<&str> = self.roles.iter().map(Role::as_str).collect();
            return Err(format!(
                "the invitation is not for {}: it is for {}; on {}: ai-infra host invite {} --agents …",
                strange.join(", "),
                invited.join(", "),
                self.first,
                self.host
            ));
        }
        self.roles.retain(|role| roles.contains(role));
        Ok(self)
    }

    /// As text.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Reads an invitation from a private file; `None` where there is none.
pub fn read_file(path: &Path) -> Result<Option<Invitation>, ConfigError> {
    let Some(bytes) = private_file::read(path, INVITATION_BYTES)? else {
        return Ok(None);
    };
    let made = Invitation::parse(&bytes).map_err(|e| ConfigError::file("use", path, e))?;
    Ok(Some(made))
}

/// The invitation this home's host came in by; `None` on a team's first host.
pub fn read(home: &Home) -> Result<Option<Invitation>, ConfigError> {
    read_file(&home.join())
}

/// Keeps it.
pub fn keep(home: &Home, invitation: &Invitation) -> Result<(), ConfigError> {
    private_file::write(&home.join(), invitation.to_text().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made() -> Invitation {
        Invitation {
            v: 1,
            team: "main".parse().unwrap(),
            first: "one".into(),
            home: "0".repeat(36),
            host: "two".into(),
            roles: vec!["code".parse().unwrap(), "qa".parse().unwrap()],
            url: "rediss://10.0.0.1:6380".into(),
            ca: None,
            lease_ms: 10_000,
            users: BTreeMap::from([(
                "daemon".into(),
                BusUser {
                    name: Some("daemon@two".into()),
                    password: Some("hidden-word".into()),
                },
            )]),
        }
    }

    #[test]
    fn read_back_or_refused_without_a_quote() {
        assert_eq!(Invitation::parse(made().to_text().as_bytes()), Ok(made()));
        let changes: [fn(&mut Invitation); 6] = [
            |i| i.url = "redis+unix:///x".into(),
            |i| i.url = "rediss://u:hidden-word@h".into(),
            |i| i.host = "a:b".into(),
            |i| i.roles.clear(),
            |i| i.lease_ms = 0,
            |i| i.v = 9,
        ];
        for change in changes {
            let mut other = made();
            change(&mut other);
            let said = Invitation::parse(other.to_text().as_bytes()).unwrap_err();
            assert!(!said.contains("hidden-word"), "{said}");
        }
        for text in [
            "",
            "{}",
            "hidden-word",
            "{\"v\":1,\"team\":\"hidden-word\"}",
        ] {
            let said = Invitation::parse(text.as_bytes()).unwrap_err();
            assert!(!said.contains("hidden-word"), "{said}");
        }
        assert!(!format!("{:?}", made()).contains("hidden-word"));
    }

    #[test]
    fn fewer_roles_never_more() {
        let qa: Role = "qa".parse().unwrap();
        assert_eq!(made().only(&[]).unwrap(), made());
        assert_eq!(made().only(std::slice::from_ref(&qa)).unwrap().roles, [qa]);
        let said = made().only(&["data".parse().unwrap()]).unwrap_err();
        assert!(said.contains("not for data") && said.contains("code, qa"));
    }

    #[test]
    fn it_decides_the_team() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let env = crate::env::Env::from_pairs([("REDIS_URL", "redis://elsewhere")]);
        let alone = crate::load::load(&home, &env, &[]).unwrap();
        assert!(alone.joined.is_none());
        keep(&home, &made()).unwrap();
        let joined = crate::load::load(&home, &env, &[]).unwrap();
        assert_eq!(joined.redis.url.as_deref(), Some("rediss://10.0.0.1:6380"));
        assert_eq!(joined.host, "two");
        assert_eq!(joined.joined.map(|j| j.first).as_deref(), Some("one"));
    }
}
