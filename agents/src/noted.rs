//! Calls that cannot be made twice, noted on the host of their agent beside the task's clone. Redis
//! may lose a journal, or the end of one: then this is all that says that a call was begun, and the
//! next holder asks a person instead of making it again. A task never leaves the host whose folder
//! it works on, so whoever holds it next looks into the same file.

use crate::disk::{Disk, File};
use crate::steps::Begun;
use crate::stop::Stop;
use bus::lease::Lease;
use jiff::Timestamp;
use protocol::ids::{Epoch, ShortId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version that is written.
const VERSION: u32 = 1;

/// The calls of one task that were begun on this host.
#[derive(Debug)]
pub struct Noted {
    disk: Disk,
    number: ShortId,
    task: TaskId,
    holder: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Notes {
    v: u32,
    task: TaskId,
    /// The newest beginning of each step.
    calls: BTreeMap<String, Note>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    at: Timestamp,
    epoch: Epoch,
    holder: String,
    seen: Value,
}

impl Noted {
    /// Of the task of `lease`, which has this number.
    pub fn of(disk: &Disk, number: ShortId, lease: &Lease) -> Self {
        Self {
            disk: disk.clone(),
            number,
            task: lease.task,
            holder: lease.instance.clone(),
        }
    }

    /// Notes that a call whose intent is in the journal is about to be made; on the disk when this
    /// returns.
    ///
    /// # Errors
    /// [`Stop::Fail`] where the disk does not take it: then the call must not be made.
    pub fn begin(&self, step: &str, begun: Begun) -> Result<(), Stop> {
        let mut notes = self.read()?;
        let note = Note {
            at: begun.at,
            epoch: begun.epoch,
            holder: self.holder.clone(),
            seen: begun.seen,
        };
        notes.calls.insert(step.to_owned(), note);
        let text = serde_json::to_vec(&notes).map_err(|e| Stop::Fail(e.to_string()))?;
        self.disk.write(&self.file(), &text).map_err(|e| {
            let file = self.path();
            let file = file.display();
            Stop::Fail(format!(
                "cannot note in {file} that a call is made: {e}; it was not made"
            ))
        })
    }

    /// A beginning of the step that the journal, which knows `written` of it, has not heard of; and
    /// who began it.
    ///
    /// # Errors
    /// [`Stop::Fail`] where the notes cannot be read: nobody knows then what was begun.
    pub fn unheard(
        &self,
        step: &str,
        written: Option<&Begun>,
    ) -> Result<Option<(Begun, String)>, Stop> {
        let note = self.read()?.calls.remove(step);
        let newer = note.filter(|note| written.is_none_or(|begun| begun.epoch < note.epoch));
        Ok(newer.map(|note| {
            let begun = Begun {
                at: note.at,
                epoch: note.epoch,
                seen: note.seen,
            };
            (begun, note.holder)
        }))
    }

    fn file(&self) -> File {
        File::Begun(self.number)
    }

    fn path(&self) -> PathBuf {
        self.disk.path(&self.file())
    }

    /// What is noted of this task. A file of another one, whose number this task was given after the
    /// ledger was begun anew, says nothing.
    fn read(&self) -> Result<Notes, Stop> {
        let none = Notes {
            v: VERSION,
            task: self.task,
            calls: BTreeMap::new(),
        };
        let unreadable = |why: String| {
            let file = self.path();
            let file = file.display();
            Stop::Fail(format!(
                "cannot read {file}, which says what this task has begun outside: {why}; look at \
                 what was done, then run the request again"
            ))
        };
        let read = self.disk.read(&self.file());
        let Some(bytes) = read.map_err(|e| unreadable(e.to_string()))? else {
            return Ok(none);
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        let v = value["v"].as_u64().unwrap_or(0);
        if v > u64::from(VERSION) {
            let why = format!("it has version {v}, this binary reads up to {VERSION}: upgrade");
            return Err(unreadable(why));
        }
        let notes: Notes = serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))?;
        Ok(match notes.task == self.task {
            true => notes,
            false => none,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use config::home::Home;
    use serde_json::json;
    use std::path::Path;

    fn begun(epoch: u64) -> Begun {
        Begun {
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch(epoch),
            seen: json!({"act": "POST"}),
        }
    }

    fn noted(folder: &Path, task: TaskId) -> Noted {
        Noted {
            disk: Disk::here(Home::at(folder)),
            number: ShortId(1),
            task,
            holder: "infra@h#1".to_owned(),
        }
    }

    #[test]
    fn what_the_journal_has_not_heard_of_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let here = noted(folder.path(), TaskId::new());
        assert_eq!(here.unheard("a", None).unwrap(), None);
        here.begin("a", begun(5)).unwrap();
        here.begin("b", begun(7)).unwrap();
        for (step, written, expected) in [
            ("a", None, Some(5)),
            ("a", Some(4), Some(5)),
            ("a", Some(5), None),
            ("a", Some(6), None),
            ("b", Some(5), Some(7)),
            ("c", None, None),
        ] {
            let found = here.unheard(step, written.map(begun).as_ref()).unwrap();
            let found = found.map(|(begun, _)| begun.epoch.0);
            assert_eq!(found, expected, "{step} {written:?}");
        }
        // Begun again by the same task: the newest beginning counts.
        here.begin("a", begun(9)).unwrap();
        let (again, holder) = here.unheard("a", Some(&begun(5))).unwrap().unwrap();
        assert_eq!((again, holder.as_str()), (begun(9), "infra@h#1"));
    }

    #[test]
    fn another_task_of_the_same_number_is_none_of_this_one() {
        let folder = tempfile::tempdir().unwrap();
        noted(folder.path(), TaskId::new())
            .begin("a", begun(5))
            .unwrap();
        let other = noted(folder.path(), TaskId::new());
        assert_eq!(other.unheard("a", None).unwrap(), None);
        other.begin("b", begun(6)).unwrap();
        assert!(other.unheard("b", None).unwrap().is_some());
        assert_eq!(other.unheard("a", None).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_read_stops_the_task() {
        for (text, words) in [
            (&b"{\"v\":9}"[..], "upgrade"),
            (b"{\"v\":1,\"ca", "cannot read"),
            (b"", "look at what was done"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let here = noted(folder.path(), TaskId::new());
            here.disk.write(&here.file(), text).unwrap();
            let said = here.unheard("a", None).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
