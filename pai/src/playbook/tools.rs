//! The tools a playbook may name: the least level each needs, and whether it may change the
//! workspace.

use protocol::level::Level;

/// A tool as far as a playbook is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolFacts {
    /// Its name.
    pub name: &'static str,
    /// Least level at which it may run.
    pub level: Level,
    /// It may leave the workspace changed.
    pub writes: bool,
}

const fn reads(name: &'static str) -> ToolFacts {
    ToolFacts {
        name,
        level: Level::Restricted,
        writes: false,
    }
}

const fn runs(name: &'static str) -> ToolFacts {
    ToolFacts {
        name,
        level: Level::Standard,
        writes: false,
    }
}

const fn writes(name: &'static str) -> ToolFacts {
    ToolFacts {
        name,
        level: Level::Standard,
        writes: true,
    }
}

/// Looks at the host through the warden.
const fn looks(name: &'static str) -> ToolFacts {
    ToolFacts {
        name,
        level: Level::Elevated,
        writes: false,
    }
}

/// Changes the host through the warden.
const fn changes(name: &'static str) -> ToolFacts {
    ToolFacts {
        name,
        level: Level::Elevated,
        writes: true,
    }
}

/// Every tool.
pub const TOOLS: &[ToolFacts] = &[
    reads("Read"),
    reads("Glob"),
    reads("Grep"),
    reads("GitStatus"),
    reads("GitDiff"),
    reads("Overview"),
    reads("AgentFiles"),
    reads("Secrets"),
    reads("Marks"),
    reads("Dependencies"),
    reads("Unpushed"),
    reads("Branches"),
    reads("LargeFiles"),
    reads("Changes"),
    reads("Inventory"),
    reads("Links"),
    reads("Profile"),
    reads("ProfileTable"),
    reads("CompareTables"),
    reads("SchemaOverview"),
    reads("DataQuality"),
    reads("FindDuplicates"),
    reads("HostFacts"),
    reads("ListeningPorts"),
    reads("LogErrors"),
    reads("CertificateExpiry"),
    reads("TimersAndCron"),
    reads("DiskUsage"),
    reads("PendingUpdates"),
    reads("FailedLogins"),
    reads("ServiceUnits"),
    reads("ProcessTop"),
    reads("HandOff"),
    runs("Tests"),
    runs("QuickChecks"),
    runs("Linters"),
    runs("ListPulls"),
    runs("WorkflowRuns"),
    runs("HttpRequest"),
    runs("SqlQuery"),
    runs("SqlExecute"),
    runs("TryBackup"),
    runs("CheckPage"),
    runs("HostCertificates"),
    writes("BackupDatabase"),
    writes("GitCommit"),
    runs("GitPush"),
    runs("OpenPull"),
    runs("StartWorkflow"),
    writes("Bash"),
    writes("Write"),
    writes("Edit"),
    changes("Service"),
    looks("ServiceStatus"),
    changes("PutSite"),
    changes("RemoveSite"),
    looks("SiteStatus"),
    looks("Certificates"),
    changes("CertifySite"),
    changes("RenewCertificate"),
    looks("HostFile"),
    changes("PutFile"),
    looks("KeptFiles"),
    changes("RestoreFile"),
    looks("SecurityUpdates"),
    looks("InstalledPackages"),
    changes("InstallUpdates"),
    looks("Containers"),
    looks("ContainerLogs"),
    changes("Container"),
    changes("PullImage"),
    changes("HostRun"),
];

/// A tool by name.
pub fn find(name: &str) -> Option<&'static ToolFacts> {
    TOOLS.iter().find(|tool| tool.name == name)
}
