//! Who listens on which port, and who can reach it: the kernel's tables of sockets with the programs that hold them.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::Serialize;

use super::people::People;
use super::processes::{self, Process};
use super::tree::{Tree, Unread};
use crate::limits::InspectError;

/// Who can reach a port, as far as its address says; a firewall may let fewer through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Whoever reaches any address of the host.
    World,
    /// Whoever reaches one private address.
    Network,
    /// Programs on the host alone.
    Host,
}

/// A port somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// `tcp` or `udp`.
    pub proto: &'static str,
    /// The port.
    pub port: u16,
    /// Its addresses, in order.
    pub addresses: Vec<String>,
    /// Who can reach it.
    pub reach: Reach,
    /// The user it belongs to.
    pub user: String,
    /// The program, where it may be seen.
    pub program: Option<String>,
    /// Its number.
    pub pid: Option<u32>,
    /// Its unit, where systemd started it.
    pub unit: Option<String>,
    /// What usually listens there and is meant for the host alone.
    pub private: Option<&'static str>,
}

/// Every port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// The kind of container this is: its own ports alone are seen then.
    pub container: Option<String>,
    /// World-reachable ones first, then by port.
    pub listening: Vec<Port>,
    /// How many ports have a program that may not be seen.
    pub unowned: usize,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// Services that keep data or give control, and that nobody outside should talk to directly.
const PRIVATE: &[(u16, &str)] = &[
    (111, "rpcbind"),
    (1433, "SQL Server"),
    (2049, "NFS"),
    (2375, "the Docker API without TLS"),
    (2379, "etcd"),
    (3306, "MySQL"),
    (5432, "PostgreSQL"),
    (5601, "Kibana"),
    (5672, "RabbitMQ"),
    (5900, "VNC"),
    (6333, "Qdrant"),
    (6379, "Redis"),
    (8086, "InfluxDB"),
    (9200, "Elasticsearch"),
    (10250, "the kubelet"),
    (11211, "memcached"),
    (15672, "RabbitMQ's management"),
    (27017, "MongoDB"),
];

/// What the kernel shows for a user who does not exist in the namespace of the one who asks.
const HIDDEN: u32 = 65_534;

/// A line of one of the kernel's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    uid: u32,
    inode: u64,
}

/// Reads the tables of the network that process 1 is in: the host's own.
///
/// # Errors
/// When none of them can be read.
pub fn scan(tree: &Tree, at: Timestamp) -> Result<Ports, InspectError> {
    let folder = ["/proc/1/net", "/proc/net"]
        .into_iter()
        .find(|folder| tree.exists(&format!("{folder}/tcp")));
    let folder = folder.ok_or_else(|| {
        let why = std::io::Error::from(std::io::ErrorKind::NotFound);
        InspectError::unreadable(std::path::Path::new("/proc/net/tcp"), why)
    })?;
    let (held, whole) = processes::sockets(tree);
    let people = People::read(tree);
    let mut known: HashMap<u32, Option<Process>> = HashMap::new();
    let mut ports: BTreeMap<Key, Vec<IpAddr>> = BTreeMap::new();
    for (table, proto) in [
        ("tcp", "tcp"),
        ("tcp6", "tcp"),
        ("udp", "udp"),
        ("udp6", "udp"),
    ] {
        let text = tree.text(&format!("{folder}/{table}")).unwrap_or_default();
        for socket in listening(&text, proto == "udp") {
            let pid = held.get(&socket.inode).copied();
            let process = pid.and_then(|pid| {
                known
                    .entry(pid)
                    .or_insert_with(|| processes::one(tree, pid))
                    .clone()
            });
            let key = Key {
                reach: reach(socket.address),
                port: socket.port,
                proto,
                user: match socket.uid {
                    HIDDEN if !whole => "unknown".to_owned(),
                    uid => people.name(uid),
                },
                program: process.as_ref().map(|process| process.name.clone()),
                pid,
                unit: process.and_then(|process| process.unit),
            };
            let addresses = ports.entry(key).or_default();
            if !addresses.contains(&socket.address) {
                addresses.push(socket.address);
            }
        }
    }
    let listening: Vec<Port> = ports.into_iter().map(port).collect();
    let unowned = listening
        .iter()
        .filter(|port| port.program.is_none())
        .count();
    if unowned > 0 && !whole {
        tree.note("/proc/*/fd", "permission denied");
    }
    Ok(Ports {
        at,
        hostname: tree.hostname(),
        container: tree.container(),
        listening,
        unowned,
        unread: tree.unread(),
    })
}

/// What makes two sockets one port for people, in the order they are told.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    reach: Reach,
    port: u16,
    proto: &'static str,
    user: String,
    program: Option<String>,
    pid: Option<u32>,
    unit: Option<String>,
}

fn port((key, mut addresses): (Key, Vec<IpAddr>)) -> Port {
    addresses.sort();
    let private = PRIVATE
        .iter()
        .find(|(port, _)| *port == key.port && key.reach == Reach::World);
    Port {
        proto: key.proto,
        port: key.port,
        addresses: addresses.iter().map(IpAddr::to_string).collect(),
        reach: key.reach,
        user: key.user,
        program: key.program,
        pid: key.pid,
        unit: key.unit,
        private: private.map(|(_, name)| *name),
    }
}

fn reach(address: IpAddr) -> Reach {
    let address = match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        four => four,
    };
    let near = match address {
        IpAddr::V4(four) => four.is_private() || four.is_link_local(),
        IpAddr::V6(six) => six.is_unique_local() || six.is_unicast_link_local(),
    };
    if address.is_loopback() {
        Reach::Host
    } else if near {
        Reach::Network
    } else {
        Reach::World
    }
}

/// Sockets of a table that wait for others: listening ones of TCP, unconnected ones of UDP.
fn listening(text: &str, udp: bool) -> Vec<Socket> {
    let state = if udp { "07" } else { "0A" };
    text.lines()
        .skip(1)
        .filter_map(|line| socket(line, state, udp))
        .collect()
}

fn socket(line: &str, state: &str, udp: bool) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, st, _, _, _, uid, _, inode, ..] = fields.as_slice() else {
        return None;
    };
    let (address, port) = endpoint(local)?;
    let (_, far) = endpoint(remote)?;
    let waits = *st == state && !(udp && far != 0);
    waits.then_some(Socket {
        address,
        port,
        uid: uid.parse().ok()?,
        inode: inode.parse().ok()?,
    })
}

/// `0100007F:1F90`: words of the address in the processor's own order, the port in the network's.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let word = |at: usize| {
        u32::from_str_radix(address.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (n, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(n * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tree::planted::Planted;
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: &str, remote: &str, state: &str, uid: u32, inode: u64) -> String {
        format!(
            "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0000 100 0 0 10 0\n"
        )
    }

    fn brief(ports: &Ports) -> Vec<String> {
        let one = |p: &Port| {
            format!(
                "{:?} {}/{} {} {} {} {}",
                p.reach,
                p.proto,
                p.port,
                p.addresses.join(","),
                p.user,
                p.program.as_deref().unwrap_or("?"),
                p.unit.as_deref().or(p.private).unwrap_or("-")
            )
        };
        ports.listening.iter().map(one).collect()
    }

    #[test]
    fn the_planted_ports_are_told_and_no_other() {
        let any6 = "0".repeat(32);
        let one6 = "00000000000000000000000001000000";
        let tcp = HEAD.to_owned()
            + &row("00000000:0050", "00000000:0000", "0A", 0, 11) // nginx, everywhere
            + &row("0100007F:1538", "00000000:0000", "0A", 26, 12) // PostgreSQL, here alone
            + &row("00000000:18EB", "00000000:0000", "0A", 26, 13) // Redis, everywhere
            + &row("0A00000A:1F90", "00000000:0000", "0A", 1000, 14) // a private network
            + &row("0100007F:1F91", "0100007F:0050", "01", 0, 15) // decoy: a connection
            + "half a line\n";
        let tcp6 = HEAD.to_owned()
            + &row(
                &format!("{any6}:0050"),
                &format!("{any6}:0000"),
                "0A",
                0,
                16,
            )
            + &row(
                &format!("{one6}:0019"),
                &format!("{any6}:0000"),
                "0A",
                0,
                17,
            );
        let udp = HEAD.to_owned()
            + &row("00000000:0044", "00000000:0000", "07", 0, 18)
            + &row("00000000:C000", "08080808:0035", "01", 0, 19) // decoy: a client
            + &row("0100007F:C001", "08080808:0035", "07", 0, 20); // decoy: has its other side
        let host = Planted::new(&[
            (
                "/etc/passwd",
                "root:x:0:0::/root:/bin/sh\nredis:x:26:26::/:/bin/false\nbad line\n",
            ),
            ("/proc/sys/kernel/hostname", "shop1\n"),
            ("/proc/1/net/tcp", &tcp),
            ("/proc/1/net/tcp6", &tcp6),
            ("/proc/1/net/udp", &udp),
            ("/proc/1/comm", "systemd\n"),
            ("/proc/80/comm", "nginx\n"),
            ("/proc/80/cgroup", "0::/system.slice/nginx.service\n"),
            ("/proc/81/comm", "nginx\n"),
        ]);
        host.link("/proc/80/fd/6", "socket:[11]");
        host.link("/proc/80/fd/7", "socket:[16]");
        host.link("/proc/80/fd/8", "/var/log/nginx/access.log");
        host.link("/proc/81/fd/6", "socket:[11]"); // a worker holds the same
        let ports = scan(&host.tree(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            brief(&ports),
            [
                "World udp/68 0.0.0.0 root ? -",
                "World tcp/80 0.0.0.0,:: root nginx nginx.service",
                "World tcp/6379 0.0.0.0 redis ? Redis",
                "Network tcp/8080 10.0.0.10 1000 ? -",
                "Host tcp/25 ::1 root ? -",
                "Host tcp/5432 127.0.0.1 redis ? -",
            ]
        );
        assert_eq!(
            (ports.hostname.as_str(), ports.unowned, ports.container),
            ("shop1", 5, None)
        );
    }

    #[test]
    fn a_host_where_nobody_listens_says_so_and_one_without_proc_is_an_error() {
        let quiet = Planted::new(&[("/proc/1/net/tcp", HEAD), ("/.dockerenv", "")]);
        let ports = scan(&quiet.tree(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            (ports.listening.len(), ports.container.as_deref()),
            (0, Some("docker"))
        );
        assert!(scan(&Planted::new(&[]).tree(), Timestamp::UNIX_EPOCH).is_err());
    }

    proptest! {
        #[test]
        fn any_table_is_read(text in "[0-9A-F: \n]{0,300}") {
            listening(&text, true);
            listening(&text, false);
        }

        #[test]
        fn every_address_comes_back(address: [u8; 16], port: u16) {
            let six: String = address.chunks(4).map(|c| format!("{:08X}", u32::from_ne_bytes([c[0], c[1], c[2], c[3]]))).collect();
            prop_assert_eq!(endpoint(&format!("{six}:{port:04X}")), Some((IpAddr::from(address), port)));
        }
    }
}
