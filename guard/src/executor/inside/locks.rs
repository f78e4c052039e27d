//! What a git that was killed leaves behind: lock files, because of which every later one would refuse to work. One executor
//! works in a clone at a time and runs one git at a time, so a lock that is there before it begins is a dead one's.

use std::fs::{DirEntry, read_dir, remove_file};
use std::io;
use std::path::Path;

/// Removes the locks at the top of a repository and below its references.
pub(super) fn clear(repository: &Path) -> io::Result<()> {
    let mut folders = vec![repository.join("refs")];
    for entry in entries(repository)? {
        unlock(&entry)?;
    }
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            // A link is not followed.
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => unlock(&entry)?,
            }
        }
    }
    Ok(())
}

fn unlock(entry: &DirEntry) -> io::Result<()> {
    let path = entry.path();
    match path.extension().is_some_and(|end| end == "lock") && !entry.file_type()?.is_dir() {
        true => remove_file(path),
        false => Ok(()),
    }
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match read_dir(folder) {
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        entries => entries?.collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn what_a_killed_git_locked_is_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        clear(&at("nowhere")).unwrap();
        fs::create_dir_all(at("refs/heads/feature")).unwrap();
        fs::create_dir_all(at("objects")).unwrap();
        let dead = [
            "index.lock",
            "HEAD.lock",
            "packed-refs.lock",
            "refs/git-state.lock",
            "refs/heads/feature/one.lock",
        ];
        let kept = ["index", "HEAD", "refs/heads/feature/one", "objects/a.lock"];
        for name in dead.iter().chain(&kept) {
            fs::write(at(name), "").unwrap();
        }
        clear(folder.path()).unwrap();
        assert!(kept.iter().all(|name| at(name).exists()));
        assert!(!dead.iter().any(|name| at(name).exists()));
        // A repository that lies elsewhere has a file in the place of its folder.
        clear(&at("index")).unwrap();
    }
}
