//! What is known of every record without reading its file: where it lies, whether it changed,
//! which key wrote it.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;

/// A writer's key, as a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 16]);

impl KeyDigest {
    /// The digest of a key.
    pub fn of(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }

    /// As 32 hex digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads what `hex` wrote.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Path below the root of the tree.
    pub path: PathBuf,
    /// The file's stamp when it was read.
    pub stamp: u64,
    /// The key that wrote it, if any.
    pub key: Option<KeyDigest>,
}

/// All records, by id and by key.
#[derive(Debug, Default)]
pub struct Catalog {
    by_id: HashMap<String, Known>,
    by_key: HashMap<KeyDigest, String>,
}

impl Catalog {
    /// Adds or replaces a record.
    pub fn put(&mut self, id: &str, known: Known) {
        self.remove(id);
        if let Some(key) = known.key {
            self.by_key.entry(key).or_insert_with(|| id.to_owned());
        }
        self.by_id.insert(id.to_owned(), known);
    }

    /// Forgets a record.
    pub fn remove(&mut self, id: &str) {
        let key = self.by_id.remove(id).and_then(|known| known.key);
        if let Some(key) = key
            && self.by_key.get(&key).is_some_and(|other| other == id)
        {
            self.by_key.remove(&key);
        }
    }

    /// A record.
    pub fn get(&self, id: &str) -> Option<&Known> {
        self.by_id.get(id)
    }

    /// The record a key wrote.
    pub fn of_key(&self, key: &KeyDigest) -> Option<&str> {
        self.by_key.get(key).map(String::as_str)
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_its_record() {
        let key = KeyDigest::of("t1/learn/1");
        assert_eq!(KeyDigest::from_hex(&key.hex()), Some(key));
        assert_eq!(KeyDigest::from_hex("é"), None);
        let known = Known {
            path: PathBuf::from("x.md"),
            stamp: 1,
            key: Some(key),
        };
        let mut catalog = Catalog::default();
        catalog.put("a", known.clone());
        catalog.put("b", known);
        assert_eq!(catalog.of_key(&key), Some("a"));
        catalog.remove("b");
        assert_eq!(catalog.of_key(&key), Some("a"));
        catalog.remove("a");
        assert_eq!((catalog.of_key(&key), catalog.is_empty()), (None, true));
    }
}
