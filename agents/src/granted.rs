//! What an agent's settings grant it, in guard's words. Pure.

use config::grants::{ForgeGrant, RegistryGrant, RemoteGrant};
use config::secret::Secret;
use config::settings::{AgentSettings, DatabaseGrant, EndpointGrant, HostGrant, SourceGrant};
use guard::bring::{ForgeRepository, Remote};
use guard::gate::Grant;
use guard::outside::{Credential, Database, Endpoint, Outside, Source, WebHost};
use guard::proxy::door::{Door, Doors};
use protocol::level::Level;
use protocol::task::Ceiling;

fn credential(secret: &Secret) -> Credential {
    Credential::new(secret.reveal())
}

/// The most a task may do here: this host's own rules under the ceiling the task brought from the team's first
/// host. The stricter wins.
pub(crate) fn most(agent: &AgentSettings, ceiling: Option<Ceiling>) -> Ceiling {
    Ceiling {
        level: ceiling.map_or(agent.level, |ceiling| ceiling.level.min(agent.level)),
        host_read: agent.host_read && ceiling.is_none_or(|ceiling| ceiling.host_read),
    }
}

/// Whether a task writes its clone and its programs reach hosts.
pub(crate) fn writes(most: Ceiling) -> bool {
    most.level >= Level::Standard
}

/// What a task is granted.
pub(crate) fn grant(agent: &AgentSettings, ceiling: Option<Ceiling>) -> Grant {
    let Ceiling { level, host_read } = most(agent, ceiling);
    Grant {
        level,
        tools: agent.tools.clone(),
        host_read,
        outside: outside_of(agent),
        acts: agent.acts.clone(),
    }
}

/// The registries that its programs fetch from.
pub(crate) fn doors_of(agent: &AgentSettings) -> Doors {
    let door = |grant: &RegistryGrant| Door {
        url: grant.url.clone(),
        kind: grant.kind,
        token: credential(&grant.token),
        user: grant.user.clone(),
        index: grant.index.clone(),
        scope: grant.scope.clone(),
        // Whoever starts the proxy reads the file.
        authority: None,
    };
    let registries = agent.registries.iter();
    registries
        .map(|(name, grant)| (name.clone(), door(grant)))
        .collect()
}

/// What the agent's settings grant outside, in guard's words.
pub(crate) fn outside_of(agent: &AgentSettings) -> Outside {
    let endpoint = |grant: &EndpointGrant| Endpoint {
        url: grant.url.clone(),
        key_header: grant.key_header.clone(),
        token: grant
            .token
            .as_ref()
            .map(|token| Credential::new(token.reveal())),
    };
    let source = |grant: &SourceGrant| Source {
        database: match &grant.database {
            DatabaseGrant::Sqlite(file) => Database::Sqlite { file: file.clone() },
            DatabaseGrant::Postgres { address, password } => Database::Postgres {
                address: address.clone(),
                password: password
                    .as_ref()
                    .map(|password| Credential::new(password.reveal())),
            },
        },
        write: grant.write,
        backups: grant.backups.clone(),
    };
    let host = |grant: &HostGrant| WebHost {
        authority: grant.authority.clone(),
    };
    let remote = |grant: &RemoteGrant| Remote {
        url: grant.url.clone(),
        token: credential(&grant.token),
        user: grant.user.clone(),
        authority: grant.authority.clone(),
        branches: grant.branches.clone(),
        control_files: grant.control_files,
    };
    let forge = |grant: &ForgeGrant| ForgeRepository {
        url: grant.url.clone(),
        repository: grant.repository.clone(),
        token: credential(&grant.token),
    };
    let named = |(name, grant)| (String::clone(name), endpoint(grant));
    Outside {
        endpoints: agent.endpoints.iter().map(named).collect(),
        sources: agent
            .sources
            .iter()
            .map(|(name, grant)| (name.clone(), source(grant)))
            .collect(),
        remotes: agent
            .remotes
            .iter()
            .map(|(name, grant)| (name.clone(), remote(grant)))
            .collect(),
        forges: agent
            .forges
            .iter()
            .map(|(name, grant)| (name.clone(), forge(grant)))
            .collect(),
        hosts: agent
            .hosts
            .iter()
            .map(|(name, grant)| (name.clone(), host(grant)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_stricter_of_two_hosts_wins() {
        let check =
            |own: (Level, bool), ceiling: Option<(Level, bool)>, expected: (Level, bool)| {
                let agent = AgentSettings {
                    host_read: own.1,
                    ..AgentSettings::bare("code".parse().unwrap(), own.0)
                };
                let ceiling = ceiling.map(|(level, host_read)| Ceiling { level, host_read });
                let grant = grant(&agent, ceiling);
                assert_eq!(
                    (grant.level, grant.host_read),
                    expected,
                    "{own:?} {ceiling:?}"
                );
                let restricted = expected.0 == Level::Restricted;
                assert_eq!(writes(most(&agent, ceiling)), !restricted, "{ceiling:?}");
            };
        use Level::{Restricted, Standard};
        check((Standard, true), None, (Standard, true));
        check(
            (Standard, true),
            Some((Restricted, false)),
            (Restricted, false),
        );
        check(
            (Restricted, false),
            Some((Standard, true)),
            (Restricted, false),
        );
        check((Standard, true), Some((Standard, true)), (Standard, true));
    }
}
