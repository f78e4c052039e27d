//! Two at once: a run may write beside other runs, what removes may be alone only. A lock is an object
//! that says who holds it and until when, so that one whose holder died stands in nobody's way: not at all where
//! that can be seen (`holder`), for half an hour at most where it cannot.

use crate::error::BackupError;
use crate::holder::{Holder, Is, started};
use crate::names::LOCKS;
use crate::store::Store;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a lock holds when it is not renewed.
pub const HOLDS: SignedDuration = SignedDuration::from_mins(30);

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum For {
    /// Adding a snapshot.
    Run,
    /// Removing what no snapshot needs.
    Prune,
}

/// A lock as it lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    v: u64,
    what: For,
    host: String,
    pid: u32,
    until: Timestamp,
    /// Who it is exactly; older programs did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    who: Option<Holder>,
}

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    name: String,
    written: Written,
}

/// Whether two may hold at once.
fn fits(one: For, other: For) -> bool {
    one == For::Run && other == For::Run
}

impl Lock {
    /// Takes a lock for `who`, this process, or says who has it. A store that refuses races itself needs none.
    pub fn take(
        store: &mut dyn Store,
        what: For,
        (host, who): (&str, Option<Holder>),
        now: Timestamp,
    ) -> Result<Option<Lock>, BackupError> {
        if store.refuses_races() {
            return Ok(None);
        }
        let mut lock = Lock {
            name: format!("{LOCKS}/{}", uuid::Uuid::now_v7()),
            written: Written {
                v: 1,
                what,
                host: host.to_owned(),
                pid: std::process::id(),
                until: now,
                who,
            },
        };
        // First say it, then look: of two that begin at once at least one sees the other.
        lock.renew(store, now)?;
        if let Err(error) = lock.alone(store, now) {
            lock.free(store)?;
            return Err(error);
        }
        Ok(Some(lock))
    }

    fn alone(&self, store: &mut dyn Store, now: Timestamp) -> Result<(), BackupError> {
        for found in store.list(LOCKS)? {
            if found.name == self.name {
                continue;
            }
            let Some(bytes) = store.get(&found.name)? else {
                continue;
            };
            // One that cannot be read is none: nobody could say until when it holds.
            let other = serde_json::from_slice::<Written>(&bytes).ok();
            let other = other.filter(|other| other.until > now);
            match other.filter(|other| !self.sees_gone(other)) {
                // Whoever comes back after all sees that it holds no longer.
                None => store.remove(&found.name)?,
                Some(other) if !fits(self.written.what, other.what) => {
                    let doing = match other.what {
                        For::Run => "a backup runs",
                        For::Prune => "old snapshots are being removed",
                    };
                    return Err(BackupError::Busy(format!(
                        "{}: {doing} there (host {}, process {}): try again when it is done, or after {} if it died",
                        store.place(),
                        config::error::quoted(&other.host),
                        other.pid,
                        other.until.strftime("%H:%M UTC")
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn sees_gone(&self, other: &Written) -> bool {
        let both = self.written.who.as_ref().zip(other.who.as_ref());
        both.is_some_and(|(me, other)| me.sees(other, started) == Is::Gone)
    }

    /// Lets it hold longer, when half its time is over.
    pub fn keep(&mut self, store: &mut dyn Store, now: Timestamp) -> Result<(), BackupError> {
        match self.written.until.duration_since(now) < HOLDS / 2 {
            true => self.renew(store, now),
            false => Ok(()),
        }
    }

    fn renew(&mut self, store: &mut dyn Store, now: Timestamp) -> Result<(), BackupError> {
        self.written.until = now.saturating_add(HOLDS).unwrap_or(now);
        let bytes = serde_json::to_vec(&self.written)
            .map_err(|error| BackupError::damaged("the lock", error))?;
        store.put(&self.name, &bytes)
    }

    /// Whether it still holds, so that nothing was removed meanwhile.
    pub fn holds(&self, store: &mut dyn Store, now: Timestamp) -> Result<bool, BackupError> {
        Ok(self.written.until > now && store.get(&self.name)?.is_some())
    }

    /// Lets go of it.
    pub fn free(self, store: &mut dyn Store) -> Result<(), BackupError> {
        store.remove(&self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::folder::Folder;

    #[test]
    fn runs_fit_beside_each_other_and_removing_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let store: &mut dyn Store = &mut Folder::at(folder.path());
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let later = now + SignedDuration::from_mins(31);
        let mut take = |what, at| Lock::take(store, what, ("h", None), at).map(Option::unwrap);
        let first = take(For::Run, now).unwrap();
        let second = take(For::Run, now).unwrap();
        let said = take(For::Prune, now).unwrap_err().to_string();
        assert!(said.contains("a backup runs there (host h"), "{said}");
        // The refused one left nothing behind, the dead ones are in nobody's way.
        let prune = take(For::Prune, later).unwrap();
        assert!(take(For::Run, later).is_err());
        let store: &mut dyn Store = &mut Folder::at(folder.path());
        assert!(
            !first.holds(store, now).unwrap(),
            "whoever removes takes expired locks away"
        );
        prune.free(store).unwrap();
        second.free(store).unwrap();
        assert_eq!(store.list(LOCKS).unwrap(), []);
    }

    #[test]
    fn whoever_died_stands_in_nobodys_way_and_whoever_lives_does() {
        let folder = tempfile::tempdir().unwrap();
        let store: &mut dyn Store = &mut Folder::at(folder.path());
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let me = Holder::me(folder.path());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        // The other process's lock, as it would write it.
        let mut theirs = Lock::take(store, For::Prune, ("h", me.clone()), now)
            .unwrap()
            .unwrap();
        let mut who = serde_json::to_value(&me).unwrap();
        who["pid"] = child.id().into();
        who["start"] = started(child.id()).into();
        theirs.written.who = serde_json::from_value(who).unwrap();
        theirs.renew(store, now).unwrap();
        let busy = Lock::take(store, For::Run, ("h", me.clone()), now);
        assert!(matches!(busy, Err(BackupError::Busy(_))));
        child.kill().unwrap();
        child.wait().unwrap();
        let mine = Lock::take(store, For::Run, ("h", me), now)
            .unwrap()
            .unwrap();
        assert!(!theirs.holds(store, now).unwrap());
        assert!(mine.holds(store, now).unwrap());
    }
}
