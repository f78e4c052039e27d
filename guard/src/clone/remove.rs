//! Removes trees that programs wrote, whatever they made of them: deeper than a stack or the descriptors of a process reach,
//! folders that nobody may open, links. None is followed, and what is opened up is what was opened, not a name.

use super::copy::{below, open_folder};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How deep it goes at once; a folder that lies deeper is moved up first.
const DEPTH: usize = 64;
/// How often a folder is emptied that is being filled meanwhile.
const TRIES: usize = 3;

/// Removes a file, a link, or a folder with all below; nothing there is fine.
///
/// # Errors
/// As the system says; then part of it may be gone.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(meta) if !meta.is_dir() => return fs::remove_file(path),
        Ok(_) => {}
    }
    let top = opened(path)?;
    let mut deep = Deep {
        top: &top,
        moved: Vec::new(),
        number: 0,
    };
    for _ in 0..TRIES {
        deep.empty(&top, 0)?;
        while let Some(name) = deep.moved.pop() {
            deep.remove(&top, &name, 0)?;
        }
    }
    fs::remove_dir(path)
}

/// A folder, opened without following a link. What its owner may not do in it is allowed first: to list it, to enter it, and to
/// write in it, which moving the folder itself takes too.
fn opened(path: &Path) -> io::Result<File> {
    match open_folder(path) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
        Err(e) => return Err(e),
        Ok(folder) => {
            if folder.metadata()?.permissions().mode() & 0o700 != 0o700 {
                folder.set_permissions(Permissions::from_mode(0o700))?;
            }
            return Ok(folder);
        }
    }
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH | nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW)
        .open(path)?;
    // The name of the descriptor leads to this very folder.
    let own = format!("/proc/self/fd/{}", held.as_raw_fd());
    fs::set_permissions(own, Permissions::from_mode(0o700))?;
    open_folder(&below(&held, OsStr::new(".")))
}

struct Deep<'a> {
    top: &'a File,
    /// Folders that were moved up to the top.
    moved: Vec<OsString>,
    number: u64,
}

impl Deep<'_> {
    fn empty(&mut self, folder: &File, depth: usize) -> io::Result<()> {
        let names: io::Result<Vec<OsString>> = fs::read_dir(below(folder, OsStr::new(".")))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect();
        names?
            .iter()
            .try_for_each(|name| self.remove(folder, name, depth))
    }

    fn remove(&mut self, folder: &File, name: &OsStr, depth: usize) -> io::Result<()> {
        let path = below(folder, name);
        let kind = match fs::symlink_metadata(&path) {
            Ok(meta) => meta.file_type(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if !kind.is_dir() {
            return unlessgone(fs::remove_file(&path));
        }
        let inner = match opened(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => done?,
        };
        if depth >= DEPTH {
            return self.move_up(&path);
        }
        self.empty(&inner, depth + 1)?;
        unlessgone(fs::remove_dir(&path))
    }

    /// Moves a folder to the top, from where it is removed later.
    fn move_up(&mut self, path: &Path) -> io::Result<()> {
        loop {
            self.number += 1;
            let name = OsString::from(format!("deeper-{}", self.number));
            match fs::rename(path, below(self.top, &name)) {
                Ok(()) => {
                    self.moved.push(name);
                    return Ok(());
                }
                // Something of that name is there.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::DirectoryNotEmpty
                            | io::ErrorKind::NotADirectory
                            | io::ErrorKind::AlreadyExists
                    ) => {}
                Err(e) => return Err(e),
            }
        }
    }
}

fn unlessgone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Makes a folder so deep in another; its path would be too long for a system call.
    fn deep(top: &Path, depth: usize, mode: u32) {
        let mut folder = open_folder(top).unwrap();
        for _ in 0..depth {
            let path = below(&folder, OsStr::new("d"));
            fs::create_dir(&path).unwrap();
            fs::write(below(&folder, OsStr::new("f")), "x").unwrap();
            let inner = open_folder(&path).unwrap();
            folder
                .set_permissions(Permissions::from_mode(mode))
                .unwrap();
            folder = inner;
        }
    }

    #[test]
    fn a_tree_deeper_than_a_stack_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        deep(&tree, 20_000, 0o700);
        fs::create_dir_all(tree.join("deeper-1/x")).unwrap();
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn({
                let tree = tree.clone();
                move || remove_tree(&tree).unwrap()
            })
            .unwrap()
            .join()
            .unwrap();
        assert!(!tree.exists());
        remove_tree(&tree).unwrap();
    }

    #[test]
    fn a_deep_tree_that_may_not_be_written_in_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        deep(&tree, 3 * DEPTH, 0o555);
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn what_nobody_may_open_goes_and_what_links_lead_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, outside) = (folder.path().join("tree"), folder.path().join("outside"));
        for path in ["tree/shut/in", "tree/listed/in", "outside/deep"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
            fs::write(folder.path().join(path).join("file"), "x").unwrap();
        }
        std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("shut/in/link")).unwrap();
        let shut = |path: &str, mode| {
            fs::set_permissions(folder.path().join(path), Permissions::from_mode(mode)).unwrap();
        };
        shut("outside", 0o755);
        shut("tree/shut/in", 0);
        shut("tree/shut", 0);
        shut("tree/listed", 0o400);
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("deep/file").exists());
        let mode = fs::metadata(&outside).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        remove_tree(&link).unwrap();
        assert!(!link.is_symlink() && outside.exists());
    }
}
