//! The way out of a sandbox of level 1: a proxy for each task, a process of its own on the host's side of a socket that
//! is bound into it. It connects to hosts that were named, and to nothing else: [`request`] reads
//! what is asked, [`address`] says which addresses are the world's, [`greeting`] compares the name
//! in the TLS greeting, `handshake` holds a connection to it, `serve` carries bytes, [`told`] says what was asked for to whoever keeps the
//! record. From registries that want a token ([`door`]) it fetches itself, so that no program ever has the
//! token: [`asked`] reads the question, `fetched` says whether clients ask it, `fetch` asks it, `hand` hands the answer on, [`mask`] looks through the answer for the token's `shapes`, [`clients`] says
//! where clients find it. Pure but for `serve`, `fetch`, `hand` and [`registries`].
//!
//! What hostile programs and servers send is parsed in that process alone, behind walls of its own: [`start`] starts it, in
//! an agent's launcher; [`process`] is what it does; [`holder`] is the end of it that an agent holds, over the small frames
//! of [`words`], judged by `conduct`.

pub mod address;
pub mod asked;
#[cfg(debug_assertions)]
mod careless;
pub mod clients;
mod conduct;
pub mod door;
mod fetch;
mod fetched;
pub mod greeting;
mod hand;
mod handshake;
pub mod holder;
pub mod mask;
pub mod process;
pub mod registries;
pub mod request;
mod serve;
mod shapes;
pub mod start;
pub mod told;
pub mod words;

use crate::launcher::walls::{User, WallsError};
use door::Doors;
use protocol::fault::Faults;
use protocol::walls::Wall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// What the program is called with to be the proxy of a task.
pub const PROXY: &str = "proxy";
/// Where names are asked for when an answer does not fit a datagram.
const NAMES: u16 = 53;
/// Where hosts are reached that are named without a port.
const HTTPS: u16 = 443;

/// What a proxy is told before it serves; it holds nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Where its connections may lead.
    pub allowed: Allowed,
    /// What it fetches from with a token.
    pub doors: Doors,
    /// Who it becomes, where root starts it.
    pub user: Option<User>,
    /// Walls that a test takes away.
    pub faults: Faults,
}

impl Terms {
    /// Walls this process in, as that of a proxy with these terms.
    ///
    /// # Errors
    /// When a wall cannot be put on; the process is in an unknown state then and must end.
    pub fn wall_in(&self) -> Result<(), WallsError> {
        let ports = match self.faults.stands(Wall::Proxy) {
            true => Some(self.ports()),
            false => None,
        };
        crate::launcher::walls::of_proxy(self.user, ports.as_ref(), self.faults)
    }

    /// Every port that it has a reason to connect to.
    fn ports(&self) -> BTreeSet<u16> {
        let hosts = (!self.allowed.hosts.is_empty()).then_some(HTTPS);
        let places = self.allowed.places.iter().map(|(_, port)| *port);
        let doors = self.doors.values().filter_map(|door| {
            let url = reqwest::Url::parse(&door.url).ok()?;
            url.port_or_known_default()
        });
        let doors = doors.chain(places).chain(hosts);
        doors.chain([NAMES]).collect()
    }
}

/// Hosts that may be reached. All names are lower-case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Exact names, on port 443, at public addresses.
    pub hosts: BTreeSet<String>,
    /// Exact name and port, wherever it is: a company's own registry has a private address.
    pub places: BTreeSet<(String, u16)>,
}

impl Allowed {
    /// What settings name: `host`, or `host:port`. Names that are none are told.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Allowed, String> {
        let mut allowed = Allowed::default();
        for name in names {
            let wrong =
                |why: &str| format!("`{name}` {why}: write shop.example, or shop.example:8443");
            match name.split_once(':') {
                None => {
                    let host = request::host(name).map_err(wrong)?;
                    allowed.hosts.insert(host);
                }
                Some((host, port)) => {
                    let host = request::host(host).map_err(wrong)?;
                    let port = request::port(port).map_err(wrong)?;
                    allowed.places.insert((host, port));
                }
            }
        }
        Ok(allowed)
    }

    /// Whether a place may be connected to, and whether a private address will do.
    pub fn judge(&self, host: &str, port: u16) -> Result<bool, String> {
        if self.places.contains(&(host.to_owned(), port)) {
            return Ok(true);
        }
        if !self.hosts.contains(host) {
            return Err(format!(
                "{host} is not among the hosts programs may reach (`permissions.programs.hosts`)"
            ));
        }
        match port {
            443 => Ok(false),
            _ => Err(format!("{host} may be reached on port 443, not on {port}")),
        }
    }
}

/// One connection, as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The host asked for, tamed; empty where the question could not be read.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What was asked of a registry that wants a token, as `GET name/path`; empty for what is only carried.
    pub asked: String,
    /// Whether it was allowed and written down; whether the host was reached is another matter.
    pub begun: bool,
    /// `None` = it was carried; else why not, or why it was cut.
    pub refused: Option<String>,
    /// Bytes carried out.
    pub up: u64,
    /// Bytes carried in.
    pub down: u64,
    /// How long it stood, in milliseconds.
    pub took_ms: u64,
}

/// The file of certificates the system trusts, where it is in its usual place. Clients bring their
/// own, which know nothing of a company's.
pub(crate) fn authorities() -> Option<&'static str> {
    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
    Path::new(BUNDLE).exists().then_some(BUNDLE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::door::Door;
    use super::*;
    use crate::outside::Credential;
    use protocol::registry::RegistryKind;

    #[test]
    fn a_proxy_connects_to_the_ports_of_its_terms() {
        let door = |url: &str| Door {
            url: url.to_owned(),
            kind: RegistryKind::Pip,
            token: Credential::new("t"),
            user: None,
            index: None,
            scope: None,
            authority: None,
        };
        let check = |hosts: &[&str], url: Option<&str>, expected: &[u16]| {
            let terms = Terms {
                allowed: Allowed::of(hosts.iter().copied()).unwrap(),
                doors: url
                    .map(|url| ("d".to_owned(), door(url)))
                    .into_iter()
                    .collect(),
                user: None,
                faults: Faults::default(),
            };
            let ports: Vec<u16> = terms.ports().into_iter().collect();
            assert_eq!(ports, expected, "{hosts:?} {url:?}");
        };
        check(&[], None, &[53]);
        check(&["a.example"], None, &[53, 443]);
        check(&["a.example:8443"], None, &[53, 8443]);
        check(&[], Some("https://b.example/simple"), &[53, 443]);
        check(&[], Some("https://b.example:9443"), &[53, 9443]);
        check(
            &["a.example:8443"],
            Some("http://b.example:81/x"),
            &[53, 81, 8443],
        );
    }
}
