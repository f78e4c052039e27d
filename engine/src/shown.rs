//! What a model can be shown of a file: a picture or a PDF as a content block of the Messages API, told by
//! how the content begins and never by a name, within the limits the API states. Pure; of a picture only its
//! header is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imagesize::ImageType;
use serde_json::{Value, json};

/// Longest base64 text of one image, in bytes.
const IMAGE_BASE64: usize = 5 << 20;
/// Most pixels of an image on one side.
const IMAGE_SIDE: usize = 8000;
/// Most pages of a PDF.
const PDF_PAGES: usize = 100;
/// Longest base64 text of all blocks of a request together, in bytes: it takes 32 MB, and the conversation
/// needs room too.
pub const ALL_BASE64: usize = 20 << 20;

/// Tokens that a picture costs at most: models scale larger ones down.
const IMAGE_TOKENS: usize = 5000;
/// Tokens that a page of a PDF costs, about: its text and its picture.
const PAGE_TOKENS: usize = 4000;
/// Bytes of a PDF that are counted as a page where its pages cannot be seen.
const PAGE_BYTES: usize = 20_000;

/// Why a picture or a PDF cannot be shown to a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// The API takes no image of this kind.
    #[error("a model is shown PNG, JPEG, GIF and WebP, not {0}")]
    Kind(String),
    /// Too many bytes.
    #[error("it has {bytes} bytes, and a model is shown {what} of at most {most}")]
    Bytes {
        /// `an image`, `a PDF`.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// Too many pixels.
    #[error(
        "it is {width} by {height} pixels, and a model is shown at most {IMAGE_SIDE} on a side"
    )]
    Pixels {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// Too many pages.
    #[error("it has {0} pages, and a model is shown at most {PDF_PAGES}")]
    Pages(usize),
    /// It asks for a password.
    #[error("it is encrypted")]
    Encrypted,
    /// Its beginning says what it is, and what follows does not.
    #[error("it is broken or cut off")]
    Broken,
    /// Others that go with the request took the room.
    #[error("together with the others it is more than one request takes")]
    Together,
}

/// The content block of a file that a model can look at; `None` for what is neither picture nor PDF.
///
/// # Errors
/// [`NotShown`], to be followed by what can be done instead.
pub fn block(content: &[u8]) -> Option<Result<Value, NotShown>> {
    match content.starts_with(b"%PDF-") {
        true => Some(pdf(content)),
        false => image(content),
    }
}

fn image(content: &[u8]) -> Option<Result<Value, NotShown>> {
    let Ok(kind) = imagesize::image_type(content) else {
        // Too short to be anything, but it begins as a picture does.
        const BEGINNINGS: [&[u8]; 3] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8"];
        let begins = BEGINNINGS.iter().any(|begins| content.starts_with(begins));
        return begins.then_some(Err(NotShown::Broken));
    };
    let media = match kind {
        ImageType::Png => "image/png",
        ImageType::Jpeg => "image/jpeg",
        ImageType::Gif => "image/gif",
        ImageType::Webp => "image/webp",
        ImageType::Bmp => return Some(Err(NotShown::Kind("BMP".to_owned()))),
        ImageType::Tiff => return Some(Err(NotShown::Kind("TIFF".to_owned()))),
        ImageType::Heif(_) => return Some(Err(NotShown::Kind("HEIF".to_owned()))),
        // What begins with few bytes in common with a picture is no picture.
        _ => return None,
    };
    Some(sized(content).and_then(|()| {
        within(content, "an image", IMAGE_BASE64).map(|data| source("image", media, &data))
    }))
}

fn sized(content: &[u8]) -> Result<(), NotShown> {
    let size = imagesize::blob_size(content).map_err(|_| NotShown::Broken)?;
    let (width, height) = (size.width, size.height);
    match width.max(height) > IMAGE_SIDE {
        true => Err(NotShown::Pixels { width, height }),
        false if width.min(height) == 0 => Err(NotShown::Broken),
        false => Ok(()),
    }
}

fn pdf(content: &[u8]) -> Result<Value, NotShown> {
    let has = |word: &[u8]| content.windows(word.len()).any(|seen| seen == word);
    if has(b"/Encrypt") {
        return Err(NotShown::Encrypted);
    }
    if !has(b"%%EOF") {
        return Err(NotShown::Broken);
    }
    match pages(content) {
        Some(many) if many > PDF_PAGES => Err(NotShown::Pages(many)),
        _ => within(content, "a PDF", ALL_BASE64)
            .map(|data| source("document", "application/pdf", &data)),
    }
}

fn source(kind: &str, media: &str, data: &str) -> Value {
    json!({"type": kind, "source": {"type": "base64", "media_type": media, "data": data}})
}

fn within(content: &[u8], what: &'static str, most: usize) -> Result<String, NotShown> {
    let room = most / 4 * 3;
    match content.len() > room {
        true => Err(NotShown::Bytes {
            what,
            bytes: content.len(),
            most: room,
        }),
        false => Ok(STANDARD.encode(content)),
    }
}

/// Pages of a PDF, where they are not packed away.
fn pages(content: &[u8]) -> Option<usize> {
    const TYPE: &[u8] = b"/Type";
    let mut many = 0;
    for at in 0..content.len().saturating_sub(TYPE.len()) {
        let rest = content.get(at..).unwrap_or_default();
        let Some(rest) = rest.strip_prefix(TYPE) else {
            continue;
        };
        let rest = rest.trim_ascii_start();
        let page = rest.strip_prefix(b"/Page");
        // `/Pages` is the tree of them.
        many += usize::from(
            page.is_some_and(|next| next.first().is_none_or(|b| !b.is_ascii_alphanumeric())),
        );
    }
    (many > 0).then_some(many)
}

/// The base64 text that a block carries; `None` for blocks of words.
pub fn data(block: &Value) -> Option<&str> {
    block["source"]["data"].as_str()
}

/// About how many tokens a block of [`block`] costs; 0 for others.
pub fn tokens(block: &Value) -> usize {
    match (block["type"].as_str(), data(block)) {
        (Some("image"), Some(_)) => IMAGE_TOKENS,
        (Some("document"), Some(data)) => {
            let content = STANDARD.decode(data).unwrap_or_default();
            let guess = 1 + content.len() / PAGE_BYTES;
            pages(&content).unwrap_or(guess).min(PDF_PAGES) * PAGE_TOKENS
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The header of a PNG of this size, as long as wanted.
    fn png(width: u32, height: u32, bytes: usize) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend(width.to_be_bytes());
        png.extend(height.to_be_bytes());
        png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        png.resize(bytes.max(png.len()), 0);
        png
    }

    fn document(pages: usize) -> Vec<u8> {
        let page = "<< /Type /Page /Parent 2 0 R >>\n<</Type/Pages>>\n".repeat(pages);
        format!("%PDF-1.7\n{page}trailer\n%%EOF\n").into_bytes()
    }

    #[track_caller]
    fn check(content: &[u8], expected: &str) {
        let said = match block(content) {
            None => "no picture".to_owned(),
            Some(Ok(block)) => {
                assert_eq!(STANDARD.decode(data(&block).unwrap()).unwrap(), content);
                let source = &block["source"];
                format!("{} {}", block["type"], source["media_type"]).replace('"', "")
            }
            Some(Err(why)) => why.to_string(),
        };
        assert!(said.contains(expected), "{said} is not {expected}");
    }

    #[test]
    fn what_a_file_is_is_told_by_its_content() {
        check(&png(10, 20, 0), "image image/png");
        check(b"GIF89a\x01\0\x01\0\0\0\0", "image image/gif");
        let webp =
            b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0";
        check(webp, "image image/webp");
        let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x10\0\x20\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9";
        check(jpeg, "image image/jpeg");
        check(&document(2), "document application/pdf");
        for other in [
            &b"id,total\n1,2\n"[..],
            b"",
            b"BM",
            b"\x7fELF",
            b"PK\x03\x04",
            b"II",
        ] {
            check(other, "no picture");
        }
    }

    #[test]
    fn what_the_api_would_refuse_is_not_sent() {
        check(&png(8000, 1, 0), "image/png");
        check(&png(8001, 1, 0), "it is 8001 by 1 pixels");
        check(&png(0, 1, 0), "broken or cut off");
        check(b"\x89PNG\r\n\x1a\n", "broken or cut off");
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", "broken or cut off");
        check(&png(10, 10, 3_932_160), "image/png");
        check(
            &png(10, 10, 3_932_161),
            "it has 3932161 bytes, and a model is shown an image of at most 3932160",
        );
        check(&document(100), "application/pdf");
        check(&document(101), "it has 101 pages");
        check(b"%PDF-1.7\n<</Type /Page>>\n", "broken or cut off");
        check(b"%PDF-1.7\n<</Encrypt 5 0 R>>\n%%EOF", "it is encrypted");
    }

    #[test]
    fn a_picture_costs_by_what_is_seen_and_not_by_its_bytes() {
        let tokens = |content: &[u8]| tokens(&block(content).unwrap().unwrap());
        assert_eq!(tokens(&png(10, 10, 3_000_000)), tokens(&png(10, 10, 0)));
        assert_eq!(tokens(&document(7)), 7 * PAGE_TOKENS);
        let packed = [
            b"%PDF-1.7\n".to_vec(),
            vec![b'x'; 45_000],
            b"%%EOF".to_vec(),
        ]
        .concat();
        assert_eq!(tokens(&packed), 3 * PAGE_TOKENS);
        assert_eq!(super::tokens(&json!({"type": "text", "text": "x"})), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(mut content in prop::collection::vec(any::<u8>(), 0..200), head in 0usize..6) {
            let heads: [&[u8]; 6] = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"%PDF-"];
            content.splice(0..0, heads[head].iter().copied());
            if let Some(Ok(block)) = block(&content) {
                prop_assert!(super::tokens(&block) > 0);
            }
        }
    }
}
