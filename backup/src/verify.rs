//! Whether a restore would work: everything a snapshot needs is read back and compared.

use crate::error::BackupError;
use crate::key::RecoveryKey;
use crate::listing::Listing;
use crate::names::{self, Digest, SnapshotName};
use crate::pack::Place;
use crate::places::Places;
use crate::repository::{Head, Repository};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Snapshots that are whole.
    pub whole: Vec<SnapshotName>,
    /// Snapshots that are not, each with what is wrong.
    pub broken: Vec<(SnapshotName, Vec<String>)>,
    /// Packs that were read.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// that each pack is byte for byte what was sent.
pub fn verify(
    repository: &mut Repository,
    names: &[SnapshotName],
    key: Option<&RecoveryKey>,
    tell: &mut dyn FnMut(&Verified),
) -> Result<Verified, BackupError> {
    let mut found = Verified::default();
    let mut wrong: HashMap<&SnapshotName, Vec<String>> = HashMap::new();
    let mut needed: HashMap<Digest, BTreeSet<usize>> = HashMap::new();
    let mut tables = Tables::default();
    for (at, name) in names.iter().enumerate() {
        let head = match repository.head(name) {
            Ok((head, _)) => head,
            Err(error) => {
                passing(error, wrong.entry(name).or_default())?;
                continue;
            }
        };
        for pack in &head.packs {
            needed.entry(*pack).or_default().insert(at);
        }
        let Some(key) = key else { continue };
        if let Err(error) = listed(repository, name, &head, key, &mut tables) {
            passing(error, wrong.entry(name).or_default())?;
        }
    }
    let mut packs: Vec<(Digest, BTreeSet<usize>)> = needed.into_iter().collect();
    packs.sort();
    for (pack, users) in packs {
        let checked = whole(repository, &pack, key, tables.remove(&pack), &mut found);
        if let Err(error) = checked {
            let mut said = Vec::new();
            passing(error, &mut said)?;
            for name in users.iter().filter_map(|at| names.get(*at)) {
                wrong.entry(name).or_default().extend(said.clone());
            }
        }
        tell(&found);
    }
    for name in names {
        match wrong.remove(name) {
            Some(why) => found.broken.push((name.clone(), why)),
            None => found.whole.push(name.clone()),
        }
    }
    Ok(found)
}

/// Damage is what is looked for; anything else ends the look.
fn passing(error: BackupError, said: &mut Vec<String>) -> Result<(), BackupError> {
    match error {
        BackupError::Damaged { what, why } => {
            said.push(format!("{what}: {why}"));
            Ok(())
        }
        error => Err(error),
    }
}

/// What is in each pack.
type Tables = HashMap<Digest, Box<[Place]>>;

/// A snapshot's list can be read and names only chunks that a table has.
fn listed(
    repository: &mut Repository,
    name: &SnapshotName,
    head: &Head,
    key: &RecoveryKey,
    tables: &mut Tables,
) -> Result<(), BackupError> {
    let (_, snapshot) = repository.snapshot(name, key)?;
    let packs: HashSet<&Digest> = head.packs.iter().collect();
    let mut places = Places::default();
    for index in &head.indexes {
        for table in repository.tables(index, key)? {
            if packs.contains(&table.pack) {
                places.add(&table);
                let chunks = table.chunks.into_boxed_slice();
                tables.entry(table.pack).or_insert(chunks);
            }
        }
    }
    let places = places.sorted();
    let mut listing = Listing::read(repository, &snapshot, &places, key)?;
    listing.each(&mut |_, entry| {
        let mut size = 0;
        for chunk in &entry.chunks {
            let Some(of_chunk) = places.size(chunk) else {
                let why = format!(
                    "a chunk of `{}` is in no table",
                    config::error::quoted(&entry.path)
                );
                return Err(BackupError::damaged("the list of files", why));
            };
            size += u64::from(of_chunk);
        }
        match size == entry.size {
            true => Ok(()),
            false => {
                let shown = config::error::quoted(&entry.path);
                let why = format!("`{shown}` has {} bytes and chunks of {size}", entry.size);
                Err(BackupError::damaged("the list of files", why))
            }
        }
    })
}

/// A pack is what was sent, and every chunk of it what its name says.
fn whole(
    repository: &mut Repository,
    pack: &Digest,
    key: Option<&RecoveryKey>,
    chunks: Option<Box<[Place]>>,
    found: &mut Verified,
) -> Result<(), BackupError> {
    let what = format!("pack {pack}");
    let Some(sealed) = repository.store.get(&names::pack(pack))? else {
        return Err(BackupError::damaged(what, "it is gone"));
    };
    found.packs += 1;
    found.bytes += sealed.len() as u64;
    let Some(key) = key else {
        return match crate::pack::digest(&sealed) == *pack {
            true => Ok(()),
            false => Err(BackupError::damaged(what, "its bytes have another digest")),
        };
    };
    let mut opened = crate::pack::Opened::new(*pack, sealed, key)?;
    for place in chunks.unwrap_or_default() {
        opened.chunk(&place, &repository.naming)?;
    }
    Ok(())
}
