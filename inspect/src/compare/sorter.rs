//! Sorts more records than fit in memory: full heaps are written to files without a name, and merged when all are in.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

/// A key and what belongs to it. Ordered by key, then by the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) rest: Vec<u8>,
}

impl Ord for Record {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.key, &self.rest).cmp(&(&other.key, &other.rest))
    }
}

impl PartialOrd for Record {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where a record lies in the heap.
struct Span {
    at: usize,
    key: usize,
    end: usize,
}

/// Takes records in any order.
pub(super) struct Sorter {
    folder: PathBuf,
    most: usize,
    heap: Vec<u8>,
    spans: Vec<Span>,
    runs: Vec<File>,
}

impl Sorter {
    /// Keeps about `most` bytes in memory; the rest goes to files in `folder`.
    pub(super) fn new(folder: PathBuf, most: usize) -> Self {
        Sorter {
            folder,
            most,
            heap: Vec::new(),
            spans: Vec::new(),
            runs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, key: &[u8], rest: &[u8]) -> io::Result<()> {
        let at = self.heap.len();
        self.heap.extend(key);
        self.heap.extend(rest);
        self.spans.push(Span {
            at,
            key: at + key.len(),
            end: self.heap.len(),
        });
        if self.heap.len() + self.spans.len() * size_of::<Span>() > self.most {
            self.spill()?;
        }
        Ok(())
    }

    fn sort(&mut self) {
        let heap = &self.heap;
        let of = |span: &Span| (&heap[span.at..span.key], &heap[span.key..span.end]);
        self.spans.sort_unstable_by(|a, b| of(a).cmp(&of(b)));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut file = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&self.folder)?);
        for span in &self.spans {
            for part in [
                &self.heap[span.at..span.key],
                &self.heap[span.key..span.end],
            ] {
                let length = u32::try_from(part.len()).map_err(io::Error::other)?;
                file.write_all(&length.to_le_bytes())?;
                file.write_all(part)?;
            }
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        self.heap.clear();
        self.spans.clear();
        Ok(())
    }

    /// All records in order.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.sort();
        let held = Held {
            heap: self.heap,
            spans: self.spans.into_iter(),
        };
        let mut sources: Vec<Source> = vec![Source::Held(held)];
        let file = |file| Source::File(BufReader::with_capacity(1 << 18, file));
        sources.extend(self.runs.into_iter().map(file));
        let mut next = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            if let Some(record) = source.take()? {
                next.push(Reverse((record, at)));
            }
        }
        Ok(Sorted { sources, next })
    }
}

struct Held {
    heap: Vec<u8>,
    spans: std::vec::IntoIter<Span>,
}

enum Source {
    Held(Held),
    File(BufReader<File>),
}

impl Source {
    fn take(&mut self) -> io::Result<Option<Record>> {
        match self {
            Source::Held(held) => Ok(held.spans.next().map(|span| Record {
                key: held.heap[span.at..span.key].to_vec(),
                rest: held.heap[span.key..span.end].to_vec(),
            })),
            Source::File(file) => {
                let Some(key) = part(file)? else {
                    return Ok(None);
                };
                let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
                let rest = part(file)?.ok_or_else(cut)?;
                Ok(Some(Record { key, rest }))
            }
        }
    }
}

fn part(file: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match file.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// Records in order.
pub(super) struct Sorted {
    sources: Vec<Source>,
    next: BinaryHeap<Reverse<(Record, usize)>>,
}

impl Sorted {
    /// The key of the next record.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.next
            .peek()
            .map(|Reverse((record, _))| record.key.as_slice())
    }

    /// The next record.
    pub(super) fn take(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((record, at))) = self.next.pop() else {
            return Ok(None);
        };
        if let Some(following) = self
            .sources
            .get_mut(at)
            .map(Source::take)
            .transpose()?
            .flatten()
        {
            self.next.push(Reverse((following, at)));
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_records_come_out_in_order(records in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..6), proptest::collection::vec(any::<u8>(), 0..6)), 0..80), most in 40usize..2000) {
            let mut sorter = Sorter::new(std::env::temp_dir(), most);
            for (key, rest) in &records {
                sorter.push(key, rest).unwrap();
            }
            let mut sorted = sorter.finish().unwrap();
            let mut seen = Vec::new();
            while let Some(record) = sorted.take().unwrap() {
                seen.push((record.key, record.rest));
            }
            let mut expected = records;
            expected.sort();
            prop_assert_eq!(seen, expected);
        }
    }
}
