//! What this machine remembers of its runs: how large snapshots were, and which job failed last. It may
//! be thrown away; then sizes are not shown and nothing is alarming until the next run.

use crate::error::{BackupError, file};
use crate::keep::Size;
use crate::names::SnapshotName;
use config::private_file;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use protocol::backup::Drilled;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Version of the file.
const VERSION: u64 = 1;
/// Largest file that is read, in bytes.
const FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Most snapshots remembered of a job.
const MOST: usize = 500;

/// All jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    v: u64,
    /// By name.
    pub jobs: BTreeMap<String, JobHistory>,
    /// What the last drill came to.
    #[serde(default)]
    pub drill: Option<Drilled>,
    /// A recovery key was made here, and nobody was shown it.
    #[serde(default)]
    pub key_unseen: bool,
}

/// One job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobHistory {
    /// How large its snapshots were, by name.
    pub sizes: BTreeMap<String, Size>,
    /// What was alarming about the newest.
    pub alarm: Option<String>,
    /// When it failed and why, where its newest run did.
    pub failed: Option<(Timestamp, String)>,
    /// When it came to a good end without a snapshot, where its newest run did.
    #[serde(default)]
    pub well: Option<Timestamp>,
    /// The newest snapshot that holds a folder, by the folder's path.
    #[serde(default)]
    pub held: BTreeMap<String, String>,
    /// The same of those that are gone though they are on the list: these snapshots stay.
    #[serde(default)]
    pub gone: BTreeMap<String, String>,
}

/// A folder that is to be kept and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// What the list calls it.
    pub name: String,
    /// Where it was.
    pub path: String,
}

impl JobHistory {
    /// When it was last kept, or nothing was there to be kept.
    pub fn good(&self) -> Option<Timestamp> {
        let newest = self.sizes.keys().next_back();
        let newest = newest.and_then(|name| name.parse::<SnapshotName>().ok());
        newest.map(|name| name.at).max(self.well)
    }

    /// Whether it was ever tried here.
    pub fn was_tried(&self) -> bool {
        self.good().is_some() || self.failed.is_some()
    }
}

impl History {
    /// Reads it; what cannot be read counts as nothing.
    pub fn load(folder: &Path) -> Self {
        let read = private_file::read(&folder.join("history.json"), FILE_BYTES);
        let bytes = read.ok().flatten().unwrap_or_default();
        let history: Option<History> = serde_json::from_slice(&bytes).ok();
        history.filter(|h| h.v == VERSION).unwrap_or(History {
            v: VERSION,
            ..History::default()
        })
    }

    /// Changes what is remembered, with nobody in between: what one process notes is not lost because another
    /// notes something in the same moment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn change<T>(
        folder: &Path,
        change: impl FnOnce(&mut History) -> T,
    ) -> Result<T, BackupError> {
        crate::repository::make_private(folder)?;
        // Not the file itself: that one is replaced.
        let path = folder.join("history.lock");
        let lock = Flock::lock(opened(&path)?, FlockArg::LockExclusive);
        let _held = lock.map_err(|(_, errno)| file("lock", &path)(errno.into()))?;
        let mut history = History::load(folder);
        let answer = change(&mut history);
        history.save(folder)?;
        Ok(answer)
    }

    fn save(&self, folder: &Path) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| BackupError::damaged("history.json", error))?;
        Ok(private_file::write(&folder.join("history.json"), &text)?)
    }

    /// Notes a snapshot; answers what is alarming about it.
    pub fn made(&mut self, name: &SnapshotName, size: Size) -> Option<String> {
        let job = self.jobs.entry(name.job.clone()).or_default();
        let before = job.sizes.values().next_back().copied();
        job.alarm = before.and_then(|before| crate::keep::shrunk(before, size));
        (job.failed, job.well) = (None, None);
        job.sizes.insert(name.to_string(), size);
        while job.sizes.len() > MOST {
            job.sizes.pop_first();
        }
        job.alarm.clone()
    }

    /// Notes which folders a run kept, and which it should have kept and were not there; `made` is its snapshot,
    /// where it made one. Answers all that is alarming about the run.
    pub fn folders(
        &mut self,
        job: &str,
        made: Option<&SnapshotName>,
        kept: &[String],
        gone: &[Gone],
    ) -> Option<String> {
        let job = self.jobs.entry(job.to_owned()).or_default();
        let known = |path: &String| kept.contains(path) || gone.iter().any(|g| g.path == *path);
        // What is on no list any more waits for nobody.
        job.held.retain(|path, _| known(path));
        match made {
            Some(made) => {
                let now = kept.iter().map(|path| (path.clone(), made.to_string()));
                job.held.extend(now);
            }
            None => job.alarm = None,
        }
        let held = &job.held;
        let newest = |gone: &Gone| Some((gone.path.clone(), held.get(&gone.path)?.clone()));
        job.gone = gone.iter().filter_map(newest).collect();
        let said = gone.iter().map(|Gone { name, path }| match held.get(path) {
            Some(snapshot) => format!(
                "{path} is gone: {snapshot} is the newest that holds it, and stays until it is back or you say `ai-infra workspace forget {name}`"
            ),
            None => format!(
                "{path} is gone, and no backup that this machine knows of holds it: bring it back, or say `ai-infra workspace forget {name}`"
            ),
        });
        let said: Vec<String> = job.alarm.take().into_iter().chain(said).collect();
        job.alarm = (!said.is_empty()).then(|| said.join("; "));
        job.alarm.clone()
    }

    /// Snapshots that stay whatever their age: the newest of what is gone though it is on the list, `gone` now
    /// among it.
    pub fn stay(&self, job: &str, gone: &[Gone]) -> HashSet<SnapshotName> {
        let held = self.jobs.get(job).map(|job| &job.held);
        let now = gone.iter().filter_map(|gone| held?.get(&gone.path));
        let others = self.jobs.iter().filter(|(name, _)| *name != job);
        let before = others.flat_map(|(_, job)| job.gone.values());
        before
            .chain(now)
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    /// Notes that it came to a good end without a snapshot: it makes none, or there was nothing to keep.
    pub fn well(&mut self, job: &str, at: Timestamp) {
        let job = self.jobs.entry(job.to_owned()).or_default();
        (job.failed, job.well) = (None, Some(at));
    }

    /// Notes that a job failed.
    pub fn failed(&mut self, job: &str, at: Timestamp, why: String) {
        self.jobs.entry(job.to_owned()).or_default().failed = Some((at, why));
    }

    /// How large a snapshot was.
    pub fn size(&self, name: &SnapshotName) -> Option<Size> {
        self.jobs
            .get(&name.job)?
            .sizes
            .get(&name.to_string())
            .copied()
    }
}

/// Held by the one process of this home that backs up.
#[derive(Debug)]
pub struct Alone(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Makes the folder of what is remembered, and takes it for this process alone.
///
/// # Errors
/// When another process has it.
pub fn alone(folder: &Path) -> Result<Alone, BackupError> {
    crate::repository::make_private(folder)?;
    let path = folder.join("lock");
    match Flock::lock(opened(&path)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Alone(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Err(BackupError::Busy(
            "a backup or a drill of this home runs already: wait for it, then say it again"
                .to_owned(),
        )),
        Err((_, errno)) => Err(file("lock", &path)(errno.into())),
    }
}

fn opened(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(file("open", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_that_is_gone_is_alarming_and_its_newest_snapshot_stays() {
        let name = |second: i64| {
            SnapshotName::new(
                Timestamp::from_second(1_800_000_000 + second).unwrap(),
                "code",
            )
        };
        let (both, one) = (["/a".to_owned(), "/b".to_owned()], ["/a".to_owned()]);
        let gone = [Gone {
            name: "shop".to_owned(),
            path: "/b".to_owned(),
        }];
        let mut history = History::default();
        let (first, second, third) = (name(1), name(2), name(3));
        // As a run notes them: the snapshot, then its folders.
        let run = |history: &mut History, at: &SnapshotName, kept: &[String], gone: &[Gone]| {
            history.made(at, Size { files: 1, bytes: 1 });
            history.folders("code", Some(at), kept, gone)
        };
        assert_eq!(run(&mut history, &first, &both, &[]), None);
        assert_eq!(history.stay("code", &gone), HashSet::from([first.clone()]));
        for at in [&second, &third] {
            let said = run(&mut history, at, &one, &gone).unwrap();
            assert!(
                said.contains("/b is gone") && said.contains(&first.to_string()),
                "{said}"
            );
            assert!(said.contains("workspace forget shop"), "{said}");
        }
        // Another job at the same place lets it be too.
        assert_eq!(history.stay("memory", &[]), HashSet::from([first.clone()]));
        // Nothing is left to be kept: it is said all the same.
        assert!(history.folders("code", None, &[], &gone).is_some());
        // Forgotten, or back.
        assert_eq!(run(&mut history, &third, &one, &[]), None);
        assert_eq!(history.stay("memory", &[]), HashSet::new());
        let never = run(&mut history, &third, &one, &gone).unwrap();
        assert!(never.contains("no backup"), "{never}");
    }

    #[test]
    fn what_shrank_is_alarming_until_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::load(folder.path());
        let name = |second: i64| SnapshotName::new(Timestamp::from_second(second).unwrap(), "code");
        let size = |files| Size { files, bytes: 0 };
        assert_eq!(history.made(&name(1), size(100)), None);
        assert!(
            history
                .made(&name(2), size(10))
                .unwrap()
                .contains("10 files, the one before had 100")
        );
        history.failed("code", Timestamp::UNIX_EPOCH, "away".to_owned());
        history.save(folder.path()).unwrap();
        let mut again = History::load(folder.path());
        assert_eq!(again, history);
        assert!(again.jobs["code"].failed.is_some());
        assert_eq!(again.made(&name(3), size(10)), None);
        assert_eq!(again.jobs["code"].failed, None);
        std::fs::write(folder.path().join("history.json"), "{").unwrap();
        assert!(History::load(folder.path()).jobs.is_empty());
    }

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = alone(folder.path()).unwrap();
        let said = alone(folder.path()).unwrap_err().to_string();
        assert!(said.contains("runs already"), "{said}");
        drop(first);
        alone(folder.path()).unwrap();
    }

    /// Says where the notes go, to the process of [`two_processes_note_and_nothing_is_lost`].
    const NOTES: &str = "BACKUP_TEST_NOTES";
    /// How many notes each makes.
    const MANY: usize = 100;

    /// Notes one job after the other; begun by the test below as a process of its own.
    #[test]
    fn one_of_two_that_note() {
        let Some(folder) = std::env::var_os(NOTES) else {
            return;
        };
        let pid = std::process::id();
        for number in 0..MANY {
            let note = |history: &mut History| {
                history.well(&format!("{pid}-{number}"), Timestamp::UNIX_EPOCH);
            };
            History::change(Path::new(&folder), note).unwrap();
        }
    }

    #[test]
    fn two_processes_note_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let begin = || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "history::tests::one_of_two_that_note"])
                .env(NOTES, folder.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        for mut process in [begin(), begin()] {
            assert!(process.wait().unwrap().success());
        }
        assert_eq!(History::load(folder.path()).jobs.len(), 2 * MANY);
    }
}
