//! What an agent may reach outside its sandbox: named endpoints and named data sources, granted one
//! by one. Calls name them; addresses and credentials come from the grant alone.

use crate::act::Operation;
use crate::bring::{self, ForgeRepository, Remote};
use crate::proxy::asked::leads_down;
use protocol::acts::Bound;
use protocol::postgres::Address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Everything granted to one agent; empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Data sources by name.
    pub sources: BTreeMap<String, Source>,
    /// Hosts whose pages and certificates may be looked at, as `host` (ports 80 and 443) or `host:port`.
    pub hosts: BTreeMap<String, WebHost>,
    /// Remotes of git that take a push, by name.
    pub remotes: BTreeMap<String, Remote>,
    /// Repositories at a host with an API, by name.
    pub forges: BTreeMap<String, ForgeRepository>,
}

/// A host that may be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebHost {
    /// File with the certificates that vouch for it, where it is not one the system knows.
    pub authority: Option<PathBuf>,
}

/// A web address that requests may go to, and below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its base: scheme, host, port and path.
    pub url: String,
    /// The header under which the other side does a request once; `None` where it knows none.
    pub key_header: Option<String>,
    /// Sent as a bearer token.
    pub token: Option<Credential>,
}

/// A data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which database.
    pub database: Database,
    /// Whether it may be changed.
    pub write: bool,
    /// Folder that backups of it go to.
    pub backups: Option<PathBuf>,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Database {
    /// An SQLite database.
    Sqlite {
        /// Its file.
        file: PathBuf,
    },
    /// A PostgreSQL database.
    Postgres {
        /// Where it is, and who enters.
        address: Address,
        /// The user's password.
        password: Option<Credential>,
    },
}

/// A value that is never shown. It crosses the executor's wire, and nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credential(String);

impl Credential {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The one thing that a sandbox opened for it can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reach", rename_all = "snake_case")]
pub enum Reach {
    /// An endpoint.
    Endpoint {
        /// Its base.
        url: String,
        /// Sent as a bearer token.
        token: Option<Credential>,
    },
    /// Databases that are looked at, and the files of the clone where some are.
    Data {
        /// The databases by their names.
        databases: BTreeMap<String, Database>,
        /// The clone, where files of it are looked at too.
        files: Option<PathBuf>,
        /// Files handed in with the request, where there are some and files are looked at.
        #[serde(default)]
        attachments: Option<PathBuf>,
    },
    /// A database, for statements.
    Database {
        /// Which.
        database: Database,
        /// Whether it may be changed.
        write: bool,
        /// How much one statement may change.
        #[serde(default = "Bound::free")]
        bound: Bound,
    },
    /// A database, to be copied into a folder.
    Backup {
        /// Which.
        database: Database,
        /// The folder.
        folder: PathBuf,
    },
    /// A folder of backups, and a place on a disk where one may be restored. No network is there.
    Kept {
        /// The folder.
        folder: PathBuf,
        /// A throwaway folder.
        scratch: Option<PathBuf>,
    },
    /// A remote of git, for a push from the clone.
    Remote {
        /// Which.
        remote: Remote,
        /// The clone, and where its objects lie: (on the host, inside).
        #[serde(default)]
        shown: Vec<(PathBuf, PathBuf)>,
    },
    /// A repository at a host with an API.
    Forge {
        /// Which.
        at: ForgeRepository,
    },
    /// Hosts, for pages and certificates.
    Web {
        /// As they were granted.
        hosts: BTreeMap<String, WebHost>,
    },
}

impl Reach {
    /// Whether it is reached over the network.
    pub fn needs_network(&self) -> bool {
        match self {
            Reach::Kept { .. } => false,
            Reach::Database { database, .. } | Reach::Backup { database, .. } => {
                database.needs_network()
            }
            Reach::Data { databases, .. } => databases.values().any(Database::needs_network),
            Reach::Endpoint { .. }
            | Reach::Remote { .. }
            | Reach::Forge { .. }
            | Reach::Web { .. } => true,
        }
    }

    /// Whether a database is reached at a socket with a path: of the host, or of a throwaway server.
    pub fn needs_socket(&self) -> bool {
        match self {
            Reach::Database { database, .. } | Reach::Backup { database, .. } => {
                database.is_socket()
            }
            Reach::Data { databases, .. } => databases.values().any(Database::is_socket),
            Reach::Kept { .. } => true,
            _ => false,
        }
    }
}

impl Database {
    fn needs_network(&self) -> bool {
        matches!(self, Database::Postgres { address, .. } if !address.is_socket())
    }

    fn is_socket(&self) -> bool {
        matches!(self, Database::Postgres { address, .. } if address.is_socket())
    }
}

impl Outside {
    /// What an operation reaches, where this grants it; else why not.
    pub fn reach(&self, operation: &Operation) -> Result<Reach, String> {
        if let Some(reach) = bring::reach(self, operation) {
            return reach;
        }
        match operation {
            Operation::HttpRequest {
                endpoint,
                method,
                url,
                body,
                key,
                ..
            } => {
                let granted = self
                    .endpoints
                    .get(endpoint)
                    .ok_or_else(|| no("endpoint", endpoint, self.endpoints.keys()))?;
                // The effect class hangs on it: a key the other side ignores would be a lie.
                let header = key.as_ref().map(|key| &key.header);
                let expected = granted.key_header.as_ref().filter(|_| changes(method));
                let odd =
                    !METHODS.contains(&method.as_str()) || (!body.is_empty() && !changes(method));
                if !below(url, &granted.url) || header != expected || odd {
                    return Err(format!("the request leaves the endpoint `{endpoint}`"));
                }
                Ok(Reach::Endpoint {
                    url: granted.url.clone(),
                    token: granted.token.clone(),
                })
            }
            Operation::SqlQuery { source, .. } | Operation::SqlExecute { source, .. } => {
                let granted = self
                    .sources
                    .get(source)
                    .ok_or_else(|| no("data source", source, self.sources.keys()))?;
                let write = matches!(operation, Operation::SqlExecute { .. });
                if write && !granted.write {
                    return Err(format!(
                        "the data source `{source}` is granted for reading: say `write: true` in permissions.yaml"
                    ));
                }
                Ok(Reach::Database {
                    database: granted.database.clone(),
                    write,
                    bound: Bound::free(),
                })
            }
            Operation::DataScan { scan } => {
                let database = |name: &str| {
                    let granted = self.sources.get(name);
                    let granted =
                        granted.ok_or_else(|| no("data source", name, self.sources.keys()))?;
                    Ok((name.to_owned(), granted.database.clone()))
                };
                let names = scan.sources().into_iter();
                Ok(Reach::Data {
                    databases: names.map(database).collect::<Result<_, String>>()?,
                    files: None,
                    attachments: None,
                })
            }
            Operation::BackupDatabase { source, .. } => {
                let (database, folder) = self.backed_up(source)?;
                Ok(Reach::Backup { database, folder })
            }
            Operation::TryBackup { source, .. } => Ok(Reach::Kept {
                folder: self.backed_up(source)?.1,
                scratch: None,
            }),
            Operation::CheckPage { url, .. } => {
                let url = reqwest::Url::parse(url).map_err(|e| e.to_string())?;
                let host = url.host_str().unwrap_or_default();
                self.web(&[(host, url.port_or_known_default().unwrap_or(443))])
            }
            Operation::HostCertificates { hosts, .. } => {
                let all: Vec<(&str, u16)> = hosts.iter().map(|host| host_and_port(host)).collect();
                self.web(&all)
            }
            other => Err(format!("{} reaches nothing outside", other.tool())),
        }
    }

    /// A source and its folder for backups. A file is also known by its own name.
    fn backed_up(&self, name: &str) -> Result<(Database, PathBuf), String> {
        let is_file = |source: &&Source| match &source.database {
            Database::Sqlite { file } => {
                file.as_os_str() == name || file.file_name().is_some_and(|own| own == name)
            }
            Database::Postgres { .. } => false,
        };
        let mut by_file = self.sources.values().filter(is_file);
        let alone = by_file.next().filter(|_| by_file.next().is_none());
        let granted = self.sources.get(name).or(alone);
        let granted = granted.ok_or_else(|| no("data source", name, self.sources.keys()))?;
        let folder = granted.backups.clone().ok_or_else(|| {
            format!(
                "`{name}` has no folder for backups: write `backups: /srv/backups` beside its `url` in permissions.yaml, \
                 a folder that its backups may be written to"
            )
        })?;
        Ok((granted.database.clone(), folder))
    }

    /// Every granted host, where those that are asked for are among them.
    fn web(&self, asked: &[(&str, u16)]) -> Result<Reach, String> {
        let missing = asked
            .iter()
            .find(|(host, port)| granted_host(&self.hosts, host, *port).is_none());
        match missing {
            None => Ok(Reach::Web {
                hosts: self.hosts.clone(),
            }),
            Some((host, port)) => Err(not_granted(host, *port, &self.hosts)),
        }
    }
}

/// What may stand before a host whose port begins without TLS, and the port that is meant where none is said.
pub const SPOKEN: [(&str, u16); 4] = [
    ("smtp", 25),
    ("imap", 143),
    ("pop3", 110),
    ("postgres", 5432),
];

/// `host:port` in two, without a scheme; 443, or the scheme's port, where none is said.
pub fn host_and_port(text: &str) -> (&str, u16) {
    let (text, usual) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let of = SPOKEN.iter().find(|(name, _)| *name == scheme);
            (rest, of.map_or(443, |(_, port)| *port))
        }
        None => (text, 443),
    };
    let split = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.ends_with(':'));
    let split = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    split.unwrap_or((text, usual))
}

/// The grant for a port of a host: its own, or the host's for the ports of the web.
pub fn granted_host<'a>(
    hosts: &'a BTreeMap<String, WebHost>,
    host: &str,
    port: u16,
) -> Option<&'a WebHost> {
    let of_web = || hosts.get(host).filter(|_| [80, 443].contains(&port));
    hosts.get(&format!("{host}:{port}")).or_else(of_web)
}

/// What to say of a host that is not granted.
pub fn not_granted(host: &str, port: u16, hosts: &BTreeMap<String, WebHost>) -> String {
    let host: String = host.chars().take(100).collect();
    let name = match port {
        80 | 443 => host,
        port => format!("{host}:{port}"),
    };
    let known: Vec<&str> = hosts.keys().map(String::as_str).take(20).collect();
    let known = match known.is_empty() {
        true => "none is granted".to_owned(),
        false => format!("granted are {}", known.join(", ")),
    };
    format!(
        "the host {name} may not be looked at by this agent ({known}): write `hosts: {{\"{name}\": {{agents: [qa, infra]}}}}` in permissions.yaml"
    )
}

pub(crate) fn no<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let name: String = name.chars().take(60).collect();
    match known.is_empty() {
        true => format!(
            "no {what} is granted to this agent: name one in permissions.yaml, with the agent in its `agents`"
        ),
        false => format!(
            "the {what} `{name}` is not granted to this agent: use one of {}",
            known.join(", ")
        ),
    }
}

/// The methods of requests.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a method changes something on the other side.
pub fn changes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD")
}

/// Whether an address lies at or below a base: same scheme, host and port, and the base's path.
pub fn below(url: &str, base: &str) -> bool {
    let (Ok(url), Ok(base)) = (reqwest::Url::parse(url), reqwest::Url::parse(base)) else {
        return false;
    };
    let folder = base.path().trim_end_matches('/');
    let path = url.path();
    // Servers that decode before they look would be led up by what is coded.
    let plain = url.username().is_empty()
        && url.password().is_none()
        && leads_down(path.strip_prefix('/').unwrap_or(path)).is_ok();
    plain
        && url.origin() == base.origin()
        && matches!(path.strip_prefix(folder), Some(rest) if rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stays_below_its_base() {
        for (url, base, expected) in [
            ("https://h/a/b", "https://h/a", true),
            ("https://h/a", "https://h/a/", true),
            ("https://h/ab", "https://h/a", false),
            ("https://h/", "https://h/a", false),
            ("https://h/a/../b", "https://h/a", false),
            ("https://h/a/%2e%2e/b", "https://h/a", false),
            ("http://h/a", "https://h/a", false),
            ("https://h:444/a", "https://h/a", false),
            ("https://h.evil/a", "https://h/a", false),
            ("https://h@evil/a", "https://h/a", false),
            ("https://u:p@h/a", "https://h/a", false),
            ("https://h/x", "https://h", true),
            ("https://h/a/..%2fadmin", "https://h/a", false),
            ("https://h/a/..%5cadmin", "https://h/a", false),
            ("https://h/a/..;/admin", "https://h/a", false),
            ("https://h/a/%252e%252e/admin", "https://h/a", false),
            ("https://h/a//admin", "https://h/a", false),
            ("https://h/a/b%20c/d.e?x=../y", "https://h/a", true),
        ] {
            assert_eq!(below(url, base), expected, "{url} {base}");
        }
    }

    #[test]
    fn a_credential_shows_itself_to_nobody() {
        let reach = Reach::Endpoint {
            url: "https://h".to_owned(),
            token: Some(Credential::new("hunter2")),
        };
        assert!(!format!("{reach:?}").contains("hunter2"));
    }
}
