//! A second copy of a finished clone, for checks that may write: what they leave behind is never
//! part of the result.

use super::copy::Copier;
use super::{Clone, CloneError, private_folder, remove_clone};
use nix::unistd::geteuid;
use std::os::unix::fs::lchown;
use std::path::Path;

/// Copies the clone as it is now into `dir`, in place of what an earlier check left there.
pub fn throwaway(clone: &Clone, dir: &Path) -> Result<Clone, CloneError> {
    remove_clone(dir).map_err(CloneError::at(dir))?;
    let (work, snapshots) = (dir.join("work"), dir.join("snapshots"));
    private_folder(dir)?;
    private_folder(&snapshots)?;
    let root = geteuid().is_root();
    let mut copier = Copier::new(&clone.work, root.then_some(clone.owner))?;
    copier.plain_folder(&clone.work, &work)?;
    if root {
        let owner = clone.owner;
        lchown(&snapshots, Some(owner.uid), Some(owner.gid)).map_err(CloneError::at(&snapshots))?;
    }
    Ok(clone.moved(dir))
}
