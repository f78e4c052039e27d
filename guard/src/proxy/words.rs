//! What the proxy of a task and whoever holds the task say to each other: small frames of a big-endian length and
//! JSON. The proxy reads what hostile programs send, so whoever hears it takes nothing for granted: a frame is short, of
//! a kind that is known and without a word too many, or the conversation is over.

use super::Connection;
use super::told::Stage;
use crate::deadline::Deadline;
use crate::executor::wire;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read};

/// Largest frame, in bytes.
pub const FRAME_BYTES: usize = 32 * 1024;
/// Longest text in a connection that is told, in characters; escaped as JSON all of them fit a frame.
const TEXT: usize = 1000;

/// Until when bytes are carried, and whether they are at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// The team is frozen.
    pub frozen: bool,
    /// How long the task's lease runs at least: a holder that stands still cannot say that it is lost.
    pub until: Deadline,
}

impl Pace {
    /// Whether bytes may be carried now.
    pub fn carries(self) -> bool {
        !self.frozen && !self.until.passed()
    }
}

/// What the proxy is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToProxy {
    /// How it goes on; nothing is carried before the first one.
    Pace(Pace),
    /// What became of a line of the record.
    Written {
        /// The number it was told under.
        ask: u64,
        /// Why it could not be written.
        refused: Option<String>,
    },
    /// Take no more connections and end those that are left.
    End,
}

/// What the proxy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromProxy {
    /// Its walls stand, it serves.
    Ready,
    /// It refuses to serve; it ends after this.
    Refused {
        /// Why.
        why: String,
    },
    /// To be written down, and answered with [`ToProxy::Written`].
    Told {
        /// Number of the question.
        ask: u64,
        /// Which connection.
        number: u64,
        /// How far it is.
        stage: Stage,
        /// What is known of it.
        connection: Connection,
    },
}

/// A frame as it travels.
///
/// # Errors
/// When it is too large.
pub fn encode(frame: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = wire::encode(frame)?;
    match bytes.len() <= FRAME_BYTES + 4 {
        true => Ok(bytes),
        false => Err(too_large(bytes.len())),
    }
}

/// The length of a frame, before anything is allocated for it.
///
/// # Errors
/// When it is more than any frame has.
pub fn length(prefix: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(prefix) as usize;
    match length <= FRAME_BYTES {
        true => Ok(length),
        false => Err(too_large(length)),
    }
}

fn too_large(length: usize) -> io::Error {
    let why = format!("a frame has {FRAME_BYTES} bytes at most, not {length}");
    io::Error::new(ErrorKind::InvalidData, why)
}

/// The next frame; `None` at a clean end.
///
/// # Errors
/// When it is none.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut json = vec![0; length(prefix)?];
    from.read_exact(&mut json)?;
    wire::decode(&json).map(Some)
}

/// A connection as it may be told and kept: texts of a bounded length, without a character that is none.
pub fn tamed(mut connection: Connection) -> Connection {
    for text in [&mut connection.host, &mut connection.asked] {
        *text = tame(text);
    }
    connection.refused = connection.refused.map(|why| tame(&why));
    connection
}

/// The same of one text.
pub fn tame(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(TEXT).map(plain).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn told(text: &str) -> FromProxy {
        FromProxy::Told {
            ask: 1,
            number: 1,
            stage: Stage::Ended,
            connection: tamed(Connection {
                host: text.to_owned(),
                asked: text.to_owned(),
                refused: Some(text.to_owned()),
                ..Connection::default()
            }),
        }
    }

    proptest! {
        #[test]
        fn frames_come_back_whole_or_not_at_all(text in any::<String>()) {
            let frame = told(&text);
            let bytes = encode(&frame).unwrap();
            prop_assert_eq!(read(&mut bytes.as_slice()).unwrap(), Some(frame));
            for cut in 1..bytes.len().min(40) {
                let got = read::<FromProxy>(&mut &bytes[..cut]);
                prop_assert!(matches!(got, Ok(None) | Err(_)));
            }
        }

        #[test]
        fn junk_breaks_nothing(junk in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _said = read::<FromProxy>(&mut junk.as_slice());
        }
    }

    #[test]
    fn the_longest_texts_fit_a_frame() {
        for text in ["\u{1}", "\"", "\u{10ffff}", "\\"] {
            assert!(encode(&told(&text.repeat(5000))).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for json in [
            r#"{"ready":null,"more":1}"#,
            r#"{"refused":{"why":"x","more":1}}"#,
            r#"{"told":{"ask":1,"number":1,"stage":"ended"}}"#,
            r#"{"told":{"ask":-1,"number":1,"stage":"ended","connection":{}}}"#,
            r#"{"open":{"file":"/etc/passwd"}}"#,
            "[]",
            "",
        ] {
            let mut bytes = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
            bytes.extend(json.as_bytes());
            assert!(read::<FromProxy>(&mut bytes.as_slice()).is_err(), "{json}");
        }
        assert!(read::<FromProxy>(&mut [0xff_u8; 8].as_slice()).is_err());
        assert!(length(((FRAME_BYTES + 1) as u32).to_be_bytes()).is_err());
    }

    #[test]
    fn nothing_is_carried_while_frozen_or_without_a_lease() {
        let check = |frozen, until, expected| {
            assert_eq!(Pace { frozen, until }.carries(), expected);
        };
        let later = Deadline::after(Duration::from_secs(60));
        check(false, later, true);
        check(true, later, false);
        check(false, Deadline::now(), false);
    }
}
