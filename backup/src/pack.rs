//! Packs: chunks, each compressed by itself, one after the other, sealed as one object. Its name is
//! the digest of what lies at the target, so that anybody can see whether it is whole.

use crate::error::BackupError;
use crate::key::{Public, RecoveryKey};
use crate::names::{Digest, PACK_BYTES};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How hard is compressed.
const LEVEL: i32 = 3;

/// What names chunks: a keyed digest, so that a name says nothing to whoever has no key.
#[derive(Clone)]
pub struct Naming(pub [u8; 32]);

impl Naming {
    /// The name of a chunk.
    pub fn of(&self, chunk: &[u8]) -> Digest {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return Digest([0; 32]);
        };
        mac.update(chunk);
        Digest(mac.finalize().into_bytes().into())
    }

    /// Moves the places where files are cut, so that sizes tell nothing of known files.
    pub fn seed(&self) -> u64 {
        let Digest(bytes) = self.of(b"where files are cut");
        bytes
            .iter()
            .take(8)
            .fold(0, |seed, b| seed << 8 | u64::from(*b))
    }
}

/// The digest of bytes as they lie at the target.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Where a chunk lies in a pack: name, first byte, bytes there, bytes when unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub Digest, pub u32, pub u32, pub u32);

/// What is in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The pack.
    pub pack: Digest,
    /// Its chunks, in order.
    pub chunks: Vec<Place>,
}

/// A pack that is being filled.
#[derive(Debug, Default)]
pub struct Filling {
    bytes: Vec<u8>,
    chunks: Vec<Place>,
}

impl Filling {
    /// Adds a chunk that is not in it yet.
    pub fn add(&mut self, name: Digest, chunk: &[u8]) -> Result<(), BackupError> {
        let packed = zstd::bulk::compress(chunk, LEVEL)
            .map_err(|error| BackupError::Refused(format!("compression failed: {error}")))?;
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&packed);
        self.chunks
            .push(Place(name, from, packed.len() as u32, chunk.len() as u32));
        Ok(())
    }

    /// Whether it is large enough to be closed.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= PACK_BYTES
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Seals it: what is kept at the target, and what is in it. It is empty afterwards.
    pub fn close(&mut self, to: &Public) -> Result<(Vec<u8>, Table), BackupError> {
        let sealed = to.seal(&std::mem::take(&mut self.bytes))?;
        let table = Table {
            pack: digest(&sealed),
            chunks: std::mem::take(&mut self.chunks),
        };
        Ok((sealed, table))
    }
}

/// A pack read back: checked against its name and opened.
pub struct Opened {
    name: Digest,
    bytes: Vec<u8>,
}

impl Opened {
    /// Opens a pack.
    pub fn new(name: Digest, sealed: &[u8], key: &RecoveryKey) -> Result<Self, BackupError> {
        let what = format!("pack {name}");
        let is = digest(sealed);
        if is != name {
            return Err(BackupError::damaged(
                what,
                format!("its bytes have the digest {is}"),
            ));
        }
        let bytes = key.open(&what, sealed)?;
        Ok(Self { name, bytes })
    }

    /// A chunk of it, checked against its name.
    pub fn chunk(&self, place: &Place, naming: &Naming) -> Result<Vec<u8>, BackupError> {
        let Place(name, from, packed, unpacked) = *place;
        let damaged = |why: String| BackupError::damaged(format!("pack {}", self.name), why);
        let end = from as usize + packed as usize;
        let packed = self
            .bytes
            .get(from as usize..end)
            .ok_or_else(|| damaged("it is shorter than its table says".to_owned()))?;
        if unpacked as usize > crate::names::CHUNK.2 {
            return Err(damaged(
                "its table names a chunk that is too large".to_owned(),
            ));
        }
        let chunk = zstd::bulk::decompress(packed, unpacked as usize)
            .map_err(|error| damaged(error.to_string()))?;
        match naming.of(&chunk) == name && chunk.len() == unpacked as usize {
            true => Ok(chunk),
            false => Err(damaged(format!("chunk {name} holds something else"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_a_bent_pack_is_seen() {
        let key = RecoveryKey::generate();
        let naming = Naming([7; 32]);
        let mut filling = Filling::default();
        let chunks = [b"one".to_vec(), vec![0; 100_000], Vec::new()];
        for chunk in &chunks {
            filling.add(naming.of(chunk), chunk).unwrap();
        }
        let (sealed, table) = filling.close(&key.public()).unwrap();
        assert!(filling.is_empty() && sealed.len() < 2000);
        let opened = Opened::new(table.pack, &sealed, &key).unwrap();
        for (place, chunk) in table.chunks.iter().zip(&chunks) {
            assert_eq!(&opened.chunk(place, &naming).unwrap(), chunk);
        }
        let Place(_, from, packed, size) = table.chunks[0];
        let swapped = Place(naming.of(b"two"), from, packed, size);
        assert!(opened.chunk(&swapped, &naming).is_err());
        let beyond = Place(naming.of(b"one"), u32::MAX, u32::MAX, size);
        assert!(opened.chunk(&beyond, &naming).is_err());
        let bomb = Place(naming.of(b"one"), from, packed, u32::MAX);
        assert!(opened.chunk(&bomb, &naming).is_err());
        let mut bent = sealed.clone();
        bent[200] ^= 1;
        assert!(Opened::new(table.pack, &bent, &key).is_err());
    }

    #[test]
    fn names_depend_on_the_key() {
        assert_ne!(Naming([1; 32]).of(b"x"), Naming([2; 32]).of(b"x"));
        assert_ne!(Naming([1; 32]).seed(), Naming([2; 32]).seed());
    }
}
