//! What `permissions.yaml` grants an agent by name, beyond endpoints, data sources and hosts: places that are shown a token
//! which neither its programs nor a model ever see.

use crate::secret::Secret;
use protocol::registry::RegistryKind;
use serde::Serialize;
use std::path::PathBuf;

/// A registry, or a host of git repositories, that programs of an agent may fetch from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryGrant {
    /// Its base address, without a slash at its end.
    pub url: String,
    /// Whose clients fetch from it.
    pub kind: RegistryKind,
    /// Shown to it and to nobody else.
    pub token: Secret,
    /// Who the token belongs to, where the registry wants a name and a password.
    pub user: Option<String>,
    /// Where the index lies below the address, where that is not the usual place.
    pub index: Option<String>,
    /// The scope of npm whose packages come from it; `None` = all.
    pub scope: Option<String>,
    /// File with the certificates that vouch for it, where it is not one the system knows.
    pub authority: Option<PathBuf>,
}

/// A remote of git that an agent may push a branch to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteGrant {
    /// Its address.
    pub url: String,
    /// Shown to it and to nobody else.
    pub token: Secret,
    /// Who the token belongs to; `None` = `x-access-token`.
    pub user: Option<String>,
    /// File with the certificates that vouch for it, where it is not one the system knows.
    pub authority: Option<PathBuf>,
    /// Branches that may be pushed besides a task's own.
    pub branches: Vec<String>,
    /// Whether a branch may change what build services and others obey without being asked.
    pub control_files: bool,
}

/// A repository at a host with an API that an agent may work with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForgeGrant {
    /// `owner/name`.
    pub repository: String,
    /// Address of the API.
    pub url: String,
    /// Shown to it and to nobody else.
    pub token: Secret,
}
