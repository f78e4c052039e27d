//! A task's own copy of a workspace, as it is: uncommitted and untracked files included, nothing of
//! the user's tree writable. Made by reading files only; no git and no program runs on the host.

mod alternates;
mod check;
mod config;
mod copy;
mod freshen;
mod git;
mod heavy;
mod nested;
mod remove;
mod throwaway;
pub mod tree;
mod turn;

pub use check::check_workspace;
pub(crate) use copy::open_folder;
pub use freshen::freshen;
pub use throwaway::throwaway;
pub use turn::turn;

use crate::control_files;
use crate::sandbox::spec::Owner;
use copy::Copier;
use remove::remove_tree;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

/// A finished clone, as the sandbox needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clone {
    /// The copy.
    pub work: PathBuf,
    /// Folder for the private snapshot repository.
    pub snapshots: PathBuf,
    /// Folders of the user's tree to show read-only: (on the host, inside).
    pub read_only: Vec<(PathBuf, PathBuf)>,
    /// Control files at its top that were there already, by name: no task writes them.
    #[serde(default)]
    pub fixed: Vec<PathBuf>,
    /// Who owns the copy and runs in the sandbox.
    pub owner: Owner,
    /// What was not copied, relative, with the reason.
    pub left_out: Vec<String>,
}

impl Clone {
    /// The same clone, copied to another folder.
    pub fn moved(&self, dir: &Path) -> Clone {
        Clone {
            work: dir.join("work"),
            snapshots: dir.join("snapshots"),
            ..self.clone()
        }
    }
}

/// Why there is no clone.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// The workspace is not one.
    #[error("{} cannot be a workspace: {why}", path.display())]
    Refused {
        /// As given.
        path: PathBuf,
        /// Why not, with the next step.
        why: String,
    },
    /// A file could not be copied.
    #[error("{} cannot be copied: {source}", path.display())]
    Copy {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Too large to copy.
    #[error(
        "the workspace is larger than {limit}: name a smaller folder, or ignore what is generated in .gitignore"
    )]
    TooLarge {
        /// The bound, for people.
        limit: String,
    },
}

impl CloneError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> CloneError {
        let path = path.to_owned();
        move |source| CloneError::Copy { path, source }
    }
}

const MARK: &str = "clone.json";
/// Where a clone or a copy is while it is made.
const MAKING: &str = "making";
/// Where the copy is that checks work in.
pub const VERIFY: &str = "verify";
/// What lies in a task's folder of its workspace: its clone, what came of each step, what is being made, and the same of the copy of
/// its checks, whose folder stays: the lock of that copy is there.
pub const COPIES: [&str; 6] = [
    "work",
    "snapshots",
    MAKING,
    "verify/work",
    "verify/snapshots",
    "verify/making",
];

/// Who works on a workspace: its owner, or `service` where the owner is root.
pub fn owner_of(workspace: &Path, service: Owner) -> Result<Owner, CloneError> {
    let meta = fs::metadata(workspace).map_err(CloneError::at(workspace))?;
    let me = nix::unistd::geteuid();
    if !me.is_root() {
        let gid = nix::unistd::getegid().as_raw();
        return Ok(Owner {
            uid: me.as_raw(),
            gid,
        });
    }
    match (meta.uid(), meta.gid()) {
        (0, _) => Ok(service),
        (uid, 0) => Ok(Owner {
            uid,
            gid: service.gid,
        }),
        (uid, gid) => Ok(Owner { uid, gid }),
    }
}

/// Makes the clone in `task_dir/work`. A finished one is taken as it is, so that a task goes on
/// where it stopped; an unfinished one is made again. It is made where no sandbox can be shown it, and is at its place when it
/// is whole: a program that could write in it meanwhile could lead whoever copies elsewhere.
pub fn make(workspace: &Path, task_dir: &Path, owner: Owner) -> Result<Clone, CloneError> {
    if let Some(done) = finished(task_dir) {
        return Ok(done);
    }
    let clone = aside(task_dir, |making| {
        filled(workspace, task_dir, making, owner)
    })?;
    mark(task_dir, &clone)?;
    Ok(clone)
}

/// Makes a clone or a copy in `dir`, in the place of what is there: it is made beside its place, and moved there when it is whole.
/// Where it does not become whole nothing of it stays: it would take as much of the disk as the workspace does.
fn aside(
    dir: &Path,
    make: impl FnOnce(&Path) -> Result<Clone, CloneError>,
) -> Result<Clone, CloneError> {
    remove_clone(dir).map_err(CloneError::at(dir))?;
    private_folder(dir)?;
    let making = dir.join(MAKING);
    private_folder(&making)?;
    let made = make(&making).and_then(|clone| {
        for (name, place) in [("snapshots", &clone.snapshots), ("work", &clone.work)] {
            fs::rename(making.join(name), place).map_err(CloneError::at(place))?;
        }
        Ok(clone)
    });
    if let Err(error) = remove_tree(&making) {
        tracing::warn!(path = %making.display(), %error, "what is left of a clone cannot be removed");
    }
    made
}

/// Makes the clone below `making`, and says what it is at its place.
fn filled(
    workspace: &Path,
    task_dir: &Path,
    making: &Path,
    owner: Owner,
) -> Result<Clone, CloneError> {
    git::check(workspace)?;
    let (work, snapshots) = (making.join("work"), making.join("snapshots"));
    private_folder(&work)?;
    private_folder(&snapshots)?;
    let root = nix::unistd::geteuid().is_root();
    let mut copier = Copier::new(workspace, root.then_some(owner))?;
    copier.workspace(&work)?;
    git::copy(workspace, &work, owner, &mut copier)?;
    if root {
        for folder in [&work, &snapshots] {
            lchown(folder, Some(owner.uid), Some(owner.gid)).map_err(CloneError::at(folder))?;
        }
    }
    let fixed = fixed(&work).map_err(CloneError::at(&work))?;
    Ok(Clone {
        work: task_dir.join("work"),
        snapshots: task_dir.join("snapshots"),
        read_only: copier.mounts,
        fixed,
        owner,
        left_out: copier.left_out,
    })
}

/// Control files and folders at the top of a copy, in order. A link is none: what it leads to is
/// looked at when the patch comes home.
fn fixed(work: &Path) -> io::Result<Vec<PathBuf>> {
    let mut fixed = Vec::new();
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_symlink() && name.to_str().is_some_and(control_files::is_fixed) {
            fixed.push(name.into());
        }
    }
    fixed.sort();
    Ok(fixed)
}

/// The finished clone below a task's folder, as its mark says.
pub fn finished(task_dir: &Path) -> Option<Clone> {
    let clone: Clone = serde_json::from_slice(&fs::read(task_dir.join(MARK)).ok()?).ok()?;
    (clone.work == task_dir.join("work") && clone.work.is_dir() && clone.snapshots.is_dir())
        .then_some(clone)
}

fn mark(task_dir: &Path, clone: &Clone) -> Result<(), CloneError> {
    let path = task_dir.join(MARK);
    let temporary = task_dir.join("clone.json.new");
    let json = serde_json::to_vec(clone).map_err(|e| CloneError::at(&path)(e.into()))?;
    fs::write(&temporary, json)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(CloneError::at(&path))
}

fn private_folder(path: &Path) -> Result<(), CloneError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(CloneError::at(path)),
    }
}

/// Removes a task's folder: clone, snapshots, patch and all.
pub fn remove(task_dir: &Path) -> io::Result<()> {
    remove_tree(task_dir)
}

/// Removes clone, snapshots and copies, and keeps the rest, such as the patch.
pub fn remove_clone(task_dir: &Path) -> io::Result<()> {
    remove_tree(&task_dir.join(MARK))?;
    COPIES
        .iter()
        .try_for_each(|name| remove_tree(&task_dir.join(name)))
}
