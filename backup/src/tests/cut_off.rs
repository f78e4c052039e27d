//! A run that is cut off after any of its changes leaves every listed snapshot whole, and the next one goes on.

use super::{Place, later, noise, tree};
use crate::error::BackupError;
use crate::run::run;
use crate::store::folder::Folder;
use crate::store::{Found, Store};

/// A store that is cut off after so many changes.
struct CutOff {
    inner: Folder,
    left: u32,
}

impl CutOff {
    fn change(&mut self) -> Result<(), BackupError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| BackupError::Target {
                target: "t".to_owned(),
                said: "cut off".to_owned(),
            })?;
        Ok(())
    }
}

impl Store for CutOff {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError> {
        self.inner.list(folder)
    }
    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        self.inner.get(name)
    }
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.change()?;
        self.inner.put(name, bytes)
    }
    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        self.change()?;
        self.inner.remove(name)
    }
    fn settle(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

#[test]
fn cut_off_after_any_change_every_listed_snapshot_is_whole() {
    let place = Place::new();
    place.put("first", &noise(1, 400_000));
    place.run();
    place.put("second", &noise(2, 400_000));
    let mut cut = 0;
    let done = loop {
        let store = CutOff {
            inner: Folder::at(place.target()),
            left: cut,
        };
        let mut repository = place.open_on(Box::new(store)).unwrap();
        let came = run(&mut repository, &place.job(), None, later, &mut |_| {});
        // A lock of the dead one is in no other run's way.
        assert_eq!(
            place.verified(),
            Vec::<String>::new(),
            "after {cut} changes"
        );
        cut += 1;
        match came {
            Ok(done) => break done,
            Err(error) => assert!(error.to_string().contains("cut off"), "{error}"),
        }
    };
    assert!(cut >= 4, "{cut}: lock, pack, table, snapshot");
    assert_eq!(place.back(&done.name), tree(&place.source()));
}
