//! The YAML files of one folder of the home, and whether they changed since they were read.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most files read from one folder.
pub(crate) const FILES: usize = 20_000;
/// Largest file, in bytes.
const FILE_BYTES: u64 = 256 * 1024;

/// Name and time of every file of a folder: when it differs, the folder is read again.
pub(crate) type Print = Vec<(PathBuf, SystemTime)>;

/// What a folder holds now; nothing where it cannot be listed.
pub(crate) fn print(folder: &Path) -> Print {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Print = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .filter_map(|path| {
            let data = std::fs::metadata(&path).ok()?;
            Some((path, data.modified().ok()?))
        })
        .collect();
    files.sort();
    files.truncate(FILES);
    files
}

/// The text of a file, cut off where no file of this kind may be larger.
///
/// # Errors
/// When it is no regular file, or cannot be read as text.
pub(crate) fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    file.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}
