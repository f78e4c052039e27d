//! The way back: folders first, then each pack once, its chunks put where they belong, then links, modes and
//! times of folders. A file is made with its first chunk and is as it was with its last one. Cut off anywhere, it
//! can be begun again over what is there.

use crate::entry::{self, Entry, Kind};
use crate::error::{BackupError, file};
use crate::key::RecoveryKey;
use crate::listing::Listing;
use crate::names::SnapshotName;
use crate::places::{At, Places};
use crate::repository::{Repository, Snapshot, make_private};
use crate::room;
use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files that are held open: the chunks of a large one lie close together, and some files share them.
const HELD: usize = 16;

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

/// A chunk that a file has, and where it begins there.
struct Spot {
    chunk: At,
    file: u32,
    from: u64,
}

/// A file that is not whole yet.
struct Owed {
    /// Where its line stands in the list.
    line: u64,
    /// So many of its chunks are missing.
    chunks: u32,
    begun: bool,
}

/// Puts a snapshot back.
///
/// # Errors
/// When anything is damaged or cannot be written, or `tell` wants no more. What was written stays: it can be
/// begun again.
pub fn restore(
    repository: &mut Repository,
    key: &RecoveryKey,
    wanted: &Wanted<'_>,
    tell: &mut dyn FnMut(&Progress) -> Result<(), BackupError>,
) -> Result<(Snapshot, Progress), BackupError> {
    let (head, snapshot) = repository.snapshot(wanted.name, key)?;
    room::look(&snapshot, wanted.to, 0)?;
    let places = repository.places(&head, key)?;
    make_private(wanted.to)?;
    let mut listing = Listing::read(repository, &snapshot, &places, key)?;
    let mut plan = Plan::new(wanted);
    listing.each(&mut |line, entry| {
        plan.take(line, entry, &places)?;
        tell(&plan.progress)
    })?;
    tell(&plan.progress)?;
    plan.spots.sort_unstable_by_key(|spot| {
        let found = places.get(spot.chunk);
        (
            found.map(|(pack, place)| (pack, place.1)),
            spot.file,
            spot.from,
        )
    });
    let mut spots = std::mem::take(&mut plan.spots).into_iter().peekable();
    let mut writing = Writing {
        plan,
        listing,
        held: VecDeque::new(),
    };
    while let Some((pack, _)) = spots.peek().and_then(|spot| places.get(spot.chunk)) {
        let Some(name) = places.pack(pack) else { break };
        let mut opened = repository.pack(&name, key)?;
        let mut now: Option<(At, Vec<u8>)> = None;
        while let Some(spot) = spots.peek() {
            let Some((_, place)) = places.get(spot.chunk).filter(|(of, _)| *of == pack) else {
                break;
            };
            let bytes = match now.take() {
                Some((chunk, bytes)) if chunk == spot.chunk => bytes,
                _ => opened.chunk(&place, &repository.naming)?,
            };
            writing.put(spot, &bytes)?;
            tell(&writing.plan.progress)?;
            now = Some((spot.chunk, bytes));
            spots.next();
        }
    }
    let progress = writing.finish()?;
    Ok((snapshot, progress))
}

/// What is to be done: of a file only where it stands in the list, of a chunk only where it goes.
struct Plan<'a> {
    root: &'a Path,
    below: Option<&'a Path>,
    /// Folders that were not there before: nothing is in the way in them.
    made: HashSet<PathBuf>,
    /// The folder that was looked at last, and whether it was made.
    at: (PathBuf, bool),
    /// Folders and links, by their lines in the list.
    last: Vec<u64>,
    links: HashSet<PathBuf>,
    files: Vec<Owed>,
    spots: Vec<Spot>,
    progress: Progress,
    root_user: bool,
}

impl<'a> Plan<'a> {
    fn new(wanted: &Wanted<'a>) -> Self {
        Plan {
            root: wanted.to,
            below: wanted.below,
            made: HashSet::new(),
            at: (PathBuf::new(), false),
            last: Vec::new(),
            links: HashSet::new(),
            files: Vec::new(),
            spots: Vec::new(),
            progress: Progress::default(),
            root_user: nix::unistd::Uid::effective().is_root(),
        }
    }

    /// Where a thing comes to stand; `None` where it is not wanted.
    fn own(&self, entry: &Entry) -> Result<Option<PathBuf>, BackupError> {
        let path = entry.inside()?;
        Ok(match self.below {
            None => Some(path),
            Some(below) if path == below && entry.kind == Kind::Folder => None,
            Some(below) => path.strip_prefix(below).ok().map(Path::to_owned),
        })
    }

    /// Makes a folder, makes room for a file or a link. Links are made at the end, so that nothing is written
    /// through one.
    fn take(&mut self, line: u64, entry: Entry, places: &Places) -> Result<(), BackupError> {
        let Some(own) = self.own(&entry)? else {
            return Ok(());
        };
        let above = || own.ancestors().skip(1);
        if !self.links.is_empty() && above().any(|above| self.links.contains(above)) {
            let why = format!("`{}` lies below a link", config::error::quoted(&entry.path));
            return Err(BackupError::damaged("the list of files", why));
        }
        let path = self.root.join(&own);
        if !self.is_in_new(&path)? {
            make_way(&path, entry.kind)?;
        }
        match entry.kind {
            Kind::Folder => {
                match DirBuilder::new().mode(0o700).create(&path) {
                    Ok(()) => drop(self.made.insert(path)),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(file("make", &path)(error)),
                }
                self.last.push(line);
            }
            Kind::Link => {
                self.links.insert(own);
                self.last.push(line);
            }
            Kind::File => {
                self.progress.files += 1;
                self.progress.bytes += entry.size;
                self.owe(line, &entry, places)?;
                if entry.chunks.is_empty() {
                    let made = create(&path)?;
                    self.settle(&made, &entry).map_err(file("write", &path))?;
                }
            }
        }
        Ok(())
    }

    /// Whether the folder of a thing was made by this attempt.
    fn is_in_new(&mut self, path: &Path) -> Result<bool, BackupError> {
        let folder = path.parent().unwrap_or(self.root);
        if folder != self.at.0 {
            // A root deeper down, such as a workspace's: what is above it is in no list.
            if !self.made.contains(folder) && !folder.exists() {
                fs::create_dir_all(folder).map_err(file("make", folder))?;
                self.made.insert(folder.to_owned());
            }
            self.at = (folder.to_owned(), self.made.contains(folder));
        }
        Ok(self.at.1)
    }

    fn owe(&mut self, line: u64, entry: &Entry, places: &Places) -> Result<(), BackupError> {
        let mut from = 0;
        let number = self.files.len() as u32;
        for name in &entry.chunks {
            let found = places.find(name).and_then(|at| Some((at, places.get(at)?)));
            let Some((chunk, (_, place))) = found else {
                let why = format!("chunk {name} is in no table");
                return Err(BackupError::damaged("the list of files", why));
            };
            self.spots.push(Spot {
                chunk,
                file: number,
                from,
            });
            from += u64::from(place.3);
        }
        if from != entry.size {
            let shown = config::error::quoted(&entry.path);
            let why = format!("`{shown}` has {} bytes and chunks of {from}", entry.size);
            return Err(BackupError::damaged("the list of files", why));
        }
        if !entry.chunks.is_empty() {
            self.files.push(Owed {
                line,
                chunks: entry.chunks.len() as u32,
                begun: false,
            });
        }
        Ok(())
    }

    /// Owner, time and mode, as they were.
    fn settle(&self, opened: &File, entry: &Entry) -> std::io::Result<()> {
        if self.root_user {
            fchown(opened, Some(entry.owner.0), Some(entry.owner.1))?;
        }
        let since = Duration::from_nanos(entry.modified.max(0) as u64);
        opened.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + since))?;
        opened.set_permissions(Permissions::from_mode(entry.mode))
    }
}

/// The files that are being written.
struct Writing<'a> {
    plan: Plan<'a>,
    listing: Listing,
    held: VecDeque<(u32, PathBuf, Entry, File)>,
}

impl Writing<'_> {
    /// Writes a chunk where it goes; a file whose last one it is, is as it was.
    fn put(&mut self, spot: &Spot, bytes: &[u8]) -> Result<(), BackupError> {
        let at = match self.held.iter().position(|(held, ..)| *held == spot.file) {
            Some(at) => at,
            None => self.open(spot.file)?,
        };
        let owed = self.plan.files.get_mut(spot.file as usize);
        let (Some(owed), Some((_, path, entry, opened))) = (owed, self.held.get(at)) else {
            return Ok(());
        };
        opened
            .write_all_at(bytes, spot.from)
            .map_err(file("write", path))?;
        self.plan.progress.written += bytes.len() as u64;
        owed.chunks = owed.chunks.saturating_sub(1);
        if owed.chunks == 0 {
            self.plan
                .settle(opened, entry)
                .map_err(file("write", path))?;
            self.held.remove(at);
        }
        Ok(())
    }

    /// Opens a file, or makes it; answers where it is held.
    fn open(&mut self, number: u32) -> Result<usize, BackupError> {
        let Some(owed) = self.plan.files.get_mut(number as usize) else {
            return Ok(usize::MAX);
        };
        let entry = self.listing.at(owed.line)?;
        let begun = std::mem::replace(&mut owed.begun, true);
        let own = self.plan.own(&entry)?.unwrap_or_default();
        let path = self.plan.root.join(own);
        let opened = match begun {
            false => create(&path)?,
            true => {
                let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
                let opened = OpenOptions::new()
                    .write(true)
                    .custom_flags(flags)
                    .open(&path);
                opened.map_err(file("write", &path))?
            }
        };
        self.held.truncate(HELD - 1);
        self.held.push_front((number, path, entry, opened));
        Ok(0)
    }

    /// Links, and owners, modes and times of folders, what lies deepest first; then all of it is on the disk.
    fn finish(mut self) -> Result<Progress, BackupError> {
        let plan = &self.plan;
        if plan.progress.written != plan.progress.bytes {
            let Progress { bytes, written, .. } = plan.progress;
            let why = format!("{written} of {bytes} bytes are in the packs");
            return Err(BackupError::damaged("the snapshot", why));
        }
        for line in plan.last.iter().rev() {
            let entry = self.listing.at(*line)?;
            let path = plan.root.join(plan.own(&entry)?.unwrap_or_default());
            let done = match entry.kind {
                Kind::Link => {
                    let to = entry.link.as_deref().and_then(entry::read);
                    symlink(to.unwrap_or_default(), &path)
                }
                _ => File::open(&path).and_then(|opened| plan.settle(&opened, &entry)),
            };
            done.map_err(file("write", &path))?;
        }
        File::open(plan.root)
            .and_then(|root| nix::unistd::syncfs(&root).map_err(Into::into))
            .map_err(file("write", plan.root))?;
        Ok(self.plan.progress)
    }
}

fn create(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(file("write", path))
}

/// Removes what an earlier attempt left in the way of a thing.
fn make_way(path: &Path, kind: Kind) -> Result<(), BackupError> {
    match (kind, fs::symlink_metadata(path)) {
        // It may have its final mode already.
        (Kind::Folder, Ok(about)) if about.is_dir() => {
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(file("open up", path))
        }
        (_, Ok(about)) if about.is_dir() => fs::remove_dir_all(path).map_err(file("remove", path)),
        (_, Ok(_)) => fs::remove_file(path).map_err(file("remove", path)),
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        (_, Err(error)) => Err(file("look at", path)(error)),
    }
}
