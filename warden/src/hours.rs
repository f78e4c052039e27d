//! How often a kind of act was done on this host within the last hour: a line for each in the warden's folder, safe on
//! disk before the act, so that neither a restart nor many agents make more of it than a rule allows. The same step is
//! counted once, however often it is recovered. No task counts without end, and what counts no more is left out now and then.

use config::private_file;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const HOURS_VERSION: u32 = 1;
/// How long an act counts.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How many that count no more are left out at once: the file is written anew for no fewer.
const OLD: usize = 500;
/// Most acts of one task that count at once, in each kind; twice what the rule allows of it where that is more, for what a person
/// says yes to beyond it.
const OF_TASK: u64 = 1_000;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    v: u32,
    at: Timestamp,
    kind: String,
    /// Of the act, its task and its step.
    digest: String,
    /// The task's uuid; a warden of an older version did not keep it.
    #[serde(default)]
    task: String,
}

/// The acts of the last hour.
#[derive(Debug)]
pub struct Hours {
    path: PathBuf,
    file: File,
    all: Vec<Counted>,
}

impl Hours {
    /// Opens the file. A last line that was cut off was never answered for; one that cannot be read counts for nothing
    /// and is left out.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(path: &Path, now: Timestamp) -> io::Result<Self> {
        let mut text = String::new();
        let mut file = Self::file(path)?;
        file.read_to_string(&mut text)?;
        let read = |line: &str| serde_json::from_str::<Counted>(line).ok();
        let all = text.lines().filter_map(read).collect();
        let mut hours = Self {
            path: path.to_owned(),
            file,
            all,
        };
        hours.forget(now)?;
        Ok(hours)
    }

    fn file(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true).mode(0o600);
        options.open(path)
    }

    /// Writes the file anew with what still counts.
    fn forget(&mut self, now: Timestamp) -> io::Result<()> {
        // What a clock that was set back calls the future counts too.
        self.all.retain(|one| now.duration_since(one.at) < HOUR);
        let mut text = Vec::new();
        for one in &self.all {
            text.extend(serde_json::to_vec(one)?);
            text.push(b'\n');
        }
        private_file::write(&self.path, &text).map_err(io::Error::other)?;
        self.file = Self::file(&self.path)?;
        Ok(())
    }

    /// How many acts of a kind there were within the hour, beside the one with this digest.
    pub fn others(&self, kind: &str, digest: &str, now: Timestamp) -> u64 {
        let counts = |one: &&Counted| {
            one.kind == kind && one.digest != digest && now.duration_since(one.at) < HOUR
        };
        self.all.iter().filter(counts).count() as u64
    }

    /// Counts an act, once. `bound` is what the rules allow of its kind within the hour.
    ///
    /// # Errors
    /// A sentence: it cannot be kept, or its task did too many, so the act must not be done.
    pub fn count(
        &mut self,
        kind: &str,
        digest: &str,
        task: &str,
        bound: Option<u64>,
        now: Timestamp,
    ) -> Result<(), String> {
        let counts = |one: &&Counted| now.duration_since(one.at) < HOUR;
        let mut all = self.all.iter().filter(counts);
        if all.any(|one| one.digest == digest) {
            return Ok(());
        }
        let most = OF_TASK.max(bound.unwrap_or_default().saturating_mul(2));
        let all = self.all.iter().filter(counts);
        let own = all.filter(|one| one.task == task && one.kind == kind);
        if own.count() as u64 >= most {
            return Err(format!(
                "this task did {most} acts of {kind} within the hour: go on later"
            ));
        }
        let one = Counted {
            v: HOURS_VERSION,
            at: now,
            kind: kind.to_owned(),
            digest: digest.to_owned(),
            task: task.to_owned(),
        };
        self.keep(one).map_err(|error| {
            let path = self.path.display();
            format!("the act cannot be counted in {path}: {error}")
        })
    }

    fn keep(&mut self, one: Counted) -> io::Result<()> {
        let old = |other: &&Counted| one.at.duration_since(other.at) >= HOUR;
        if self.all.iter().filter(old).count() >= OLD {
            self.forget(one.at)?;
        }
        let mut line = serde_json::to_vec(&one)?;
        line.push(b'\n');
        let length = self.file.metadata()?.len();
        let written = self.file.write_all(&line);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            // Half a line would spoil the next one.
            self.file.set_len(length)?;
            return Err(error);
        }
        self.all.push(one);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::ToSpan;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + minute.minutes()
    }

    #[test]
    fn acts_count_for_an_hour_over_any_restart_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hours.jsonl");
        let mut hours = Hours::open(&path, at(0)).unwrap();
        for (minute, digest) in [(0, "a"), (1, "a"), (10, "b")] {
            let counted = hours.count("sql.change", digest, "01", None, at(minute));
            counted.unwrap();
        }
        hours.count("http.change", "c", "01", None, at(10)).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"v\":1,\"at\":\"19");
        std::fs::write(&path, text).unwrap();
        let mut hours = Hours::open(&path, at(20)).unwrap();
        for (kind, digest, minute, expected) in [
            ("sql.change", "new", 20, 2),
            ("sql.change", "a", 20, 1),
            ("sql.change", "new", 60, 1),
            ("sql.change", "new", 70, 0),
            ("http.change", "new", 20, 1),
            ("site.change", "new", 20, 0),
        ] {
            let got = hours.others(kind, digest, at(minute));
            assert_eq!(got, expected, "{kind} {digest} {minute}");
        }
        hours.count("sql.change", "d", "01", None, at(21)).unwrap();
        let again = Hours::open(&path, at(22)).unwrap();
        assert_eq!(again.others("sql.change", "new", at(22)), 3);
        // A clock that was set back makes no room.
        assert_eq!(again.others("sql.change", "new", at(-500)), 3);
        let later = Hours::open(&path, at(500)).unwrap();
        assert!(later.all.is_empty() && std::fs::read(&path).unwrap().is_empty());
    }

    #[test]
    fn no_task_counts_without_end_and_what_is_old_goes_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hours.jsonl");
        // As a warden of an older version wrote it.
        let line = |minute: i64, n: usize| {
            let at = at(minute);
            format!("{{\"v\":1,\"at\":\"{at}\",\"kind\":\"sql.change\",\"digest\":\"{n}\"}}\n")
        };
        let text: String = (0..OLD - 1).map(|n| line(0, n)).collect();
        std::fs::write(&path, text).unwrap();
        let mut hours = Hours::open(&path, at(1)).unwrap();
        let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
        hours.count("sql.change", "old", "01", None, at(1)).unwrap();
        // What still counts is not written again and again.
        let file = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
        let before = file();
        hours
            .count("sql.change", "next", "01", None, at(2))
            .unwrap();
        assert_eq!((lines(), file()), (OLD + 1, before));
        hours
            .count("sql.change", "later", "01", None, at(61))
            .unwrap();
        assert_eq!(lines(), 2);
        let of_task = |task: &str, digest: String| Counted {
            v: HOURS_VERSION,
            at: at(100),
            kind: "sql.change".to_owned(),
            digest,
            task: task.to_owned(),
        };
        hours.all = (0..OF_TASK).map(|n| of_task("02", n.to_string())).collect();
        let said = hours
            .count("sql.change", "more", "02", Some(500), at(101))
            .unwrap_err();
        assert!(
            said.contains("1000 acts of sql.change within the hour"),
            "{said}"
        );
        for (kind, digest, task, bound, minute) in [
            ("sql.change", "7", "02", 500, 101),
            ("sql.change", "more", "03", 500, 101),
            // What the rules allow is counted, and what a person says yes to beyond it.
            ("sql.change", "much", "02", 600, 101),
            ("http.change", "other", "02", 500, 101),
            ("sql.change", "more", "02", 500, 161),
        ] {
            let counted = hours.count(kind, digest, task, Some(bound), at(minute));
            assert_eq!(counted, Ok(()), "{kind} {digest} {task} {minute}");
        }
    }
}
