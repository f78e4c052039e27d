//! Files of systemd's journal, read without systemd: the sandbox of a scan runs no program. The layout is the one
//! systemd documents as "Journal File Format"; files in use and files cut off are read as far as they are whole.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use jiff::Timestamp;

/// Longest value that is kept, in bytes.
const VALUE: usize = 16 * 1024;
/// Longest object that is read, in bytes.
const OBJECT: u64 = 4 << 20;
/// Values up to this length are kept for the entries that share them.
const SHARED: usize = 64;

const DATA: u8 = 1;
const ENTRY: u8 = 3;
const ENTRY_ARRAY: u8 = 6;
const XZ_OR_LZ4: u8 = 3;
const ZSTD: u8 = 4;
const COMPACT: u32 = 16;
/// Everything this reader knows: compressions, keyed hashes, compact.
const KNOWN: u32 = 31;

/// Fields that are read; the others are passed over.
const FIELDS: [&str; 6] = [
    "MESSAGE",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "_COMM",
    "_SYSTEMD_UNIT",
    "UNIT",
];

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was received.
    pub at: Timestamp,
    /// 0 (emergency) to 7 (debugging); 6 where it says none.
    pub priority: u8,
    /// What wrote it.
    pub program: String,
    /// Its unit, or the unit it is about.
    pub unit: Option<String>,
    /// The message.
    pub message: String,
}

struct Reader {
    file: File,
    compact: bool,
    shared: HashMap<u64, Option<Rc<(usize, String)>>>,
}

/// Calls `each` for the entries between two moments, in the order of the file.
///
/// # Errors
/// A few words about why the file is none that can be read.
pub fn read(
    file: File,
    from: Timestamp,
    until: Timestamp,
    each: &mut dyn FnMut(Entry),
) -> Result<(), String> {
    let mut reader = Reader {
        file,
        compact: false,
        shared: HashMap::new(),
    };
    let head = reader.bytes(0, 208).ok_or("it is cut off")?;
    if head.get(..8) != Some(b"LPKSHHRH") {
        return Err("it is no journal file".to_owned());
    }
    let flags = u32_at(&head, 12).unwrap_or(0);
    if flags & !KNOWN != 0 {
        return Err("it is of a newer kind than this reads".to_owned());
    }
    reader.compact = flags & COMPACT != 0;
    let (from, until) = (from.as_microsecond(), until.as_microsecond());
    let mut array = u64_at(&head, 176).unwrap_or(0);
    while let Some((next, entries)) = reader.array(array) {
        // Arrays are appended: one that leads back is damage.
        if next != 0 && next <= array {
            return Err("it is damaged".to_owned());
        }
        for at in entries {
            reader.entry(at, from, until, each);
        }
        array = next;
    }
    Ok(())
}

impl Reader {
    fn bytes(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }

    /// An object of this kind, whole.
    fn object(&self, offset: u64, kind: u8) -> Option<Vec<u8>> {
        if offset == 0 || !offset.is_multiple_of(8) {
            return None;
        }
        let head = self.bytes(offset, 16)?;
        let size = u64_at(&head, 8)?;
        let fits = head.first() == Some(&kind) && (16..=OBJECT).contains(&size);
        fits.then(|| self.bytes(offset, size as usize)).flatten()
    }

    /// The next array and the entries of this one.
    fn array(&self, offset: u64) -> Option<(u64, Vec<u64>)> {
        let bytes = self.object(offset, ENTRY_ARRAY)?;
        let items = bytes.get(24..)?;
        let entries = match self.compact {
            true => items
                .chunks_exact(4)
                .filter_map(|c| u32_at(c, 0))
                .map(u64::from)
                .collect::<Vec<_>>(),
            false => items.chunks_exact(8).filter_map(|c| u64_at(c, 0)).collect(),
        };
        let used = entries.into_iter().take_while(|at| *at != 0).collect();
        Some((u64_at(&bytes, 16)?, used))
    }

    fn entry(&mut self, offset: u64, from: i64, until: i64, each: &mut dyn FnMut(Entry)) {
        let Some(head) = self.bytes(offset, 32) else {
            return;
        };
        let Some(time) = u64_at(&head, 24).and_then(|time| i64::try_from(time).ok()) else {
            return;
        };
        if time < from || time > until {
            return;
        }
        let (Some(bytes), Ok(at)) = (
            self.object(offset, ENTRY),
            Timestamp::from_microsecond(time),
        ) else {
            return;
        };
        let items = bytes.get(64..).unwrap_or_default();
        let data: Vec<u64> = match self.compact {
            true => items
                .chunks_exact(4)
                .filter_map(|c| u32_at(c, 0))
                .map(u64::from)
                .collect(),
            false => items
                .chunks_exact(16)
                .filter_map(|c| u64_at(c, 0))
                .collect(),
        };
        let mut fields: [Option<String>; FIELDS.len()] = Default::default();
        for offset in data {
            if let Some(found) = self.data(offset)
                && let Some(place) = fields.get_mut(found.0)
            {
                *place = Some(found.1.clone());
            }
        }
        let [message, priority, identifier, comm, unit, about] = fields;
        each(Entry {
            at,
            priority: priority.and_then(|text| text.parse().ok()).unwrap_or(6),
            program: identifier.or(comm).unwrap_or_default(),
            unit: about.or(unit),
            message: message.unwrap_or_default(),
        });
    }

    /// Which field a data object is, and its value; nothing where it is none of those that are read.
    fn data(&mut self, offset: u64) -> Option<Rc<(usize, String)>> {
        if let Some(known) = self.shared.get(&offset) {
            return known.clone();
        }
        let read = self.value(offset).map(Rc::new);
        let long = read
            .as_ref()
            .is_some_and(|read| read.1.len() > SHARED || read.0 == 0);
        if !long && self.shared.len() < 1_000_000 {
            self.shared.insert(offset, read.clone());
        }
        read
    }

    fn value(&self, offset: u64) -> Option<(usize, String)> {
        let bytes = self.object(offset, DATA)?;
        let payload = bytes.get(if self.compact { 72 } else { 64 }..)?;
        let flags = bytes.get(1).copied().unwrap_or(0);
        if flags & XZ_OR_LZ4 != 0 {
            // Only long values are compressed: in practice the message.
            return Some((
                0,
                "(a long message in a compression that is not read)".to_owned(),
            ));
        }
        let payload = match flags & ZSTD {
            0 => payload.get(..payload.len().min(VALUE))?.to_vec(),
            _ => unpacked(payload)?,
        };
        let equals = payload.iter().position(|b| *b == b'=')?;
        let name = payload.get(..equals)?;
        let field = FIELDS.iter().position(|field| field.as_bytes() == name)?;
        Some((
            field,
            String::from_utf8_lossy(payload.get(equals + 1..)?).into_owned(),
        ))
    }
}

fn unpacked(payload: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let decoder = ruzstd::decoding::StreamingDecoder::new(payload).ok()?;
    decoder.take(VALUE as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..at + 8)?
        .try_into()
        .ok()
        .map(u64::from_le_bytes)
}

/// Journal files made by systemd itself: 71 entries that were fed to `systemd-journal-remote`.
#[cfg(test)]
pub mod samples {
    #![allow(clippy::unwrap_used, missing_docs)]
    use std::io::Read;

    fn unzip(bytes: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut whole)
            .unwrap();
        whole
    }

    pub fn compact() -> Vec<u8> {
        unzip(include_bytes!("../../../fixtures/compact-zstd.journal.gz"))
    }

    /// What systemd says of a service that failed twice, of one that was mended, and of a decoy.
    pub fn units() -> Vec<u8> {
        unzip(include_bytes!("../../../fixtures/units.journal.gz"))
    }

    pub fn plain() -> Vec<u8> {
        unzip(include_bytes!("../../../fixtures/plain.journal.gz"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn entries(bytes: &[u8]) -> Result<Vec<Entry>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut found = Vec::new();
        read(file, Timestamp::MIN, Timestamp::MAX, &mut |entry| {
            found.push(entry)
        })?;
        Ok(found)
    }

    #[test]
    fn what_systemd_wrote_is_read() {
        let plain = entries(&samples::plain()).unwrap();
        assert_eq!(plain, entries(&samples::compact()).unwrap());
        assert_eq!(plain.len(), 71);
        let errors: Vec<_> = plain.iter().filter(|e| e.priority <= 3).collect();
        assert_eq!(errors.len(), 9);
        assert_eq!(
            errors[0].message,
            "payment 1000 failed: gateway 10.0.0.0 timed out after 300 ms"
        );
        assert_eq!(
            (errors[0].program.as_str(), errors[0].unit.as_deref()),
            ("shop", Some("shop.service"))
        );
        assert_eq!(errors[0].at.to_string(), "2026-11-18T11:18:20Z");
        assert!(
            errors[8].message.ends_with("part-199 missing;"),
            "{}",
            errors[8].message
        );
    }

    #[test]
    fn a_window_is_kept() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&samples::plain()).unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut found = 0;
        read(
            file,
            moment("2026-11-18T11:18:20Z"),
            moment("2026-11-18T11:19:20Z"),
            &mut |_| found += 1,
        )
        .unwrap();
        assert_eq!(found, 2);
    }

    #[test]
    fn damaged_files_are_read_as_far_as_they_go() {
        assert!(entries(b"").is_err());
        assert!(entries(&[b'x'; 300]).unwrap_err().contains("no journal"));
        let whole = samples::plain();
        let mut newer = whole.clone();
        newer[13] = 1;
        assert!(entries(&newer).unwrap_err().contains("newer"));
        let end = whole.iter().rposition(|b| *b != 0).unwrap();
        for cut in [208, 300, 4000, end / 2, end - 10] {
            let _ = entries(&whole[..cut]);
        }
        // One byte after the other is broken, in the part that leads to the entries.
        for at in (88..280).chain(end - 400..end).step_by(7) {
            let mut broken = whole[..end + 100].to_vec();
            broken[at] ^= 0xff;
            let _ = entries(&broken);
        }
    }
}
