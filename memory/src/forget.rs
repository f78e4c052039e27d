//! Forgetting: the file moves to `Forgotten/`, where no search looks, beside a note that says why. It can be
//! taken back for 30 days; after that it is removed. Its content does not come back by an import.

use crate::adopt::content;
use crate::door::{Memory, MemoryError};
use crate::entry::{Entry, line};
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// How long a forgotten record can be taken back, in days.
pub const KEPT_DAYS: i64 = 30;
/// Where forgotten records lie.
const FOLDER: &str = "Forgotten";
/// Version of the note.
const NOTE_VERSION: u32 = 1;
/// Longest reason, in characters.
const REASON_CHARS: usize = 500;

/// The note beside a forgotten record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Version of the note.
    pub v: u32,
    /// The record.
    pub id: String,
    /// Where it lay, below the root.
    pub path: PathBuf,
    /// Why it was forgotten.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

fn file_of(id: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{id}.md"))
}

fn note_of(id: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{id}.json"))
}

/// The notes of records that can be taken back.
pub(crate) fn notes(tree: &Tree) -> Vec<Note> {
    let names = tree.names(Path::new(FOLDER));
    let ids = names.iter().filter_map(|name| name.strip_suffix(".json"));
    let notes = ids.filter_map(|id| {
        let text = tree.read(&note_of(id)).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        let whole = note.id == id && tree.look(&file_of(id)).is_ok();
        whole.then_some(note)
    });
    notes.collect()
}

/// The contents that were forgotten.
pub(crate) fn contents(tree: &Tree) -> HashSet<[u8; 16]> {
    let entries = notes(tree).into_iter().filter_map(|note| {
        let text = tree.read(&file_of(&note.id)).ok()?;
        Entry::parse(&note.id, &text).ok()
    });
    entries.map(|entry| content(&entry)).collect()
}

impl Memory {
    /// Forgets a record; no recall or search finds it from now on. Gives its title.
    ///
    /// # Errors
    /// When there is no such record, or the disk refuses.
    pub fn forget(&self, id: &str, reason: &str, at: Timestamp) -> Result<String, MemoryError> {
        let mut inner = self.lock();
        let known = inner.catalog.get(id).cloned();
        let known = known.ok_or_else(|| MemoryError::NoSuch(line(id, 80)))?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| MemoryError::Io(path, error)
        };
        let text = inner.tree.read(&known.path).map_err(io(&known.path))?;
        let title = Entry::parse(id, &text).map_or_else(|_| id.to_owned(), |entry| entry.title);
        let note = Note {
            v: NOTE_VERSION,
            id: id.to_owned(),
            path: known.path.clone(),
            reason: line(reason, REASON_CHARS),
            at,
        };
        let written = serde_json::to_string_pretty(&note).unwrap_or_default();
        // A file of this name that was forgotten before makes room: the newest word counts.
        inner
            .tree
            .remove(&note_of(id))
            .or_else(ignore_missing)
            .map_err(io(&known.path))?;
        inner
            .tree
            .keep(&note_of(id), &written)
            .and_then(|()| inner.tree.shift(&known.path, &file_of(id)))
            .map_err(io(&known.path))?;
        inner.catalog.remove(id);
        inner.waiting.retain(|waiting| waiting != id);
        let removed = inner.index.change().and_then(|changes| {
            changes.remove(id);
            changes.commit()
        });
        if let Err(error) = removed {
            inner.rebuild(&self.index_dir, &error)?;
        }
        Ok(title)
    }

    /// Takes a forgotten record back, to where it lay. Gives its title.
    ///
    /// # Errors
    /// When it was not forgotten here, or a record of its name was written since.
    pub fn take_back(&self, id: &str) -> Result<String, MemoryError> {
        {
            let inner = self.lock();
            let note = notes(&inner.tree).into_iter().find(|note| note.id == id);
            let note = note.ok_or_else(|| {
                MemoryError::Forgotten(format!(
                    "no memory `{}` was forgotten in the last {KEPT_DAYS} days",
                    line(id, 80)
                ))
            })?;
            if inner.catalog.get(id).is_some() || inner.tree.look(&note.path).is_ok() {
                return Err(MemoryError::Forgotten(format!(
                    "another memory is called {id} now: forget that one first"
                )));
            }
            inner
                .tree
                .shift(&file_of(id), &note.path)
                .and_then(|()| inner.tree.remove(&note_of(id)))
                .map_err(|error| MemoryError::Io(note.path.clone(), error))?;
        }
        self.refresh()?;
        let text = self.show(id)?;
        Ok(Entry::parse(id, &text).map_or_else(|_| id.to_owned(), |entry| entry.title))
    }

    /// Removes what was forgotten too long ago to be taken back.
    pub(crate) fn sweep_forgotten(&self, now: Timestamp) {
        let inner = self.lock();
        for note in notes(&inner.tree) {
            let age = now.duration_since(note.at);
            if age > SignedDuration::from_hours(24 * KEPT_DAYS) {
                let gone = inner.tree.remove(&file_of(&note.id));
                let _ = gone.and_then(|()| inner.tree.remove(&note_of(&note.id)));
            }
        }
    }
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}
