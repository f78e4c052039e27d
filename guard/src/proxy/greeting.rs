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

/// The kind of a record that holds a greeting.
const HANDSHAKE: u8 = 22;
/// Said of a greeting that holds another one nobody on the way can read.
const HIDDEN: &str = "hides whom its TLS greeting is for: switch Encrypted ClientHello (ECH) off in the program that connects; pip, npm, cargo and git use none";

/// Reads what has come so far. Nothing that follows the record is looked at.
pub fn read(bytes: &[u8]) -> Greeting {
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
    match hello(record) {
        Some(Hello { hidden: true, .. }) => Greeting::Other(HIDDEN),
        Some(Hello {
            server: Some(name), ..
        }) => Greeting::For(name),
        _ => Greeting::Other("names no server in its TLS greeting"),
    }
}

/// What a server answers a greeting with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Not whole yet.
    More,
    /// It wants to be greeted once more: the second greeting may name another server.
    Again,
    /// It goes on, or has nothing to do with TLS.
    On,
}

/// Reads the first bytes of a server's answer.
pub fn answered(bytes: &[u8]) -> Answer {
    const SERVER_HELLO: u8 = 2;
    // What stands in the place of chance where a greeting is asked for once more (RFC 8446, 4.1.3).
    const AGAIN: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ];
    let at = |place: usize, is: u8| bytes.get(place).is_none_or(|byte| *byte == is);
    if !at(0, HANDSHAKE) || !at(5, SERVER_HELLO) {
        return Answer::On;
    }
    // Behind record, kind, length and version.
    match bytes.get(11..43) {
        None => Answer::More,
        Some(chance) if chance == AGAIN => Answer::Again,
        Some(_) => Answer::On,
    }
}

/// Reads what a program says once it was asked to greet again: the second greeting, behind what may stand before it.
pub fn read_again(bytes: &[u8]) -> Greeting {
    const CHANGE: u8 = 20;
    const EARLY: u8 = 23;
    let mut rest = bytes;
    loop {
        let Some(&[kind, _, _, high, low]) = rest.first_chunk::<5>() else {
            return Greeting::More;
        };
        if ![CHANGE, EARLY].contains(&kind) {
            return read(rest);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        match rest.get(5 + length..) {
            Some(next) => rest = next,
            None => return Greeting::More,
        }
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

/// What a greeting says of the server it is for.
struct Hello {
    server: Option<String>,
    /// It holds a second greeting, encrypted, and that one counts for who can read it.
    hidden: bool,
}

/// The one name in the one list of names.
fn hello(record: &[u8]) -> Option<Hello> {
    const CLIENT_HELLO: usize = 1;
    const SERVER_NAME: usize = 0;
    // Of RFC 9849, and of the drafts before it that servers knew.
    const ENCRYPTED: [usize; 2] = [0xfe0d, 0xffce];
    let mut record = Cursor(record);
    (record.number(1)? == CLIENT_HELLO).then_some(())?;
    let mut hello = record.part(3)?;
    hello.take(2 + 32)?;
    hello.part(1)?;
    hello.part(2)?;
    hello.part(1)?;
    let mut extensions = hello.part(2)?;
    let mut found = Hello {
        server: None,
        hidden: false,
    };
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let mut body = extensions.part(2)?;
        found.hidden |= ENCRYPTED.contains(&kind);
        if kind != SERVER_NAME {
            continue;
        }
        let mut names = body.part(2)?;
        let sort = names.number(1)?;
        let name = names.part(2)?;
        // Two of anything here could be read in two ways.
        let single = found.server.is_none() && sort == 0 && names.0.is_empty() && body.0.is_empty();
        single.then_some(())?;
        found.server = Some(String::from_utf8(name.0.to_vec()).ok()?);
    }
    Some(found)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// A greeting as a real client writes it.
    pub(crate) fn greeting(name: &str) -> Vec<u8> {
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

    /// The same greeting with one more extension at its end.
    fn extended(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = greeting(name);
        let more = [&kind.to_be_bytes()[..], &[0, 4, 0, 0, 0, 0]].concat();
        // Behind kind, length, version and chance: three parts, then the extensions to the end.
        let mut at = 5 + 4 + 2 + 32;
        at += 1 + usize::from(bytes[at]);
        at += 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        at += 1 + usize::from(bytes[at]);
        bytes.extend(&more);
        for place in [3, 7, at] {
            let length = u16::from_be_bytes([bytes[place], bytes[place + 1]]) + more.len() as u16;
            bytes[place..place + 2].copy_from_slice(&length.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_greeting_that_hides_its_server_is_refused() {
        for (kind, hidden) in [(0xfe0d, true), (0xffce, true), (0x1234, false)] {
            let read = read(&extended("pypi.org", kind));
            match hidden {
                true => assert_eq!(read, Greeting::Other(HIDDEN)),
                false => assert_eq!(read, Greeting::For("pypi.org".to_owned())),
            }
        }
    }

    /// The first record of a server's answer, with these words in the place of chance.
    pub(crate) fn answer(chance: [u8; 32]) -> Vec<u8> {
        let mut bytes = vec![22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3];
        bytes.extend(chance);
        bytes.extend([0, 0x13, 0x01, 0, 0, 0]);
        bytes
    }

    /// As a server answers that wants to be greeted again.
    pub(crate) fn again() -> Vec<u8> {
        use sha2::{Digest, Sha256};
        answer(Sha256::digest("HelloRetryRequest").into())
    }

    #[test]
    fn a_server_that_wants_another_greeting_is_known() {
        let whole = again();
        assert_eq!(answered(&whole), Answer::Again);
        for cut in 0..43 {
            assert_eq!(answered(&whole[..cut]), Answer::More, "{cut}");
        }
        for other in [
            answer([7; 32]),
            b"HTTP/1.1 400\r\n".to_vec(),
            vec![21, 3, 3, 0, 2, 2, 40],
        ] {
            assert_eq!(answered(&other), Answer::On, "{other:?}");
        }
    }

    #[test]
    fn the_second_greeting_is_found_behind_what_may_stand_before_it() {
        let change = [20, 3, 3, 0, 1, 1];
        let early = [23, 3, 3, 0, 3, 9, 9, 9];
        for before in [&[][..], &change, &early, &[&early[..], &change].concat()] {
            let whole = [before, &greeting("pypi.org")].concat();
            assert_eq!(read_again(&whole), Greeting::For("pypi.org".to_owned()));
            for cut in 0..whole.len() {
                assert_eq!(read_again(&whole[..cut]), Greeting::More, "{cut}");
            }
        }
        let part = [&change[..], &[22, 3, 3, 0, 1, 1], &greeting("pypi.org")].concat();
        assert!(matches!(read_again(&part), Greeting::Other(_)));
        let alert = [21, 3, 3, 0, 2, 1, 0];
        assert!(matches!(read_again(&alert), Greeting::Other(_)));
    }

    proptest! {
        #[test]
        fn bytes_never_break_it(at in 0_usize..300, to: u8, junk in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _said = (read(&junk), read_again(&junk), answered(&junk));
            let mut bytes = greeting("pypi.org");
            let at = at % bytes.len();
            bytes[at] = to;
            let _said = read(&bytes);
        }
    }
}
