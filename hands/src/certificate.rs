//! A certificate as it lies in its file: until when it is good, for whom and by whom. Who vouches for it is not asked.

use crate::{Refused, digest};
use jiff::{SignedDuration, Timestamp};
use protocol::text::one_line;
use serde::{Deserialize, Serialize};
use std::io::Read;
use x509_parser::prelude::{FromDer, GeneralName, Pem, X509Certificate};

/// Most bytes of a file that are read.
const BYTES: u64 = 256 * 1024;
/// One that is good for long is renewed this long before its end; one that is good for a shorter time when a third of it is left.
const BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Digest of the certificate itself.
    pub sha256: String,
    /// From when it is good.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// Who signed it.
    pub issuer: String,
    /// Names it is good for.
    pub names: Vec<String>,
}

impl Certificate {
    /// Days until its end; less than none once it is over.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.ends.duration_since(now).as_hours().div_euclid(24)
    }

    /// Whether it is to be renewed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let third = self.ends.duration_since(self.begins) / 3;
        self.ends.duration_since(now) < third.min(BEFORE)
    }
}

/// Reads the first one of a file of PEM; none where there is no such file.
///
/// # Errors
/// A sentence: it cannot be read, or holds none.
pub fn read(path: &str) -> Result<Option<Certificate>, Refused> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{path} cannot be read: {error}").into()),
    };
    let mut bytes = Vec::new();
    let read = file.take(BYTES).read_to_end(&mut bytes);
    read.map_err(|error| format!("{path} cannot be read: {error}"))?;
    let none = || Refused::from(format!("{path} holds no certificate"));
    let pem = Pem::iter_from_buffer(&bytes).next().ok_or_else(none)?;
    of(&pem.map_err(|_| none())?.contents)
        .map(Some)
        .ok_or_else(none)
}

fn of(der: &[u8]) -> Option<Certificate> {
    let (_, read) = X509Certificate::from_der(der).ok()?;
    let moment = |seconds: i64| Timestamp::from_second(seconds).ok();
    let names = read.subject_alternative_name().ok().flatten();
    let names = names
        .into_iter()
        .flat_map(|all| all.value.general_names.iter());
    let named = |name: &GeneralName| match name {
        GeneralName::DNSName(name) => Some(one_line(name, 253)),
        _ => None,
    };
    Some(Certificate {
        sha256: digest(der),
        begins: moment(read.validity().not_before.timestamp())?,
        ends: moment(read.validity().not_after.timestamp())?,
        issuer: one_line(&read.issuer().to_string(), 160),
        names: names.filter_map(named).take(100).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn good_for(days: i64, left: i64) -> (Certificate, Timestamp) {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 9000);
        let ends = now + SignedDuration::from_hours(24 * left);
        let one = Certificate {
            sha256: String::new(),
            begins: ends - SignedDuration::from_hours(24 * days),
            ends,
            issuer: String::new(),
            names: Vec::new(),
        };
        (one, now)
    }

    #[test]
    fn short_ones_are_renewed_when_a_third_is_left() {
        for (days, left, due) in [
            (90, 31, false),
            (90, 29, true),
            (365, 31, false),
            (365, 29, true),
            (45, 16, false),
            (45, 14, true),
            (6, 3, false),
            (6, 1, true),
            (90, -1, true),
        ] {
            let (one, now) = good_for(days, left);
            assert_eq!(one.is_due(now), due, "{days} {left}");
            assert_eq!(one.days_left(now), left);
        }
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pem").display().to_string();
        assert_eq!(read(&path).unwrap(), None);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "nonsense", empty] {
            std::fs::write(&path, text).unwrap();
            assert!(
                read(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("holds no certificate"),
                "{text}"
            );
        }
    }
}
