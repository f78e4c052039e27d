//! The store as a whole: what goes in comes out, whatever is cut off, bent or removed on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cut_off;
mod grown;
mod proof;

use crate::error::BackupError;
use crate::keep::Keep;
use crate::key::RecoveryKey;
use crate::names::SnapshotName;
use crate::repository::Repository;
use crate::restore::{Wanted, restore};
use crate::run::{Done, Job, run};
use crate::store::Store;
use crate::store::folder::Folder;
use crate::verify::verify;
use crate::walk::{Root, Rule};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A machine with something to keep and a place to keep it.
struct Place {
    folder: tempfile::TempDir,
    key: RecoveryKey,
}

impl Place {
    fn new() -> Self {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
            key: RecoveryKey::generate(),
        };
        fs::create_dir_all(place.source()).unwrap();
        place
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        // As if it had been there for a while: what is just written is read again.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }

    fn open_on(&self, store: Box<dyn Store>) -> Result<Repository, BackupError> {
        Repository::open_or_make(store, &self.folder.path().join("cache"), Some(&self.key))
    }

    fn open(&self) -> Repository {
        self.open_on(Box::new(Folder::at(self.target()))).unwrap()
    }

    fn job(&self) -> Job {
        Job {
            name: "code".to_owned(),
            what: "workspaces".to_owned(),
            host: "h".to_owned(),
            roots: vec![Root {
                label: PathBuf::from("w"),
                path: self.source(),
                rule: Rule::All,
            }],
            faults: protocol::fault::Faults::default(),
        }
    }

    fn run(&self) -> Done {
        run(&mut self.open(), &self.job(), None, later, &mut |_| {}).unwrap()
    }

    fn back(&self, name: &SnapshotName) -> BTreeMap<PathBuf, String> {
        let to = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            name,
            below: Some(Path::new("w")),
            to: to.path(),
        };
        restore(&mut self.open(), &self.key, &wanted, &mut |_| Ok(())).unwrap();
        tree(to.path())
    }

    fn verified(&self) -> Vec<String> {
        let mut repository = self.open();
        let all = repository.snapshots().unwrap();
        let found = verify(&mut repository, &all, Some(&self.key), &mut |_| {}).unwrap();
        found.broken.into_iter().flat_map(|(_, why)| why).collect()
    }
}

/// A time at which nothing here was just changed.
fn later() -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_secs(10)
}

/// All below a folder, as words that tell any difference.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(root: &Path, folder: &Path, all: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let own = path.strip_prefix(root).unwrap().to_owned();
            let said = if about.is_symlink() {
                format!("link {:?}", fs::read_link(&path).unwrap())
            } else if about.is_dir() {
                walk(root, &path, all);
                format!("folder {:o}", about.mode())
            } else {
                let bytes = crate::pack::digest(&fs::read(&path).unwrap());
                format!(
                    "file {:o} {}.{} {bytes}",
                    about.mode(),
                    about.mtime(),
                    about.mtime_nsec()
                )
            };
            all.insert(own, said);
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, many: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..many).map(|_| next()).collect()
}

fn furnish(place: &Place) {
    place.put("a.txt", b"hello");
    place.put("empty", b"");
    place.put("deep/er/b.bin", &noise(1, 1_500_000));
    place.put("deep/same.bin", &noise(1, 1_500_000));
    let strange = place.source().join(OsStr::from_bytes(b"not\xffutf8\n"));
    fs::write(strange, "x").unwrap();
    symlink("../nowhere", place.source().join("link")).unwrap();
    fs::create_dir(place.source().join("hollow")).unwrap();
    fs::set_permissions(
        place.source().join("a.txt"),
        fs::Permissions::from_mode(0o440),
    )
    .unwrap();
    fs::set_permissions(
        place.source().join("deep/er"),
        fs::Permissions::from_mode(0o550),
    )
    .unwrap();
}

#[test]
fn what_goes_in_comes_out_and_the_unchanged_is_not_sent_again() {
    let place = Place::new();
    furnish(&place);
    let before = tree(&place.source());
    let first = place.run();
    assert_eq!((first.notes.len(), first.progress.files), (0, 5));
    let sent = first.progress.sent;
    assert!(
        (1_500_000..1_600_000).contains(&sent),
        "the same bytes are sent once: {sent}"
    );
    assert_eq!(place.back(&first.name), before);

    let second = place.run();
    assert!(second.progress.sent < 2000, "{:?}", second.progress);
    assert_eq!(place.back(&second.name), before);

    // One byte inside.
    let mut bytes = noise(1, 1_500_000);
    bytes.insert(1_400_000, 7);
    place.put("deep/same.bin", &bytes);
    let third = place.run();
    assert_eq!(place.back(&third.name), tree(&place.source()));
    assert_eq!(
        place.back(&first.name),
        before,
        "the older one is as it was"
    );
    assert_eq!(place.verified(), Vec::<String>::new());
}

#[test]
fn one_byte_more_changes_only_what_is_around_it() {
    let cut = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let (least, usual, most) = crate::names::TREE_CHUNK;
        let level = fastcdc::v2020::Normalization::Level1;
        let chunks =
            fastcdc::v2020::StreamCDC::with_level_and_seed(bytes, least, usual, most, level, 7);
        chunks.map(|chunk| chunk.unwrap().data).collect()
    };
    let mut bytes = noise(1, 1_500_000);
    let before = cut(&bytes);
    bytes.insert(700_000, 7);
    let after = cut(&bytes);
    assert_eq!(after.concat(), bytes);
    let new = after.iter().filter(|chunk| !before.contains(chunk)).count();
    assert!(before.len() > 10 && new <= 2, "{new} of {}", before.len());
}

#[test]
fn without_the_key_it_is_written_and_without_its_memory_too() {
    let place = Place::new();
    furnish(&place);
    place.run();
    let cache = place.folder.path().join("cache");
    let store = || Box::new(Folder::at(place.target()));
    let keyless = Repository::open(store(), &cache, None).unwrap();
    let Ok(mut keyless) = keyless else {
        panic!("it is there")
    };
    place.put("new", b"new");
    let done = run(&mut keyless, &place.job(), None, later, &mut |_| {}).unwrap();
    assert_eq!(place.back(&done.name), tree(&place.source()));
    // Another machine, or a lost home: with the key nothing is sent twice.
    fs::remove_dir_all(&cache).unwrap();
    assert!(
        Repository::open(store(), &cache, None)
            .err()
            .unwrap()
            .to_string()
            .contains("recovery key is missing")
    );
    let mut opened = place.open();
    let done = run(
        &mut opened,
        &place.job(),
        Some(&place.key),
        later,
        &mut |_| {},
    )
    .unwrap();
    assert!(done.progress.sent < 2000, "{:?}", done.progress);
    // Without either it refuses, and with another key too.
    let other = RecoveryKey::generate();
    let said = Repository::open(store(), &cache, Some(&other))
        .err()
        .unwrap();
    assert!(said.to_string().contains("another recovery key"), "{said}");
}

#[test]
fn nothing_of_what_is_kept_can_be_read_there() {
    let place = Place::new();
    place.put("plain-name.txt", b"plain words of a person");
    place.run();
    let mut store = Folder::at(place.target());
    let mut all = 0;
    for folder in ["packs", "index", "snapshots"] {
        for found in store.list(folder).unwrap() {
            let bytes = store.get(&found.name).unwrap().unwrap();
            for word in ["plain", "words", "source"] {
                let seen = bytes.windows(word.len()).any(|w| w == word.as_bytes());
                assert!(!seen, "{word} in {}", found.name);
            }
            all += 1;
        }
    }
    assert!(all >= 3);
}

#[test]
fn damage_is_named_and_a_forged_snapshot_is_none() {
    let place = Place::new();
    furnish(&place);
    let done = place.run();
    let mut store = Folder::at(place.target());
    let pack = store.list("packs").unwrap().remove(0).name;
    let good = store.get(&pack).unwrap().unwrap();
    let mut bent = good.clone();
    bent[1_000_000] ^= 1;
    store.put(&pack, &bent).unwrap();
    assert!(
        place.verified()[0].contains("its bytes have the digest"),
        "{:?}",
        place.verified()
    );
    store.remove(&pack).unwrap();
    assert!(
        place
            .verified()
            .iter()
            .any(|why| why.contains("it is gone"))
    );
    store.put(&pack, &good).unwrap();
    assert_eq!(place.verified(), Vec::<String>::new());

    // Whoever keeps the repository knows the public half: what they seal is not taken.
    let object = done.name.object();
    let head = store.get(&object).unwrap().unwrap();
    let end = head.iter().position(|b| *b == b'\n').unwrap() + 1;
    let forged = place.key.public().seal(&[0; 80]).unwrap();
    store
        .put(&object, &[&head[..end], forged.as_slice()].concat())
        .unwrap();
    assert_ne!(place.verified(), Vec::<String>::new());
    // Nor is a head exchanged for another.
    let other = String::from_utf8(head[..end].to_vec()).unwrap().replace(
        "\"packs\":[",
        "\"packs\":[\"0000000000000000000000000000000000000000000000000000000000000000\",",
    );
    store
        .put(&object, &[other.as_bytes(), &head[end..]].concat())
        .unwrap();
    assert!(
        place
            .verified()
            .iter()
            .any(|why| why.contains("holder of the recovery key"))
    );
}

#[test]
fn letting_go_takes_what_nothing_needs_and_only_that() {
    let place = Place::new();
    place.put("stays", &noise(1, 600_000));
    let first = place.run();
    place.put("goes", &noise(2, 600_000));
    place.run();
    fs::remove_file(place.source().join("goes")).unwrap();
    let last = place.run();
    let keep = Keep {
        last: 1,
        daily: 1,
        weekly: 1,
        monthly: 1,
    };
    let bytes = |place: &Place| {
        Folder::at(place.target())
            .list("packs")
            .unwrap()
            .iter()
            .map(|f| f.bytes)
            .sum::<u64>()
    };
    assert!(bytes(&place) > 1_200_000);
    // One that is asked for stays, whatever its age.
    let asked = HashSet::from([first.name.clone()]);
    let pruned = crate::prune::prune(&mut place.open(), keep, &asked, "h", later).unwrap();
    assert!(
        pruned.snapshots.len() == 1 && pruned.packs >= 1,
        "{pruned:?}"
    );
    assert!(place.open().snapshots().unwrap().contains(&first.name));
    let pruned = crate::prune::prune(&mut place.open(), keep, &HashSet::new(), "h", later).unwrap();
    assert_eq!(pruned.snapshots.len(), 1);
    assert!(pruned.snapshots.contains(&first.name));
    assert!(bytes(&place) < 700_000);
    assert_eq!(
        place.open().snapshots().unwrap(),
        std::slice::from_ref(&last.name)
    );
    assert_eq!(place.back(&last.name), tree(&place.source()));
    // What went is not taken for there: it is sent again.
    place.put("goes", &noise(2, 600_000));
    let again = place.run();
    assert!(again.progress.sent > 600_000);
    assert_eq!(place.back(&again.name), tree(&place.source()));
    assert_eq!(place.verified(), Vec::<String>::new());
}

#[test]
fn begun_again_over_what_is_there_it_is_the_same() {
    let place = Place::new();
    furnish(&place);
    let done = place.run();
    let to = tempfile::tempdir().unwrap();
    let wanted = Wanted {
        name: &done.name,
        below: Some(Path::new("w")),
        to: to.path(),
    };
    for _ in 0..2 {
        restore(&mut place.open(), &place.key, &wanted, &mut |_| Ok(())).unwrap();
        assert_eq!(tree(to.path()), tree(&place.source()));
        // As an earlier attempt may leave it: half a file, a file where a folder was.
        fs::set_permissions(to.path().join("deep/er"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(to.path().join("deep/er/b.bin"), "half").unwrap();
        fs::remove_dir(to.path().join("hollow")).unwrap();
        fs::write(to.path().join("hollow"), "").unwrap();
    }
}
