//! What an agent's settings grant it, in guard's words. Pure.

use config::grants::{ForgeGrant, RegistryGrant, RemoteGrant};
use config::secret::Secret;
use config::settings::{AgentSettings, DatabaseGrant, EndpointGrant, HostGrant, SourceGrant};
use guard::bring::{ForgeRepository, Remote};
use guard::outside::{Credential, Database, Endpoint, Outside, Source, WebHost};
use guard::proxy::door::{Door, Doors};

fn credential(secret: &Secret) -> Credential {
    Credential::new(secret.reveal())
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
