//! How the team was last started, remembered in `run/mode.json`: `restart`, `run` and a daemon that
//! is brought back start it the same way, and `down` finds its tmux session without settings.

use super::error::DaemonError;
use config::home::Home;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;

/// Version of the file.
const MODE_VERSION: u32 = 1;

/// How the team runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Version of the file.
    pub v: u32,
    /// Processes are children of the daemon instead of standing in tmux windows.
    pub no_tmux: bool,
    /// Name of the tmux session.
    pub session: String,
}

fn path(home: &Home) -> PathBuf {
    home.run().join("mode.json")
}

/// Remembers.
pub fn write(home: &Home, no_tmux: bool, session: &str) -> Result<(), DaemonError> {
    let path = path(home);
    let mode = serde_json::json!({"v": MODE_VERSION, "no_tmux": no_tmux, "session": session});
    let unfinished = path.with_extension("new");
    fs::write(&unfinished, mode.to_string()).map_err(DaemonError::io("write", &unfinished))?;
    fs::rename(&unfinished, &path).map_err(DaemonError::io("write", &path))
}

/// What was remembered; `None` where the team never ran or the file is of no use.
pub fn read(home: &Home) -> Option<Mode> {
    let mode: Mode = serde_json::from_slice(&fs::read(path(home)).ok()?).ok()?;
    (mode.v <= MODE_VERSION).then_some(mode)
}

fn stopping(home: &Home) -> PathBuf {
    home.run().join("stopping")
}

/// Says that the team is being stopped on purpose, so that nobody brings anything back.
pub fn set_stopping(home: &Home) -> Result<(), DaemonError> {
    let path = stopping(home);
    fs::write(&path, "").map_err(DaemonError::io("write", &path))
}

/// Takes that back.
pub fn clear_stopping(home: &Home) {
    let _was_not_set = fs::remove_file(stopping(home));
}

/// Whether the team is being stopped on purpose.
pub fn is_stopping(home: &Home) -> bool {
    stopping(home).exists()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn remembered_and_tolerant() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        assert_eq!(read(&home), None);
        write(&home, true, "ai").unwrap();
        let mode = read(&home).unwrap();
        assert_eq!((mode.no_tmux, mode.session.as_str()), (true, "ai"));
        fs::write(path(&home), "{\"v\":99").unwrap();
        assert_eq!(read(&home), None);
        assert!(!is_stopping(&home));
        set_stopping(&home).unwrap();
        assert!(is_stopping(&home));
        clear_stopping(&home);
        assert!(!is_stopping(&home));
    }
}
