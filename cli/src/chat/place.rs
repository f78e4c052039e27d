//! Which folder a conversation is about, kept in the home so that window 0 has it again after a
//! restart.

use crate::failure::Failure;
use config::home::Home;
use config::private_file;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Version of the file.
const VERSION: u32 = 1;
/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    v: u32,
    workspace: Option<PathBuf>,
}

/// The folder of the chat's own files, made where it is missing; `None` where it cannot be.
pub fn folder(home: &Home) -> Option<PathBuf> {
    let folder = home.chat();
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => None,
        _ => Some(folder),
    }
}

/// The folder that was set last, where it is still there.
pub fn read(home: &Home) -> Option<PathBuf> {
    let bytes = private_file::read(&folder(home)?.join("place.json"), LARGEST);
    let kept: Kept = serde_json::from_slice(&bytes.ok()??).ok()?;
    (kept.v <= VERSION)
        .then_some(kept.workspace)?
        .filter(|path| path.is_dir())
}

/// Keeps it.
pub fn write(home: &Home, workspace: &Path) {
    let kept = Kept {
        v: VERSION,
        workspace: Some(workspace.to_owned()),
    };
    let written = folder(home)
        .zip(serde_json::to_vec(&kept).ok())
        .map(|(folder, bytes)| private_file::write(&folder.join("place.json"), &bytes));
    if let Some(Err(error)) = written {
        tracing::warn!(%error, "the chat's folder is not kept");
    }
}

/// A folder as typed: `~`, relative to `from`, without links.
///
/// # Errors
/// When it is not there or no folder.
pub fn resolve(typed: &str, from: &Path, user_home: Option<&str>) -> Result<PathBuf, Failure> {
    let path = expand(typed, from, user_home);
    match path.canonicalize() {
        Ok(folder) if folder.is_dir() => Ok(folder),
        Ok(file) => Err(Failure::usage(format!("{} is no folder", file.display()))),
        Err(error) => Err(
            Failure::usage(format!("cannot find {}: {error}", path.display()))
                .hint("give an existing folder: /workspace ~/shop"),
        ),
    }
}

/// A path as typed, made absolute.
pub fn expand(typed: &str, from: &Path, user_home: Option<&str>) -> PathBuf {
    let typed = typed.trim().trim_matches(['"', '\'']);
    match (typed.strip_prefix('~'), user_home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            Path::new(home).join(rest.trim_start_matches('/'))
        }
        _ => from.join(typed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn paths_are_typed_as_in_a_shell() {
        let from = Path::new("/srv");
        for (typed, expected) in [
            ("shop", "/srv/shop"),
            ("/etc", "/etc"),
            ("~", "/home/a"),
            ("~/x y", "/home/a/x y"),
            ("'my shop'", "/srv/my shop"),
            ("~bob", "/srv/~bob"),
        ] {
            assert_eq!(
                expand(typed, from, Some("/home/a")),
                Path::new(expected),
                "{typed}"
            );
        }
    }

    #[test]
    fn the_place_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        home.ensure().unwrap();
        assert_eq!(read(&home), None);
        write(&home, folder.path());
        assert_eq!(read(&home).as_deref(), Some(folder.path()));
        let mode = std::fs::metadata(home.chat()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        write(&home, Path::new("/no/such/folder"));
        assert_eq!(read(&home), None);
    }
}
