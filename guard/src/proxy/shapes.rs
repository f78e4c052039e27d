//! The shapes in which a token could come back: as it is, in an address, packed into base64 with whatever stands around it.
//! Pure.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What an address leaves as it is (RFC 3986, 2.3), besides letters and digits.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Shortest part of a token in base64 that is looked for: shorter ones stand in any text.
const SHORTEST: usize = 8;

/// Every shape of a token, and of the word that is sent for it; the longest first.
pub(super) fn shapes(token: &str, sent: String) -> Vec<String> {
    let mut all = vec![sent, token.to_owned()];
    for set in [NON_ALPHANUMERIC, UNRESERVED] {
        let coded = utf8_percent_encode(token, set).to_string();
        all.extend([lower_escapes(&coded), coded]);
    }
    for alphabet in [&STANDARD, &URL_SAFE] {
        all.push(GeneralPurpose::new(alphabet, NO_PAD).encode(token));
        let within = (0..3).map(|before| within(token, before, alphabet));
        all.extend(within.filter(|part| part.len() >= SHORTEST));
    }
    all.retain(|one| !one.is_empty());
    all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    all.dedup();
    all
}

/// The same with small letters in its escapes, as some write them.
fn lower_escapes(coded: &str) -> String {
    let mut out = String::with_capacity(coded.len());
    let mut digits: u8 = 0;
    for c in coded.chars() {
        out.push(if digits > 0 {
            c.to_ascii_lowercase()
        } else {
            c
        });
        digits = if c == '%' {
            2
        } else {
            digits.saturating_sub(1)
        };
    }
    out
}

/// What base64 makes of a token with so many bytes before it and anything behind it: the signs that hang on the token
/// alone.
fn within(token: &str, before: usize, alphabet: &Alphabet) -> String {
    let whole = [&vec![0; before][..], token.as_bytes()].concat();
    let coded = GeneralPurpose::new(alphabet, NO_PAD).encode(&whole);
    // Each sign has six bits.
    let (from, to) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    coded.get(from..to).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD as PLAIN, URL_SAFE as OF_ADDRESSES};
    use proptest::prelude::*;

    #[test]
    fn a_token_is_known_in_an_address() {
        for (token, shape) in [
            ("ab-c.d_e~f+g/h=", "ab-c.d_e~f%2Bg%2Fh%3D"),
            ("ab-c.d_e~f+g/h=", "ab-c.d_e~f%2bg%2fh%3d"),
            ("ab-C+", "ab%2DC%2B"),
            ("ab-C+", "ab%2dC%2b"),
        ] {
            let all = shapes(token, String::new());
            assert!(all.contains(&shape.to_owned()), "{shape}: {all:?}");
        }
    }

    #[test]
    fn a_short_token_hides_nothing_else() {
        for shape in shapes("abcd", "Basic x".to_owned()) {
            assert!(shape.len() >= 4, "{shape}");
        }
        assert_eq!(shapes("", String::new()), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn a_token_is_known_in_base64_whatever_stands_around_it(
            before in proptest::collection::vec(any::<u8>(), 0..7), token in "[!-~]{9,40}",
            behind in proptest::collection::vec(any::<u8>(), 0..7),
        ) {
            let whole = [&before[..], token.as_bytes(), &behind].concat();
            let all = shapes(&token, String::new());
            for coded in [PLAIN.encode(&whole), OF_ADDRESSES.encode(&whole)] {
                prop_assert!(all.iter().any(|shape| coded.contains(shape.as_str())), "{coded}");
            }
        }
    }
}
