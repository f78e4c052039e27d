//! CSV files, row by row. The separator is told by the first lines; without a header the columns are numbered.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::{Cell, Class, Column, Flow, See, Shape};
use crate::limits::InspectError;
use crate::profile::column;

/// Columns beyond these are not looked at.
pub(crate) const MOST_COLUMNS: usize = 2000;

/// The name of the table that a file is.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The columns, from the first row.
pub(super) fn shape(path: &Path, head: &[u8]) -> Result<Shape, InspectError> {
    let mut names = Vec::new();
    each(path, head, &mut |fields, _| {
        let header = is_header(fields);
        names = fields
            .iter()
            .enumerate()
            .map(|(at, f)| name(at, f, header))
            .collect();
        Flow::Enough
    })?;
    let column = |name| Column {
        name,
        class: Class::Open,
        declared: String::new(),
    };
    Ok(Shape {
        kind: "csv",
        name: stem(path),
        columns: names.into_iter().map(column).collect(),
        key: Vec::new(),
        rows: None,
    })
}

/// Every row after the header.
pub(super) fn rows(path: &Path, head: &[u8], see: See<'_>) -> Result<bool, InspectError> {
    each(path, head, &mut |fields, first| {
        if first && is_header(fields) {
            return Flow::On;
        }
        let cells: Vec<Cell> = fields
            .iter()
            .map(|f| Cell::Text(Cow::Borrowed(f.as_ref())))
            .collect();
        see(&cells)
    })
}

fn each(
    path: &Path,
    head: &[u8],
    see: &mut dyn FnMut(&[Cow<str>], bool) -> Flow,
) -> Result<bool, InspectError> {
    let failed =
        |e: csv::Error| InspectError::not_read(path.display(), format!("{e}; it is no proper CSV"));
    let opened = File::open(path).map_err(|e| InspectError::unreadable(path, e))?;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(head))
        .flexible(true)
        .has_headers(false)
        .buffer_capacity(1 << 17)
        .from_reader(Quotes {
            from: opened,
            odd: false,
        });
    let (mut rows, mut record, mut several_lines) = (0u64, ByteRecord::new(), false);
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let fields: Vec<_> = record.iter().take(MOST_COLUMNS).map(text).collect();
        if see(&fields, rows == 0) == Flow::Enough {
            return Ok(false);
        }
        rows += 1;
        several_lines = record.as_slice().contains(&b'\n');
    }
    if reader.get_ref().odd && several_lines {
        let why = format!(
            "a quote opened in row {rows} is never closed, so the rows after it cannot be told"
        );
        return Err(InspectError::not_read(path.display(), why));
    }
    Ok(true)
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

/// The name of a column; numbered where the header says none.
pub(crate) fn name(at: usize, field: &str, header: bool) -> String {
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
