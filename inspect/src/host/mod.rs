//! Scans of a server: each reads one side of it below a folder that is its `/`, and says what is there in numbers that
//! a second scan at the same moment must find again. The folder is a view made by the sandbox, or a tree of files in a
//! test; links in it lead where they would lead on that host.

pub mod certificates;
pub mod logins;
pub mod logs;
pub mod people;
pub mod ports;
pub mod processes;
pub mod services;
pub mod timers;
pub mod top;
pub mod tree;
pub mod updates;
pub mod usage;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{InspectError, Limits};
use crate::tool_input;
use tree::Tree;

/// One scan, named as its tool. `at` is the moment it speaks of; now, unless given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", deny_unknown_fields)]
pub enum Scan {
    /// Who listens on which port.
    ListeningPorts {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
    },
    /// Errors in the logs.
    LogErrors {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
        /// Since when, in a person's words.
        #[serde(default = "a_day")]
        since: String,
        /// Of one unit or program alone.
        #[serde(default)]
        unit: Option<String>,
    },
    /// Certificates and when they end.
    CertificateExpiry {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
        /// A file or folder to look at, instead of the usual ones.
        #[serde(default)]
        path: Option<String>,
    },
    /// What runs by itself, and when.
    TimersAndCron {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
    },
    /// What fills a disk.
    DiskUsage {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
        /// The folder that is looked at, with everything in it on the same file system.
        #[serde(default = "everything")]
        path: String,
        /// Folders and files whose size is told in place of the largest.
        #[serde(default)]
        of: Vec<String>,
    },
    /// Updates that wait.
    PendingUpdates {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
    },
    /// Failed logins, and those that worked after them.
    FailedLogins {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
        /// Since when, in a person's words.
        #[serde(default = "a_day")]
        since: String,
    },
    /// Programs by what they use.
    ProcessTop {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
        /// `memory` or `cpu`: which come first.
        #[serde(default = "memory")]
        by: String,
        /// Programs that are told in place of the largest.
        #[serde(default)]
        of: Vec<String>,
    },
    /// Services that failed, are missing, or run.
    ServiceUnits {
        /// The moment.
        #[serde(default)]
        at: Option<Timestamp>,
    },
}

fn memory() -> String {
    "memory".to_owned()
}

fn everything() -> String {
    "/".to_owned()
}

fn a_day() -> String {
    "24 hours".to_owned()
}

impl Scan {
    /// The scan that a tool's name and input ask for.
    ///
    /// # Errors
    /// A sentence about the input.
    pub fn parse(tool: &str, input: &Value) -> Result<Scan, String> {
        let scan: Scan = tool_input::tagged(tool, input)?;
        match scan.is_usable() {
            true => Ok(scan),
            false => {
                Err("`path` is a file or folder of this host, from / and without ..".to_owned())
            }
        }
    }

    /// Whether the place it names is one that may be named: it leads from `/`, and nowhere else than it says.
    pub fn is_usable(&self) -> bool {
        self.path().is_none_or(usable)
    }

    /// The place on the host that is looked at, where one is named.
    pub fn path(&self) -> Option<&str> {
        match self {
            Scan::CertificateExpiry { path, .. } => path.as_deref(),
            Scan::DiskUsage { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The tool's name.
    pub fn tool(&self) -> &'static str {
        match self {
            Scan::ListeningPorts { .. } => "ListeningPorts",
            Scan::LogErrors { .. } => "LogErrors",
            Scan::CertificateExpiry { .. } => "CertificateExpiry",
            Scan::TimersAndCron { .. } => "TimersAndCron",
            Scan::DiskUsage { .. } => "DiskUsage",
            Scan::PendingUpdates { .. } => "PendingUpdates",
            Scan::FailedLogins { .. } => "FailedLogins",
            Scan::ServiceUnits { .. } => "ServiceUnits",
            Scan::ProcessTop { .. } => "ProcessTop",
        }
    }

    fn at(&self) -> Option<Timestamp> {
        match self {
            Scan::ListeningPorts { at }
            | Scan::LogErrors { at, .. }
            | Scan::CertificateExpiry { at, .. }
            | Scan::TimersAndCron { at, .. }
            | Scan::DiskUsage { at, .. }
            | Scan::PendingUpdates { at, .. }
            | Scan::FailedLogins { at, .. }
            | Scan::ProcessTop { at, .. }
            | Scan::ServiceUnits { at, .. } => *at,
        }
    }
}

/// Whether a path may be named: it leads from `/`, and nowhere else than it says.
fn usable(path: &str) -> bool {
    let plain = |part: &str| part != ".." && part != ".";
    path.starts_with('/') && path.split('/').all(plain) && !path.chars().any(char::is_control)
}

/// Looks. The answer is the scan's report as data. A walk over a disk calls `close` before it begins, and opens no
/// file from then on.
///
/// # Errors
/// When what the scan is about cannot be read at all.
pub fn scan(
    scan: &Scan,
    root: &Path,
    limits: &Limits,
    close: &dyn Fn() -> Result<(), String>,
) -> Result<Value, InspectError> {
    let tree = Tree::new(root);
    let at = scan.at().unwrap_or_else(second);
    match scan {
        Scan::ServiceUnits { .. } => said(services::scan(&tree, at, limits)?),
        Scan::ProcessTop { by, of, .. } => said(top::scan(&tree, by, of, top::MOMENT, at)?),
        Scan::FailedLogins { since, .. } => said(logins::scan(&tree, since, at, limits)?),
        Scan::PendingUpdates { .. } => said(updates::scan(&tree, at, limits)?),
        Scan::DiskUsage { path, of, .. } => said(usage::scan(&tree, path, of, at, close)?),
        Scan::TimersAndCron { .. } => said(timers::scan(&tree, at, limits)?),
        Scan::ListeningPorts { .. } => said(ports::scan(&tree, at)?),
        Scan::CertificateExpiry { path, .. } => {
            said(certificates::scan(&tree, path.as_deref(), at, limits)?)
        }
        Scan::LogErrors { since, unit, .. } => {
            said(logs::scan(&tree, since, unit.as_deref(), at, limits)?)
        }
    }
}

/// Now, in whole seconds: what a report names is what a second scan is given.
fn second() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn said(report: impl Serialize) -> Result<Value, InspectError> {
    serde_json::to_value(report)
        .map_err(|e| InspectError::unreadable(Path::new("the report"), e.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_become_scans() {
        let check =
            |tool, input, expected: Result<&str, &str>| match (Scan::parse(tool, &input), expected)
            {
                (Ok(scan), Ok(tool)) => assert_eq!(scan.tool(), tool),
                (Err(why), Err(words)) => assert!(why.contains(words), "{why}"),
                (other, _) => panic!("{other:?}, expected {expected:?}"),
            };
        check("ListeningPorts", json!({}), Ok("ListeningPorts"));
        check("ListeningPorts", Value::Null, Ok("ListeningPorts"));
        check(
            "ListeningPorts",
            json!({"at": "2026-01-02T03:04:05Z"}),
            Ok("ListeningPorts"),
        );
        check("ListeningPorts", json!({"at": "soon"}), Err("parse"));
        check("LogErrors", json!({"since": "2h"}), Ok("LogErrors"));
        check("ListeningPorts", json!({"x": 1}), Err("unknown field `x`"));
        check("ListeningPorts", json!({"tool": "x"}), Err("`tool`"));
        check("ListeningPorts", json!([1]), Err("object"));
        check(
            "CertificateExpiry",
            json!({"path": "/srv"}),
            Ok("CertificateExpiry"),
        );
        for path in ["srv", "/a/../etc", "/a\n", ""] {
            check("CertificateExpiry", json!({"path": path}), Err("from /"));
        }
        check("Nothing", json!({}), Err("unknown variant"));
    }
}
