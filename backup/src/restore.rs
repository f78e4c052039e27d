//! The way back: folders and empty files first, then each pack once, its chunks put where they belong,
//! then links, modes and times. Cut off anywhere, it can be begun again over what is there.

use crate::entry::{self, Entry, Kind};
use crate::error::{BackupError, file};
use crate::key::RecoveryKey;
use crate::listing;
use crate::names::{Digest, SnapshotName};
use crate::pack::Place;
use crate::repository::{Repository, Snapshot, make_private};
use crate::room;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files in all.
    pub files: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes written.
    pub written: u64,
}

/// What is put back, and where.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The snapshot.
    pub name: &'a SnapshotName,
    /// Only what stands below this in the snapshot; it comes to stand directly in `to`.
    pub below: Option<&'a Path>,
    /// The folder it is put into; made where it is missing.
    pub to: &'a Path,
}

/// Where a chunk goes: file, first byte.
type Spot = (u32, u64);

/// What one pack gives: each chunk, with its spots.
type Share = BTreeMap<Digest, (Place, Vec<Spot>)>;

/// Puts a snapshot back.
///
/// # Errors
/// When anything is damaged or cannot be written. What was written stays: it can be begun again.
pub fn restore(
    repository: &mut Repository,
    key: &RecoveryKey,
    wanted: &Wanted<'_>,
    tell: &mut dyn FnMut(&Progress),
) -> Result<(Snapshot, Progress), BackupError> {
    let (head, snapshot) = repository.snapshot(wanted.name, key)?;
    room::look(&snapshot, wanted.to, 0)?;
    let places = repository.places(&head, key)?;
    make_private(wanted.to)?;
    let mut plan = Plan::new(wanted.to);
    let below = wanted.below;
    listing::entries(repository, &snapshot, &places, key, &mut |mut entry| {
        let path = entry.inside()?;
        let own = match below {
            None => path,
            Some(below) if path == below && entry.kind == Kind::Folder => return Ok(()),
            Some(below) => match path.strip_prefix(below) {
                Ok(own) => own.to_owned(),
                Err(_) => return Ok(()),
            },
        };
        let chunks = std::mem::take(&mut entry.chunks);
        let at = plan.make(own, entry)?;
        let mut from = 0;
        for chunk in chunks {
            let Some((pack, place)) = places.get(&chunk) else {
                let why = format!("chunk {chunk} is in no table");
                return Err(BackupError::damaged("the list of files", why));
            };
            plan.share(*pack, *place, (at, from));
            from += u64::from(place.3);
        }
        Ok(())
    })?;
    // What is needed of them is in the plan.
    drop(places);
    tell(&plan.progress);
    for (pack, share) in std::mem::take(&mut plan.shares) {
        let opened = repository.pack(&pack, key)?;
        for (place, spots) in share.values() {
            let bytes = opened.chunk(place, &repository.naming)?;
            for (file, from) in spots {
                plan.write(*file, *from, &bytes)?;
            }
            tell(&plan.progress);
        }
    }
    plan.finish()?;
    Ok((snapshot, plan.progress))
}

struct Plan {
    root: PathBuf,
    made: Vec<(PathBuf, Entry)>,
    links: HashSet<PathBuf>,
    shares: BTreeMap<Digest, Share>,
    progress: Progress,
    me: u32,
}

impl Plan {
    fn new(root: &Path) -> Self {
        Plan {
            root: root.to_owned(),
            made: Vec::new(),
            links: HashSet::new(),
            shares: BTreeMap::new(),
            progress: Progress::default(),
            me: nix::unistd::Uid::effective().as_raw(),
        }
    }

    fn share(&mut self, pack: Digest, place: Place, spot: Spot) {
        let share = self.shares.entry(pack).or_default();
        let (_, spots) = share.entry(place.0).or_insert((place, Vec::new()));
        spots.push(spot);
    }

    /// Makes a folder or an empty file; a link is made at the end, so that nothing is written through one.
    fn make(&mut self, own: PathBuf, mut entry: Entry) -> Result<u32, BackupError> {
        if own
            .ancestors()
            .skip(1)
            .any(|above| self.links.contains(above))
        {
            let why = format!("`{}` lies below a link", config::error::quoted(&entry.path));
            return Err(BackupError::damaged("the list of files", why));
        }
        let path = self.root.join(&own);
        if let Some(folder) = path.parent() {
            // A root deeper down, such as a workspace's: what is above it is in no list.
            fs::create_dir_all(folder).map_err(file("make", folder))?;
        }
        match (entry.kind, fs::symlink_metadata(&path)) {
            (Kind::Folder, Ok(about)) if about.is_dir() => {
                open_up(&path)?;
            }
            (_, Ok(about)) if about.is_dir() => {
                fs::remove_dir_all(&path).map_err(file("remove", &path))?;
            }
            (_, Ok(_)) => fs::remove_file(&path).map_err(file("remove", &path))?,
            (_, Err(error)) if error.kind() == ErrorKind::NotFound => {}
            (_, Err(error)) => return Err(file("look at", &path)(error)),
        }
        match entry.kind {
            Kind::Folder => make_private(&path)?,
            Kind::File => {
                let made = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path);
                made.and_then(|made| made.set_len(entry.size))
                    .map_err(file("write", &path))?;
                self.progress.files += 1;
                self.progress.bytes += entry.size;
            }
            Kind::Link => {
                self.links.insert(own.clone());
            }
        }
        // It is the same once more, and there may be a million.
        entry.path = String::new();
        self.made.push((own, entry));
        Ok((self.made.len() - 1) as u32)
    }

    fn write(&mut self, at: u32, from: u64, bytes: &[u8]) -> Result<(), BackupError> {
        let Some((own, entry)) = self.made.get(at as usize) else {
            return Ok(());
        };
        let path = self.root.join(own);
        if from + bytes.len() as u64 > entry.size {
            return Err(BackupError::damaged(
                path.display(),
                "its chunks are larger than it is",
            ));
        }
        let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
        OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(&path)
            .and_then(|to| to.write_all_at(bytes, from))
            .map_err(file("write", &path))?;
        self.progress.written += bytes.len() as u64;
        Ok(())
    }

    /// Links, owners, modes and times, what lies deepest first; then all of it is on the disk.
    fn finish(&self) -> Result<(), BackupError> {
        if self.progress.written != self.progress.bytes {
            let Progress { bytes, written, .. } = self.progress;
            let why = format!("{written} of {bytes} bytes are in the packs");
            return Err(BackupError::damaged("the snapshot", why));
        }
        for (own, entry) in self.made.iter().rev() {
            let path = self.root.join(own);
            self.settle(&path, entry).map_err(file("write", &path))?;
        }
        File::open(&self.root)
            .and_then(|root| nix::unistd::syncfs(&root).map_err(Into::into))
            .map_err(file("write", &self.root))
    }

    fn settle(&self, path: &Path, entry: &Entry) -> std::io::Result<()> {
        if entry.kind == Kind::Link {
            let to = entry
                .link
                .as_deref()
                .and_then(entry::read)
                .unwrap_or_default();
            return symlink(to, path);
        }
        if self.me == 0 && fs::metadata(path)?.uid() != entry.owner.0 {
            chown(path, Some(entry.owner.0), Some(entry.owner.1))?;
        }
        let since = Duration::from_nanos(entry.modified.max(0) as u64);
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + since);
        let opened = File::open(path)?;
        opened.set_times(times)?;
        opened.set_permissions(Permissions::from_mode(entry.mode))
    }
}

/// A folder of an earlier attempt may have its final mode already.
fn open_up(path: &Path) -> Result<(), BackupError> {
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(file("open up", path))
}
