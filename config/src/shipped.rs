//! The files compiled in, so that the binary needs nothing beside itself.

/// A shipped settings file: the key its content stands under, its name, its text.
#[derive(Debug, Clone, Copy)]
pub struct ShippedFile {
    /// Key below which the content stands; empty for the top.
    pub under: &'static str,
    /// Path below a `config` folder.
    pub name: &'static str,
    /// YAML.
    pub text: &'static str,
}

/// Every settings file, in the order they are read.
pub const SETTINGS: [ShippedFile; 6] = [
    ShippedFile {
        under: "",
        name: "ai-infra.yaml",
        text: include_str!("../ai-infra.yaml"),
    },
    ShippedFile {
        under: "agents",
        name: "agents.yaml",
        text: include_str!("../agents.yaml"),
    },
    ShippedFile {
        under: "permissions",
        name: "permissions.yaml",
        text: include_str!("../permissions.yaml"),
    },
    ShippedFile {
        under: "backup",
        name: "backup.yaml",
        text: include_str!("../backup.yaml"),
    },
    ShippedFile {
        under: "prices",
        name: "prices.yaml",
        text: include_str!("../prices.yaml"),
    },
    ShippedFile {
        under: "tmux",
        name: "tmux/session.yaml",
        text: include_str!("../tmux/session.yaml"),
    },
];

/// The roles that are shipped, in the order of their windows.
pub const ROLES: [&str; 5] = ["code", "data", "infra", "research", "qa"];

const AGENTS: [(&str, &str); 6] = [
    ("code", include_str!("../../agents/code/AGENT.md")),
    ("data", include_str!("../../agents/data/AGENT.md")),
    ("infra", include_str!("../../agents/infra/AGENT.md")),
    ("research", include_str!("../../agents/research/AGENT.md")),
    ("qa", include_str!("../../agents/qa/AGENT.md")),
    (
        "supervisor",
        include_str!("../../agents/supervisor/AGENT.md"),
    ),
];

macro_rules! playbooks {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../playbooks/", $name, ".yaml")))),+]
    };
}

const PLAYBOOKS: &[(&str, &str)] = playbooks![
    "run-tests",
    "repository-overview",
    "leaked-secrets",
    "host-health",
    "profile-data",
    "profile-table",
    "compare-tables",
    "data-quality",
    "duplicate-rows",
    "schema-overview",
    "unfinished-marks",
    "look-over",
    "format-and-lint",
    "unpushed-work",
    "stale-branches",
    "dependency-inventory",
    "broken-links",
    "large-files",
    "what-changed",
    "listening-ports",
    "log-errors",
    "certificate-expiry",
    "timers-and-cron",
    "disk-usage",
    "pending-updates",
    "failed-logins",
    "service-units",
    "process-top",
    "host-certificates",
    "web-page-check",
    "backup-database",
    "check-backup",
    "restart-service",
    "put-site",
    "certify-site",
    "renew-certificates",
    "install-security-updates",
    "run-on-host",
];

/// The shipped playbooks: name and YAML.
pub fn playbooks() -> &'static [(&'static str, &'static str)] {
    PLAYBOOKS
}

/// The text of a shipped agent, or of the supervisor.
pub fn agent(name: &str) -> Option<&'static str> {
    AGENTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}
