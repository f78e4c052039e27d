//! One line of a snapshot's list of files. Paths are relative, with `/`, and keep every byte.

use crate::error::BackupError;
use crate::names::Digest;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A file.
    #[serde(rename = "f")]
    File,
    /// A folder.
    #[serde(rename = "d")]
    Folder,
    /// A symbolic link.
    #[serde(rename = "l")]
    Link,
}

/// A file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path: text, or `\` and hexadecimal digits where it is no UTF-8.
    #[serde(rename = "p")]
    pub path: String,
    /// What it is.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// Permission bits.
    #[serde(rename = "m")]
    pub mode: u32,
    /// When it was changed last, in nanoseconds since 1970.
    #[serde(rename = "t")]
    pub modified: i64,
    /// Owner and group.
    #[serde(rename = "o")]
    pub owner: (u32, u32),
    /// Size in bytes.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Where a link points, written like a path.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What a file consists of.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Digest>,
}

fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// A path as it stands in a list.
pub fn written(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\\') => text.to_owned(),
        _ => {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("\\{hex}")
        }
    }
}

/// A path as it stood in a list.
pub fn read(text: &str) -> Option<PathBuf> {
    let Some(hex) = text.strip_prefix('\\') else {
        return Some(PathBuf::from(text));
    };
    if hex.len() % 2 != 0 || !hex.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok())
        .collect();
    Some(PathBuf::from(OsStr::from_bytes(&bytes?)))
}

impl Entry {
    /// Its path, which stays below wherever it is put.
    ///
    /// # Errors
    /// When it would lead elsewhere.
    pub fn inside(&self) -> Result<PathBuf, BackupError> {
        let shown = config::error::quoted(&self.path);
        let path = read(&self.path)
            .ok_or_else(|| BackupError::damaged("the list of files", "a path is unreadable"))?;
        let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
        let nul = path.as_os_str().as_bytes().contains(&0);
        match plain && !nul && !path.as_os_str().is_empty() {
            true => Ok(path),
            false => Err(BackupError::damaged(
                "the list of files",
                format!("`{shown}` leads out of where it is restored"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_comes_back(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            let path = PathBuf::from(OsStr::from_bytes(&bytes));
            prop_assert_eq!(read(&written(&path)), Some(path));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            read(&text);
        }
    }

    #[test]
    fn nothing_leads_out() {
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            kind: Kind::File,
            mode: 0o600,
            modified: 0,
            owner: (0, 0),
            size: 0,
            link: None,
            chunks: Vec::new(),
        };
        assert_eq!(entry("a/b").inside().unwrap(), Path::new("a/b"));
        for bad in ["", "/a", "../a", "a/../b", "a\0b", "\\2e2e", "\\2", "\\é"] {
            assert!(entry(bad).inside().is_err(), "{bad}");
        }
    }
}
