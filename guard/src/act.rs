//! What a tool call comes down to: one operation of the executor, with what it touches, how its
//! effect is recovered, and how it is shown to people. Plain data; journaled with every intent.

use protocol::effect::EffectClass;
use protocol::level::Level;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One thing the executor can do. Paths are relative to the workspace, lexically clean and
/// without `..`; `.` is the workspace itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Operation {
    /// Read lines of a text file.
    Read {
        /// The file.
        path: String,
        /// First line, counted from 1.
        offset: u64,
        /// Most lines.
        limit: u64,
    },
    /// Make or replace a file.
    Write {
        /// The file.
        path: String,
        /// Its whole content.
        content: String,
    },
    /// Replace text in a file.
    Edit {
        /// The file.
        path: String,
        /// Text that must be there, once unless `all`.
        old: String,
        /// What takes its place.
        new: String,
        /// Replace every occurrence.
        all: bool,
    },
    /// Run a program.
    Bash {
        /// Program and arguments.
        argv: Vec<String>,
        /// Folder it runs in.
        cwd: String,
        /// The call's own time-out, in milliseconds.
        timeout_ms: Option<u64>,
    },
    /// List files whose path matches.
    Glob {
        /// The pattern, relative to `path`.
        pattern: String,
        /// Folder to look in.
        path: String,
    },
    /// Search text.
    Grep {
        /// Regular expression.
        pattern: String,
        /// Folder or file to look in.
        path: String,
        /// Only files whose path matches.
        glob: Option<String>,
        /// Most matches.
        limit: u64,
    },
    /// Branch, head and dirty paths.
    GitStatus,
    /// What differs from the head, as a patch.
    GitDiff,
    /// Run the workspace's test suites.
    Tests {
        /// Only suites of this kind.
        suite: Option<String>,
        /// Only suites in this folder.
        dir: Option<String>,
        /// Only these tests.
        only: Vec<String>,
        /// Longest run of one suite, in seconds.
        timeout_s: Option<u64>,
    },
    /// What kind of project this is.
    Overview,
    /// Look for secrets in files.
    Secrets,
    /// Look for TODO and FIXME marks.
    Marks,
    /// List manifests and direct dependencies.
    Dependencies,
    /// Run quick checks that need no network.
    QuickChecks,
    /// Describe the tables of a data file.
    Profile {
        /// The file.
        path: String,
    },
    /// Facts about the host.
    HostFacts,
}

impl Operation {
    /// The tool's name, as engines and grants know it.
    pub fn tool(&self) -> &'static str {
        match self {
            Operation::Read { .. } => "Read",
            Operation::Write { .. } => "Write",
            Operation::Edit { .. } => "Edit",
            Operation::Bash { .. } => "Bash",
            Operation::Glob { .. } => "Glob",
            Operation::Grep { .. } => "Grep",
            Operation::GitStatus => "GitStatus",
            Operation::GitDiff => "GitDiff",
            Operation::Tests { .. } => "Tests",
            Operation::Overview => "Overview",
            Operation::Secrets => "Secrets",
            Operation::Marks => "Marks",
            Operation::Dependencies => "Dependencies",
            Operation::QuickChecks => "QuickChecks",
            Operation::Profile { .. } => "Profile",
            Operation::HostFacts => "HostFacts",
        }
    }

    /// The lowest level that may do it.
    pub fn level(&self) -> Level {
        match self {
            Operation::Write { .. }
            | Operation::Edit { .. }
            | Operation::Bash { .. }
            | Operation::Tests { .. }
            | Operation::QuickChecks => Level::Standard,
            _ => Level::Restricted,
        }
    }

    /// What recovery may do with it.
    pub fn effect(&self) -> EffectClass {
        match self {
            Operation::Write { .. } => EffectClass::Idempotent,
            Operation::Edit { .. } => EffectClass::Probed,
            Operation::Bash { .. } | Operation::Tests { .. } | Operation::QuickChecks => {
                EffectClass::Contained
            }
            _ => EffectClass::Pure,
        }
    }

    /// True when it reads the host and not a workspace.
    pub fn of_host(&self) -> bool {
        matches!(self, Operation::HostFacts)
    }
}

/// A planned call: pure data, the same for the same call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Tool name as the engine asked for it.
    pub tool: String,
    /// What the executor will do.
    pub operation: Operation,
    /// Program and arguments, where one is run.
    pub argv: Vec<String>,
    /// Workspace paths it names, relative.
    pub paths: Vec<String>,
    /// Network hosts it names; none in this version.
    pub hosts: Vec<String>,
    /// Lowest level that may do it.
    pub level: Level,
    /// What recovery may do with it.
    pub effect: EffectClass,
    /// One line for people.
    pub preview: String,
    /// How it could be undone, for people.
    pub undo: Option<String>,
}

impl Act {
    /// Builds the act of an operation; everything else follows from it.
    pub fn of(operation: Operation) -> Act {
        let argv = match &operation {
            Operation::Bash { argv, .. } => argv.clone(),
            _ => Vec::new(),
        };
        Act {
            tool: operation.tool().to_owned(),
            argv,
            paths: paths_of(&operation),
            hosts: Vec::new(),
            level: operation.level(),
            effect: operation.effect(),
            preview: preview_of(&operation),
            undo: undo_of(&operation).map(str::to_owned),
            operation,
        }
    }

    /// Lower-case hex SHA-256 of the whole act; a leave is bound to it.
    pub fn digest(&self) -> String {
        // A struct of strings, numbers and lists always serializes; an empty text would only
        // make the digest that of an act nobody can hold a leave for.
        let json = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(json))
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn paths_of(operation: &Operation) -> Vec<String> {
    match operation {
        Operation::Read { path, .. }
        | Operation::Write { path, .. }
        | Operation::Edit { path, .. }
        | Operation::Glob { path, .. }
        | Operation::Grep { path, .. }
        | Operation::Profile { path } => vec![path.clone()],
        Operation::Bash { cwd, .. } => vec![cwd.clone()],
        Operation::Tests { dir: Some(dir), .. } => vec![dir.clone()],
        _ => Vec::new(),
    }
}

fn preview_of(operation: &Operation) -> String {
    let line = match operation {
        Operation::Read { path, .. } => format!("read {path}"),
        Operation::Write { path, content } => format!("write {path} ({} bytes)", content.len()),
        Operation::Edit { path, .. } => format!("edit {path}"),
        Operation::Bash { argv, .. } => match argv.as_slice() {
            [shell, flag, command] if shell == "bash" && flag == "-c" => format!("run {command}"),
            _ => format!("run {}", argv.join(" ")),
        },
        Operation::Glob { pattern, path } => format!("list {pattern} in {path}"),
        Operation::Grep { pattern, path, .. } => format!("search {pattern} in {path}"),
        Operation::Tests { .. } => "run the tests".to_owned(),
        Operation::Profile { path } => format!("profile {path}"),
        other => other.tool().to_owned(),
    };
    let mut short: String = line.chars().take(160).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short.replace(['\n', '\r'], " ")
}

fn undo_of(operation: &Operation) -> Option<&'static str> {
    matches!(
        operation.effect(),
        EffectClass::Idempotent | EffectClass::Probed | EffectClass::Contained
    )
    .then_some("reset the task's clone to the snapshot taken before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_tells_acts_apart() {
        let one = Act::of(Operation::Profile { path: "a".into() });
        let two = Act::of(Operation::Profile { path: "b".into() });
        assert_eq!(one.digest(), one.clone().digest());
        assert_ne!(one.digest(), two.digest());
        assert_eq!(one.digest().len(), 64);
    }

    #[test]
    fn preview_is_one_short_line() {
        let act = Act::of(Operation::Bash {
            argv: vec![
                "bash".into(),
                "-c".into(),
                format!("a\nb{}", "x".repeat(500)),
            ],
            cwd: ".".into(),
            timeout_ms: None,
        });
        assert!(act.preview.starts_with("run a b"), "{}", act.preview);
        assert!(act.preview.chars().count() <= 161);
    }

    #[test]
    fn acts_survive_the_journal() {
        let act = Act::of(Operation::Tests {
            suite: None,
            dir: Some("x".into()),
            only: vec![],
            timeout_s: Some(3),
        });
        let json = serde_json::to_string(&act).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Act>(&json).ok(), Some(act));
    }
}
