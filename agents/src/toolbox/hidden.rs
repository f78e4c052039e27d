//! Secrets in what a call answers, and on their way back. The key of their names lies beside the task's clone, so
//! that whoever goes on with the task after a crash calls them the same; lost, what was told before stands for
//! nothing any more.

use super::Toolbox;
use crate::disk::{Disk, File};
use crate::question::Question;
use crate::stop::Stop;
use guard::act::Act;
use guard::masks::Masks;
use protocol::ids::ShortId;

/// Bytes of the key.
const BYTES: usize = 32;

impl Toolbox {
    /// What hides secrets in answers.
    pub(super) fn masks(&self) -> &Masks {
        self.masks.get_or_init(|| {
            let sandboxes = &self.sandboxes;
            // Without a clone there is no file that anything could be put back into.
            let key = match sandboxes.clone.is_some() {
                true => key(&sandboxes.disk, sandboxes.task),
                false => fresh(),
            };
            let faults = self.sandboxes.hold.faults();
            Masks::new(self.redactor.clone(), key, faults)
        })
    }

    /// What a person says, as a model, the journal and the screens have it: a secret in it has the name that it
    /// has in the files that hold it.
    pub fn hide(&self, text: &str) -> String {
        self.masks().text(text)
    }

    /// The act with secrets in place of their names, where it changes the file that holds them. Only what runs
    /// holds them: what is recorded, journaled and shown is as it was asked for.
    pub(super) async fn put_back(&mut self, act: &Act) -> Result<Act, Stop> {
        if let Some(anywhere) = self.masks().put_back_anywhere(act) {
            return Ok(anywhere);
        }
        let Some(path) = self.masks().file_of(act) else {
            return Ok(act.clone());
        };
        if self.sandboxes.clone.is_none() {
            return Ok(act.clone());
        }
        let holds = self.asked(Question::Holds(path)).await?.text();
        Ok(self.masks().put_back(act, &holds))
    }
}

/// The key of a task, made where there is none.
fn key(disk: &Disk, task: ShortId) -> [u8; BYTES] {
    let file = File::Names(task);
    let kept = disk.read(&file).ok().flatten();
    if let Some(key) = kept.and_then(|bytes| bytes.try_into().ok()) {
        return key;
    }
    let key = fresh();
    if let Err(error) = disk.write(&file, &key) {
        tracing::warn!(%error, "names of secrets are forgotten when this process ends");
    }
    key
}

fn fresh() -> [u8; BYTES] {
    let mut key = [0; BYTES];
    for part in key.chunks_mut(16) {
        part.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..part.len()]);
    }
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use config::home::Home;

    #[test]
    fn whoever_goes_on_has_the_same_key_and_another_task_has_another() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::here(Home::at(folder.path()));
        for task in [1, 2] {
            std::fs::create_dir_all(disk.task(ShortId(task))).unwrap();
        }
        let first = key(&disk, ShortId(1));
        assert_eq!(key(&disk, ShortId(1)), first);
        assert_ne!(key(&disk, ShortId(2)), first);
    }
}
