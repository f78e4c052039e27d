//! The daemon's own process: noted for whoever looks, and begun anew from the program on disk.

use super::error::DaemonError;
use super::identity::{self, Identity};
use config::home::Home;
use guard::sandbox::cgroup::make_room;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Notes it, and makes room for the groups of its sandboxes before anybody else is started.
pub(super) fn note(home: &Home) -> Result<(), DaemonError> {
    make_room();
    match Identity::of(std::process::id()) {
        Some(me) => identity::write(home, "daemon", me)
            .map_err(DaemonError::io("write", &home.run().join("pids"))),
        None => Ok(()),
    }
}

/// Becomes the program on disk; only returns when that fails.
pub(super) fn again(exe: &Path, home: &Home, no_tmux: bool) -> DaemonError {
    let mut command = Command::new(exe);
    command.arg("--home").arg(&home.root).arg("daemon");
    if no_tmux {
        command.arg("--no-tmux");
    }
    DaemonError::io("run", exe)(command.exec())
}
