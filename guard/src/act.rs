//! What a tool call comes down to: one operation of the executor, with what it touches, how its
//! effect is recovered, and how it is shown to people. Plain data; journaled with every intent.

mod classes;
mod names;

use crate::bring::ForgeAsk;
use crate::redact::Redactor;
use crate::shown::{hosts_of, line, paths_of, undo_of, words_of};
use inspect::data::scan::DataScan;
use inspect::host::Scan;
use protocol::duty::Duty;
use protocol::effect::EffectClass;
use protocol::level::Level;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// What the workspace says to agents.
    AgentFiles,
    /// Look for secrets in files.
    Secrets,
    /// Look for TODO and FIXME marks.
    Marks,
    /// List manifests and direct dependencies.
    Dependencies,
    /// Run quick checks that need no network.
    QuickChecks,
    /// Find work in repositories that exists nowhere else.
    Unpushed,
    /// Compare branches with the main one.
    Branches {
        /// From how many days on a branch counts as old.
        days: u64,
    },
    /// Find large files and large blobs of the history.
    LargeFiles {
        /// From how many bytes on a file counts as large.
        least: u64,
    },
    /// Tell what changed since a tag, branch, commit or date.
    Changes {
        /// Since what; the newest tag when not said.
        since: Option<String>,
    },
    /// List every package with version and licence.
    Inventory,
    /// Try the links of documents.
    Links,
    /// Run the project's own formatters and linters in check mode.
    Linters,
    /// Describe the tables of a data file.
    Profile {
        /// The file.
        path: String,
    },
    /// Look at tables, of files and of granted sources.
    DataScan {
        /// What is asked.
        scan: DataScan,
    },
    /// Facts about the host.
    HostFacts,
    /// Look at one side of the host.
    HostScan {
        /// Which.
        scan: Scan,
    },
    /// Commit in the clone, once for its key.
    GitCommit {
        /// The message.
        message: String,
        /// Only these paths; empty: everything that differs.
        paths: Vec<String>,
        /// The key of the step.
        key: String,
    },
    /// Push a commit as a branch to a granted remote, never by force.
    GitPush {
        /// Its name.
        remote: String,
        /// Its address.
        url: String,
        /// The branch.
        branch: String,
        /// The commit, its whole id.
        commit: String,
    },
    /// Work with a granted repository at a host with an API.
    Forge {
        /// Its name.
        forge: String,
        /// The repository, as owner/name.
        repository: String,
        /// What is asked.
        ask: ForgeAsk,
    },
    /// Ask or tell a granted endpoint something.
    HttpRequest {
        /// Its name.
        endpoint: String,
        /// The method, upper case.
        method: String,
        /// The whole address.
        url: String,
        /// The body; empty: none.
        body: String,
        /// The body is JSON and not plain text.
        json: bool,
        /// The key under which the other side does it once, where it knows one.
        key: Option<Key>,
    },
    /// Read from a granted data source.
    SqlQuery {
        /// Its name.
        source: String,
        /// One statement.
        statement: String,
        /// Values for its placeholders.
        params: Vec<Value>,
        /// Most rows.
        limit: u64,
    },
    /// Change a granted data source, once for its key.
    SqlExecute {
        /// Its name.
        source: String,
        /// One statement.
        statement: String,
        /// Values for its placeholders.
        params: Vec<Value>,
        /// The key of the step.
        key: String,
    },
    /// Write a backup of a granted data source into its folder for them, once for its key.
    BackupDatabase {
        /// The source's name.
        source: String,
        /// The key of the step.
        key: String,
    },
    /// Restore a backup into a throwaway place and tell what is in it.
    TryBackup {
        /// The source's name.
        source: String,
        /// The backup's file name; the newest where none is said.
        file: Option<String>,
    },
    /// Get a page of a granted host and what belongs to it.
    CheckPage {
        /// The whole address.
        url: String,
        /// Text that must be on it.
        text: Option<String>,
    },
    /// Ask granted hosts for their certificates.
    HostCertificates {
        /// `host` or `host:port`.
        hosts: Vec<String>,
        /// The moment from which days are counted; now, unless given.
        at: Option<jiff::Timestamp>,
    },
    /// Have the warden do something on the host itself, once for its key.
    Duty {
        /// What.
        duty: Duty,
        /// The key of the step; empty where it only looks.
        key: String,
    },
}

/// A key and the header it travels in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The header's name.
    pub header: String,
    /// The key.
    pub value: String,
}

/// Where an operation is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the sandbox of the clone.
    Clone,
    /// In a sandbox that only looks at the host.
    Host,
    /// In a sandbox that reaches one granted thing outside and sees no workspace.
    Outside,
    /// By the warden, on the host itself.
    Warden,
}

impl Operation {
    /// The lowest level that may do it.
    pub fn level(&self) -> Level {
        match self {
            Operation::Write { .. }
            | Operation::Edit { .. }
            | Operation::Bash { .. }
            | Operation::Tests { .. }
            | Operation::QuickChecks
            | Operation::Linters
            | Operation::GitCommit { .. }
            | Operation::GitPush { .. }
            | Operation::Forge { .. }
            | Operation::HttpRequest { .. }
            | Operation::SqlQuery { .. }
            | Operation::SqlExecute { .. }
            | Operation::BackupDatabase { .. }
            | Operation::TryBackup { .. }
            | Operation::CheckPage { .. }
            | Operation::HostCertificates { .. } => Level::Standard,
            Operation::DataScan { scan } if !scan.sources().is_empty() => Level::Standard,
            Operation::Duty { duty, .. } => duty.level(),
            _ => Level::Restricted,
        }
    }

    /// Where it is carried out.
    pub fn place(&self) -> Place {
        match self {
            Operation::HostFacts | Operation::HostScan { .. } => Place::Host,
            Operation::Duty { .. } => Place::Warden,
            Operation::GitPush { .. }
            | Operation::Forge { .. }
            | Operation::HttpRequest { .. }
            | Operation::SqlQuery { .. }
            | Operation::SqlExecute { .. }
            | Operation::BackupDatabase { .. }
            | Operation::TryBackup { .. }
            | Operation::CheckPage { .. }
            | Operation::HostCertificates { .. } => Place::Outside,
            Operation::DataScan { scan } if !scan.sources().is_empty() => Place::Outside,
            _ => Place::Clone,
        }
    }

    /// True when it reads the host and not a workspace.
    pub fn of_host(&self) -> bool {
        self.place() == Place::Host
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
    /// Addresses it reaches.
    pub hosts: Vec<String>,
    /// Lowest level that may do it.
    pub level: Level,
    /// What recovery may do with it.
    pub effect: EffectClass,
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
            hosts: hosts_of(&operation),
            level: operation.level(),
            effect: operation.effect(),
            undo: undo_of(&operation).map(str::to_owned),
            operation,
        }
    }

    /// One line for people, without secrets.
    pub fn shown(&self, redactor: &Redactor) -> String {
        line(&words_of(&self.operation), redactor)
    }

    /// The same for one that is only tried.
    pub fn shown_as_trial(&self, redactor: &Redactor) -> String {
        format!("try, and take back: {}", self.shown(redactor))
    }

    /// What decides about its effect, as a ticket is bound to it.
    pub fn action(&self) -> Value {
        // Strings, numbers and lists always serialize; null is an action nobody was ever given leave for.
        serde_json::to_value(&self.operation).unwrap_or_default()
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

    fn run(command: String) -> Act {
        Act::of(Operation::Bash {
            argv: vec!["bash".into(), "-c".into(), command],
            cwd: ".".into(),
            timeout_ms: None,
        })
    }

    #[test]
    fn an_act_is_shown_in_one_short_line() {
        let shown = run(format!("a\nb{}", "x".repeat(500))).shown(&Redactor::default());
        assert!(shown.starts_with("run a b"), "{shown}");
        assert_eq!(shown.chars().count(), 161, "{shown}");
    }

    #[test]
    fn no_part_of_a_secret_is_shown_wherever_the_line_ends() {
        let secret = "hunter2-hunter2";
        let redactor = Redactor::new([secret.to_owned()]);
        for before in 120..170 {
            let shown = run(format!("{}{secret} b", "a".repeat(before))).shown(&redactor);
            assert!(!shown.contains("hunt"), "{shown}");
        }
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
