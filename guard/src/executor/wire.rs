//! What holder and inside say to each other: frames of a big-endian length and JSON, bounded.

use crate::act::Operation;
use crate::deadline::Deadline;
use crate::host_view::Right;
use crate::outside::Reach;
use crate::sandbox::rules::Rules;
use crate::sandbox::spec::{Limits, Owner};
use protocol::effect::ProbeAnswer;
use protocol::task::Ceiling;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, Read, Write};

/// Version of this conversation; both ends are the same binary.
pub const WIRE_VERSION: u32 = 4;
/// Largest frame, in bytes.
pub const FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Largest patch, in bytes; escaped as JSON it still fits a frame.
pub const PATCH_BYTES: usize = 7 * 1024 * 1024;

/// The first frame to the inside, from whoever started it. The second one, from whoever works in it, says until when it lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Version spoken.
    pub v: u32,
    /// Who everything inside runs as.
    pub owner: Owner,
    /// Started by root: the inside must become the owner.
    pub drop: bool,
    /// Bounds on everything inside.
    pub limits: Limits,
    /// Processes the owner already has elsewhere; they count against the same bound.
    pub running: u64,
    /// Only host readers are served.
    pub host: bool,
    /// Rights of root that the inside keeps.
    pub keep: Vec<Right>,
    /// Only what reaches this one thing is served.
    pub reach: Option<Reach>,
    /// Folders below the workspace that are mounts and must stay out of snapshots, relative.
    pub mounts: Vec<String>,
    /// What Landlock allows.
    pub landlock: Rules,
    /// Programs may reach hosts through a proxy.
    pub online: bool,
    /// Lines for cargo's settings that say where registries are; empty = none.
    #[serde(default)]
    pub cargo: String,
    /// The most that is done in it.
    pub most: Ceiling,
    /// Digest of the one act that is done in it, once; where none is said, whatever else it is for.
    pub only: Option<String>,
}

/// Frames to the inside after the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum ToInside {
    /// Do something and answer with the same id.
    Ask {
        /// Number of the question.
        id: u64,
        /// What to do.
        ask: Box<Ask>,
    },
    /// Live until then.
    Extend {
        /// The moment, taken before the lease was renewed.
        until: Deadline,
    },
    /// Stop in place everything that runs and begin nothing, or let it all go on.
    Freeze {
        /// Which.
        frozen: bool,
    },
    /// Nobody waits for this answer any more: kill what runs for it.
    Cancel {
        /// Number of the question.
        id: u64,
    },
}

/// What the inside can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Carry out an operation.
    Run {
        /// What.
        operation: Operation,
        /// Longest run, in milliseconds.
        timeout_ms: u64,
    },
    /// What the world looks like before an operation.
    Before {
        /// Of which operation.
        operation: Operation,
    },
    /// Whether an operation happened.
    Probe {
        /// Which.
        operation: Operation,
        /// What `Before` answered.
        before: Value,
    },
    /// What a file holds that is about to be changed, for the holder alone.
    Holds {
        /// The file.
        path: String,
    },
    /// Keep the clone as it is; answers the tree's hash.
    Snapshot,
    /// Put the clone back.
    Reset {
        /// To this tree.
        tree: String,
    },
    /// What differs between two trees.
    Patch {
        /// Older tree.
        from: String,
        /// Newer tree.
        to: String,
    },
    /// Apply a patch to the workspace, whole or not at all.
    Apply {
        /// The patch.
        patch: String,
    },
}

/// Frames from the inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub enum FromInside {
    /// The user was changed, the limits hold, the walls were checked.
    Ready,
    /// It refuses to serve; it ends after this.
    Refused {
        /// Why.
        why: String,
    },
    /// Everything inside is stopped, or goes on.
    Frozen {
        /// Which.
        frozen: bool,
    },
    /// The answer to a question.
    Reply {
        /// Number of the question.
        id: u64,
        /// The answer.
        reply: Reply,
    },
}

/// Answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// An operation ended.
    Ran {
        /// It failed.
        is_error: bool,
        /// For engines and people.
        text: String,
        /// The same as data.
        data: Value,
        /// In milliseconds.
        took_ms: u64,
    },
    /// A value: what was before, or an empty one.
    Value {
        /// The value.
        value: Value,
    },
    /// What the world says.
    Probed {
        /// The answer.
        answer: ProbeAnswer,
    },
    /// A hash or a patch.
    Text {
        /// The text.
        text: String,
    },
    /// It could not be done.
    Failed {
        /// Why, as a sentence.
        why: String,
    },
}

/// Encodes a frame; too large is an error, never a cut frame.
pub fn encode<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(frame).map_err(io::Error::other)?;
    if json.len() > FRAME_BYTES {
        let why = format!(
            "a frame of {} bytes is larger than {FRAME_BYTES}",
            json.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(json.len() + 4);
    bytes.extend(length.to_be_bytes());
    bytes.extend(json);
    Ok(bytes)
}

/// Checks a frame's length before anything is allocated for it.
pub fn length(prefix: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(prefix) as usize;
    if length > FRAME_BYTES {
        let why = format!("a frame of {length} bytes was announced: the limit is {FRAME_BYTES}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(length)
}

/// Decodes a frame's JSON.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    serde_json::from_slice(json).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Reads one frame; `None` at a clean end.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut json = vec![0; length(prefix)?];
    from.read_exact(&mut json)?;
    decode(&json).map(Some)
}

/// Writes one frame.
pub fn write<T: Serialize>(to: &mut impl Write, frame: &T) -> io::Result<()> {
    to.write_all(&encode(frame)?)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_come_back(id: u64, text in ".{0,200}") {
            let frame = FromInside::Reply { id, reply: Reply::Text { text } };
            let bytes = encode(&frame).unwrap();
            prop_assert_eq!(read(&mut bytes.as_slice()).unwrap(), Some(frame));
            for cut in 1..bytes.len().min(40) {
                let got = read::<FromInside>(&mut &bytes[..cut]);
                prop_assert!(matches!(got, Ok(None) | Err(_)));
            }
        }

        #[test]
        fn junk_is_an_error(junk in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<ToInside>(&mut junk.as_slice());
        }
    }

    #[test]
    fn a_huge_length_allocates_nothing() {
        assert!(length([0xff; 4]).is_err());
        assert!(read::<ToInside>(&mut [0xff_u8; 8].as_slice()).is_err());
    }
}
