//! The name in a TLS greeting (the server name of a ClientHello): it must be the host that was
//! asked for, so that an allowed host is no front for another one behind the same address.

/// Longest greeting, in bytes: one record.
pub const GREETING_BYTES: usize = 5 + 16 * 1024;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Not whole yet.
    More,
    /// Whole, for this server, as it is written there.
    For(String),
    /// No greeting of TLS, or one that names no server.
    Other(&'static str),
}

/// Reads what has come so far. Nothing that follows the record is looked at.
pub fn read(bytes: &[u8]) -> Greeting {
    const HANDSHAKE: u8 = 22;
    match bytes.first() {
        None => return Greeting::More,
        Some(&HANDSHAKE) => {}
        Some(_) => return Greeting::Other("does not begin with a TLS greeting"),
    }
    let Some(&[_, major, _, high, low]) = bytes.first_chunk::<5>() else {
        return Greeting::More;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if major != 3 || length == 0 || length > GREETING_BYTES - 5 {
        return Greeting::Other("does not begin with a TLS greeting");
    }
    let Some(record) = bytes.get(5..5 + length) else {
        return Greeting::More;
    };
    match server(record) {
        Some(name) => Greeting::For(name),
        None => Greeting::Other("names no server in its TLS greeting"),
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let taken = self.take(bytes)?;
        Some(taken.iter().fold(0, |n, b| (n << 8) | usize::from(*b)))
    }

    /// A part that begins with its own length.
    fn part(&mut self, bytes: usize) -> Option<Cursor<'a>> {
        let count = self.number(bytes)?;
        self.take(count).map(Cursor)
    }
}

/// The one name in the one list of names.
fn server(record: &[u8]) -> Option<String> {
    const CLIENT_HELLO: usize = 1;
    const SERVER_NAME: usize = 0;
    let mut record = Cursor(record);
    (record.number(1)? == CLIENT_HELLO).then_some(())?;
    let mut hello = record.part(3)?;
    hello.take(2 + 32)?;
    hello.part(1)?;
    hello.part(2)?;
    hello.part(1)?;
    let mut extensions = hello.part(2)?;
    let mut found = None;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let mut body = extensions.part(2)?;
        if kind != SERVER_NAME {
            continue;
        }
        let mut names = body.part(2)?;
        let sort = names.number(1)?;
        let name = names.part(2)?;
        // Two of anything here could be read in two ways.
        let single = found.is_none() && sort == 0 && names.0.is_empty() && body.0.is_empty();
        single.then_some(())?;
        found = Some(String::from_utf8(name.0.to_vec()).ok()?);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// A greeting as a real client writes it.
    fn greeting(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = name.to_owned().try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_found_and_a_part_is_not_enough() {
        let whole = greeting("pypi.org");
        assert_eq!(read(&whole), Greeting::For("pypi.org".to_owned()));
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Greeting::More, "{cut}");
        }
        let mut more = whole.clone();
        more.extend(b"what follows");
        assert_eq!(read(&more), Greeting::For("pypi.org".to_owned()));
    }

    #[test]
    fn what_is_no_greeting_for_a_server_is_told() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"SSH-2.0-x\r\n",
            b"\x16\x02\x01\x00\x05",
            b"\x16\x03\x01\xff\xff",
        ] {
            assert!(matches!(read(bytes), Greeting::Other(_)), "{bytes:?}");
        }
        // An address is no server's name: such a client sends none.
        assert!(matches!(read(&greeting("192.0.2.1")), Greeting::Other(_)));
    }

    proptest! {
        #[test]
        fn bytes_never_break_it(at in 0_usize..300, to: u8, junk in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _said = read(&junk);
            let mut bytes = greeting("pypi.org");
            let at = at % bytes.len();
            bytes[at] = to;
            let _said = read(&bytes);
        }
    }
}
