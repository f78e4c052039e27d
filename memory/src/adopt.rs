//! Taking in records that were written elsewhere: each content once, whatever it was called there, and
//! nothing that was forgotten here.

use crate::catalog::KeyDigest;
use crate::door::{ID_ROUNDS, Memory, MemoryError, new_id, place};
use crate::entry::Entry;
use crate::forget;
use crate::tree::Tree;
use jiff::Timestamp;
use protocol::memory::{MemoryFile, MemoryImported};
use protocol::phase::Phase;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io;

/// Longest id that is kept as it was, in bytes.
const ID_BYTES: usize = 120;

/// What a record says, whoever wrote it, whenever, under whatever name.
pub(crate) fn content(entry: &Entry) -> [u8; 16] {
    let mut digest = Sha256::new();
    let project = entry.project.as_deref().unwrap_or_default();
    for part in [entry.title.trim(), project, entry.body.trim()] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let mut short = [0; 16];
    short.copy_from_slice(&digest.finalize()[..16]);
    short
}

fn contents(tree: &Tree) -> HashSet<[u8; 16]> {
    let entries = tree.files().into_iter().filter_map(|file| {
        let text = tree.read(&file.path).ok()?;
        Entry::parse(&file.id, &text).ok()
    });
    entries.map(|entry| content(&entry)).collect()
}

impl Memory {
    /// Keeps records that were written elsewhere, under their own names where those are free. The same
    /// files again change nothing.
    ///
    /// # Errors
    /// At the first file that is no record, or when the disk refuses; what was kept before stays.
    pub fn adopt(&self, files: &[MemoryFile]) -> Result<MemoryImported, MemoryError> {
        self.refresh()?;
        let mut inner = self.lock();
        let mut here = contents(&inner.tree);
        let forgotten = forget::contents(&inner.tree);
        let mut came = MemoryImported::default();
        for file in files {
            let mut entry = Entry::parse(&file.id, &file.text)?;
            let what = content(&entry);
            if forgotten.contains(&what) {
                came.forgotten += 1;
                continue;
            }
            if !here.insert(what) {
                came.known += 1;
                continue;
            }
            let is_phase = |name: &String| Phase::ALL.iter().any(|phase| phase.as_str() == name);
            entry.phase = entry.phase.filter(is_phase);
            let at = entry.written.unwrap_or_else(Timestamp::now);
            entry.written = Some(at);
            let key: String = what.iter().map(|byte| format!("{byte:02x}")).collect();
            let own = is_id(&entry.id).then(|| entry.id.clone());
            let names = own
                .into_iter()
                .chain((0..ID_ROUNDS).map(|n| new_id(&key, at, n)));
            let mut kept = false;
            for id in names {
                if inner.catalog.get(&id).is_some() {
                    continue;
                }
                entry.id = id;
                let path = place(&entry, at);
                match inner.tree.put(&path, &entry.render()) {
                    Ok(()) => {
                        let key = entry.key.as_deref().map(KeyDigest::of);
                        inner.kept(entry.id.clone(), path, key)?;
                        kept = true;
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(MemoryError::Io(path, error)),
                }
            }
            came.new += u64::from(kept);
        }
        let settled = inner.tree.settle();
        settled.map_err(|error| MemoryError::Io(".".into(), error))?;
        if let Err(error) = inner.flush() {
            inner.rebuild(&self.index_dir, &error)?;
        }
        Ok(came)
    }
}

/// Whether a name can be a file's here.
fn is_id(id: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    !id.is_empty() && id.len() <= ID_BYTES && id.chars().all(plain) && !id.starts_with('.')
}
