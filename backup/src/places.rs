//! Where every chunk of a snapshot lies. There may be a million, so each is one flat line of a sorted list.

use crate::names::Digest;
use crate::pack::{Place, Table};
use std::collections::HashMap;

/// A chunk: its name, the number of its pack, and where it lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    name: Digest,
    pack: u32,
    from: u32,
    packed: u32,
    unpacked: u32,
}

impl Line {
    fn place(&self) -> Place {
        Place(self.name, self.from, self.packed, self.unpacked)
    }
}

/// The chunks of some packs.
#[derive(Debug, Default)]
pub struct Places {
    packs: Vec<Digest>,
    numbers: HashMap<Digest, u32>,
    lines: Vec<Line>,
}

/// What a chunk is found by, once it was looked up.
pub type At = u32;

impl Places {
    /// Of these tables.
    pub fn of(tables: impl IntoIterator<Item = Table>) -> Self {
        let mut places = Places::default();
        for table in tables {
            places.add(&table);
        }
        places.sorted()
    }

    /// Adds a table; [`Places::sorted`] afterwards.
    pub fn add(&mut self, table: &Table) {
        let next = self.packs.len() as u32;
        let pack = *self.numbers.entry(table.pack).or_insert(next);
        if pack == next {
            self.packs.push(table.pack);
        } else {
            // The same pack in another list of tables.
            return;
        }
        self.lines.reserve(table.chunks.len());
        self.lines.extend(table.chunks.iter().map(|place| Line {
            name: place.0,
            pack,
            from: place.1,
            packed: place.2,
            unpacked: place.3,
        }));
    }

    /// From now on chunks are found by their names. One that lies in two packs is found in one of them.
    pub fn sorted(mut self) -> Self {
        self.lines.sort_unstable();
        self.lines.dedup_by_key(|line| line.name);
        self.lines.shrink_to_fit();
        self
    }

    /// Where a chunk is; `None` where it is in no table.
    pub fn find(&self, name: &Digest) -> Option<At> {
        let at = self.lines.binary_search_by_key(name, |line| line.name);
        Some(at.ok()? as At)
    }

    /// A chunk that was found, and the number of its pack.
    pub fn get(&self, at: At) -> Option<(u32, Place)> {
        let line = self.lines.get(at as usize)?;
        Some((line.pack, line.place()))
    }

    /// The size of a chunk, in bytes.
    pub fn size(&self, name: &Digest) -> Option<u32> {
        Some(self.get(self.find(name)?)?.1.3)
    }

    /// The pack with a number.
    pub fn pack(&self, number: u32) -> Option<Digest> {
        self.packs.get(number as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_chunk_is_found_in_a_pack_that_has_it() {
        let name = |n: u8| Digest([n; 32]);
        let table = |pack: u8, chunks: &[u8]| Table {
            pack: name(pack),
            chunks: chunks
                .iter()
                .map(|n| Place(name(*n), 0, 1, u32::from(*n)))
                .collect(),
        };
        let places = Places::of([
            table(100, &[3, 1]),
            table(101, &[2, 1]),
            table(100, &[3, 1]),
        ]);
        for n in 1..=3 {
            let at = places.find(&name(n)).unwrap();
            let (pack, place) = places.get(at).unwrap();
            assert_eq!((place.0, place.3), (name(n), u32::from(n)));
            let pack = places.pack(pack).unwrap();
            assert!(n == 1 || pack == name(if n == 3 { 100 } else { 101 }));
        }
        assert_eq!(places.lines.len(), 3);
        assert_eq!(places.find(&name(4)), None);
        assert_eq!((places.pack(2), places.get(3)), (None, None));
    }
}
