//! Records of `btmp` and `wtmp`: failed logins and logins as the C library writes them, 384 bytes each on Linux.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a record.
pub const RECORD: usize = 384;

/// A record of a login or of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// 6: a try, 7: a login.
    pub kind: i32,
    /// The name that was given.
    pub user: String,
    /// Where from; empty for the host itself.
    pub from: String,
    /// Seconds since 1970.
    pub seconds: i64,
}

/// Reads one; nothing where it is cut off.
pub fn read(bytes: &[u8]) -> Option<Record> {
    let whole: &[u8] = bytes.get(..RECORD)?;
    let number = |at: usize| -> Option<i32> {
        whole
            .get(at..at + 4)?
            .try_into()
            .ok()
            .map(i32::from_le_bytes)
    };
    let address: [u8; 16] = whole.get(348..364)?.try_into().ok()?;
    let host = text(whole.get(76..332)?);
    Some(Record {
        kind: i32::from(i16::from_le_bytes(whole.get(..2)?.try_into().ok()?)),
        user: text(whole.get(44..76)?),
        from: match from(address) {
            Some(address) => address.to_string(),
            None => host,
        },
        // Unsigned, so that it holds beyond 2038.
        seconds: i64::from(number(340)? as u32),
    })
}

fn from(address: [u8; 16]) -> Option<IpAddr> {
    let [a, b, c, d, rest @ ..] = address;
    match (rest.iter().all(|b| *b == 0), [a, b, c, d]) {
        (true, [0, 0, 0, 0]) => None,
        (true, four) => Some(Ipv4Addr::from(four).into()),
        _ => Some(Ipv6Addr::from(address).to_canonical()),
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// A record as the C library would write it.
#[cfg(test)]
pub fn written(kind: i16, user: &str, address: &str, seconds: u32) -> Vec<u8> {
    let mut bytes = vec![0; RECORD];
    bytes[..2].copy_from_slice(&kind.to_le_bytes());
    bytes[44..44 + user.len()].copy_from_slice(user.as_bytes());
    bytes[76..76 + address.len()].copy_from_slice(address.as_bytes());
    bytes[340..344].copy_from_slice(&seconds.to_le_bytes());
    if let Ok(IpAddr::V4(four)) = address.parse() {
        bytes[348..352].copy_from_slice(&four.octets());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_come_back() {
        let one = read(&written(6, "admin", "203.0.113.9", 1_795_000_000)).unwrap();
        assert_eq!(
            (one.kind, one.user.as_str(), one.from.as_str(), one.seconds),
            (6, "admin", "203.0.113.9", 1_795_000_000)
        );
        assert_eq!(
            read(&written(7, "ann", "tty1", 4_000_000_000))
                .unwrap()
                .seconds,
            4_000_000_000
        );
        assert_eq!(read(&[0; RECORD - 1]), None);
    }

    proptest! {
        #[test]
        fn any_record_is_read(bytes in proptest::collection::vec(any::<u8>(), RECORD..RECORD + 1)) {
            let one = read(&bytes).unwrap();
            prop_assert!(!one.user.chars().chain(one.from.chars()).any(char::is_control));
        }
    }
}
