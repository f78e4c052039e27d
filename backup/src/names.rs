//! What objects of a repository are called, and how large things get. Names are digests or random:
//! they say nothing about what is inside.

use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Version of everything in a repository.
pub const FORMAT: u64 = 1;
/// The public part: version, id, recipient.
pub const REPOSITORY: &str = "repository.json";
/// The naming key, encrypted.
pub const KEY: &str = "key";
/// Folder of the packs.
pub const PACKS: &str = "packs";
/// Folder of the tables that say which chunk lies in which pack.
pub const INDEX: &str = "index";
/// Folder of the snapshots.
pub const SNAPSHOTS: &str = "snapshots";
/// Folder of the locks.
pub const LOCKS: &str = "locks";

/// A pack is closed when it has grown to this, in bytes; with its last chunk it stays below 32 MB.
pub const PACK_BYTES: usize = 16 * 1024 * 1024;
/// Smallest, usual and largest chunk of a file, in bytes.
pub const CHUNK: (usize, usize, usize) = (256 * 1024, 1024 * 1024, 4 * 1024 * 1024);
/// The same for the list of a snapshot's files.
pub const TREE_CHUNK: (usize, usize, usize) = (16 * 1024, 64 * 1024, 256 * 1024);
/// Most chunks in one table.
pub const INDEX_CHUNKS: usize = 50_000;

/// A SHA-256, or a keyed one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let hex = |b: u8| {
            char::from(b)
                .to_digit(16)
                .filter(|_| !b.is_ascii_uppercase())
        };
        let mut digest = [0; 32];
        if bytes.len() != 64 {
            return Err("not 64 hexadecimal digits".to_owned());
        }
        for (to, pair) in digest.iter_mut().zip(bytes.chunks(2)) {
            match pair {
                [high, low] => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => *to = (high * 16 + low) as u8,
                    _ => return Err("not 64 hexadecimal digits".to_owned()),
                },
                _ => return Err("not 64 hexadecimal digits".to_owned()),
            }
        }
        Ok(Digest(digest))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a pack lies.
pub fn pack(name: &Digest) -> String {
    let name = name.to_string();
    format!("{PACKS}/{}/{name}", &name[..2])
}

/// Where a table lies.
pub fn index(name: &Digest) -> String {
    format!("{INDEX}/{name}")
}

/// The digest at the end of an object's name.
pub fn digest_of(object: &str) -> Option<Digest> {
    object.rsplit('/').next()?.parse().ok()
}

/// A snapshot's name: when it was begun, the job, milliseconds and random digits.
/// `20261121T031500Z-memory-2719a1c2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotName {
    /// When it was begun, to the second.
    pub at: Timestamp,
    /// The job.
    pub job: String,
    /// What tells two of the same second apart, and which was first.
    pub tail: String,
}

impl SnapshotName {
    /// A new one.
    pub fn new(at: Timestamp, job: &str) -> Self {
        let random = uuid::Uuid::now_v7().simple().to_string();
        // Milliseconds first: two of one second are in order too.
        let tail = format!("{:03}{}", at.subsec_millisecond(), &random[27..]);
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        Self {
            at,
            job: job.to_owned(),
            tail,
        }
    }

    /// Where it lies.
    pub fn object(&self) -> String {
        format!("{SNAPSHOTS}/{self}")
    }
}

impl Ord for SnapshotName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, &self.tail, &self.job).cmp(&(other.at, &other.tail, &other.job))
    }
}

impl PartialOrd for SnapshotName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.strftime("%Y%m%dT%H%M%SZ");
        write!(f, "{at}-{}-{}", self.job, self.tail)
    }
}

impl FromStr for SnapshotName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no snapshot's name", config::error::quoted(text));
        let (at, rest) = text.split_once('-').ok_or_else(wrong)?;
        let (job, tail) = rest.rsplit_once('-').ok_or_else(wrong)?;
        let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", at)
            .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC))
            .map_err(|_| wrong())?
            .timestamp();
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        match plain(job) && plain(tail) {
            true => Ok(Self {
                at,
                job: job.to_owned(),
                tail: tail.to_owned(),
            }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_read_back_and_nothing_else_is() {
        let at = "2026-11-21T03:15:00.5Z".parse().unwrap();
        let name = SnapshotName::new(at, "my-code");
        assert!(name.to_string().starts_with("20261121T031500Z-my-code-"));
        assert_eq!(name.to_string().parse(), Ok(name.clone()));
        assert_ne!(name, SnapshotName::new(at, "my-code"));
        for bad in [
            "",
            "x",
            "20261121T031500Z-",
            "20261121T031500Z-a",
            "20261121T031500Z-../a-b",
            "2026-a-b",
        ] {
            assert!(bad.parse::<SnapshotName>().is_err(), "{bad}");
        }
        let digest = Digest([0xa5; 32]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest_of(&pack(&digest)), Some(digest));
        for bad in [
            "",
            "a5",
            &"A5".repeat(32),
            &"zz".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
