//! Identifiers: uuid v7 inside, short numbers for people, checked names for teams and roles.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Why a name or identifier was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not a lower-case name.
    #[error(
        "`{given}` is not a {what}: use 1 to {max} characters of a-z, 0-9 and -, starting with a letter"
    )]
    Name {
        /// What kind of name was expected.
        what: &'static str,
        /// The text as given, cut to 80 characters.
        given: String,
        /// Longest accepted length, in characters.
        max: usize,
    },
    /// The text is not a short id such as `t142`.
    #[error("`{0}` is not a task id: use a short id such as t142, or the full uuid")]
    Task(String),
    /// The text is not an acceptable request id.
    #[error("a request id has 1 to 128 printable ASCII characters without spaces")]
    Request,
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn check_name(what: &'static str, text: &str, max: usize) -> Result<String, IdError> {
    let good = !text.is_empty()
        && text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(IdError::Name {
            what,
            given: cut(text),
            max,
        })
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                check_name($what, text, $max).map(Self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A team's name; all its Redis keys share the hash tag `{name}`.
    TeamName,
    "team name",
    32
);
name_type!(
    /// A role an agent plays (`code`, `data`, `infra`, `research`, `qa`, or one a person added),
    /// or `supervisor`.
    Role,
    "role",
    32
);

impl Role {
    /// The supervisor's own role.
    pub fn supervisor() -> Self {
        Self("supervisor".to_owned())
    }
}

/// A task, by uuid v7: ordered by the time it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub Uuid);

impl TaskId {
    /// A new id from the current time.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for TaskId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TaskId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_| IdError::Task(cut(text)))
    }
}

/// A task's number for people, written `t142`. Per team, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortId(pub u64);

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl FromStr for ShortId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix('t')
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| IdError::Task(cut(text)))
    }
}

impl TryFrom<String> for ShortId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ShortId> for String {
    fn from(id: ShortId) -> String {
        id.to_string()
    }
}

/// How a person names a task: `t142` or the full uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskRef {
    /// By short number.
    Short(ShortId),
    /// By uuid.
    Id(TaskId),
}

impl FromStr for TaskRef {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse::<ShortId>()
            .map(TaskRef::Short)
            .or_else(|_| text.parse::<TaskId>().map(TaskRef::Id))
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskRef::Short(id) => id.fmt(f),
            TaskRef::Id(id) => id.fmt(f),
        }
    }
}

/// The caller's own id for a request; the same id twice is one task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

impl RequestId {
    /// A new random id.
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string())
    }
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What the ids of runs begin with that began by themselves; those of their parts too.
    pub const BY_SCHEDULE: &str = "schedule/";
    /// Whether nobody asked for it: a schedule did.
    pub fn is_by_schedule(&self) -> bool {
        self.0.starts_with(Self::BY_SCHEDULE)
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl FromStr for RequestId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let good = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self(text.to_owned())).ok_or(IdError::Request)
    }
}

impl TryFrom<String> for RequestId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> String {
        id.0
    }
}

/// Raised by every claim; a write that carries an older epoch than the task's is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (text, good) in [
            ("code", true),
            ("my-agent2", true),
            ("", false),
            ("Code", false),
            ("2x", false),
            ("a b", false),
            ("a{b}", false),
            ("averyveryveryveryveryveryveryverylongname", false),
        ] {
            assert_eq!(text.parse::<Role>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn task_refs_parse_both_ways() {
        assert_eq!("t142".parse(), Ok(TaskRef::Short(ShortId(142))));
        let id = TaskId::new();
        assert_eq!(id.to_string().parse(), Ok(TaskRef::Id(id)));
        for bad in ["", "t", "142", "t-1", "t1x", "t99999999999999999999999"] {
            assert!(bad.parse::<TaskRef>().is_err(), "{bad}");
        }
    }
}
