//! Who holds a lock: a process, told so exactly that another one on the same machine can see that it is gone,
//! and that nobody else's is ever taken for gone.

use config::private_file;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Largest note of a home's name that is read, in bytes.
const NAME_BYTES: u64 = 64;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The folder it remembers things in: a random name that lies there, and in no backup.
    home: String,
    /// The machine, as `/etc/machine-id` names it.
    machine: String,
    /// The start of that machine.
    boot: String,
    /// The namespace its number is of.
    space: String,
    /// Its number there.
    pid: u32,
    /// When it was started, in ticks since the machine was.
    start: u64,
}

/// What can be said of a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// It ended.
    Gone,
    /// It lives, or it is not known.
    Perhaps,
}

impl Holder {
    /// This process, which remembers things in `cache`. `None` where the system does not say who it is.
    pub fn me(cache: &Path) -> Option<Self> {
        let pid = std::process::id();
        let text = |path: &str| {
            let text = fs::read_to_string(path).ok()?.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let space = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(Self {
            home: named(&cache.join("me"))?,
            machine: text("/etc/machine-id").unwrap_or_default(),
            boot: text("/proc/sys/kernel/random/boot_id")?,
            space: space.to_string_lossy().into_owned(),
            pid,
            start: started(pid)?,
        })
    }

    /// What `me` can say of another holder. A machine has one start at a time, but two may bear one name: after a
    /// new start only what the same home held is known to be gone.
    pub fn sees(&self, other: &Holder, started: impl Fn(u32) -> Option<u64>) -> Is {
        let gone = match self.boot == other.boot {
            true => self.space == other.space && started(other.pid) != Some(other.start),
            false => {
                self.home == other.home && self.machine == other.machine && !self.machine.is_empty()
            }
        };
        if gone { Is::Gone } else { Is::Perhaps }
    }
}

/// The name that lies in a file; made where there is none.
fn named(path: &Path) -> Option<String> {
    if let Ok(Some(bytes)) = private_file::read(path, NAME_BYTES)
        && let Ok(name) = String::from_utf8(bytes)
        && !name.is_empty()
    {
        return Some(name);
    }
    let name = uuid::Uuid::new_v4().to_string();
    private_file::write(path, name.as_bytes()).ok()?;
    Some(name)
}

/// When a process was started; `None` where there is none, or only what is left of one.
pub fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets too.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?;
    let start = words.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(start)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_who_is_known_to_be_gone_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let me = Holder::me(folder.path()).unwrap();
        assert_eq!(me, Holder::me(folder.path()).unwrap(), "the name stays");
        let other = |change: &dyn Fn(&mut Holder)| {
            let mut other = me.clone();
            other.machine = "m".to_owned();
            change(&mut other);
            other
        };
        let mut me = me.clone();
        me.machine = "m".to_owned();
        let lives = |pid: u32| (pid == me.pid).then_some(me.start);
        for (expected, what, other) in [
            (Is::Perhaps, "it lives", other(&|_| {})),
            (Is::Gone, "its number is free", other(&|o| o.pid = 0)),
            (
                Is::Gone,
                "its number is another's",
                other(&|o| o.start += 1),
            ),
            (
                Is::Perhaps,
                "its number is of another container",
                other(&|o| (o.pid, o.space) = (0, "pid:[1]".to_owned())),
            ),
            (
                Is::Gone,
                "the machine was started anew",
                other(&|o| o.boot = "b".to_owned()),
            ),
            (
                Is::Perhaps,
                "another home, on a machine that may only bear the same name",
                other(&|o| (o.boot, o.home) = ("b".to_owned(), "h".to_owned())),
            ),
            (
                Is::Perhaps,
                "another machine",
                other(&|o| (o.boot, o.machine) = ("b".to_owned(), "n".to_owned())),
            ),
            (
                Is::Perhaps,
                "machines without a name",
                other(&|o| (o.boot, o.machine) = ("b".to_owned(), String::new())),
            ),
        ] {
            assert_eq!(me.sees(&other, lives), expected, "{what}");
        }
        me.machine = String::new();
        let nameless = other(&|o| (o.boot, o.machine) = ("b".to_owned(), String::new()));
        assert_eq!(me.sees(&nameless, lives), Is::Perhaps);
    }

    #[test]
    fn a_process_that_ended_has_no_start() {
        assert!(started(std::process::id()).is_some());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert_eq!(started(pid), None);
    }
}
