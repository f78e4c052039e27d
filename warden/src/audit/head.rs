//! How far the chain goes, sealed, in the warden's own folder: a chain whose tail was cut off while
//! nobody watched does not fit it. Two slots are written in turn, so a torn write loses one of them.

use super::seal::SealKey;
use super::verify::Head;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of a slot: one JSON text and blanks.
const SLOT: usize = 256;

/// The file.
#[derive(Debug)]
pub struct HeadFile(File);

impl HeadFile {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        if file.metadata()?.len() == 0 {
            file.write_all_at(&[b' '; 2 * SLOT], 0)?;
        }
        Ok(Self(file))
    }

    /// Remembers a head.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, head: &Head, key: &SealKey) -> io::Result<()> {
        let seal = key.seal(plain(head).as_bytes());
        let mut text = format!("{} {seal}", plain(head));
        while text.len() < SLOT {
            text.push(' ');
        }
        let at = (head.seq % 2) as usize * SLOT;
        self.0.write_all_at(text.as_bytes(), at as u64)
    }
}

fn plain(head: &Head) -> String {
    format!("{} {}", head.seq, head.hash)
}

/// The farther of the two heads whose seal fits; `None` where there is none.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(path: &Path, key: &SealKey) -> io::Result<Option<Head>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let heads = bytes.chunks(SLOT).filter_map(|slot| {
        let text = std::str::from_utf8(slot).ok()?;
        let mut words = text.split_whitespace();
        let head = Head {
            seq: words.next()?.parse().ok()?,
            hash: words.next()?.to_owned(),
        };
        key.fits(plain(&head).as_bytes(), words.next()?)
            .then_some(head)
    });
    Ok(heads.max_by_key(|head| head.seq))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_farther_good_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let key = SealKey::of([1; 32]);
        assert_eq!(read(&path, &key).unwrap(), None);
        let file = HeadFile::open(&path).unwrap();
        assert_eq!(read(&path, &key).unwrap(), None);
        let head = |seq: u64| Head {
            seq,
            hash: format!("{seq:064}"),
        };
        for seq in [7, 8, 9] {
            file.write(&head(seq), &key).unwrap();
        }
        assert_eq!(read(&path, &key).unwrap(), Some(head(9)));
        assert_eq!(read(&path, &SealKey::of([2; 32])).unwrap(), None);
        // Torn: the other slot is good.
        file.0.write_all_at(b"10 00", SLOT as u64).unwrap();
        assert_eq!(read(&path, &key).unwrap(), Some(head(8)));
    }
}
