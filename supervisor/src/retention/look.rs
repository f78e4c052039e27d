//! What lies in the home's folders of tasks, caches and blobs, and what of it is still needed.

use super::decide::{Bounds, Kind, Thing};
use crate::desk::Desk;
use crate::ledger::patch::PatchState;
use crate::ledger::retained::Ended;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// What lies beside a blob while it is looked at for the last time.
const ASIDE: &str = "aside";

/// Everything that could be let go, and whether it may.
///
/// # Errors
/// When the ledger does not answer.
pub(super) async fn all(
    desk: &Desk,
    bounds: Bounds,
    now: Timestamp,
) -> Result<Vec<Thing>, LedgerError> {
    let (tasks, caches, blobs) = (desk.home.tasks(), desk.home.caches(), desk.home.blobs());
    let seen = spawn_blocking(move || (clones(&tasks), folders(&caches), old_blobs(&blobs)));
    let (clones, caches, blobs) = seen.await.unwrap_or_default();
    let numbers: Vec<u64> = clones.keys().copied().collect();
    let ended = desk.ledger.ended(&numbers).await?;
    let mut things: Vec<Thing> = clones
        .into_iter()
        .map(|(number, clone)| of_task(clone, ended.get(&number)))
        .collect();
    things.extend(caches);
    things.extend(unneeded(desk, blobs, bounds, now).await?);
    Ok(things)
}

/// A clone, and whether there is a patch beside it.
struct Clone {
    path: PathBuf,
    bytes: u64,
    patch: bool,
}

/// A clone is let go once its task is over, unless its patch was proven and nobody has put it in place or thrown it
/// away yet. The patch itself always stays, also that of a task that failed.
fn of_task(clone: Clone, ended: Option<&Ended>) -> Thing {
    let settled = |ended: &&Ended| {
        let taken = matches!(ended.patch, PatchState::Applied | PatchState::Discarded);
        !clone.patch || !ended.done || taken
    };
    let free = ended.filter(settled);
    Thing {
        kind: Kind::Clone,
        bytes: clone.bytes,
        used: free.map_or(Timestamp::MAX, |ended| ended.at),
        free: free.is_some(),
        path: clone.path,
    }
}

/// The folders of tasks that hold a clone, by number.
fn clones(tasks: &Path) -> BTreeMap<u64, Clone> {
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix('t')?.parse().ok();
    let clone = |path: PathBuf| {
        let parts = guard::clone::COPIES.map(|part| path.join(part));
        if parts.iter().all(|part| part.symlink_metadata().is_err()) {
            return None;
        }
        let patch = path.join("patch.diff").symlink_metadata();
        let all = parts.iter().map(|part| weigh(part).0).sum();
        Some((
            number(&path)?,
            Clone {
                bytes: all,
                patch: patch.is_ok_and(|about| about.len() > 0),
                path,
            },
        ))
    };
    entries(tasks).filter_map(clone).collect()
}

/// The caches, used when anything in them was last written.
fn folders(caches: &Path) -> Vec<Thing> {
    let cache = |path: PathBuf| {
        let (bytes, used) = weigh(&path);
        Thing {
            kind: Kind::Cache,
            path,
            bytes,
            used,
            free: true,
        }
    };
    entries(caches).map(cache).collect()
}

/// Every blob under its name.
fn old_blobs(blobs: &Path) -> BTreeMap<String, Thing> {
    let mut all = BTreeMap::new();
    for path in entries(blobs) {
        if path.extension().is_some_and(|extension| extension == ASIDE) {
            // Left by one that was killed while it looked: put back where nothing took its place.
            let back = path.with_extension("");
            let _there_or_not = match back.exists() {
                true => fs::remove_file(&path),
                false => fs::rename(&path, &back),
            };
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let digest = |name: &&str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let (Some(name), Ok(about)) = (name.filter(digest), path.symlink_metadata()) else {
            continue;
        };
        let thing = Thing {
            kind: Kind::Blob,
            bytes: about.blocks() * 512,
            used: written(&about),
            free: false,
            path: path.clone(),
        };
        all.insert(name.to_owned(), thing);
    }
    all
}

/// Those blobs that are too old, that no task of the ledger names, and that were there before the oldest task that is
/// open: whoever uses a blob again touches it.
async fn unneeded(
    desk: &Desk,
    mut blobs: BTreeMap<String, Thing>,
    bounds: Bounds,
    now: Timestamp,
) -> Result<Vec<Thing>, LedgerError> {
    let Some(age) = bounds.age else {
        return Ok(Vec::new());
    };
    let open = desk.ledger.oldest_open().await?;
    blobs.retain(|_, blob| {
        now.duration_since(blob.used) > age && open.is_none_or(|open| blob.used < open)
    });
    if blobs.is_empty() {
        return Ok(Vec::new());
    }
    let names: BTreeSet<String> = blobs.keys().cloned().collect();
    let unnamed = desk.ledger.unnamed(names).await?;
    blobs.retain(|name, _| unnamed.contains(name));
    let free = |blob| Thing { free: true, ..blob };
    Ok(blobs.into_values().map(free).collect())
}

/// Removes a blob unless somebody has touched it since it was looked at: it is put aside first, so that whoever
/// touches it before keeps it, and whoever comes after writes it anew.
pub(super) fn remove_blob(blob: &Thing) -> io::Result<bool> {
    let aside = blob.path.with_extension(ASIDE);
    fs::rename(&blob.path, &aside)?;
    if written(&aside.symlink_metadata()?) == blob.used {
        fs::remove_file(&aside)?;
        return Ok(true);
    }
    fs::rename(&aside, &blob.path)?;
    Ok(false)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn written(about: &Metadata) -> Timestamp {
    let nanos = i32::try_from(about.mtime_nsec()).unwrap_or(0);
    Timestamp::new(about.mtime(), nanos).unwrap_or(Timestamp::MAX)
}

/// What a tree takes on the disk and when anything in it was last written. Links are not followed, files that others
/// hold too are not counted, and what cannot be read weighs nothing.
fn weigh(path: &Path) -> (u64, Timestamp) {
    let Ok(about) = path.symlink_metadata() else {
        return (0, Timestamp::MIN);
    };
    let own = if about.is_dir() || about.nlink() == 1 {
        about.blocks() * 512
    } else {
        0
    };
    let mut sum = (own, written(&about));
    if about.is_dir() {
        for entry in entries(path) {
            let (bytes, at) = weigh(&entry);
            sum = (sum.0 + bytes, sum.1.max(at));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn clone(patch: bool) -> Clone {
        Clone {
            path: PathBuf::from("t1"),
            bytes: 1,
            patch,
        }
    }

    #[test]
    fn a_patch_that_nobody_took_keeps_its_clone() {
        let at = Timestamp::UNIX_EPOCH;
        for (patch, state, free) in [
            (false, Some((true, PatchState::Kept)), true),
            (true, Some((true, PatchState::Kept)), false),
            (true, Some((true, PatchState::Applying)), false),
            (true, Some((true, PatchState::Applied)), true),
            (true, Some((true, PatchState::Discarded)), true),
            // It failed: nothing puts its patch in place, and that stays to be read.
            (true, Some((false, PatchState::Kept)), true),
            // The ledger does not know it, or it is not over.
            (false, None, false),
        ] {
            let ended = state.map(|(done, patch)| Ended { at, done, patch });
            let thing = of_task(clone(patch), ended.as_ref());
            assert_eq!(thing.free, free, "{patch} {state:?}");
        }
    }

    #[test]
    fn a_blob_that_is_used_again_stays() {
        let folder = tempfile::tempdir().unwrap();
        let name = "a".repeat(64);
        fs::write(folder.path().join(&name), "x").unwrap();
        fs::write(folder.path().join("other"), "x").unwrap();
        let seen = old_blobs(folder.path());
        assert_eq!(seen.len(), 1);
        let blob = &seen[&name];
        let touched = fs::File::open(&blob.path).unwrap();
        touched
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!(!remove_blob(blob).unwrap());
        assert!(blob.path.exists());
        let blob = &old_blobs(folder.path())[&name];
        assert!(remove_blob(blob).unwrap());
        assert!(!blob.path.exists());
        // Killed in between: it is there again.
        fs::write(blob.path.with_extension(ASIDE), "x").unwrap();
        assert!(old_blobs(folder.path()).is_empty());
        assert_eq!(old_blobs(folder.path()).len(), 1);
    }

    #[test]
    fn a_tree_is_weighed_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("tree/deep");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), vec![1u8; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", inner.join("link")).unwrap();
        let (bytes, at) = weigh(&folder.path().join("tree"));
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
        assert!(at > Timestamp::UNIX_EPOCH);
    }
}
