//! The name of the tool behind each operation.

use super::Operation;

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
            Operation::AgentFiles => "AgentFiles",
            Operation::Secrets => "Secrets",
            Operation::Marks => "Marks",
            Operation::Dependencies => "Dependencies",
            Operation::QuickChecks => "QuickChecks",
            Operation::Unpushed => "Unpushed",
            Operation::Branches { .. } => "Branches",
            Operation::LargeFiles { .. } => "LargeFiles",
            Operation::Changes { .. } => "Changes",
            Operation::Inventory => "Inventory",
            Operation::Links => "Links",
            Operation::Linters => "Linters",
            Operation::Profile { .. } => "Profile",
            Operation::DataScan { scan } => scan.tool(),
            Operation::HostFacts => "HostFacts",
            Operation::HostScan { scan } => scan.tool(),
            Operation::GitCommit { .. } => "GitCommit",
            Operation::GitPush { .. } => "GitPush",
            Operation::Forge { ask, .. } => ask.tool(),
            Operation::HttpRequest { .. } => "HttpRequest",
            Operation::SqlQuery { .. } => "SqlQuery",
            Operation::SqlExecute { .. } => "SqlExecute",
            Operation::BackupDatabase { .. } => "BackupDatabase",
            Operation::TryBackup { .. } => "TryBackup",
            Operation::CheckPage { .. } => "CheckPage",
            Operation::HostCertificates { .. } => "HostCertificates",
            Operation::Duty { duty, .. } => duty.tool(),
        }
    }
}
