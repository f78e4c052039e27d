//! A repository: what is public about it, the key that names its chunks, and its snapshots.
//!
//! The naming key is made from the recovery key and the repository's id. Lists and snapshots carry a
//! digest under it, so whoever keeps the repository can neither read nor forge one.

use crate::error::{BackupError, file};
use crate::key::{Public, RecoveryKey};
use crate::known::Packs;
use crate::names::{self, Digest, FORMAT, SnapshotName};
use crate::pack::{Naming, Opened, Table};
use crate::places::Places;
use crate::store::{Found, Store};
use config::private_file;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest document that is unpacked, in bytes.
const MOST_DOCUMENT: u64 = 1 << 30;

/// The public part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the format.
    pub v: u64,
    /// Its own name, random.
    pub id: String,
    /// The public half of the recovery key.
    pub recipient: String,
}

/// The public part of a snapshot: the objects it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the format.
    pub v: u64,
    /// Its packs.
    pub packs: Vec<Digest>,
    /// The tables of its packs.
    pub indexes: Vec<Digest>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the format.
    pub v: u64,
    /// The job.
    pub job: String,
    /// What the job keeps: `workspaces` or `home`.
    pub what: String,
    /// The host it was made on.
    pub host: String,
    /// When it was begun.
    pub began: Timestamp,
    /// How many files.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
    /// Where each root stood, by its place in the snapshot.
    pub roots: Vec<(String, String)>,
    /// The list of files, as chunks.
    pub tree: Vec<Digest>,
    /// What could not be read, as sentences.
    pub notes: Vec<String>,
}

/// A repository that was opened.
pub struct Repository {
    /// Where it lies.
    pub store: Box<dyn Store>,
    /// Its public part.
    pub about: About,
    pub(crate) public: Public,
    pub(crate) naming: Naming,
    pub(crate) cache: PathBuf,
}

impl Repository {
    /// Opens the repository at a place; `None` where there is none. What this machine remembers of it
    /// lies below `cache`. Without a key it can be written, where it was opened here with one before.
    pub fn open(
        mut store: Box<dyn Store>,
        cache: &Path,
        key: Option<&RecoveryKey>,
    ) -> Result<Result<Self, Box<dyn Store>>, BackupError> {
        let Some(bytes) = store.get(names::REPOSITORY)? else {
            return Ok(Err(store));
        };
        let about: About = read_json(names::REPOSITORY, &bytes)?;
        let public: Public = about.recipient.parse()?;
        if about.id.len() != 36 || !about.id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(BackupError::damaged(names::REPOSITORY, "its id is none"));
        }
        let cache = cache.join(&about.id);
        make_private(&cache)?;
        let kept = cache.join("naming");
        let naming = match key {
            Some(key) => {
                if key.public().to_string() != about.recipient {
                    return Err(BackupError::Key(format!(
                        "{} was made with another recovery key: its public half is {}, here is {}",
                        store.place(),
                        about.recipient,
                        key.public()
                    )));
                }
                let naming = naming_of(key, &about.id);
                private_file::write(&kept, &naming.0)?;
                naming
            }
            None => match private_file::read(&kept, 32)?.and_then(|b| b.try_into().ok()) {
                Some(bytes) => Naming(bytes),
                None => {
                    return Err(BackupError::Key(format!(
                        "{} was never opened here and the recovery key is missing: put the key back, or name its file in `backup.identity`",
                        store.place()
                    )));
                }
            },
        };
        Ok(Ok(Self {
            store,
            about,
            public,
            naming,
            cache,
        }))
    }

    /// Opens it, or makes it.
    pub fn open_or_make(
        store: Box<dyn Store>,
        cache: &Path,
        key: Option<&RecoveryKey>,
    ) -> Result<Self, BackupError> {
        let mut store = match Self::open(store, cache, key)? {
            Ok(opened) => return Ok(opened),
            Err(store) => store,
        };
        let Some(key) = key else {
            return Err(BackupError::Key(format!(
                "there is no repository at {} and no recovery key to make one with",
                store.place()
            )));
        };
        let about = About {
            v: FORMAT,
            id: uuid::Uuid::now_v7().to_string(),
            recipient: key.public().to_string(),
        };
        let mut text = serde_json::to_vec(&about)
            .map_err(|error| BackupError::damaged(names::REPOSITORY, error))?;
        text.push(b'\n');
        store.put(names::REPOSITORY, &text)?;
        store.settle()?;
        match Self::open(store, cache, Some(key))? {
            Ok(opened) => Ok(opened),
            Err(store) => Err(BackupError::Target {
                target: store.place(),
                said: "what was just written is not there".to_owned(),
            }),
        }
    }

    /// From now on packs are put after the snapshot that names them.
    #[cfg(debug_assertions)]
    pub(crate) fn hold_packs_back(&mut self) {
        let nowhere = Box::new(crate::store::folder::Folder::at("/nonexistent"));
        let store = std::mem::replace(&mut self.store, nowhere);
        self.store = Box::new(crate::store::late::Late::over(store));
    }

    /// Its snapshots, oldest first. Names that are none are passed over.
    pub fn snapshots(&mut self) -> Result<Vec<SnapshotName>, BackupError> {
        let found = self.store.list(names::SNAPSHOTS)?;
        let own = |found: &Found| found.name.rsplit('/').next()?.parse().ok();
        let mut all: Vec<SnapshotName> = found.iter().filter_map(own).collect();
        all.sort();
        Ok(all)
    }

    /// A snapshot's public part, and the rest as it lies there.
    pub fn head(&mut self, name: &SnapshotName) -> Result<(Head, Vec<u8>), BackupError> {
        let what = format!("snapshot {name}");
        let Some(bytes) = self.store.get(&name.object())? else {
            return Err(BackupError::damaged(what, "it is gone"));
        };
        let end = bytes.iter().position(|b| *b == b'\n');
        let Some((head, rest)) = end.and_then(|end| bytes.split_at_checked(end + 1)) else {
            return Err(BackupError::damaged(what, "it has no head"));
        };
        Ok((read_json(&what, head)?, rest.to_vec()))
    }

    /// A snapshot, read with the key.
    pub fn snapshot(
        &mut self,
        name: &SnapshotName,
        key: &RecoveryKey,
    ) -> Result<(Head, Snapshot), BackupError> {
        let (head, sealed) = self.head(name)?;
        let what = format!("snapshot {name}");
        let snapshot: Snapshot = self.unseal(&what, &seal_context(&head, name), &sealed, key)?;
        Ok((head, snapshot))
    }

    /// Keeps a snapshot: the last thing a run writes.
    pub(crate) fn keep_snapshot(
        &mut self,
        name: &SnapshotName,
        head: &Head,
        snapshot: &Snapshot,
    ) -> Result<(), BackupError> {
        let mut bytes =
            serde_json::to_vec(head).map_err(|error| BackupError::damaged(name, error))?;
        bytes.push(b'\n');
        bytes.extend(self.seal(&seal_context(head, name), snapshot)?);
        self.store.put(&name.object(), &bytes)?;
        self.store.settle()
    }

    /// Publishes tables; answers the object.
    pub(crate) fn publish(&mut self, tables: &[Table]) -> Result<Digest, BackupError> {
        let sealed = self.seal("index", &tables)?;
        let name = crate::pack::digest(&sealed);
        self.store.put(&names::index(&name), &sealed)?;
        Ok(name)
    }

    /// Reads published tables.
    pub(crate) fn tables(
        &mut self,
        name: &Digest,
        key: &RecoveryKey,
    ) -> Result<Vec<Table>, BackupError> {
        let what = format!("table {name}");
        let Some(sealed) = self.store.get(&names::index(name))? else {
            return Err(BackupError::damaged(what, "it is gone"));
        };
        if crate::pack::digest(&sealed) != *name {
            return Err(BackupError::damaged(what, "its bytes have another digest"));
        }
        self.unseal(&what, "index", &sealed, key)
    }

    /// Where the chunks of a snapshot lie.
    pub fn places(&mut self, head: &Head, key: &RecoveryKey) -> Result<Places, BackupError> {
        let packs: HashSet<&Digest> = head.packs.iter().collect();
        let mut places = Places::default();
        for index in &head.indexes {
            for table in self.tables(index, key)? {
                if packs.contains(&table.pack) {
                    places.add(&table);
                }
            }
        }
        Ok(places.sorted())
    }

    /// A pack, checked and opened.
    pub fn pack(&mut self, name: &Digest, key: &RecoveryKey) -> Result<Opened, BackupError> {
        let Some(sealed) = self.store.get(&names::pack(name))? else {
            return Err(BackupError::damaged(format!("pack {name}"), "it is gone"));
        };
        Opened::new(*name, sealed, key)
    }

    /// The digests of the objects below a folder.
    pub(crate) fn there(&mut self, folder: &str) -> Result<HashSet<Digest>, BackupError> {
        let found = self.store.list(folder)?;
        Ok(found
            .iter()
            .filter_map(|f| names::digest_of(&f.name))
            .collect())
    }

    /// What is remembered of its packs, as far as they are there. Where nothing is remembered and the
    /// key is at hand, it is read from the tables.
    pub(crate) fn known(&mut self, key: Option<&RecoveryKey>) -> Result<Packs, BackupError> {
        let packs = self.there(names::PACKS)?;
        let indexes = self.there(names::INDEX)?;
        let path = self.cache.join("packs");
        let fresh = !path.exists();
        let mut known = Packs::load(&path, &packs, &indexes)?;
        if let (true, Some(key)) = (fresh, key) {
            for index in indexes {
                for table in self.tables(&index, key)? {
                    if packs.contains(&table.pack) {
                        known.add(&table, Some(index))?;
                    }
                }
            }
        }
        Ok(known)
    }

    /// Seals a document: its digest under the naming key, then itself, compressed.
    fn seal(&self, context: &str, document: &impl Serialize) -> Result<Vec<u8>, BackupError> {
        let json =
            serde_json::to_vec(document).map_err(|error| BackupError::damaged(context, error))?;
        let mut plain = self.mark(context, &json).0.to_vec();
        let packed =
            zstd::bulk::compress(&json, 3).map_err(|error| BackupError::damaged(context, error))?;
        plain.extend(packed);
        self.public.seal(&plain)
    }

    fn unseal<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        context: &str,
        sealed: &[u8],
        key: &RecoveryKey,
    ) -> Result<T, BackupError> {
        let plain = key.open(what, sealed)?;
        let Some((mark, packed)) = plain.split_at_checked(32) else {
            return Err(BackupError::damaged(what, "it is too short"));
        };
        let mut json = Vec::new();
        zstd::stream::read::Decoder::new(packed)
            .and_then(|unpacked| unpacked.take(MOST_DOCUMENT).read_to_end(&mut json))
            .map_err(|error| BackupError::damaged(what, error))?;
        if self.mark(context, &json).0 != mark {
            let why = "it was not written by a holder of the recovery key";
            return Err(BackupError::damaged(what, why));
        }
        read_json(what, &json)
    }

    fn mark(&self, context: &str, json: &[u8]) -> Digest {
        let mut marked = context.as_bytes().to_vec();
        marked.push(0);
        marked.extend_from_slice(json);
        self.naming.of(&marked)
    }
}

/// The public part is part of what is sealed, so that it cannot be exchanged either.
fn seal_context(head: &Head, name: &SnapshotName) -> String {
    let head = serde_json::to_string(head).unwrap_or_default();
    format!("snapshot {name} {head}")
}

fn naming_of(key: &RecoveryKey, id: &str) -> Naming {
    let mut secret = [0; 32];
    secret.copy_from_slice(&crate::pack::digest(key.reveal().as_bytes()).0);
    Naming(
        Naming(secret)
            .of(format!("ai-infra naming {id}").as_bytes())
            .0,
    )
}

/// Makes a folder with mode 0700.
pub(crate) fn make_private(folder: &Path) -> Result<(), BackupError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(file("make", folder))
}

/// Reads a document that says its version; a newer one is refused.
fn read_json<T: serde::de::DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, BackupError> {
    /// Nothing else is looked at, so a large document is not held a second time.
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    // A list of tables says none.
    if let Ok(Version { v: found }) = serde_json::from_slice(json)
        && found > FORMAT
    {
        return Err(BackupError::Newer {
            what: what.to_owned(),
            found,
            known: FORMAT,
        });
    }
    serde_json::from_slice(json).map_err(|error| BackupError::damaged(what, error))
}
