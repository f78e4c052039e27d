//! Where names lead, for whoever looks outside: each is looked up once, every address it has is judged, and connections are
//! made to those addresses and to no others. Whoever owns a name decides where it leads, so it leads into this host or its
//! network only where somebody here said so.

use crate::outside::WebHost;
use crate::proxy::address::{Nearness, nearness};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

/// The names that whoever runs this host gave addresses.
const GIVEN: &str = "/etc/hosts";

type Look = Box<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Names that were looked up.
#[derive(Clone)]
pub(super) struct Names(Arc<Inner>);

struct Inner {
    look: Look,
    /// What [`GIVEN`] says.
    given: String,
    known: Mutex<BTreeMap<String, Vec<IpAddr>>>,
}

/// Where a name leads that may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) places: Vec<SocketAddr>,
    /// How near the nearest of them is.
    pub(super) nearest: Nearness,
}

/// Why a name may not be reached, or cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// It has no address.
    Nowhere(String),
    /// It has one that is not for whoever asks.
    Refused(String),
}

impl Lost {
    pub(super) fn why(self) -> String {
        match self {
            Lost::Nowhere(why) | Lost::Refused(why) => why,
        }
    }
}

impl Names {
    /// As this host looks them up.
    pub(super) fn of_host() -> Names {
        let look = |host: &str| {
            let found = (host, 0).to_socket_addrs()?;
            Ok(found.map(|place| place.ip()).collect())
        };
        // Where it cannot be read nobody gave a name.
        let given = std::fs::read_to_string(GIVEN).unwrap_or_default();
        Names::with(given, look)
    }

    /// With other answers: for tests.
    pub(super) fn with(
        given: String,
        look: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Names {
        let look = Box::new(look);
        let known = Mutex::default();
        Names(Arc::new(Inner { look, given, known }))
    }

    /// Where a host leads, at most as near as `most`. It may wait for a name server.
    pub(super) fn find(&self, host: &str, port: u16, most: Nearness) -> Result<Found, Lost> {
        let host = host.trim_matches(['[', ']']);
        let all = self
            .addresses(host)
            .map_err(|e| Lost::Nowhere(format!("its name leads nowhere: {e}")))?;
        // The host's own table was written by who wrote the grant: by it a site of this host may be led to under its other name.
        let near = |one: &IpAddr| match most == Nearness::World && given(&self.0.given, host, *one)
        {
            true => Nearness::World,
            false => nearness(*one),
        };
        let nearest = all.iter().map(near).max();
        let nearest = nearest.ok_or_else(|| Lost::Nowhere("its name leads nowhere".to_owned()))?;
        judged(host, port, &all, most, &self.0.given).map_err(Lost::Refused)?;
        let places = all.into_iter().map(|ip| SocketAddr::new(ip, port));
        Ok(Found {
            places: places.collect(),
            nearest,
        })
    }

    /// The addresses of a host; of two answers the first one counts.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        if let Some(known) = self.known(host) {
            return Ok(known);
        }
        let found = (self.0.look)(host)?;
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(host.to_owned()).or_insert(found).clone())
    }

    fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(host).cloned()
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.known(name.as_str());
        Box::pin(async move {
            let found = found.ok_or("the name was not looked up")?;
            let places = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(places) as Addrs)
        })
    }
}

/// How near a granted host may be: one that is named with its port, or is no name of a name server, is where whoever
/// wrote the grant knows it to be.
pub(super) fn granted(hosts: &BTreeMap<String, WebHost>, host: &str, port: u16) -> Nearness {
    let plain = host.trim_matches(['[', ']']);
    let own = plain == "localhost" || plain.parse::<IpAddr>().is_ok();
    match own || hosts.contains_key(&format!("{host}:{port}")) {
        true => Nearness::Host,
        false => Nearness::World,
    }
}

/// Why one of the addresses may not be connected to: one is enough, since names are made to change.
fn judged(
    host: &str,
    port: u16,
    all: &[IpAddr],
    most: Nearness,
    names: &str,
) -> Result<(), String> {
    for one in all {
        match nearness(*one) {
            Nearness::Link => {
                return Err(format!(
                    "{host} leads to {one}, where machines are told their credentials: nothing is asked there"
                ));
            }
            near if near <= most || given(names, host, *one) => {}
            _ => {
                return Err(format!(
                    "{host} leads to {one}, which is no public address: where that is meant, grant it with its port in permissions.yaml (`hosts: {{\"{host}:{port}\": …}}`), or name it in {GIVEN}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether the host's own table gives a name this address.
fn given(table: &str, host: &str, address: IpAddr) -> bool {
    table.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let first = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        first == Some(address) && words.any(|name| name.eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const TABLE: &str = "127.0.0.1 localhost\n127.0.1.1\tshop.example www.shop.example # own\n10.0.0.5 Books.example\n169.254.169.254 metadata.example\n";

    fn leading(to: &'static [&'static str]) -> Names {
        Names::with(TABLE.to_owned(), move |_| {
            Ok(to.iter().map(|one| one.parse().unwrap()).collect())
        })
    }

    fn hosts(names: &[&str]) -> BTreeMap<String, WebHost> {
        let one = |name: &&str| ((*name).to_owned(), WebHost::default());
        names.iter().map(one).collect()
    }

    #[test]
    fn a_name_leads_inwards_only_where_somebody_here_said_so() {
        let check = |grant: &str, host: &str, to: &'static [&'static str], expected: bool| {
            let found = leading(to).find(host, 443, granted(&hosts(&[grant]), host, 443));
            assert_eq!(found.is_ok(), expected, "{grant} {host} {to:?}: {found:?}");
        };
        check("evil.example", "evil.example", &["192.0.2.1"], true);
        for inwards in [
            "127.0.0.1",
            "10.0.0.5",
            "192.168.1.1",
            "::1",
            "fc00::1",
            "0.0.0.0",
            "169.254.169.254",
            "fd00:ec2::254",
        ] {
            let to: &'static [&'static str] = Box::leak(Box::new([inwards]));
            check("evil.example", "evil.example", to, false);
        }
        check(
            "evil.example",
            "evil.example",
            &["192.0.2.1", "127.0.0.1"],
            false,
        );
        // With its port it is where whoever granted it knows it to be.
        check("lan.example:443", "lan.example", &["10.0.0.5"], true);
        check("lan.example:443", "lan.example", &["127.0.0.1"], true);
        check("lan.example:8443", "lan.example", &["10.0.0.5"], false);
        // So are addresses and the host itself, and what its own table names.
        check("localhost", "localhost", &["127.0.0.1", "::1"], true);
        check("10.0.0.7", "10.0.0.7", &[], true);
        check("[::1]", "[::1]", &[], true);
        check("shop.example", "shop.example", &["127.0.1.1"], true);
        check("www.shop.example", "www.shop.example", &["127.0.1.1"], true);
        check("books.example", "books.example", &["10.0.0.5"], true);
        check("shop.example", "shop.example", &["127.0.0.1"], false);
        check("own", "own", &["127.0.1.1"], false);
    }

    #[test]
    fn a_site_of_this_host_by_its_other_name_lies_no_nearer_than_the_world() {
        for (grant, expected) in [
            ("shop.example", Nearness::World),
            ("shop.example:443", Nearness::Host),
        ] {
            let most = granted(&hosts(&[grant]), "shop.example", 443);
            let found = leading(&["127.0.1.1"]).find("shop.example", 443, most);
            assert_eq!(found.unwrap().nearest, expected, "{grant}");
        }
    }

    #[test]
    fn where_machines_are_told_their_credentials_nothing_is_asked() {
        for (host, to) in [
            ("metadata.example", &["169.254.169.254"][..]),
            ("evil.example", &["10.0.0.1", "fe80::1"]),
            ("169.254.169.254", &[]),
            ("[fd00:ec2::254]", &[]),
            ("[::ffff:169.254.169.254]", &[]),
        ] {
            let name = format!("{host}:80");
            let most = granted(&hosts(&[&name]), host, 80);
            let found = leading(Box::leak(to.to_vec().into())).find(host, 80, most);
            let why = found.unwrap_err().why();
            assert!(why.contains("told their credentials"), "{host}: {why}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_connections_go_to_what_was_judged() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let names = Names::with(String::new(), move |_| {
            let to = match counted.fetch_add(1, Ordering::SeqCst) {
                0 => "192.0.2.1",
                _ => "127.0.0.1",
            };
            Ok(vec![to.parse().unwrap()])
        });
        let unknown = names.resolve("turns.example".parse().unwrap()).await;
        assert!(unknown.is_err(), "what was not judged is not connected to");
        for port in [80, 443] {
            let found = names.find("turns.example", port, Nearness::World).unwrap();
            assert_eq!(
                found.places,
                [SocketAddr::new("192.0.2.1".parse().unwrap(), port)]
            );
        }
        let connected: Vec<_> = names
            .resolve("turns.example".parse().unwrap())
            .await
            .unwrap()
            .collect();
        assert_eq!(connected, ["192.0.2.1:0".parse().unwrap()]);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
