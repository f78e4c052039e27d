//! A place that is used for long: packs of which little is needed any more, and small ones in great number.

use super::{Place, later, noise, tree};
use crate::keep::Keep;
use crate::store::Store;
use crate::store::folder::Folder;
use std::collections::HashSet;
use std::fs;

/// Only the newest of a day.
const NEWEST: Keep = Keep {
    last: 1,
    daily: 0,
    weekly: 0,
    monthly: 0,
};

/// Packs at the place, and their bytes.
fn packs(place: &Place) -> (usize, u64) {
    let found = Folder::at(place.target()).list("packs").unwrap();
    (found.len(), found.iter().map(|one| one.bytes).sum())
}

fn run_and_let_go(place: &Place) -> u64 {
    let done = place.run();
    crate::prune::prune(&mut place.open(), NEWEST, &HashSet::new(), "h", later).unwrap();
    assert_eq!(place.back(&done.name), tree(&place.source()));
    done.progress.sent
}

/// Ten files in a pack, then three of them; what is there after two more runs.
fn thinned(forget: bool) -> (u64, Vec<u64>) {
    let place = Place::new();
    for n in 0..10 {
        place.put(&format!("file-{n}"), &noise(n + 1, 300_000));
    }
    let mut sent = vec![run_and_let_go(&place)];
    for n in 3..10 {
        fs::remove_file(place.source().join(format!("file-{n}"))).unwrap();
    }
    for _ in 0..3 {
        sent.push(run_and_let_go(&place));
        if forget {
            for entry in fs::read_dir(place.folder.path().join("cache")).unwrap() {
                let noted = entry.unwrap().path().join("sparse-code");
                let _none = fs::remove_file(noted);
            }
        }
    }
    assert_eq!(place.verified(), Vec::<String>::new());
    (packs(&place).1, sent)
}

#[test]
fn a_pack_of_which_little_is_needed_goes() {
    let (bytes, sent) = thinned(false);
    assert!(bytes < 1_000_000, "{bytes} bytes stay");
    assert!(
        sent[1] < 10_000,
        "the first run after only notes it: {sent:?}"
    );
    assert!(sent[2] > 900_000 && sent[2] < 1_000_000, "{sent:?}");
    assert!(sent[3] < 10_000, "it comes to rest: {sent:?}");
    // The control: without the note it stays.
    assert!(thinned(true).0 > 3_000_000);
}

#[test]
fn many_small_packs_become_one() {
    let place = Place::new();
    for n in 0..70 {
        place.put(&format!("note-{n}"), &noise(n + 1, 2000));
        place.run();
    }
    run_and_let_go(&place);
    run_and_let_go(&place);
    let (many, bytes) = packs(&place);
    assert!(many < 10 && bytes < 300_000, "{many} packs, {bytes} bytes");
    assert_eq!(place.verified(), Vec::<String>::new());
}
