//! What a program asks of the proxy: one `CONNECT host:port`, read strictly. Whatever two programs
//! could read in two ways is refused.

/// Longest head of a request, in bytes.
pub const HEAD_BYTES: usize = 8 * 1024;

/// The first line of a head and what stands below it, each line with its end.
pub(super) fn lines(head: &[u8]) -> Result<(&str, &str), &'static str> {
    let head = std::str::from_utf8(head).map_err(|_| "is no text")?;
    if head
        .bytes()
        .any(|b| b.is_ascii_control() && !b"\r\n\t".contains(&b))
    {
        return Err("holds control characters");
    }
    let (line, rest) = head.split_once("\r\n").ok_or("has no line")?;
    if !rest.ends_with("\r\n") || rest.replace("\r\n", "").contains(['\r', '\n']) {
        return Err("has lines that do not end as they must");
    }
    Ok((line, rest))
}

/// Reads the head of a request, up to and with its empty line; answers host, lower-case, and port.
pub fn connect(head: &[u8]) -> Result<(String, u16), &'static str> {
    let (line, _) = lines(head)?;
    let words: Vec<&str> = line.split(' ').collect();
    let [method, place, version] = words.as_slice() else {
        return Err("is not `CONNECT host:port HTTP/1.1`");
    };
    if *method != "CONNECT" {
        return Err("is not CONNECT: only TLS connections are carried");
    }
    if !["HTTP/1.1", "HTTP/1.0"].contains(version) {
        return Err("is not of HTTP 1.1");
    }
    let (name, number) = place.split_once(':').ok_or("names no port")?;
    Ok((host(name)?, port(number)?))
}

/// A host's name: letters, digits and hyphens of ASCII in labels, at least two of them, the last no
/// number. Addresses of any writing are none.
pub fn host(name: &str) -> Result<String, &'static str> {
    if name.is_empty() || name.len() > 253 {
        return Err("is no host's name");
    }
    let labels: Vec<&str> = name.split('.').collect();
    let good = |label: &&str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    if !labels.iter().all(good) {
        return Err("is no host's name: letters, digits and hyphens between single dots");
    }
    let last = labels.last().copied().unwrap_or_default();
    if labels.len() < 2 || !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("is an address or has one label: hosts are named in full");
    }
    Ok(name.to_ascii_lowercase())
}

/// A port, written as people write it.
pub fn port(number: &str) -> Result<u16, &'static str> {
    let plain = (1..=5).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
        && !number.starts_with('0');
    match (plain, number.parse()) {
        (true, Ok(port)) => Ok(port),
        _ => Err("has no port that is one"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn asked(place: &str) -> Result<(String, u16), &'static str> {
        connect(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n").as_bytes())
    }

    #[test]
    fn what_clients_send_is_read() {
        for (place, host, port) in [
            ("pypi.org:443", "pypi.org", 443),
            ("Registry.NPMJS.org:443", "registry.npmjs.org", 443),
            ("a-b.c1.example:8443", "a-b.c1.example", 8443),
            ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443),
        ] {
            assert_eq!(asked(place), Ok((host.to_owned(), port)), "{place}");
        }
        assert!(connect(b"CONNECT a.example:443 HTTP/1.0\r\n\r\n").is_ok());
    }

    #[test]
    fn hostile_places_are_refused() {
        for place in [
            "attacker.example\0.pypi.org:443",
            "attacker.example%00.pypi.org:443",
            "pypi.org@attacker.example:443",
            "user:pw@pypi.org:443",
            "pypi.org.:443",
            ".pypi.org:443",
            "pypi..org:443",
            "-pypi.org:443",
            "pypi-.org:443",
            "pypi.org:443:443",
            "pypi.org:0443",
            "pypi.org:0",
            "pypi.org:65536",
            "pypi.org:+443",
            "pypi.org:",
            "pypi.org",
            "pypi.org:443/x",
            "pypi.org/:443",
            "pypi.org?:443",
            "pypi.org#:443",
            "pypi\\.org:443",
            "pypi_org.example:443",
            "127.0.0.1:443",
            "127.1:443",
            "2130706433:443",
            "0x7f.0.0.1:443",
            "0x7f000001:443",
            "017700000001:443",
            "1.2.3.0x4:443",
            "[::1]:443",
            "::1:443",
            "[::ffff:127.0.0.1]:443",
            "localhost:443",
            "metadata:443",
            "bücher.example:443",
            "pуpi.org:443",
            "pypi。org:443",
            "pypi.org\t:443",
            "*.pypi.org:443",
        ] {
            assert!(asked(place).is_err(), "{place:?} was read");
        }
        for head in [
            "",
            "\r\n\r\n",
            "GET http://pypi.org/ HTTP/1.1\r\n\r\n",
            "connect pypi.org:443 HTTP/1.1\r\n\r\n",
            "CONNECT  pypi.org:443 HTTP/1.1\r\n\r\n",
            "CONNECT pypi.org:443\r\n\r\n",
            "CONNECT pypi.org:443 HTTP/2\r\n\r\n",
            "CONNECT pypi.org:443 HTTP/1.1\n\n",
            "CONNECT pypi.org:443 HTTP/1.1\r\nX: a\nCONNECT b.example:443 HTTP/1.1\r\n\r\n",
            "CONNECT pypi.org:443 HTTP/1.1\r\nX: \x1b[2J\r\n\r\n",
        ] {
            assert!(connect(head.as_bytes()).is_err(), "{head:?} was read");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_a_plain_name(place in "\\PC{0,80}") {
            if let Ok((host, port)) = asked(&place) {
                prop_assert!(port > 0);
                prop_assert!(host.parse::<std::net::IpAddr>().is_err());
                prop_assert!(host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b)));
                prop_assert_eq!(format!("{host}:{port}"), place.to_ascii_lowercase());
            }
        }

        #[test]
        fn bytes_never_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _said = connect(&bytes);
        }
    }
}
