//! Profiles a CSV file in one pass, row by row. The separator is told by the first lines; without a header the columns
//! are numbered.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::column::{self, Column};
use super::{Profile, TableProfile};
use crate::limits::{InspectError, Limits};

/// Columns beyond these are not profiled.
const MOST_COLUMNS: usize = 2000;

pub(super) fn profile(file: &Path, head: &[u8], limits: &Limits) -> Result<Profile, InspectError> {
    let failed = |e: csv::Error| InspectError::NotProfiled {
        path: file.to_path_buf(),
        why: format!("{e}; it is no proper CSV"),
    };
    let opened = File::open(file).map_err(|e| InspectError::unreadable(file, e))?;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(head))
        .flexible(true)
        .has_headers(false)
        .from_reader(Quotes {
            from: opened,
            odd: false,
        });
    let mut columns: Vec<Column> = Vec::new();
    let (mut rows, mut record, mut first) = (0u64, ByteRecord::new(), true);
    let mut several_lines = false;
    while rows < limits.rows && reader.read_byte_record(&mut record).map_err(failed)? {
        let fields: Vec<_> = record.iter().take(MOST_COLUMNS).map(text).collect();
        if std::mem::take(&mut first) {
            let header = is_header(&fields);
            columns = fields
                .iter()
                .enumerate()
                .map(|(at, f)| Column::new(&name(at, f, header)))
                .collect();
            if header {
                continue;
            }
        }
        while columns.len() < fields.len() {
            let mut late = Column::new(&name(columns.len(), "", false));
            late.missing(rows);
            columns.push(late);
        }
        for (at, column) in columns.iter_mut().enumerate() {
            match fields.get(at) {
                Some(field) => column.value(field),
                None => column.missing(1),
            }
        }
        rows += 1;
        several_lines = record.as_slice().contains(&b'\n');
    }
    if reader.is_done() && reader.get_ref().odd && several_lines {
        return Err(InspectError::NotProfiled {
            path: file.to_path_buf(),
            why: format!(
                "a quote opened in row {rows} is never closed, so the rows after it cannot be told"
            ),
        });
    }
    let name = file
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let columns = columns.into_iter().map(Column::finish).collect();
    Ok(Profile {
        kind: "csv".into(),
        tables: vec![TableProfile {
            name,
            rows,
            columns,
        }],
    })
}

/// A file that remembers whether the quotes read so far are odd in number.
struct Quotes {
    from: File,
    odd: bool,
}

impl Read for Quotes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        let quotes = buffer[..read].iter().filter(|byte| **byte == b'"').count();
        self.odd ^= quotes % 2 == 1;
        Ok(read)
    }
}

/// What Windows-1252 has where Latin-1 has control characters; five places are not given out.
const WINDOWS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// A field as text: UTF-8, else Windows-1252, so that different values stay different.
fn text(field: &[u8]) -> Cow<'_, str> {
    let western = |byte: &u8| match byte {
        0x80..=0x9f => WINDOWS.chars().nth(usize::from(byte - 0x80)).unwrap_or('?'),
        byte => char::from(*byte),
    };
    match std::str::from_utf8(field) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(field.iter().map(western).collect()),
    }
}

/// A first row with a number in it is data already.
fn is_header(fields: &[Cow<str>]) -> bool {
    !fields.iter().any(|f| column::is_number(f))
}

fn name(at: usize, field: &str, header: bool) -> String {
    let field = field.trim_start_matches('\u{feff}').trim();
    if header && !field.is_empty() {
        field.to_string()
    } else {
        format!("column_{}", at + 1)
    }
}

/// The separator that stands most often in the first line, outside of quotes.
fn separator(head: &[u8]) -> u8 {
    let (mut quoted, mut counts) = (false, [0u32; 4]);
    let separators = [b',', b';', b'\t', b'|'];
    for byte in head.iter().take_while(|b| **b != b'\n') {
        quoted ^= *byte == b'"';
        if let Some(at) = separators
            .iter()
            .position(|s| s == byte)
            .filter(|_| !quoted)
        {
            counts[at] += 1;
        }
    }
    let most = (0..4).rev().max_by_key(|at| counts[*at]).unwrap_or(0);
    separators[most]
}
