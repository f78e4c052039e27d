//! Packs of which a job needs only a part, or that are small and many: its next run takes what it needs of them for
//! unknown and sends it anew, so that they go with the last snapshot that needs them. No snapshot is ever written
//! again and no key is needed for it; what is noted here may be thrown away.

use crate::error::{BackupError, file};
use crate::known::tables;
use crate::names::Digest;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A pack is left when less than so much of it is needed, in percent of its bytes.
const NEEDED: u64 = 40;
/// Most packs that are left in one run: about half a gigabyte is sent again.
const MOST: usize = 32;
/// A pack with fewer bytes is small.
const SMALL: u64 = 1024 * 1024;
/// So many small ones become one.
const MANY_SMALL: usize = 64;

/// One pack, with what a run needed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weighed {
    pack: Digest,
    needed: u64,
    all: u64,
}

fn place(cache: &Path, job: &str) -> PathBuf {
    cache.join(format!("sparse-{job}"))
}

/// The packs that the next run of a job leaves.
pub fn noted(cache: &Path, job: &str) -> HashSet<Digest> {
    let bytes = std::fs::read(place(cache, job)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Notes them, by what a run needed: its packs, its chunks, and the file that remembers all packs.
///
/// # Errors
/// When the cache cannot be read or written.
pub fn note(
    cache: &Path,
    job: &str,
    remembered: &Path,
    packs: &HashSet<Digest>,
    chunks: &HashSet<Digest>,
) -> Result<(), BackupError> {
    let mut seen = HashSet::new();
    let mut weighed = Vec::new();
    for table in tables(remembered)? {
        if packs.contains(&table.pack) && seen.insert(table.pack) {
            let bytes = |needed: bool| {
                let of = table.chunks.iter();
                let of = of.filter(|place| !needed || chunks.contains(&place.0));
                of.map(|place| u64::from(place.2)).sum()
            };
            weighed.push(Weighed {
                pack: table.pack,
                needed: bytes(true),
                all: bytes(false),
            });
        }
    }
    let path = place(cache, job);
    let text =
        serde_json::to_vec(&leave(weighed)).map_err(|e| BackupError::damaged("the cache", e))?;
    std::fs::write(&path, text).map_err(file("write", &path))
}

/// Which are left, emptiest first. Pure.
fn leave(mut all: Vec<Weighed>) -> Vec<Digest> {
    all.sort_by_key(|one| (one.needed * 1000 / one.all.max(1), one.pack));
    let mut left: Vec<Digest> = (all.iter())
        .filter(|one| one.needed * 100 < one.all * NEEDED)
        .map(|one| one.pack)
        .take(MOST)
        .collect();
    let small: Vec<Digest> = (all.iter())
        .filter(|one| one.all < SMALL && !left.contains(&one.pack))
        .map(|one| one.pack)
        .collect();
    if small.len() >= MANY_SMALL {
        left.extend(small);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emptiest_go_first_and_small_ones_only_where_they_are_many() {
        let pack = |n: u8, needed, all| Weighed {
            pack: Digest([n; 32]),
            needed,
            all,
        };
        let large = 10 * SMALL;
        let all = vec![
            pack(1, large, large),
            pack(2, large / 3, large),
            pack(3, 0, large),
            pack(4, large / 2, large),
            pack(5, 10, 10),
        ];
        assert_eq!(leave(all), [Digest([3; 32]), Digest([2; 32])]);
        assert_eq!(leave(Vec::new()), []);
        let small =
            |many: usize| -> Vec<Weighed> { (0..many as u8).map(|n| pack(n, 10, 10)).collect() };
        assert_eq!(leave(small(MANY_SMALL - 1)), []);
        assert_eq!(leave(small(MANY_SMALL)).len(), MANY_SMALL);
        let many = (0..100).map(|n| pack(n, 1, large)).collect();
        assert_eq!(leave(many).len(), MOST);
    }
}
