//! Whether what lies in a folder is what a snapshot says: every file is read again from the disk and
//! compared piece by piece, with its kind, its mode, its time and where a link leads.

use crate::entry::{self, Entry, Kind};
use crate::error::{BackupError, file};
use crate::key::RecoveryKey;
use crate::known::nanoseconds;
use crate::listing::Listing;
use crate::places::Places;
use crate::repository::Repository;
use crate::restore::Wanted;
use config::error::quoted;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Most differences that are told.
const MOST: usize = 1000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Files that were compared.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
    /// What differs, as sentences.
    pub differences: Vec<String>,
}

/// Compares.
///
/// # Errors
/// When the snapshot cannot be read. What differs is no error.
pub fn compare(
    repository: &mut Repository,
    key: &RecoveryKey,
    wanted: &Wanted<'_>,
) -> Result<Compared, BackupError> {
    let (head, snapshot) = repository.snapshot(wanted.name, key)?;
    let places = repository.places(&head, key)?;
    let naming = repository.naming.clone();
    let mut found = Compared::default();
    let mut listing = Listing::read(repository, &snapshot, &places, key)?;
    listing.each(&mut |_, entry| {
        let path = entry.inside()?;
        let own = match wanted.below {
            None => path.as_path(),
            Some(below) => match path.strip_prefix(below) {
                Ok(own) => own,
                Err(_) => return Ok(()),
            },
        };
        // The folder itself is somebody else's.
        if own.as_os_str().is_empty() {
            return Ok(());
        }
        let why = differs(&wanted.to.join(own), &entry, &places, &naming)?;
        if entry.kind == Kind::File {
            found.files += 1;
            found.bytes += entry.size;
        }
        if let Some(why) = why.filter(|_| found.differences.len() < MOST) {
            let shown = quoted(&own.to_string_lossy());
            found.differences.push(format!("{shown} {why}"));
        }
        Ok(())
    })?;
    Ok(found)
}

fn differs(
    path: &Path,
    entry: &Entry,
    places: &Places,
    naming: &crate::pack::Naming,
) -> Result<Option<&'static str>, BackupError> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some("is missing")),
        Err(error) => return Err(file("look at", path)(error)),
    };
    let same_kind = match entry.kind {
        Kind::Folder => about.is_dir(),
        Kind::File => about.is_file(),
        Kind::Link => about.is_symlink(),
    };
    if !same_kind {
        return Ok(Some("is of another kind"));
    }
    if entry.kind == Kind::Link {
        let to = fs::read_link(path).map_err(file("read", path))?;
        let said = entry.link.as_deref().and_then(entry::read);
        return Ok((said != Some(to)).then_some("leads elsewhere"));
    }
    if about.permissions().mode() & 0o7777 != entry.mode {
        return Ok(Some("has another mode"));
    }
    if nanoseconds(about.mtime(), about.mtime_nsec()) != entry.modified {
        return Ok(Some("has another time"));
    }
    if entry.kind == Kind::Folder {
        return Ok(None);
    }
    if about.len() != entry.size {
        return Ok(Some("has another size"));
    }
    let mut opened = File::open(path).map_err(file("read", path))?;
    let mut bytes = Vec::new();
    for chunk in &entry.chunks {
        let length = places.size(chunk).unwrap_or(0);
        bytes.clear();
        let mut part = (&mut opened).take(u64::from(length));
        part.read_to_end(&mut bytes).map_err(file("read", path))?;
        if naming.of(&bytes) != *chunk {
            return Ok(Some("holds something else"));
        }
    }
    Ok(None)
}
