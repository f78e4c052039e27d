//! The text form of PostgreSQL's COPY: a row a line, tabs between values, `\N` for none, backslashes for what would
//! break a line.

use std::borrow::Cow;

/// Splits a stream into lines without their ends, whatever its pieces are.
#[derive(Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes one more piece and tells of every line that is whole now; `false` of `see` stops.
    pub(super) fn take(&mut self, piece: &[u8], mut see: impl FnMut(&[u8]) -> bool) -> bool {
        let mut piece = piece;
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&piece[..end], &piece[end + 1..]);
            piece = after;
            let more = match self.rest.is_empty() {
                true => see(line),
                false => {
                    self.rest.extend(line);
                    let whole = std::mem::take(&mut self.rest);
                    see(&whole)
                }
            };
            if !more {
                return false;
            }
        }
        self.rest.extend(piece);
        true
    }
}

/// The values of a line; `None` where there is none.
pub(super) fn values(line: &[u8]) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    line.split(|byte| *byte == b'\t').map(value)
}

fn value(field: &[u8]) -> Option<Cow<'_, str>> {
    if field == b"\\N" {
        return None;
    }
    if !field.contains(&b'\\') {
        return Some(String::from_utf8_lossy(field));
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter().copied();
    while let Some(byte) = rest.next() {
        let plain = match byte {
            b'\\' => match rest.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            other => other,
        };
        bytes.push(plain);
    }
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Bytes as PostgreSQL writes them: `\x00ff`.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// As the server writes it.
    fn written(value: &Option<String>) -> String {
        match value {
            None => "\\N".to_owned(),
            Some(text) => text
                .replace('\\', "\\\\")
                .replace('\n', "\\n")
                .replace('\r', "\\r")
                .replace('\t', "\\t")
                .replace('\u{8}', "\\b")
                .replace('\u{b}', "\\v")
                .replace('\u{c}', "\\f"),
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(rows in proptest::collection::vec(proptest::collection::vec(proptest::option::of("(\\PC|[\\\\\n\r\tN\u{8}\u{b}\u{c}]){0,12}"), 1..5), 0..6), cut in 1usize..9) {
            let text: String = rows.iter().map(|row| row.iter().map(written).collect::<Vec<_>>().join("\t") + "\n").collect();
            let (mut lines, mut read) = (Lines::default(), Vec::new());
            for piece in text.as_bytes().chunks(cut) {
                lines.take(piece, |line| {
                    read.push(values(line).map(|v| v.map(Cow::into_owned)).collect::<Vec<_>>());
                    true
                });
            }
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn junk_is_survived(junk in proptest::collection::vec(any::<u8>(), 0..80)) {
            Lines::default().take(&junk, |line| values(line).count() > 0);
            let _ = bytes(&String::from_utf8_lossy(&junk));
        }
    }

    #[test]
    fn bytes_are_read() {
        assert_eq!(bytes("\\x00ff"), Some(vec![0, 255]));
        assert_eq!(bytes("\\x0"), Some(vec![0]));
        assert_eq!(bytes("ff"), None);
    }
}
