//! Who a process is, told apart from another that got the same number later: pid and start time,
//! kept in `run/pids/<key>.json` so that a new daemon adopts instead of starting doubles.

use config::home::Home;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// One process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot, as `/proc/PID/stat` says.
    pub start_time: u64,
}

impl Identity {
    /// The process that has this pid now; `None` when there is none or it is a zombie.
    pub fn of(pid: u32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, start_time) = state_and_start(&stat)?;
        (!matches!(state, 'Z' | 'X')).then_some(Identity { pid, start_time })
    }

    /// Whether exactly this process still runs.
    pub fn alive(self) -> bool {
        Identity::of(self.pid) == Some(self)
    }

    /// Sends a signal, unless the process is gone.
    pub fn signal(self, signal: Signal) {
        if self.alive()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // It may end between the look and the signal; then there is nothing to do.
            let _gone = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// State letter and start time of a `/proc/PID/stat` line. The program's name stands in brackets
/// and may hold anything, brackets included, so the fields are counted from the last one.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn folder(home: &Home) -> PathBuf {
    home.run().join("pids")
}

/// Notes who runs under a key.
pub fn write(home: &Home, key: &str, identity: Identity) -> io::Result<()> {
    let folder = folder(home);
    fs::create_dir_all(&folder)?;
    let unfinished = folder.join(format!(".{key}.new"));
    fs::write(&unfinished, serde_json::to_vec(&identity)?)?;
    fs::rename(&unfinished, folder.join(format!("{key}.json")))
}

/// Forgets a key; fine when it is unknown.
pub fn forget(home: &Home, key: &str) {
    let _unknown = fs::remove_file(folder(home).join(format!("{key}.json")));
}

/// Who was noted under a key, alive or not.
pub fn read(home: &Home, key: &str) -> Option<Identity> {
    let text = fs::read(folder(home).join(format!("{key}.json"))).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Everybody noted, by key.
pub fn all(home: &Home) -> Vec<(String, Identity)> {
    let Ok(entries) = fs::read_dir(folder(home)) else {
        return Vec::new();
    };
    let mut noted: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let key = name.strip_suffix(".json")?.to_owned();
            Some((key.clone(), read(home, &key)?))
        })
        .collect();
    noted.sort_by(|a, b| a.0.cmp(&b.0));
    noted
}

/// Removes the folder of notes.
pub fn forget_all(home: &Home) {
    let _unknown = fs::remove_dir_all(folder(home));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn stat_lines_are_read_from_the_last_bracket() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        for (line, expected) in [
            (format!("7 (cat) {tail}"), Some(('S', 4242))),
            (format!("7 (a) Z (b)) {tail}"), Some(('S', 4242))),
            ("7 (cat".to_owned(), None),
            ("7 (cat) S 1 2".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(state_and_start(&line), expected, "{line}");
        }
    }

    #[test]
    fn this_process_is_itself_and_nobody_else() {
        let me = Identity::of(std::process::id()).unwrap();
        assert!(me.alive());
        let other = Identity {
            start_time: me.start_time + 1,
            ..me
        };
        assert!(!other.alive());
        assert_eq!(Identity::of(u32::MAX), None);
    }

    #[test]
    fn notes_are_kept_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert!(all(&home).is_empty());
        let me = Identity::of(std::process::id()).unwrap();
        write(&home, "agent-code", me).unwrap();
        write(&home, "agent-code", me).unwrap();
        fs::write(home.run().join("pids/broken.json"), "{").unwrap();
        assert_eq!(all(&home), [("agent-code".to_owned(), me)]);
        forget(&home, "agent-code");
        forget(&home, "agent-code");
        assert_eq!(read(&home, "agent-code"), None);
    }
}
