//! Which addresses are the world's. A name that leads into the host, its network or the place
//! where a cloud keeps credentials is not connected to, whoever owns the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How near an address lies to what nobody outside should reach; the farthest is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// The public internet.
    World,
    /// A private network.
    Network,
    /// This host itself.
    Host,
    /// The link, where clouds hand out a machine's credentials.
    Link,
}

/// How near an address lies. An IPv6 address that carries an IPv4 one lies where that one does.
pub fn nearness(address: IpAddr) -> Nearness {
    match address {
        IpAddr::V4(address) => nearness_v4(address),
        IpAddr::V6(address) => nearness_v6(address),
    }
}

fn nearness_v4(address: Ipv4Addr) -> Nearness {
    let clouds = [
        // Azure, Alibaba, Oracle.
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    match address.octets() {
        _ if address.is_link_local() || clouds.contains(&address) => Nearness::Link,
        [0 | 127, ..] => Nearness::Host,
        _ if is_public_v4(address) => Nearness::World,
        _ => Nearness::Network,
    }
}

fn nearness_v6(address: Ipv6Addr) -> Nearness {
    let clouds = [
        // Google, Oracle; all that Amazon has lies in one network.
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    ];
    if address.is_loopback() || address.is_unspecified() {
        return Nearness::Host;
    }
    if let Some(public) = translated(address) {
        return nearness_v4(public);
    }
    if let Some(carried) = carried(address) {
        return nearness_v4(carried).max(Nearness::Network);
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] | [0xfd00, 0xec2, ..] => Nearness::Link,
        _ if clouds.contains(&address) => Nearness::Link,
        _ if is_public_v6(address) => Nearness::World,
        _ => Nearness::Network,
    }
}

/// The IPv4 address that a gateway of the network reaches by one of IPv6 (NAT64, RFC 6052): all that a host without IPv4 has of it.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, ..] = address.segments() else {
        return None;
    };
    carried(address)
}

/// The IPv4 address in one of IPv6: mapped, translated, or at the end of a tunnel.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, _, _, _, _, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Whether an address belongs to the public internet. Networks kept for documentation count as
/// public: they lead nowhere.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let kept = a == 0
        || a == 10
        || a == 127
        || a >= 224
        || (a, b) == (169, 254)
        || (a, b) == (192, 168)
        || (a, b, c) == (192, 0, 0)
        // The old way from IPv6 into IPv4.
        || (a, b, c) == (192, 88, 99)
        || (a == 100 && (64..128).contains(&b))
        || (a == 172 && (16..32).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        // The host below, for machines of Azure.
        || address == Ipv4Addr::new(168, 63, 129, 16);
    !kept
}

/// Global unicast alone, and of it nothing that carries an IPv4 address inside; and what is translated to a public one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(translated) = translated(address) {
        return is_public_v4(translated);
    }
    let [a, b, ..] = address.segments();
    let global = (0x2000..0x4000).contains(&a);
    let tunnel = a == 0x2002 || (a == 0x2001 && b < 0x0200);
    global && !tunnel
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_told_apart() {
        for (address, public) in [
            ("151.101.0.223", true),
            ("8.8.8.8", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("2606:4700::1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.100.100.200", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("169.254.169.254", false),
            ("168.63.129.16", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.192", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::c0a8:101", false),
            ("64:ff9b::8c52:7904", true),
            ("64:ff9b:1::8c52:7904", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2002:7f00:1::", false),
            ("2001:0:7f00::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn it_is_known_how_near_an_address_lies() {
        for (address, expected) in [
            ("151.101.0.223", Nearness::World),
            ("192.0.2.1", Nearness::World),
            ("2606:4700::1", Nearness::World),
            ("10.1.2.3", Nearness::Network),
            ("100.64.0.1", Nearness::Network),
            ("192.168.1.1", Nearness::Network),
            ("fc00::1", Nearness::Network),
            ("::ffff:8.8.8.8", Nearness::Network),
            ("127.0.0.1", Nearness::Host),
            ("127.0.1.1", Nearness::Host),
            ("0.0.0.0", Nearness::Host),
            ("::", Nearness::Host),
            ("::1", Nearness::Host),
            ("::ffff:127.0.0.1", Nearness::Host),
            ("169.254.169.254", Nearness::Link),
            ("169.254.0.1", Nearness::Link),
            ("100.100.100.200", Nearness::Link),
            ("168.63.129.16", Nearness::Link),
            ("::ffff:169.254.169.254", Nearness::Link),
            ("::169.254.169.254", Nearness::Link),
            ("64:ff9b::a9fe:a9fe", Nearness::Link),
            ("64:ff9b::a00:5", Nearness::Network),
            ("64:ff9b::8c52:7904", Nearness::World),
            ("64:ff9b:1::8c52:7904", Nearness::Network),
            ("2002:a9fe:a9fe::1", Nearness::Link),
            ("fe80::1", Nearness::Link),
            ("febf::1", Nearness::Link),
            ("fd00:ec2::254", Nearness::Link),
            ("fd20:ce::254", Nearness::Link),
            ("fd00:c1::a9fe:a9fe", Nearness::Link),
        ] {
            assert_eq!(nearness(address.parse().unwrap()), expected, "{address}");
        }
    }

    proptest! {
        #[test]
        fn what_is_public_is_the_world(bits: u128) {
            let address = IpAddr::V6(Ipv6Addr::from(bits));
            prop_assert_eq!(is_public(address), nearness(address) == Nearness::World);
        }

        #[test]
        fn what_the_library_calls_private_is_not_public(bits: u32) {
            let address = Ipv4Addr::from(bits);
            if address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_unspecified() || address.is_broadcast()
            {
                prop_assert!(!is_public(IpAddr::V4(address)));
            }
        }
    }
}
