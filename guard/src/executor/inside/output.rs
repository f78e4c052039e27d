//! What a program printed, bounded: the head and the tail are kept, the middle is cut and said so.

use std::collections::VecDeque;

/// Collects one stream.
pub(super) struct Output {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: u64,
}

impl Output {
    /// Keeps at most this many bytes.
    pub(super) fn keeping(bytes: usize) -> Output {
        Output {
            half: bytes / 2,
            head: Vec::new(),
            tail: VecDeque::new(),
            cut: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.half.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend(first);
        // Of a chunk longer than the tail only its end can stay.
        let (gone, kept) = rest.split_at(rest.len().saturating_sub(self.half));
        let over = (self.tail.len() + kept.len()).saturating_sub(self.half);
        self.tail.drain(..over);
        self.tail.extend(kept);
        self.cut += (gone.len() + over) as u64;
    }

    /// Whether something was cut.
    pub(super) fn truncated(&self) -> bool {
        self.cut > 0
    }

    /// As text; bytes that are not UTF-8 become replacement characters.
    pub(super) fn text(mut self) -> String {
        let tail = self.tail.make_contiguous();
        if self.cut == 0 {
            self.head.extend_from_slice(tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        format!(
            "{}…\n… {} bytes cut …\n{}",
            String::from_utf8_lossy(&self.head),
            self.cut,
            String::from_utf8_lossy(tail)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_output_is_whole() {
        let mut output = Output::keeping(8);
        output.push(b"abc");
        output.push(b"defgh");
        assert!(!output.truncated());
        assert_eq!(output.text(), "abcdefgh");
    }

    #[test]
    fn the_middle_is_cut() {
        let mut output = Output::keeping(8);
        output.push(b"abcdXXXX");
        output.push(b"XXefgh");
        assert!(output.truncated());
        assert_eq!(output.text(), "abcd…\n… 6 bytes cut …\nefgh");
    }

    proptest! {
        #[test]
        fn nothing_is_miscounted(chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..40), 0..12)) {
            let mut output = Output::keeping(20);
            chunks.iter().for_each(|chunk| output.push(chunk));
            let all: Vec<u8> = chunks.concat();
            prop_assert_eq!(output.cut as usize, all.len().saturating_sub(20));
            prop_assert!(all.starts_with(&output.head));
            prop_assert!(all.ends_with(output.tail.make_contiguous()));
        }
    }
}
