//! How many messages are read and folded at once: as many as keep what they name in memory bounded.

use super::read::{REPORT_BYTES, blob_of, is_digest};
use bus::outflow::OutMessage;
use protocol::limits::ENVELOPE_BYTES;
use std::ops::Range;
use std::path::Path;

/// Most bytes of reports held at once. One alone may be as large as reports are.
const PORTION_BYTES: u64 = 2 * REPORT_BYTES;

/// What reading each message takes, in bytes. A blob that is not here yet may be as large as any;
/// one that is larger is not read.
pub(super) fn weights(messages: &[OutMessage], blobs: &Path) -> Vec<u64> {
    let weight = |message: &OutMessage| {
        let inline = ENVELOPE_BYTES as u64;
        match blob_of(&message.envelope) {
            Some(name) if is_digest(name) => {
                let found = std::fs::symlink_metadata(blobs.join(name));
                let bytes = found.map_or(REPORT_BYTES, |found| found.len().min(REPORT_BYTES));
                bytes.max(inline)
            }
            _ => inline,
        }
    };
    messages.iter().map(weight).collect()
}

/// Which messages go together, in their order.
pub(super) fn portions(weights: &[u64]) -> Vec<Range<usize>> {
    let mut portions: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (place, weight) in weights.iter().enumerate() {
        match portions.last_mut() {
            Some(last) if held + weight <= PORTION_BYTES => {
                last.end = place + 1;
                held += weight;
            }
            _ => {
                portions.push(place..place + 1);
                held = *weight;
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::envelope::{Envelope, MessageType};

    fn check(weights: &[u64], expected: &[(usize, usize)]) {
        let ends = portions(weights)
            .into_iter()
            .map(|one| (one.start, one.end));
        assert_eq!(ends.collect::<Vec<_>>(), expected, "{weights:?}");
    }

    #[test]
    fn no_portion_holds_more_than_its_bytes() {
        let most = PORTION_BYTES;
        check(&[], &[]);
        check(&[1, 2, 3], &[(0, 3)]);
        check(&[most, 1, most], &[(0, 1), (1, 2), (2, 3)]);
        check(&[most - 1, 1, 1], &[(0, 2), (2, 3)]);
        check(&[most + 1, 1], &[(0, 1), (1, 2)]);
        // A large report that is named as often as a batch has messages.
        let many = vec![REPORT_BYTES; 64];
        let parts = portions(&many);
        assert_eq!(parts.len(), 32);
        assert_eq!(parts.last(), Some(&(62..64)));
    }

    #[test]
    fn a_message_weighs_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let team = "main".parse().unwrap();
        let message = |context: serde_json::Value| {
            let mut envelope = Envelope::new(&team, MessageType::Result, "code", "supervisor");
            envelope.payload.context = context;
            OutMessage {
                id: "1-1".to_owned(),
                role: "code".parse().unwrap(),
                envelope,
            }
        };
        let name = |letter: &str| letter.repeat(64);
        std::fs::write(folder.path().join(name("a")), vec![b' '; 100_000]).unwrap();
        let large = std::fs::File::create(folder.path().join(name("b"))).unwrap();
        large.set_len(REPORT_BYTES * 8).unwrap();
        for (context, expected) in [
            (serde_json::json!({}), ENVELOPE_BYTES as u64),
            (serde_json::json!({"blob": "../x"}), ENVELOPE_BYTES as u64),
            (serde_json::json!({"blob": name("a")}), 100_000),
            (serde_json::json!({"blob": name("b")}), REPORT_BYTES),
            (serde_json::json!({"blob": name("c")}), REPORT_BYTES),
        ] {
            let weighed = weights(&[message(context.clone())], folder.path());
            assert_eq!(weighed, [expected], "{context}");
        }
    }
}
