//! A page as it was before its server packed it, within a bound: a few bytes can stand for very many.

use std::io::{ErrorKind, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// Unpacks what a server sent as `encoding`, at most `most` bytes of it; `torn` says that the end is known to be missing. Whether
/// there was more.
///
/// # Errors
/// A sentence about what cannot be unpacked.
pub fn unpacked(
    bytes: Vec<u8>,
    encoding: &str,
    most: usize,
    torn: bool,
) -> Result<(Vec<u8>, bool), String> {
    let reader: Box<dyn Read + '_> = match encoding {
        "" | "identity" => return Ok((bytes, false)),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(bytes.as_slice())),
        "deflate" => Box::new(ZlibDecoder::new(bytes.as_slice())),
        other => {
            let name: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(format!("it is packed as {name}, which nobody asked for"));
        }
    };
    let mut whole = Vec::new();
    let ended = reader.take(most as u64 + 1).read_to_end(&mut whole);
    match ended {
        Ok(_) => {}
        Err(e) if torn && e.kind() == ErrorKind::UnexpectedEof => {}
        Err(e) => {
            return Err(format!(
                "it says that it is packed as {encoding}, and cannot be unpacked: {e}"
            ));
        }
    }
    let more = whole.len() > most;
    whole.truncate(most);
    Ok((whole, more))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_is_packed_is_unpacked_within_its_bound() {
        let page = vec![b'x'; 1 << 20];
        assert_eq!(
            unpacked(gzip(&page), "gzip", 2 << 20, false),
            Ok((page.clone(), false))
        );
        assert_eq!(
            unpacked(gzip(&page), "gzip", 10, false),
            Ok((vec![b'x'; 10], true))
        );
        assert_eq!(
            unpacked(b"plain".to_vec(), "", 10, false),
            Ok((b"plain".to_vec(), false))
        );
        let mut torn = gzip(&page);
        torn.truncate(torn.len() - 9);
        assert!(unpacked(torn.clone(), "gzip", 2 << 20, true).is_ok());
        for (bytes, encoding, words) in [
            (torn, "gzip", "cannot be unpacked"),
            (
                b"<html>".to_vec(),
                "gzip",
                "it says that it is packed as gzip",
            ),
            (
                b"<html>".to_vec(),
                "br",
                "packed as br, which nobody asked for",
            ),
        ] {
            let why = unpacked(bytes, encoding, 2 << 20, false).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), encoding in "(gzip|deflate|br)", torn: bool) {
            if let Ok((whole, _)) = unpacked(bytes, &encoding, 100, torn) {
                prop_assert!(whole.len() <= 100);
            }
        }
    }
}
