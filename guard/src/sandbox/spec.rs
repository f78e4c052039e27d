//! What a sandbox is asked to be.

use crate::deadline::Deadline;
use crate::host_view::HostView;
use crate::outside::Reach;
use crate::proxy::clients::Told;
use protocol::fault::Faults;
use protocol::task::Ceiling;
use protocol::trace::Trace;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the clone is seen inside.
pub const WORKSPACE: &str = "/workspace";
/// Where files that were handed in with the request are seen inside, read-only.
pub const ATTACHMENTS: &str = protocol::attachment::INSIDE;
/// Where the private snapshot repository is seen inside.
pub const SNAPSHOTS: &str = "/snapshots";
/// Where a project's cache is seen inside.
pub const CACHE: &str = "/cache";
/// Where the workspace's own git objects are seen inside, read-only.
pub const OBJECTS: &str = "/workspace-objects";
/// Name, inside git's own folder, of the objects that a repository below the workspace borrows.
pub const KEPT_OBJECTS: &str = "kept-objects";
/// Where the binary itself is seen inside.
pub const EXECUTOR: &str = "/run/ai-infra/executor";
/// Where the socket of the proxy is seen inside.
pub const PROXY_SOCKET: &str = "/run/ai-infra/proxy";
/// The port of the sandbox's own network that leads to it.
pub const PROXY_PORT: u16 = 3128;
/// The home folder inside; made by the executor.
pub const HOME: &str = "/tmp/home";

/// The user everything inside runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Numeric user id, never 0.
    pub uid: u32,
    /// Numeric group id, never 0.
    pub gid: u32,
}

/// Bounds on what runs inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most writable private memory of one process and most of `/tmp`, in MB; 0 = no bound.
    pub memory_mb: u64,
    /// Most memory of everything inside together, in MB, where control groups can be used; 0 = no bound.
    pub whole_mb: u64,
    /// Most processes and threads; 0 = no bound.
    pub processes: u64,
    /// Largest file, in MB; 0 = no bound.
    pub file_mb: u64,
    /// Most open files of one process; 0 = no bound.
    pub open_files: u64,
    /// Guarantees a test leaves out.
    pub faults: Faults,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mb: 4096,
            whole_mb: 0,
            processes: 1024,
            file_mb: 4096,
            open_files: 4096,
            faults: Faults::default(),
        }
    }
}

/// What the sandbox is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Work in a clone.
    Workspace {
        /// The clone on the host.
        work: PathBuf,
        /// Folder of the private snapshot repository on the host.
        snapshots: PathBuf,
        /// Whether the clone may be written.
        writable: bool,
        /// Further folders shown read-only: (on the host, inside).
        read_only: Vec<(PathBuf, PathBuf)>,
        /// Control files at the top of the clone, by name, that may not be written.
        fixed: Vec<PathBuf>,
        /// The project's cache folder on the host, owned by the owner.
        cache: Option<PathBuf>,
    },
    /// Look at the host with the executor's own readers; runs no program.
    Host,
    /// Look at one side of the host: only what the view shows is there; runs no program.
    Scan(HostView),
    /// Reach one thing outside, over the host's network; sees no workspace and runs no program.
    Outside(Reach),
}

/// The way to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// Its socket on the host.
    pub socket: PathBuf,
    /// What clients inside are told besides.
    pub clients: Told,
}

/// Everything needed to start an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    /// The binary to run inside as `EXE executor`.
    pub exe: PathBuf,
    /// What it is for.
    pub kind: Kind,
    /// The user everything inside runs as.
    pub owner: Owner,
    /// Whether toolchains of `home` are shown.
    pub toolchains: bool,
    /// The user's home, for toolchains only; nothing else of it is shown.
    pub home: PathBuf,
    /// Bounds.
    pub limits: Limits,
    /// The way to its task's proxy, where its programs may reach hosts at all.
    pub proxy: Option<WayOut>,
    /// The most that is done in it.
    pub most: Ceiling,
    /// The digest of the one act that it is for, where it is for one: that is done in it once, and nothing else.
    pub only: Option<String>,
    /// Until when it lives without an extension; where a launcher starts it, whoever works in it says so.
    pub deadline: Deadline,
    /// The trace that programs inside are told.
    pub trace: Option<Trace>,
}
