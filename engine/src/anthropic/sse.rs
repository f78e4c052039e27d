//! Server-sent events: bytes in, in pieces of any size; whole events out. An event that has not
//! ended with its blank line is never given out.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field; empty when there was none.
    pub name: String,
    /// The `data:` lines, joined by newlines.
    pub data: String,
}

/// The reader's state between two pieces.
#[derive(Debug, Default)]
pub struct SseReader {
    line: Vec<u8>,
    after_return: bool,
    name: String,
    data: Vec<String>,
}

impl SseReader {
    /// Takes the next bytes and gives the events they complete. It keeps what is unfinished, so
    /// the caller bounds how much it feeds in.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let second_half = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                other => self.line.push(other),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_start_matches('\u{feff}');
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => self.data.push(value.to_owned()),
            _ => {}
        }
        None
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        (!data.is_empty()).then(|| SseEvent {
            name,
            data: data.join("\n"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_as_the_standard_says() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let whole = SseReader::default().push(text.as_bytes());
            let mut reader = SseReader::default();
            let single: Vec<_> = text.bytes().flat_map(|b| reader.push(&[b])).collect();
            assert_eq!(whole, single, "{text:?}");
            let pairs: Vec<_> = whole
                .iter()
                .map(|e| (e.name.as_str(), e.data.as_str()))
                .collect();
            assert_eq!(pairs, expected, "{text:?}");
        };
        check("event: a\ndata: 1\n\n", &[("a", "1")]);
        check(
            "event: a\r\ndata:1\r\n\r\ndata: 2\r\r",
            &[("a", "1"), ("", "2")],
        );
        check("data: one\ndata: two\n\n", &[("", "one\ntwo")]);
        check(": comment\nid: 7\nretry: 3\ndata\n\n", &[("", "")]);
        check("event: nothing\n\ndata: x\n\n", &[("", "x")]);
        check("\u{feff}data: x\n\ndata: unfinished\n", &[("", "x")]);
    }
}
