//! Letting go of old snapshots, and of what no other snapshot needs. Snapshots go first and packs after
//! them, so that a snapshot that is listed always has its packs.

use crate::error::BackupError;
use crate::holder::Holder;
use crate::keep::{Keep, let_go};
use crate::lock::{For, HOLDS, Lock};
use crate::names::{self, Digest, INDEX, PACKS, SnapshotName};
use crate::repository::Repository;
use crate::store::Store;
use jiff::Timestamp;
use std::collections::HashSet;

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Snapshots.
    pub snapshots: Vec<SnapshotName>,
    /// Packs that nothing needed any more, or that a run which was cut off had left.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Lets go, of none of those that `stay`.
///
/// # Errors
/// When somebody is at it, or a snapshot that stays cannot be read: then nothing goes.
pub fn prune(
    repository: &mut Repository,
    keep: Keep,
    stay: &HashSet<SnapshotName>,
    host: &str,
    now: fn() -> Timestamp,
) -> Result<Pruned, BackupError> {
    let who = Holder::me(&repository.cache);
    let store = repository.store.as_mut();
    let mut lock = Lock::take(store, For::Prune, (host, who), now())?;
    let pruned = alone(repository, keep, stay, &mut lock, now);
    // Whoever still writes holds a lock; what is older than any lock was left by one that was killed.
    let now = now();
    let before = now.checked_sub(HOLDS).unwrap_or(now);
    let swept = repository.store.sweep(before);
    if let Some(lock) = lock {
        lock.free(repository.store.as_mut())?;
    }
    swept?;
    pruned
}

fn alone(
    repository: &mut Repository,
    keep: Keep,
    stay: &HashSet<SnapshotName>,
    lock: &mut Option<Lock>,
    now: fn() -> Timestamp,
) -> Result<Pruned, BackupError> {
    let mut hold = |store: &mut dyn Store| match lock {
        Some(lock) => lock.keep(store, now()),
        None => Ok(()),
    };
    let all = repository.snapshots()?;
    let mut gone = let_go(&all, keep);
    gone.retain(|name| !stay.contains(name));
    let mut needed: HashSet<Digest> = HashSet::new();
    for name in all.iter().filter(|name| !gone.contains(name)) {
        hold(repository.store.as_mut())?;
        let (head, _) = repository.head(name)?;
        needed.extend(head.packs.iter().chain(&head.indexes));
    }
    let store = &mut repository.store;
    for name in &gone {
        store.remove(&name.object())?;
    }
    if !store.refuses_races() {
        store.settle()?;
    }
    let mut pruned = Pruned {
        snapshots: gone,
        ..Pruned::default()
    };
    for folder in [PACKS, INDEX] {
        for found in store.list(folder)? {
            let digest = names::digest_of(&found.name);
            if digest.is_some_and(|digest| !needed.contains(&digest)) {
                hold(store.as_mut())?;
                store.remove(&found.name)?;
                pruned.packs += u64::from(folder == PACKS);
                pruned.bytes += found.bytes;
            }
        }
    }
    store.settle()?;
    Ok(pruned)
}
