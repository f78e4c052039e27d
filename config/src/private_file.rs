//! Files that only their owner may read: written whole or not at all, refused when others can
//! read or change them.

use crate::error::ConfigError;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Writes a file with mode 0600: a temporary beside it, synced, then renamed over it.
pub fn write(path: &Path, content: &[u8]) -> Result<(), ConfigError> {
    let failed = |error: &dyn std::fmt::Display| ConfigError::file("write", path, error);
    let folder = path
        .parent()
        .ok_or_else(|| failed(&"it has no parent folder"))?;
    // tempfile makes its files with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    temporary.write_all(content).map_err(|e| failed(&e))?;
    temporary
        .as_file()
        .set_permissions(fs::Permissions::from_mode(0o600))
        .map_err(|e| failed(&e))?;
    temporary.as_file().sync_all().map_err(|e| failed(&e))?;
    temporary.persist(path).map_err(|e| failed(&e.error))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| failed(&e))
}

/// Reads a private file of at most `limit` bytes; `None` where there is none.
///
/// # Errors
/// When it is not a regular file, belongs to someone else, or others may read or change it.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ConfigError> {
    let failed = |problem: String| ConfigError::file("read", path, problem);
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let about = file.metadata().map_err(|e| failed(e.to_string()))?;
    if !about.is_file() {
        return Err(failed("it is not a regular file".into()));
    }
    let me = nix::unistd::Uid::effective();
    if about.uid() != me.as_raw() && !me.is_root() {
        return Err(failed(format!(
            "it belongs to uid {}, not to you",
            about.uid()
        )));
    }
    let mode = about.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(failed(format!(
            "others may open it (mode {mode:04o}); run `chmod 600 {}`",
            path.display()
        )));
    }
    if about.len() > limit {
        return Err(failed(format!("it is larger than {limit} bytes")));
    }
    let mut content = Vec::new();
    file.take(limit)
        .read_to_end(&mut content)
        .map_err(|e| failed(e.to_string()))?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn written_privately_and_refused_when_wider() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert_eq!(read(&path, 10), Ok(None));
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path, 10), Ok(Some(b"two".to_vec())));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(read(&path, 2).unwrap_err().to_string().contains("larger"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let said = read(&path, 10).unwrap_err().to_string();
        assert!(
            said.contains("mode 0640") && said.contains("chmod 600"),
            "{said}"
        );
    }

    #[test]
    fn links_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        write(&target, b"x").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(read(&link, 10).is_err());
        assert!(read(folder.path(), 10).is_err());
    }
}
