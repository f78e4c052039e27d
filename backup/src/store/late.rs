//! A store that gets a snapshot before the packs it names: what a backup must never do, for whoever checks
//! that such a thing would be seen. Only builds with debug assertions know it.

use super::{Found, Store};
use crate::error::BackupError;
use crate::names::{PACKS, SNAPSHOTS};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long there is between the snapshot and its packs for whoever kills the program there.
const BETWEEN: Duration = Duration::from_secs(60);

/// Holds packs back until a while after a snapshot was put.
pub(crate) struct Late {
    store: Box<dyn Store>,
    held: BTreeMap<String, Vec<u8>>,
}

impl Late {
    pub(crate) fn over(store: Box<dyn Store>) -> Self {
        Self {
            store,
            held: BTreeMap::new(),
        }
    }
}

impl Store for Late {
    fn place(&self) -> String {
        self.store.place()
    }

    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError> {
        let mut found = self.store.list(folder)?;
        if folder == PACKS {
            found.extend(self.held.iter().map(|(name, bytes)| Found {
                name: name.clone(),
                bytes: bytes.len() as u64,
            }));
        }
        Ok(found)
    }

    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        match self.held.get(name) {
            Some(bytes) => Ok(Some(bytes.clone())),
            None => self.store.get(name),
        }
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        if name.starts_with(PACKS) {
            self.held.insert(name.to_owned(), bytes.to_owned());
            return Ok(());
        }
        self.store.put(name, bytes)?;
        if name.starts_with(SNAPSHOTS) {
            self.store.settle()?;
            std::thread::sleep(BETWEEN);
            while let Some((name, bytes)) = self.held.pop_first() {
                self.store.put(&name, &bytes)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        self.store.remove(name)
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        self.store.settle()
    }

    fn refuses_races(&self) -> bool {
        self.store.refuses_races()
    }
}
