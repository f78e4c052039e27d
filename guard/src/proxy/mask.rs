//! Takes secrets out of bytes that pass by, however they are cut into parts. As many stars as the secret was long take its
//! place, so that lengths stay true.

use regex::bytes::Regex;

/// A stream with secrets taken out.
pub struct Mask {
    secrets: Vec<Vec<u8>>,
    /// Any of them, looked for at once: most bytes hold none. `None` = each is looked for by itself.
    any: Option<Regex>,
    held: Vec<u8>,
}

impl Mask {
    /// One for these secrets; the empty one is none.
    pub fn new(secrets: Vec<String>) -> Mask {
        let secrets: Vec<String> = secrets.into_iter().filter(|one| !one.is_empty()).collect();
        let any: Vec<String> = secrets.iter().map(|one| regex::escape(one)).collect();
        Mask {
            any: Regex::new(&any.join("|")).ok(),
            secrets: secrets.into_iter().map(String::into_bytes).collect(),
            held: Vec::new(),
        }
    }

    /// Takes the next bytes; answers those of which it is sure. A secret that may have begun at their end is held.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.cover();
        let longest = self.secrets.iter().map(Vec::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest.saturating_sub(1));
        let begun = (from..self.held.len()).find(|at| {
            let rest = self.held.get(*at..).unwrap_or_default();
            self.secrets.iter().any(|secret| secret.starts_with(rest))
        });
        let rest = self.held.split_off(begun.unwrap_or(self.held.len()));
        std::mem::replace(&mut self.held, rest)
    }

    /// What was held to the end.
    pub fn finish(mut self) -> Vec<u8> {
        self.cover();
        std::mem::take(&mut self.held)
    }

    fn cover(&mut self) {
        if self
            .any
            .as_ref()
            .is_some_and(|any| !any.is_match(&self.held))
        {
            return;
        }
        for secret in &self.secrets {
            let mut at = 0;
            while let Some(found) = self
                .held
                .get(at..)
                .and_then(|rest| rest.windows(secret.len()).position(|part| part == secret))
            {
                at += found;
                if let Some(part) = self.held.get_mut(at..at + secret.len()) {
                    part.fill(b'*');
                }
                at += secret.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through(secrets: &[&str], parts: &[&[u8]]) -> Vec<u8> {
        let mut mask = Mask::new(secrets.iter().map(|one| (*one).to_owned()).collect());
        let mut all: Vec<u8> = parts.iter().flat_map(|part| mask.feed(part)).collect();
        all.extend(mask.finish());
        all
    }

    #[test]
    fn a_secret_is_covered_wherever_it_is_cut() {
        let text = b"before hunter2 after hunter2";
        for cut in 0..text.len() {
            let (one, two) = text.split_at(cut);
            let got = through(&["hunter2"], &[one, two]);
            assert_eq!(got, b"before ******* after *******", "{cut}");
        }
        assert_eq!(through(&["hunter2"], &[b"hunter"]), b"hunter");
        assert_eq!(through(&[], &[b"hunter"]), b"hunter");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_secret_stays(parts in proptest::collection::vec("[ab]{0,6}", 0..12)) {
            let bytes: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            let got = through(&["aab", "abba"], &bytes);
            let whole = parts.concat();
            prop_assert_eq!(got.len(), whole.len());
            let got = String::from_utf8_lossy(&got).into_owned();
            prop_assert!(!got.contains("aab") && !got.contains("abba"));
            for (is, was) in got.bytes().zip(whole.bytes()) {
                prop_assert!(is == was || is == b'*');
            }
        }
    }
}
