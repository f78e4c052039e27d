//! What of the host each scan is shown, and which rights its sandbox keeps where root made it. The
//! sandbox of a scan holds nothing else of the host, read-only, and runs no program.

use crate::act::Operation;
use inspect::host::Scan;
use inspect::host::{certificates, services, timers, updates};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the shown paths lie inside.
pub const HOST: &str = "/host";

/// A right that a sandbox made by root keeps for its reader; an ordinary user's has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Read whatever is shown, whoever owns it (`CAP_DAC_READ_SEARCH`).
    ReadAll,
    /// See which files and sockets the programs of others hold open (`CAP_SYS_PTRACE`; the calls
    /// that trace are denied by the filter, and `/proc` is read-only).
    SeePrograms,
}

/// What one scan is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// Files and folders, absolute; those that do not exist are left out.
    pub paths: Vec<PathBuf>,
    /// Folders below them that are shown empty.
    pub emptied: Vec<PathBuf>,
    /// Files below them that are shown empty.
    pub masked: Vec<PathBuf>,
    /// Of them, those that are walked through: names and sizes are looked at, no file is opened.
    pub walked: Vec<PathBuf>,
    /// Rights kept where root made the sandbox.
    pub rights: Vec<Right>,
}

const TIME: [&str; 2] = ["/etc/localtime", "/etc/timezone"];
const LOGS: [&str; 2] = ["/var/log", "/run/log/journal"];
const CONTAINER: [&str; 3] = [
    "/.dockerenv",
    "/run/.containerenv",
    "/run/systemd/container",
];

impl HostView {
    /// What this scan is shown.
    pub fn of(scan: &Scan) -> HostView {
        match scan {
            Scan::ListeningPorts { .. } => view(
                &[&["/proc", "/etc/passwd", "/etc/hostname"], &CONTAINER],
                &[Right::ReadAll, Right::SeePrograms],
            ),
            Scan::CertificateExpiry { path: None, .. } => HostView {
                emptied: vec!["/etc/ssl/private".into(), "/etc/nginx/ssl/private".into()],
                ..view(
                    &[&certificates::SHOWN, &["/etc/hostname"]],
                    &[Right::ReadAll],
                )
            },
            Scan::CertificateExpiry {
                path: Some(path), ..
            } => view(&[&[path], &["/etc/hostname"]], &[Right::ReadAll]),
            Scan::ProcessTop { .. } => view(
                &[&["/proc", "/etc/passwd", "/etc/hostname"]],
                &[Right::ReadAll, Right::SeePrograms],
            ),
            Scan::TimersAndCron { .. } => view(&[&timers::SHOWN], &[Right::ReadAll]),
            Scan::DiskUsage { path, .. } => HostView {
                walked: vec![path.into()],
                ..view(
                    &[&[path, "/proc", "/etc/hostname"]],
                    &[Right::ReadAll, Right::SeePrograms],
                )
            },
            Scan::PendingUpdates { .. } => view(&[&updates::SHOWN, &["/etc/hostname"]], &[]),
            Scan::FailedLogins { .. } => {
                view(&[&LOGS, &TIME, &["/etc/hostname"]], &[Right::ReadAll])
            }
            Scan::ServiceUnits { .. } => {
                view(&[&services::SHOWN, &["/etc/hostname"]], &[Right::ReadAll])
            }
            Scan::LogErrors { .. } => view(&[&LOGS, &TIME, &["/etc/hostname"]], &[Right::ReadAll]),
        }
    }

    /// What an operation is shown; none where it is no scan of the host, or names a place that leads elsewhere than it
    /// says: whoever asks may have made it up.
    pub fn for_operation(operation: &Operation) -> Option<HostView> {
        match operation {
            Operation::HostScan { scan } if scan.is_usable() => Some(Self::of(scan)),
            _ => None,
        }
    }

    /// The same for this host: without what does not exist, and with the private keys beside
    /// certificates masked. Looks at names alone.
    pub fn on_this_host(mut self) -> HostView {
        self.paths.retain(|path| path.metadata().is_ok());
        self.emptied.retain(|path| path.is_dir());
        let archives = self.paths.iter().filter(|path| path.ends_with(ARCHIVE));
        self.masked = archives.flat_map(|path| keys(path)).collect();
        self
    }
}

/// Where certbot keeps certificates and keys, a folder a name.
const ARCHIVE: &str = "letsencrypt/archive";

fn keys(archive: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let files = list(archive).into_iter().flat_map(|name| list(&name));
    let is_key = |path: &PathBuf| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        path.is_file() && name.is_some_and(|name| name.starts_with("privkey"))
    };
    files.filter(is_key).collect()
}

fn view(paths: &[&[&str]], rights: &[Right]) -> HostView {
    HostView {
        paths: paths.iter().copied().flatten().map(PathBuf::from).collect(),
        emptied: Vec::new(),
        masked: Vec::new(),
        walked: Vec::new(),
        rights: rights.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_that_leads_elsewhere_is_not_shown() {
        for (path, shown) in [
            ("/var/log", true),
            ("/", true),
            ("/var/../../usr", false),
            ("/srv/./x", false),
            ("etc", false),
            ("", false),
        ] {
            let scan =
                serde_json::from_value(serde_json::json!({"tool": "DiskUsage", "path": path}));
            let scan: Scan = scan.unwrap();
            let view = HostView::for_operation(&Operation::HostScan { scan });
            assert_eq!(view.is_some(), shown, "{path}");
        }
    }
}
