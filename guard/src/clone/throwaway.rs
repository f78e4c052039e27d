//! A second copy of a finished clone, for checks that may write: what they leave behind is never
//! part of the result.

use super::copy::Copier;
use super::{Clone, CloneError, aside, private_folder};
use nix::unistd::geteuid;
use std::os::unix::fs::lchown;
use std::path::Path;

/// Copies the clone as it is now into `dir`, in place of what an earlier check left there. It is made where no sandbox
/// can be shown it, and is at its place when it is whole: a program that could write in it meanwhile could lead whoever
/// copies, root on a root install, elsewhere.
pub fn throwaway(clone: &Clone, dir: &Path) -> Result<Clone, CloneError> {
    aside(dir, |making| {
        let (work, snapshots) = (making.join("work"), making.join("snapshots"));
        private_folder(&snapshots)?;
        let root = geteuid().is_root();
        let mut copier = Copier::new(&clone.work, root.then_some(clone.owner))?;
        copier.plain_folder(&clone.work, &work)?;
        if root {
            let owner = clone.owner;
            lchown(&snapshots, Some(owner.uid), Some(owner.gid))
                .map_err(CloneError::at(&snapshots))?;
        }
        Ok(clone.moved(dir))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clone::{VERIFY, make};
    use crate::sandbox::spec::Owner;
    use std::fs;

    #[test]
    fn of_a_clone_that_does_not_become_whole_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (work, task) = (folder.path().join("work"), folder.path().join("t1"));
        let deep = work.join("d/".repeat(200));
        fs::create_dir_all(&deep).unwrap();
        fs::write(work.join("file"), "x").unwrap();
        let (uid, gid) = (64_321, 64_321);
        let owner = Owner { uid, gid };
        let error = make(&work, &task, owner).unwrap_err().to_string();
        assert!(error.contains("folders deep"), "{error}");
        let left = || fs::read_dir(&task).unwrap().count();
        assert_eq!(left(), 0);
        fs::remove_dir_all(work.join("d")).unwrap();
        let clone = make(&work, &task, owner).unwrap();
        // Clone, snapshots and the mark.
        assert_eq!(left(), 3);
        let copy = throwaway(&clone, &task.join(VERIFY)).unwrap();
        assert!(copy.work.join("file").exists());
        crate::clone::remove_clone(&task).unwrap();
        // The folder with the lock of the copy.
        assert_eq!(left(), 1);
        assert_eq!(fs::read_dir(task.join(VERIFY)).unwrap().count(), 0);
    }

    #[test]
    fn a_copy_is_there_when_it_is_whole() {
        const FILES: usize = 800;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let home = at("home");
        fs::create_dir(&home).unwrap();
        fs::create_dir(at("work")).unwrap();
        for number in 0..FILES {
            fs::write(at("work").join(number.to_string()), "x").unwrap();
        }
        let (uid, gid) = (64_321, 64_321);
        let clone = make(&at("work"), &at("t1"), Owner { uid, gid }).unwrap();
        let copy = at("t1").join("verify");
        for _ in 0..3 {
            let copying = std::thread::spawn({
                let (clone, copy) = (clone.clone(), copy.clone());
                move || throwaway(&clone, &copy).unwrap()
            });
            // What an earlier one left is being removed at first.
            while copy.join("work").exists() && !copying.is_finished() {}
            while !copying.is_finished() {
                if let Ok(seen) = fs::read_dir(copy.join("work")) {
                    assert_eq!(seen.count(), FILES);
                }
            }
            assert_eq!(copying.join().unwrap(), clone.moved(&copy));
        }
    }
}
