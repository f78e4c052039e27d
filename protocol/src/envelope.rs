//! The envelope: the one form in which anything travels on the bus.

use crate::ids::{Epoch, TaskId, TeamName};
use crate::limits::ENVELOPE_BYTES;
use crate::phase::Phase;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Version written by this binary. Older is read, newer is refused.
pub const ENVELOPE_VERSION: u64 = 1;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageType {
    /// Work to be done.
    Task,
    /// How a task ended.
    Result,
    /// A task moves to another role.
    Handoff,
    /// A question to a peer.
    Query,
    /// The answer to a question.
    Answer,
    /// A sign of life.
    Heartbeat,
    /// Something worth remembering.
    Learn,
    /// Cancel, pause, configuration.
    Control,
    /// What a running task is at.
    Progress,
}

/// What the message is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The task, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What to do or what happened, such as `run` or `cancel`.
    #[serde(default)]
    pub action: String,
    /// Data of the action.
    #[serde(default)]
    pub context: Value,
    /// Ids of memories that matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory_refs: Vec<String>,
    /// Unknown fields, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where the algorithm stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pai {
    /// The phase of the sender's task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm_phase: Option<Phase>,
    /// Criteria, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_criteria: Vec<String>,
    /// Signals worth learning from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_signals: Vec<Value>,
    /// Unknown fields, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Format version.
    pub v: u64,
    /// Uuid v7.
    pub id: Uuid,
    /// The team.
    pub team: TeamName,
    /// UTC, RFC 3339, microseconds.
    pub timestamp: Timestamp,
    /// Role or instance that sent it.
    pub source: String,
    /// Role, instance or `*`.
    pub target: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// 1 (background) to 10 (urgent).
    #[serde(default = "normal_priority")]
    pub priority: u8,
    /// The caller's id, kept through every hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where an answer goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// After this it is of no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The epoch of the sender's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Who is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub payload: Payload,
    /// Where the algorithm stands.
    #[serde(default)]
    pub pai: Pai,
    /// W3C `traceparent`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Unknown fields, kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn normal_priority() -> u8 {
    5
}

/// Why bytes are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than a stream carries.
    #[error("message of {0} bytes is larger than {ENVELOPE_BYTES}: send a blob reference instead")]
    TooLarge(usize),
    /// Not text.
    #[error("message is not UTF-8")]
    NotText,
    /// Not JSON, cut off, or a field is missing or of the wrong kind.
    #[error("message is not a valid envelope: {0}")]
    Malformed(String),
    /// Written by a newer binary.
    #[error(
        "message has version {0}, this binary reads up to {ENVELOPE_VERSION}: upgrade ai-infra"
    )]
    Newer(u64),
    /// Out of range.
    #[error("priority {0} is not between 1 and 10")]
    Priority(u8),
}

impl Envelope {
    /// A message from `source` to `target`, with a new id and the current time.
    pub fn new(team: &TeamName, kind: MessageType, source: &str, target: &str) -> Self {
        Self {
            v: ENVELOPE_VERSION,
            id: Uuid::now_v7(),
            team: team.clone(),
            timestamp: micros(Timestamp::now()),
            source: source.to_owned(),
            target: target.to_owned(),
            kind,
            priority: normal_priority(),
            request_id: None,
            reply_to: None,
            deadline: None,
            epoch: None,
            principal: None,
            payload: Payload::default(),
            pai: Pai::default(),
            trace: None,
            extra: Map::new(),
        }
    }

    /// Reads bytes from outside. Size, encoding, version and ranges are checked first, so that a
    /// newer or hostile message is refused with its reason and never half read.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        if bytes.len() > ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EnvelopeError::NotText)?;
        let malformed = |e: serde_json::Error| EnvelopeError::Malformed(e.to_string());
        let Version { v } = serde_json::from_str(text).map_err(malformed)?;
        if v > ENVELOPE_VERSION {
            return Err(EnvelopeError::Newer(v));
        }
        let envelope: Envelope = serde_json::from_str(text).map_err(malformed)?;
        if !(1..=10).contains(&envelope.priority) {
            return Err(EnvelopeError::Priority(envelope.priority));
        }
        Ok(envelope)
    }

    /// The bytes that travel.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        let bytes =
            serde_json::to_vec(self).map_err(|e| EnvelopeError::Malformed(e.to_string()))?;
        if bytes.len() > ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }
}

/// Cuts a time to microseconds, as the wire carries it.
pub fn micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Envelope {
        let team = "main".parse().expect("a team name");
        let mut envelope = Envelope::new(&team, MessageType::Task, "supervisor", "code");
        envelope.payload.task_id = Some(TaskId::new());
        envelope.payload.action = "run".to_owned();
        envelope
    }

    fn check(change: impl Fn(&mut Value), expected: fn(&EnvelopeError) -> bool) {
        let mut value = serde_json::to_value(sample()).expect("an envelope is JSON");
        change(&mut value);
        let error = Envelope::parse(value.to_string().as_bytes()).expect_err("must be refused");
        assert!(expected(&error), "{error}");
    }

    #[test]
    fn hostile_messages_are_refused_with_their_reason() {
        check(|v| v["v"] = 2.into(), |e| *e == EnvelopeError::Newer(2));
        check(
            |v| v["priority"] = 0.into(),
            |e| *e == EnvelopeError::Priority(0),
        );
        check(
            |v| v["type"] = "poem".into(),
            |e| matches!(e, EnvelopeError::Malformed(_)),
        );
        check(
            |v| v["team"] = "A B".into(),
            |e| matches!(e, EnvelopeError::Malformed(_)),
        );
        check(
            |v| v["payload"]["context"] = "x".repeat(ENVELOPE_BYTES).into(),
            |e| matches!(e, EnvelopeError::TooLarge(_)),
        );
        assert_eq!(Envelope::parse(&[0xff, 0xfe]), Err(EnvelopeError::NotText));
    }

    #[test]
    fn unknown_fields_survive_a_hop() {
        let mut value = serde_json::to_value(sample()).expect("an envelope is JSON");
        value["later"] = "kept".into();
        value["payload"]["later"] = 7.into();
        let envelope = Envelope::parse(value.to_string().as_bytes()).expect("an envelope");
        let again = serde_json::to_value(&envelope).expect("an envelope is JSON");
        assert_eq!(again["later"], "kept");
        assert_eq!(again["payload"]["later"], 7);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Envelope::parse(&bytes);
        }

        #[test]
        fn every_cut_is_refused(at in 0usize..400) {
            let bytes = sample().to_bytes().expect("an envelope");
            let at = at.min(bytes.len() - 1);
            prop_assert!(Envelope::parse(&bytes[..at]).is_err());
        }
    }
}
