//! A clock that every process of a team has and a story sets: a small library (`clock.c`) stands between them and
//! the kernel's time of day. How long something takes is as ever, as when a host sleeps or its clock is set.

use crate::processes;
use crate::team::Team;
use nix::sys::signal::Signal;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;

/// It.
pub struct Clock {
    file: PathBuf,
    library: PathBuf,
    /// The day that the story plays on begins so many seconds after 1970.
    midnight: u64,
}

impl Clock {
    /// Builds it in a folder; `None`, with a word on standard error, where there is no compiler.
    pub fn build(folder: &Path) -> Option<Self> {
        let source = folder.join("clock.c");
        fs::write(&source, include_str!("clock.c")).expect("the source");
        let library = folder.join("clock.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .output();
        match built {
            Ok(built) => assert!(built.status.success(), "{built:?}"),
            Err(_) => {
                eprintln!("skipped: no cc; scripts/test.sh installs it");
                return None;
            }
        }
        let file = folder.join("ahead");
        fs::write(&file, [0; 8]).expect("the file");
        // Tomorrow: nothing of today is in its future.
        let midnight = (seconds() / DAY + 1) * DAY;
        Some(Self {
            file,
            library,
            midnight,
        })
    }

    /// The same team, with this clock.
    pub fn of(&self, team: Team) -> Team {
        team.with_env("LD_PRELOAD", &self.library.display().to_string())
            .with_env("AI_INFRA_CLOCK", &self.file.display().to_string())
    }

    /// Sets it to a time of the day, in UTC.
    pub fn set(&self, hour: u64, minute: u64, second: u64) {
        let at = self.midnight + hour * 3600 + minute * 60 + second;
        let ahead = i64::try_from(at - seconds()).expect("a small number");
        let file = OpenOptions::new().write(true).open(&self.file);
        let file = file.expect("the file");
        file.write_all_at(&ahead.to_ne_bytes(), 0).expect("written");
    }

    /// The host sleeps until then: every process of the team stands still while the clock goes on.
    pub fn sleep_until(&self, team: &Team, hour: u64, minute: u64) {
        let all = processes::of_home(&team.home());
        assert!(all.len() > 6, "{all:?}");
        for seen in &all {
            processes::send(seen.pid, Signal::SIGSTOP);
        }
        self.set(hour, minute, 0);
        for seen in &all {
            processes::send(seen.pid, Signal::SIGCONT);
        }
    }
}

/// The true time.
fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}
