//! A file handed in with a request. Its content is kept under its digest before the task is
//! accepted; the agent sees it read-only, beside the clone and never in it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where attached files are seen inside a sandbox.
pub const INSIDE: &str = "/attachments";
/// Most files of one request.
pub const MOST: usize = 16;
/// Longest name, in bytes.
const NAME_BYTES: usize = 200;
/// The kind of a PDF.
const PDF: &str = "PDF";
/// How much of a file is looked at to say what it is, in bytes.
const HEAD: usize = 8 * 1024;

/// One attached file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name, without folders; no two of one request are the same.
    pub name: String,
    /// Lower-case hex SHA-256 of its content.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// What it is, for people and models, such as `text` or `PNG image`.
    pub kind: String,
}

impl Attachment {
    /// Where it is seen inside a sandbox.
    pub fn inside(&self) -> String {
        format!("{INSIDE}/{}", self.name)
    }

    /// Whether it is a picture or a document of pages, which a model is shown and a playbook is not.
    pub fn is_for_eyes(&self) -> bool {
        self.kind == PDF || self.kind.ends_with(" image")
    }
}

/// Why files cannot be attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// Too many.
    #[error(
        "{0} files are too many for one request: at most {MOST}; put them into a folder and name it with --workspace, or attach an archive"
    )]
    TooMany(usize),
    /// No name for a file.
    #[error("`{0}` cannot be the name of an attached file: rename it")]
    Name(String),
    /// Two of a name.
    #[error("two attached files are named `{0}`: rename one")]
    Twice(String),
    /// No digest.
    #[error("`{0}` is not the digest of a file")]
    Digest(String),
}

/// Checks what can be known of attached files without looking at their content.
///
/// # Errors
/// [`AttachmentError`] for the first that does not fit.
pub fn check(files: &[Attachment]) -> Result<(), AttachmentError> {
    if files.len() > MOST {
        return Err(AttachmentError::TooMany(files.len()));
    }
    let mut names = BTreeSet::new();
    for file in files {
        check_name(&file.name)?;
        if !names.insert(&file.name) {
            return Err(AttachmentError::Twice(file.name.clone()));
        }
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if file.sha256.len() != 64 || !file.sha256.bytes().all(hex) {
            let shown = file.sha256.chars().take(80).collect();
            return Err(AttachmentError::Digest(shown));
        }
    }
    Ok(())
}

/// Whether a file may have this name where it is laid out.
///
/// # Errors
/// [`AttachmentError::Name`].
pub fn check_name(name: &str) -> Result<(), AttachmentError> {
    let strange = |c: char| c.is_control() || c == '/' || c == '\u{2028}' || c == '\u{2029}';
    let good = !name.is_empty()
        && name.len() <= NAME_BYTES
        && name != "."
        && name != ".."
        && !name.contains(strange);
    match good {
        true => Ok(()),
        false => {
            let shown: String = name.escape_debug().take(80).collect();
            Err(AttachmentError::Name(shown))
        }
    }
}

/// What a file is, by how it begins; the name only tells kinds of text apart.
pub fn kind_of(name: &str, content: &[u8]) -> &'static str {
    const BEGINNINGS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "PNG image"),
        (b"\xff\xd8\xff", "JPEG image"),
        (b"GIF8", "GIF image"),
        (b"%PDF-", PDF),
        (b"II*\0", "TIFF image"),
        (b"MM\0*", "TIFF image"),
        (b"PK\x03\x04", "ZIP archive or office document"),
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"\x7fELF", "program"),
        (b"PAR1", "Parquet"),
    ];
    let known = BEGINNINGS
        .iter()
        .find(|(beginning, _)| content.starts_with(beginning));
    if let Some((_, kind)) = known {
        return kind;
    }
    if content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP") {
        return "WebP image";
    }
    if matches!(
        content.get(4..12),
        Some(b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftypavif")
    ) {
        return "HEIF image";
    }
    if content.is_empty() {
        return "empty";
    }
    if !is_text(content.get(..HEAD).unwrap_or(content)) {
        return "binary";
    }
    let end = name.rsplit_once('.').map(|(_, end)| end.to_lowercase());
    match end.as_deref() {
        Some("csv") => "CSV",
        Some("tsv") => "TSV",
        Some("json" | "jsonl" | "ndjson") => "JSON",
        Some("md") => "Markdown",
        Some("log") => "log",
        Some("patch" | "diff") => "patch",
        Some("html" | "htm") => "HTML",
        _ => "text",
    }
}

/// UTF-8 without zero bytes; a character may be cut off at the end.
fn is_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    whole && !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Attachment {
        Attachment {
            name: name.to_owned(),
            sha256: "ab".repeat(32),
            bytes: 1,
            kind: "text".to_owned(),
        }
    }

    #[test]
    fn names_stay_in_their_folder() {
        let long = "x".repeat(201);
        for (name, good) in [
            ("notes.txt", true),
            ("Grüße 2.txt", true),
            (".env", true),
            ("...", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a/b", false),
            ("a\nb", false),
            ("\u{1b}[2J", false),
            ("a\0", false),
            (&long, false),
        ] {
            assert_eq!(check(&[file(name)]).is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn a_request_has_a_few_files_of_different_names() {
        let many: Vec<_> = (0..17).map(|n| file(&n.to_string())).collect();
        assert_eq!(check(&many[..16]), Ok(()));
        assert_eq!(check(&many), Err(AttachmentError::TooMany(17)));
        let twice = [file("a"), file("a")];
        assert_eq!(check(&twice), Err(AttachmentError::Twice("a".to_owned())));
        for bad in ["", "../../etc/passwd", &"AB".repeat(32), &"a".repeat(63)] {
            let mut file = file("a");
            file.sha256 = bad.to_owned();
            assert!(check(&[file]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_known_by_how_it_begins() {
        let cut = "ü".repeat(5000).into_bytes();
        for (name, content, kind) in [
            ("a.csv", &b"id,total\n"[..], "CSV"),
            ("a.LOG", b"x", "log"),
            ("a", b"x", "text"),
            ("a.png", b"\x89PNG\r\n\x1a\n....", "PNG image"),
            ("a.csv", b"RIFF\x1a\0\0\0WEBPVP8L", "WebP image"),
            ("a.wav", b"RIFF\x1a\0\0\0WAVEfmt \0", "binary"),
            ("a.jpg", b"\0\0\0\x18ftypheic\0", "HEIF image"),
            ("a.tif", b"II*\0", "TIFF image"),
            ("a.csv", b"PK\x03\x04", "ZIP archive or office document"),
            ("a.txt", b"a\0b", "binary"),
            ("a.txt", b"\xff\xfeab", "binary"),
            ("a.txt", b"", "empty"),
            ("a.txt", &cut[1..], "binary"),
            ("a.txt", &cut, "text"),
            ("a.txt", &cut[..8193], "text"),
        ] {
            assert_eq!(kind_of(name, content), kind, "{name}");
        }
    }
}
