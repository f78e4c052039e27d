//! Which hashes may have come twice, in a fixed piece of memory: two bits for each of very many slots. It never forgets one
//! that did, and names few that did not; those are counted exactly afterwards.

/// Slots; two bits each make 32 MB, of which only what is used is ever touched.
const SLOTS: u64 = 1 << 27;
/// Slots in a word.
const IN_WORD: u64 = 32;

/// Slots that were hit once, and more than once.
pub(super) struct Twice {
    words: Vec<u64>,
    /// Whether any was hit more than once.
    pub(super) any: bool,
}

impl Twice {
    pub(super) fn new() -> Self {
        let words = vec![0; (SLOTS / IN_WORD) as usize];
        Twice { words, any: false }
    }

    fn place(hash: u64) -> (usize, u32) {
        let slot = hash % SLOTS;
        ((slot / IN_WORD) as usize, 2 * (slot % IN_WORD) as u32)
    }

    pub(super) fn add(&mut self, hash: u64) {
        let (word, bit) = Self::place(hash);
        let before = self.words[word] >> bit & 0b11;
        self.any |= before > 0;
        self.words[word] |= (if before == 0 { 0b01 } else { 0b11 }) << bit;
    }

    /// Whether this one may have come more than once.
    pub(super) fn maybe(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.words[word] >> bit & 0b10 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn none_that_came_twice_is_forgotten(hashes in proptest::collection::vec(0u64..300, 0..200), far in 0u64..u64::MAX - 300) {
            let mut twice = Twice::new();
            hashes.iter().for_each(|hash| twice.add(far + hash));
            for hash in 0..300 {
                let times = hashes.iter().filter(|h| **h == hash).count();
                prop_assert_eq!(twice.maybe(far + hash), times > 1);
            }
            let mut known = hashes.clone();
            known.sort_unstable();
            known.dedup();
            prop_assert_eq!(twice.any, known.len() < hashes.len());
        }
    }
}
