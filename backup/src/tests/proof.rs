//! What was restored is compared with what the snapshot says, and what killed writers left is swept.

use super::*;
use crate::compare::{Compared, compare};
use std::time::{Duration, SystemTime};

fn compared(place: &Place, name: &SnapshotName, to: &Path) -> Compared {
    let below = Some(Path::new("w"));
    let wanted = Wanted { name, below, to };
    compare(&mut place.open(), &place.key, &wanted).unwrap()
}

#[test]
fn whatever_differs_from_the_snapshot_is_told() {
    let place = Place::new();
    furnish(&place);
    place.put("deep/large", &noise(3, 3_000_000));
    let done = place.run();
    let to = tempfile::tempdir().unwrap();
    let to = to.path();
    let below = Some(Path::new("w"));
    let wanted = Wanted {
        name: &done.name,
        below,
        to,
    };
    restore(&mut place.open(), &place.key, &wanted, &mut |_| Ok(())).unwrap();
    let same = compared(&place, &done.name, to);
    assert_eq!(same.differences, Vec::<String>::new());
    assert_eq!(
        (same.files, same.bytes),
        (done.progress.files, done.progress.bytes)
    );
    let large = to.join("deep/large");
    let modified = fs::metadata(&large).unwrap().modified().unwrap();
    let put = |bytes: &[u8], at: SystemTime| {
        fs::write(&large, bytes).unwrap();
        fs::File::open(&large).unwrap().set_modified(at).unwrap();
    };
    let bytes = fs::read(&large).unwrap();
    let mut bent = bytes.clone();
    *bent.last_mut().unwrap() ^= 1;
    let later = modified + Duration::from_secs(1);
    let said = || compared(&place, &done.name, to).differences;
    for (bytes, at, why) in [
        (&bent, modified, "holds something else"),
        (&bytes, later, "has another time"),
        (&bytes[1..].to_vec(), modified, "has another size"),
    ] {
        put(bytes, at);
        assert_eq!(said(), [format!("deep/large {why}")]);
    }
    put(&bytes, modified);
    let mode = fs::metadata(&large).unwrap().permissions();
    fs::set_permissions(&large, fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(said(), ["deep/large has another mode"]);
    fs::set_permissions(&large, mode).unwrap();
    assert_eq!(said(), Vec::<String>::new());
    fs::remove_file(&large).unwrap();
    // Its folder's time changes with it.
    assert!(
        said().contains(&"deep/large is missing".to_owned()),
        "{:?}",
        said()
    );
    symlink("/etc/passwd", &large).unwrap();
    assert!(said().contains(&"deep/large is of another kind".to_owned()));
}

#[test]
fn what_killed_writers_left_is_swept_once_nobody_can_be_writing() {
    let place = Place::new();
    place.put("a", b"1");
    place.run();
    let left = |name: &str, minutes: u64| {
        let path = place.target().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "half").unwrap();
        let at = SystemTime::now() - Duration::from_secs(60 * minutes);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(at)
            .unwrap();
        path
    };
    let old = [
        left("packs/ab/.unfinished-1", 45),
        left("snapshots/.unfinished-2", 45),
    ];
    let young = left("packs/ab/.unfinished-3", 5);
    let other = left("packs/ab/somebody's", 45);
    let keep = Keep {
        last: 1,
        daily: 1,
        weekly: 1,
        monthly: 1,
    };
    crate::prune::prune(
        &mut place.open(),
        keep,
        &HashSet::new(),
        "h",
        Timestamp::now,
    )
    .unwrap();
    assert!(old.iter().all(|path| !path.exists()));
    assert!(young.exists() && other.exists());
    assert_eq!(place.verified(), Vec::<String>::new());
}
