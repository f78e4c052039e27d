//! A tool call as an engine asks for it, and its answer. Names and inputs are Claude Code's.

use crate::duty;
use crate::duty::tools::joined;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every tool there is, in the order people read them.
pub const TOOLS: [&str; 71] = joined(HERE, duty::tools::ALL);

/// Those that the executor and the team do; the others are the warden's.
const HERE: [&str; 51] = [
    "Read",
    "Write",
    "Edit",
    "Bash",
    "Glob",
    "Grep",
    "GitStatus",
    "GitDiff",
    "Tests",
    "Overview",
    "AgentFiles",
    "Secrets",
    "Marks",
    "Dependencies",
    "QuickChecks",
    "Unpushed",
    "Branches",
    "LargeFiles",
    "Changes",
    "Inventory",
    "Links",
    "Linters",
    "Profile",
    "ProfileTable",
    "CompareTables",
    "SchemaOverview",
    "DataQuality",
    "FindDuplicates",
    "HostFacts",
    "ListeningPorts",
    "LogErrors",
    "CertificateExpiry",
    "TimersAndCron",
    "DiskUsage",
    "PendingUpdates",
    "FailedLogins",
    "ServiceUnits",
    "ProcessTop",
    "GitCommit",
    "GitPush",
    "OpenPull",
    "ListPulls",
    "StartWorkflow",
    "WorkflowRuns",
    "HttpRequest",
    "SqlQuery",
    "SqlExecute",
    "BackupDatabase",
    "TryBackup",
    "CheckPage",
    "HostCertificates",
];

/// Whether calls of a tool leave nothing behind but in the task's own clone, whatever their input:
/// a task that called no other may start anew in a fresh clone.
pub fn stays_inside(tool: &str) -> bool {
    matches!(
        tool,
        "Read"
            | "Write"
            | "Edit"
            | "Bash"
            | "Glob"
            | "Grep"
            | "GitStatus"
            | "GitDiff"
            | "Tests"
            | "Overview"
            | "AgentFiles"
            | "Secrets"
            | "Marks"
            | "Dependencies"
            | "QuickChecks"
            | "Unpushed"
            | "Branches"
            | "LargeFiles"
            | "Changes"
            | "Inventory"
            | "Links"
            | "Linters"
            | "Profile"
            | "HandOff"
            | "AskPeer"
            | "AskUserQuestion"
            | "AddCriteria"
            | "GitCommit"
            | "ListPulls"
            | "WorkflowRuns"
            | "SqlQuery"
            | "TryBackup"
            | "CheckPage"
            | "HostCertificates"
    ) || HOST.contains(&tool)
        || DATA.contains(&tool)
        || duty::tools::LOOK.contains(&tool)
}

/// Those that look at the host and at no workspace, read-only.
pub const HOST: [&str; 10] = [
    "HostFacts",
    "ListeningPorts",
    "LogErrors",
    "CertificateExpiry",
    "TimersAndCron",
    "DiskUsage",
    "PendingUpdates",
    "FailedLogins",
    "ServiceUnits",
    "ProcessTop",
];

/// Those that look at tables, of files in the workspace and of granted sources, and change none.
pub const DATA: [&str; 5] = [
    "ProfileTable",
    "CompareTables",
    "SchemaOverview",
    "DataQuality",
    "FindDuplicates",
];

/// Tools that reach no executor: what they do is done by the team.
pub const TEAM_TOOLS: [&str; 3] = ["HandOff", "AskPeer", "AskUserQuestion"];

/// Those by which a model talks with the person who asked. They touch nothing, so every agent has
/// them, whatever its list of tools says.
pub const TALK: [&str; 2] = ["AskUserQuestion", "AddCriteria"];

/// Those that change what lies outside the clone: they are not made a second time when a playbook
/// is run from its start again.
pub const OUTSIDE: [&str; 17] = joined(
    [
        "GitPush",
        "OpenPull",
        "StartWorkflow",
        "HttpRequest",
        "SqlExecute",
        "BackupDatabase",
    ],
    duty::tools::CHANGE,
);

/// Those that reach what was granted by name, and never look at the files of a workspace.
pub const AWAY: [&str; 31] = joined(
    [
        "OpenPull",
        "ListPulls",
        "StartWorkflow",
        "WorkflowRuns",
        "HttpRequest",
        "SqlQuery",
        "SqlExecute",
        "BackupDatabase",
        "TryBackup",
        "CheckPage",
        "HostCertificates",
    ],
    duty::tools::ALL,
);

/// A call asked for by an engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The engine's id for the call, unique in the task.
    pub id: String,
    /// Tool name, such as `Read` or `Bash`.
    pub name: String,
    /// Its input, an object.
    pub input: Value,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolAnswer {
    /// The call's id.
    pub id: String,
    /// True when the call failed, was refused, or could not be made.
    pub is_error: bool,
    /// Text for the engine and for people.
    pub text: String,
    /// The same as data, for playbooks, checks and reports; `Null` where there is none.
    #[serde(default)]
    pub data: Value,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
}
