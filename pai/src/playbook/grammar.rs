//! The playbook file: its keys, how it is read, and its limits.

use super::intent::Intent;
use super::params::ParamSpec;
use super::{PlaybookError, check, hint, tools};
use protocol::criterion::Criterion;
use protocol::ids::Role;
use protocol::level::Level;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Largest playbook, in bytes.
pub const LARGEST: usize = 256 * 1024;
/// Most steps.
pub const MOST_STEPS: usize = 200;
/// Most items of a `foreach`.
pub const MOST_ITEMS: usize = 1000;
/// Version of the grammar.
pub const VERSION: u64 = 1;

/// The file as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    playbook: u64,
    name: String,
    agent: Role,
    level: Level,
    #[serde(default)]
    description: String,
    intents: Vec<String>,
    #[serde(default)]
    params: BTreeMap<String, ParamSpec>,
    steps: Vec<Step>,
    criteria: Vec<Criterion>,
    report: String,
    #[serde(default)]
    tests: Vec<Example>,
    #[serde(default)]
    not: Vec<String>,
}

/// What happens when a step fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The run fails there.
    #[default]
    Stop,
    /// The next step runs; `steps.<id>.ok` is false.
    Continue,
    /// The step's own `undo` and those of the steps before it run, newest first; then the run fails.
    Undo,
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Tool name.
    pub tool: String,
    /// Its input, with templates.
    #[serde(default)]
    pub args: Value,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Lower-case name, unique in the playbook.
    pub id: String,
    /// Tool name.
    pub tool: String,
    /// Its input, with templates.
    #[serde(default)]
    pub args: Value,
    /// An expression; the step is left out when it is false.
    #[serde(default)]
    pub when: Option<String>,
    /// A list, or an expression that gives one; the step runs once for each, as `item`.
    #[serde(default)]
    pub foreach: Option<Value>,
    /// Longest run time of one call, such as `10s`, `5m`, `1h` or `500ms`.
    #[serde(default)]
    pub timeout: Option<String>,
    /// What happens when it fails.
    #[serde(default)]
    pub on_error: OnError,
    /// How it is taken back.
    #[serde(default)]
    pub undo: Option<Undo>,
}

/// A request that must be routed to the playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The words.
    pub ask: String,
    /// Parameters that must be read from them.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// A playbook that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Playbook {
    /// Its name: lower case, digits, hyphens.
    pub name: String,
    /// The role that works on it.
    pub agent: Role,
    /// Ceiling for every step.
    pub level: Level,
    /// One line for people.
    pub description: String,
    /// What a person may say.
    pub intents: Vec<Intent>,
    /// Its parameters by name.
    pub params: BTreeMap<String, ParamSpec>,
    /// Its steps in order.
    pub steps: Vec<Step>,
    /// What must be true afterwards, with templates.
    pub criteria: Vec<Criterion>,
    /// Template of the report.
    pub report: String,
    /// Requests that must match.
    pub tests: Vec<Example>,
    /// Requests that must not match.
    pub not: Vec<String>,
}

impl Playbook {
    /// Reads and checks a playbook.
    ///
    /// # Errors
    /// [`PlaybookError`] with the line where the YAML parser knows it, else the step or criterion.
    pub fn parse(yaml: &str) -> Result<Playbook, PlaybookError> {
        if yaml.len() > LARGEST {
            return Err(PlaybookError::TooLarge { bytes: yaml.len() });
        }
        refuse_newer(yaml)?;
        let file: File = yaml_1_2(yaml).map_err(|error| yaml_error(&error))?;
        if file.playbook != VERSION {
            return Err(PlaybookError::Newer {
                version: file.playbook,
            });
        }
        let name = file.name.clone();
        let invalid = |problem: String| PlaybookError::Invalid {
            name: name.clone(),
            problem,
        };
        let playbook = build(file).map_err(invalid)?;
        check::check(&playbook).map_err(invalid)?;
        Ok(playbook)
    }

    /// Whether any step may leave the workspace or the host changed; such a playbook runs only
    /// when the request matches it exactly.
    pub fn writes(&self) -> bool {
        let may_write = |tool: &str| tools::find(tool).is_none_or(|facts| facts.writes);
        self.level >= Level::Elevated
            || self.steps.iter().any(|step| {
                may_write(&step.tool) || step.undo.as_ref().is_some_and(|u| may_write(&u.tool))
            })
    }

    /// A request that is sure to mean this playbook, for people.
    pub fn example(&self) -> String {
        match (self.tests.first(), self.intents.first()) {
            (Some(test), _) => test.ask.clone(),
            (None, Some(intent)) => intent.text.clone(),
            (None, None) => self.name.clone(),
        }
    }
}

/// Why a text cannot be made a playbook, and where: line and column, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// A key that does not exist.
    Key {
        /// Where it stands.
        at: (u64, u64),
        /// The key.
        key: String,
        /// What is wrong, as a sentence.
        problem: String,
    },
    /// Something of a wrong shape.
    Shape {
        /// Where it stands.
        at: (u64, u64),
        /// What is wrong, as a sentence.
        problem: String,
    },
    /// An intent that cannot be read; each is looked at on its own.
    Intent,
}

/// Reads a playbook without looking at whether it can work.
pub(super) fn unchecked(yaml: &str) -> Result<Playbook, Unread> {
    let shape = |problem: String| Unread::Shape {
        at: (1, 1),
        problem,
    };
    refuse_newer(yaml).map_err(|error| shape(error.to_string()))?;
    let file: File = yaml_1_2(yaml).map_err(|error| unread(&error))?;
    if file.playbook != VERSION {
        let version = file.playbook;
        return Err(shape(PlaybookError::Newer { version }.to_string()));
    }
    build(file).map_err(|_| Unread::Intent)
}

fn unread(error: &serde_saphyr::Error) -> Unread {
    let bare = error.without_snippet();
    let place = bare.location();
    let at = place.map_or((1, 1), |l| (l.line(), l.column()));
    match yaml_error(error) {
        PlaybookError::UnknownKey { key, hint, .. } => Unread::Key {
            at,
            problem: format!("unknown key `{key}`{hint}"),
            key,
        },
        PlaybookError::Yaml { problem, .. } => Unread::Shape { at, problem },
        other => Unread::Shape {
            at,
            problem: other.to_string(),
        },
    }
}

fn build(file: File) -> Result<Playbook, String> {
    let read = |text: &String| {
        Intent::parse(text).map_err(|problem| format!("intent `{text}`: {problem}"))
    };
    Ok(Playbook {
        intents: file.intents.iter().map(read).collect::<Result<_, _>>()?,
        name: file.name,
        agent: file.agent,
        level: file.level,
        description: file.description,
        params: file.params,
        steps: file.steps,
        criteria: file.criteria,
        report: file.report,
        tests: file.tests,
        not: file.not,
    })
}

/// Reads YAML 1.2: `y`, `yes` and `on` are texts, and there is one document.
pub(crate) fn yaml_1_2<T: for<'de> Deserialize<'de>>(yaml: &str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(yaml, serde_saphyr::options! { strict_booleans: true })
}

/// The version is looked at first, so that a newer file is called newer and not wrong.
fn refuse_newer(yaml: &str) -> Result<(), PlaybookError> {
    #[derive(Deserialize)]
    struct Peek {
        playbook: Option<Value>,
    }
    let version = yaml_1_2::<Peek>(yaml)
        .ok()
        .and_then(|peek| peek.playbook?.as_u64());
    match version {
        Some(version) if version > VERSION => Err(PlaybookError::Newer { version }),
        _ => Ok(()),
    }
}

pub(crate) fn yaml_error(error: &serde_saphyr::Error) -> PlaybookError {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |location| location.line());
    if let serde_saphyr::Error::SerdeUnknownField {
        field, expected, ..
    } = error
    {
        return PlaybookError::UnknownKey {
            line,
            key: field.clone(),
            hint: hint(field, expected.iter().copied()),
        };
    }
    let text = error.to_string();
    let problem = text.lines().next().unwrap_or_default().trim().to_owned();
    PlaybookError::Yaml { line, problem }
}

/// Reads `10s`, `5m`, `1h`, `500ms`; at most a day.
///
/// # Errors
/// A sentence about what it must be.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("timeout `{text}` is not a time: write 500ms, 10s, 5m or 1h, at most 24h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let millis = number
        .checked_mul(factor)
        .filter(|ms| (1..=86_400_000).contains(ms));
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
