//! The folder that backups of a source lie in. A backup has its name only when it is whole and on the disk; until then it
//! lies in a folder of its own that nobody takes for one, and goes with whoever wrote it.

use super::{Manifest, VERSION};
use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What folders of unfinished ones begin with.
const UNFINISHED: &str = ".unfinished-";
/// Letters of a key in a name.
const MARK: usize = 12;
/// Space that is left free, in bytes.
const SPARE: u64 = 64 << 20;
/// Largest manifest, in bytes.
const MANIFEST_BYTES: u64 = 16 << 20;

/// A backup that is there.
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The backups of one source.
pub(super) struct Shelf<'a> {
    folder: &'a Path,
    /// What their names begin with.
    prefix: String,
}

/// Now, in whole seconds.
pub(in super::super) fn second() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

impl<'a> Shelf<'a> {
    pub(super) fn open(folder: &'a Path, source: &str) -> Result<Self, String> {
        if !folder.is_dir() {
            return Err(format!("{} is no folder: make it", folder.display()));
        }
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || "_.-".contains(c) {
                c
            } else {
                '_'
            }
        };
        let source: String = source.chars().map(plain).take(80).collect();
        Ok(Self {
            folder,
            prefix: format!("{}-", source.trim_start_matches('.')),
        })
    }

    /// `shop-20260102T030405Z-0123456789ab.dump`: by name they are in the order of time.
    pub(super) fn name(&self, at: Timestamp, key: &str, ending: &str) -> String {
        let at = at.strftime("%Y%m%dT%H%M%SZ");
        format!("{}{at}-{}.{ending}", self.prefix, mark(key))
    }

    /// Those that are there, the oldest first.
    pub(super) fn list(&self) -> Result<Vec<Kept>, String> {
        let entries = std::fs::read_dir(self.folder)
            .map_err(|e| format!("{} cannot be read: {e}", self.folder.display()))?;
        let kept = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let about = entry.metadata().ok()?;
            (self.is_one(&name) && about.is_file()).then_some(Kept {
                name,
                bytes: about.len(),
            })
        });
        let mut all: Vec<Kept> = kept.collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn is_one(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.prefix);
        let stem = rest.and_then(|rest| {
            let stem = rest.strip_suffix(".db");
            stem.or_else(|| rest.strip_suffix(".dump"))
        });
        let parts = stem.and_then(|stem| stem.split_once('-'));
        parts.is_some_and(|(at, mark)| {
            at.len() == 16
                && at.ends_with('Z')
                && at
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b == b'T' || b == b'Z')
                && mark.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    }

    /// The one that was made under a key.
    pub(super) fn made_under(&self, key: &str) -> Option<String> {
        let mark = format!("-{}.", mark(key));
        let all = self.list().ok()?;
        all.into_iter()
            .map(|kept| kept.name)
            .find(|name| name.contains(&mark))
    }

    /// What is kept beside a backup; none where there is nothing.
    pub(super) fn manifest(&self, file: &str) -> Result<Option<Manifest>, String> {
        let path = self.folder.join(format!("{file}.json"));
        let mut text = String::new();
        let read = File::open(&path).and_then(|f| f.take(MANIFEST_BYTES).read_to_string(&mut text));
        match read {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(format!("{} cannot be read: {e}", path.display())),
            Ok(_) => {}
        }
        let odd = |why: String| format!("{} is not what was written: {why}", path.display());
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| odd(e.to_string()))?;
        match manifest.v {
            VERSION => Ok(Some(manifest)),
            other => Err(odd(format!(
                "it is of version {other}, this program knows {VERSION}"
            ))),
        }
    }

    /// Refuses what surely does not fit.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), String> {
        let Ok(disk) = nix::sys::statvfs::statvfs(self.folder) else {
            return Ok(());
        };
        #[allow(clippy::unnecessary_cast)] // the width differs between systems
        let free = disk.blocks_available() as u64 * disk.fragment_size() as u64;
        match free >= bytes.saturating_add(SPARE) {
            true => Ok(()),
            false => Err(format!(
                "the database has {} MB and {} has {} MB free: free some space there",
                bytes / 1_000_000,
                self.folder.display(),
                free / 1_000_000
            )),
        }
    }

    /// A folder to write one in. Those of writers that are gone are taken away.
    pub(super) fn work(&self, key: &str) -> Result<Work<'a>, String> {
        self.sweep();
        let path = self.folder.join(format!("{UNFINISHED}{}", mark(key)));
        let cannot = |e: std::io::Error| {
            let uid = nix::unistd::geteuid();
            format!(
                "{} cannot be written by the user {uid}, as whom backups of this source are made: {e}; `chown` it to them",
                self.folder.display()
            )
        };
        std::fs::create_dir_all(&path).map_err(cannot)?;
        let lock = File::create(path.join("lock")).map_err(cannot)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| "another attempt still writes this very backup".to_owned())?;
        Ok(Work {
            shelf: self.folder,
            path,
            _lock: lock,
        })
    }

    fn sweep(&self) {
        for entry in std::fs::read_dir(self.folder)
            .into_iter()
            .flatten()
            .flatten()
        {
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let lock = File::open(entry.path().join("lock")).ok();
            let free = |lock: File| Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok();
            if unfinished && lock.is_some_and(free) {
                let _another_users = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A backup that is being written.
pub(super) struct Work<'a> {
    shelf: &'a Path,
    path: PathBuf,
    _lock: Flock<File>,
}

impl Work<'_> {
    /// Where to write.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, once it is on the disk.
    pub(super) fn keep(&self, copy: &Path, manifest: &Manifest) -> Result<(), String> {
        let keep = || -> std::io::Result<()> {
            std::fs::set_permissions(copy, std::fs::Permissions::from_mode(0o600))?;
            File::open(copy)?.sync_all()?;
            let beside = self.path.join("manifest");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            serde_json::to_writer_pretty(&mut file, manifest)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            // Whoever finds a backup finds what belongs to it.
            std::fs::rename(&beside, self.shelf.join(format!("{}.json", manifest.file)))?;
            std::fs::rename(copy, self.shelf.join(&manifest.file))?;
            File::open(self.shelf)?.sync_all()
        };
        keep().map_err(|e| {
            format!(
                "the backup could not be kept in {}: {e}",
                self.shelf.display()
            )
        })
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let _the_next_one_sweeps = std::fs::remove_dir_all(&self.path);
    }
}

/// What of a key stands in a name.
fn mark(key: &str) -> String {
    let plain = key.chars().filter(char::is_ascii_alphanumeric);
    plain.take(MARK).collect::<String>().to_ascii_lowercase()
}

/// Lower-case hex SHA-256 of a file.
pub(super) fn digest(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let mut file = File::open(path).map_err(cannot)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(cannot)? {
            0 => return Ok(crate::act::hex(&sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_in_the_order_of_time_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), "shop").unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let (one, two) = (
            shelf.name(at(1_767_323_045), "ABCdef0123456789", "dump"),
            shelf.name(at(1_767_323_046), "0", "db"),
        );
        assert_eq!(one, "shop-20260102T030405Z-abcdef012345.dump");
        for name in [
            two.as_str(),
            &one,
            "shop-.db",
            "shop-20260102T030405Z-abc.dump.json",
            "shop-2-20260102T030405Z-a.db",
            "shop.db",
            "x-20260102T030405Z-a.db",
        ] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let names: Vec<String> = shelf.list().unwrap().into_iter().map(|k| k.name).collect();
        assert_eq!(names, [one.clone(), two]);
        assert_eq!(shelf.made_under("ABCdef0123456789"), Some(one));
        assert_eq!(shelf.made_under("ff"), None);
        assert!(Shelf::open(&folder.path().join("none"), "shop").is_err());
    }

    #[test]
    fn what_was_cut_off_goes_and_what_is_at_work_stays() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), "shop").unwrap();
        let dead = folder.path().join(".unfinished-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("lock"), "").unwrap();
        std::fs::write(dead.join("copy"), "half").unwrap();
        let alive = shelf.work("alive").unwrap();
        assert!(!dead.exists());
        let other = shelf.work("other").unwrap();
        assert!(alive.path().exists() && shelf.work("alive").is_err());
        drop((alive, other));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn there_must_be_room() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path(), "shop").unwrap();
        assert!(shelf.room_for(1).is_ok());
        assert!(
            shelf
                .room_for(u64::MAX / 2)
                .unwrap_err()
                .contains("MB free")
        );
    }
}
