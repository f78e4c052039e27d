//! Packs: chunks, each compressed by itself, one after the other, sealed as one object. Its name is
//! the digest of what lies at the target, so that anybody can see whether it is whole.

use crate::error::BackupError;
use crate::key::{Public, RecoveryKey};
use crate::names::{CHUNK, Digest, PACK_BYTES};
use age::stream::{StreamReader, StreamWriter};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::compress_bound;

/// How hard is compressed.
const LEVEL: i32 = 3;
/// Room for a pack with its last chunk and what sealing adds, in bytes.
const SEALED_BYTES: usize = PACK_BYTES + CHUNK.2 + (1 << 20);

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

/// A pack that is being filled. What goes in is compressed and sealed at once, so no byte of it is held twice.
pub struct Filling {
    to: Public,
    sealing: Option<StreamWriter<Vec<u8>>>,
    /// Bytes in it, before they are sealed.
    bytes: usize,
    chunks: Vec<Place>,
    compressor: Option<Compressor<'static>>,
    packed: Vec<u8>,
    /// The room of the pack before, used again.
    room: Vec<u8>,
}

impl Filling {
    /// An empty one, for whoever has the recovery key.
    pub fn new(to: Public) -> Self {
        Filling {
            to,
            sealing: None,
            bytes: 0,
            chunks: Vec::new(),
            compressor: None,
            packed: Vec::new(),
            room: Vec::new(),
        }
    }

    /// Adds a chunk that is not in it yet.
    pub fn add(&mut self, name: Digest, chunk: &[u8]) -> Result<(), BackupError> {
        let failed = |error| BackupError::Refused(format!("compression failed: {error}"));
        let compressor = match self.compressor.take() {
            Some(compressor) => compressor,
            None => Compressor::new(LEVEL).map_err(failed)?,
        };
        let compressor = self.compressor.insert(compressor);
        self.packed.clear();
        self.packed.reserve(compress_bound(chunk.len()));
        compressor
            .compress_to_buffer(chunk, &mut self.packed)
            .map_err(failed)?;
        let sealing = match self.sealing.take() {
            Some(sealing) => sealing,
            None => {
                let mut room = std::mem::take(&mut self.room);
                room.clear();
                room.reserve(SEALED_BYTES);
                self.to.sealing(room)?
            }
        };
        let sealing = self.sealing.insert(sealing);
        sealing.write_all(&self.packed).map_err(unsealed)?;
        let (from, packed) = (self.bytes as u32, self.packed.len() as u32);
        self.bytes += self.packed.len();
        self.chunks
            .push(Place(name, from, packed, chunk.len() as u32));
        Ok(())
    }

    /// Whether it is large enough to be closed.
    pub fn is_full(&self) -> bool {
        self.bytes >= PACK_BYTES
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Closes it: what is kept at the target, and what is in it. It is empty afterwards.
    pub fn close(&mut self) -> Result<(Vec<u8>, Table), BackupError> {
        let sealed = match self.sealing.take() {
            Some(sealing) => sealing.finish().map_err(unsealed)?,
            None => self.to.seal(&[])?,
        };
        self.bytes = 0;
        let table = Table {
            pack: digest(&sealed),
            chunks: std::mem::take(&mut self.chunks),
        };
        Ok((sealed, table))
    }

    /// Gives the room of a pack that was sent back.
    pub fn used(&mut self, sealed: Vec<u8>) {
        self.room = sealed;
    }
}

fn unsealed(error: std::io::Error) -> BackupError {
    BackupError::Key(format!("encryption failed: {error}"))
}

/// A pack read back: checked against its name, and opened where a chunk is asked for. Chunks in their order are
/// quickest.
pub struct Opened {
    name: Digest,
    plain: StreamReader<Cursor<Vec<u8>>>,
    /// Bytes in it.
    bytes: u64,
    packed: Vec<u8>,
    unpacking: Decompressor<'static>,
}

impl Opened {
    /// Opens a pack.
    pub fn new(name: Digest, sealed: Vec<u8>, key: &RecoveryKey) -> Result<Self, BackupError> {
        let what = format!("pack {name}");
        let is = digest(&sealed);
        if is != name {
            return Err(BackupError::damaged(
                what,
                format!("its bytes have the digest {is}"),
            ));
        }
        let mut plain = key.opening(&what, sealed)?;
        let failed = |error| BackupError::damaged(&what, error);
        let bytes = plain.seek(SeekFrom::End(0)).map_err(failed)?;
        let unpacking = Decompressor::new().map_err(failed)?;
        Ok(Self {
            name,
            plain,
            bytes,
            packed: Vec::new(),
            unpacking,
        })
    }

    /// A chunk of it, checked against its name.
    pub fn chunk(&mut self, place: &Place, naming: &Naming) -> Result<Vec<u8>, BackupError> {
        let Place(name, from, packed, unpacked) = *place;
        let of = self.name;
        let damaged = |why: String| BackupError::damaged(format!("pack {of}"), why);
        if u64::from(from) + u64::from(packed) > self.bytes {
            return Err(damaged("it is shorter than its table says".to_owned()));
        }
        if unpacked as usize > CHUNK.2 {
            return Err(damaged(
                "its table names a chunk that is too large".to_owned(),
            ));
        }
        self.packed.resize(packed as usize, 0);
        self.plain
            .seek(SeekFrom::Start(u64::from(from)))
            .and_then(|_| self.plain.read_exact(&mut self.packed))
            .map_err(|error| damaged(error.to_string()))?;
        let chunk = (self.unpacking)
            .decompress(&self.packed, unpacked as usize)
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
        let mut filling = Filling::new(key.public());
        let chunks = [b"one".to_vec(), vec![0; 100_000], Vec::new()];
        for chunk in &chunks {
            filling.add(naming.of(chunk), chunk).unwrap();
        }
        let (sealed, table) = filling.close().unwrap();
        assert!(filling.is_empty() && sealed.len() < 2000);
        let mut opened = Opened::new(table.pack, sealed.clone(), &key).unwrap();
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
        assert!(Opened::new(table.pack, bent, &key).is_err());
    }

    #[test]
    fn names_depend_on_the_key() {
        assert_ne!(Naming([1; 32]).of(b"x"), Naming([2; 32]).of(b"x"));
        assert_ne!(Naming([1; 32]).seed(), Naming([2; 32]).seed());
    }
}
