//! Brings a task's patch into the user's workspace. The files it touches are copied to a stage, git
//! applies the patch there inside a sandbox, and the result is put in place by `install`: git
//! never runs over the user's own tree, no hook or filter of it is started, and nothing is changed
//! unless the whole patch fits.

mod control;
mod install;
mod note;
mod touched;

pub use control::{ControlFile, ControlFiles, named as control_files};
pub use note::FileStep;

use crate::clone::{CloneError, owner_of};
use crate::deadline::Deadline;
use crate::executor::wire::PATCH_BYTES;
use crate::executor::{Executor, ExecutorError};
use crate::sandbox::spec::{Kind, Limits, Owner, SandboxSpec};
use install::{Change, Entry, Tree};
use protocol::task::Ceiling;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs git over the stage where the workspace belongs to root; owns nothing.
const NOBODY: Owner = Owner {
    uid: 65534,
    gid: 65534,
};
/// Longest time an apply may take.
const LONGEST: Duration = Duration::from_secs(600);

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyOutcome {
    /// Files made, changed or removed, relative, in order.
    pub changed: Vec<String>,
}

/// Why a patch was not applied. The workspace is as it was, except after `HalfWay`.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit.
    #[error("the patch does not fit the workspace as it is now: {0}; nothing was changed")]
    Conflict(String),
    /// It is not a patch of this kind.
    #[error("this is not a patch that can be applied: {0}")]
    NotAPatch(String),
    /// It touches files that programs obey without being asked, and nobody said that they were read.
    #[error("the patch touches what programs obey without being asked: {}; nothing was changed", control::list(.0))]
    Control(Vec<ControlFile>),
    /// The workspace changed meanwhile.
    #[error("{0} changed while the patch was being applied; nothing was changed, try again")]
    Changed(String),
    /// A file or folder cannot be used.
    #[error("{path} cannot be used: {why}; nothing was changed")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// It broke off while files were being put in place.
    #[error(
        "{path} could not be put in place ({why}) after {done} files were: apply again after mending it"
    )]
    HalfWay {
        /// Which.
        path: String,
        /// Why.
        why: String,
        /// How many were put in place before.
        done: usize,
    },
    /// An earlier apply of the same patch was cut off, and its rest does not fit any more.
    #[error(
        "an earlier apply of this patch was cut off when {placed} of {all} files were in place, and {path} is neither as before nor as the patch makes it: look at it, and bring the rest in by hand"
    )]
    CutOff {
        /// The file that is something else now.
        path: String,
        /// How many files are as the patch makes them.
        placed: usize,
        /// How many it touches.
        all: usize,
    },
    /// The sandbox failed.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The workspace cannot be looked at.
    #[error(transparent)]
    Workspace(#[from] CloneError),
}

impl ApplyError {
    fn file(path: &str, why: impl ToString) -> ApplyError {
        ApplyError::File {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}

/// A patch that fits, worked out on a stage; the workspace is untouched so far.
pub struct Staged {
    tree: Tree,
    changes: Vec<Change>,
    steps: Vec<FileStep>,
}

impl Staged {
    /// Every file the patch changes, with what it was before any of them was put in place. Whoever
    /// keeps this before `install`(Self::install) can [`resume`] after being killed in it.
    pub fn steps(&self) -> &[FileStep] {
        &self.steps
    }

    /// Puts the files in place; `placed` hears how many are, after each.
    ///
    /// # Errors
    /// When the workspace changed meanwhile (nothing was changed), or half way.
    pub fn install(self, placed: &mut dyn FnMut(usize)) -> Result<ApplyOutcome, ApplyError> {
        self.tree.install(&self.changes, placed)?;
        let changed = self.steps.into_iter().map(|step| step.path).collect();
        Ok(ApplyOutcome { changed })
    }
}

/// Applies a patch made by [`crate::executor::Executor::patch`]. `exe` is the binary that serves
/// as executor.
///
/// # Errors
/// As [`stage`] and [`Staged::install`].
pub async fn apply(
    exe: &Path,
    workspace: &Path,
    patch: &str,
    control: ControlFiles,
) -> Result<ApplyOutcome, ApplyError> {
    let staged = stage(exe, workspace, patch, control).await?;
    staged.install(&mut |_| {})
}

/// Works out what a patch does to a workspace.
///
/// # Errors
/// When it does not fit, is no patch of this kind, or touches control files that were to be refused.
pub async fn stage(
    exe: &Path,
    workspace: &Path,
    patch: &str,
    control: ControlFiles,
) -> Result<Staged, ApplyError> {
    let tree = Tree::open(workspace).map_err(|e| ApplyError::file(".", e))?;
    let changes = worked_out(exe, workspace, &tree, patch).await?;
    if control == ControlFiles::Refused {
        let found = control::found(&tree, &changes);
        if !found.is_empty() {
            return Err(ApplyError::Control(found));
        }
    }
    let steps = changes.iter().map(FileStep::of).collect();
    Ok(Staged {
        tree,
        changes,
        steps,
    })
}

/// Goes on with an apply that was killed: `steps` is what was kept of it. What is in place already
/// stays, the rest is worked out again. Whoever began it was asked about control files.
///
/// # Errors
/// As [`stage`], and where a file is neither as it was nor as the patch makes it: nobody can know
/// then whether it was in place.
pub async fn resume(
    exe: &Path,
    workspace: &Path,
    patch: &str,
    steps: &[FileStep],
) -> Result<Staged, ApplyError> {
    let tree = Tree::open(workspace).map_err(|e| ApplyError::file(".", e))?;
    let mut now = Vec::new();
    for step in steps {
        now.push(tree.read(&step.path)?.as_ref().map(note::digest));
    }
    let missing = match note::missing(steps, &now) {
        Ok(missing) if missing.len() == steps.len() => {
            return stage(exe, workspace, patch, ControlFiles::Read).await;
        }
        Ok(missing) => missing,
        Err((path, placed)) => {
            let (path, all) = (path.to_owned(), steps.len());
            return Err(ApplyError::CutOff { path, placed, all });
        }
    };
    let rest = touched::only(patch, &missing);
    let changes = worked_out(exe, workspace, &tree, &rest).await?;
    Ok(Staged {
        tree,
        changes,
        steps: steps.to_vec(),
    })
}

async fn worked_out(
    exe: &Path,
    workspace: &Path,
    tree: &Tree,
    patch: &str,
) -> Result<Vec<Change>, ApplyError> {
    if patch.trim().is_empty() {
        return Ok(Vec::new());
    }
    if patch.len() > PATCH_BYTES {
        return Err(ApplyError::NotAPatch(format!(
            "it is larger than {} MB",
            PATCH_BYTES >> 20
        )));
    }
    let paths = touched::touched(patch).map_err(ApplyError::NotAPatch)?;
    let owner = owner_of(workspace, NOBODY)?;
    let stage = tempfile::tempdir().map_err(|e| ApplyError::file("the stage", e))?;
    let work = stage.path().join("work");
    let mut before = BTreeMap::new();
    for path in paths {
        if let Some(entry) = tree.read(&path)? {
            before.insert(path, entry);
        }
    }
    lay_out(&work, &stage.path().join("snapshots"), &before, owner)
        .map_err(|e| ApplyError::file("the stage", e))?;
    apply_on_stage(exe, stage.path(), owner, patch).await?;
    let mut after = BTreeMap::new();
    collect(&work, &work, &mut after).map_err(|e| ApplyError::file("the stage", e))?;
    Ok(changes(&before, after))
}

async fn apply_on_stage(
    exe: &Path,
    stage: &Path,
    owner: Owner,
    patch: &str,
) -> Result<(), ApplyError> {
    let spec = SandboxSpec {
        exe: exe.to_owned(),
        kind: Kind::Workspace {
            work: stage.join("work"),
            snapshots: stage.join("snapshots"),
            writable: true,
            read_only: Vec::new(),
            fixed: Vec::new(),
            cache: None,
        },
        owner,
        toolchains: false,
        home: PathBuf::from("/"),
        limits: Limits::default(),
        most: Ceiling::HIGHEST,
        deadline: Deadline::after(LONGEST),
        proxy: None,
        only: None,
        trace: None,
    };
    let mut executor = Executor::start(spec).await?;
    let applied = executor.apply(patch).await;
    executor.stop().await;
    match applied {
        Err(ExecutorError::Failed(why)) => Err(ApplyError::Conflict(why)),
        other => Ok(other?),
    }
}

/// Writes the files as they are now to the stage.
fn lay_out(
    work: &Path,
    snapshots: &Path,
    files: &BTreeMap<String, Entry>,
    owner: Owner,
) -> std::io::Result<()> {
    fs::create_dir(work)?;
    fs::create_dir(snapshots)?;
    for (path, entry) in files {
        let to = work.join(path);
        fs::create_dir_all(to.parent().unwrap_or(work))?;
        match entry {
            Entry::Link(target) => symlink(target, &to)?,
            Entry::File { content, mode } => {
                fs::write(&to, content)?;
                fs::set_permissions(&to, fs::Permissions::from_mode(mode | 0o600))?;
            }
        }
    }
    if nix::unistd::geteuid().is_root() {
        give(snapshots, owner)?;
        give(work, owner)?;
    }
    Ok(())
}

fn give(path: &Path, owner: Owner) -> std::io::Result<()> {
    lchown(path, Some(owner.uid), Some(owner.gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// Reads what is on the stage after the patch. Its sandbox has ended: nobody changes it any more.
fn collect(top: &Path, folder: &Path, found: &mut BTreeMap<String, Entry>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            collect(top, &path, found)?;
            continue;
        }
        let name = path
            .strip_prefix(top)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let entry = if meta.is_symlink() {
            Entry::Link(fs::read_link(&path)?.into_os_string())
        } else {
            Entry::File {
                content: fs::read(&path)?,
                mode: meta.permissions().mode() & 0o777,
            }
        };
        found.insert(name, entry);
    }
    Ok(())
}

/// What must change, from the files before and after. Pure.
fn changes(before: &BTreeMap<String, Entry>, mut after: BTreeMap<String, Entry>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, old) in before {
        let new = after.remove(path);
        if new.as_ref().is_none_or(|new| !new.same(old)) {
            changes.push(Change {
                path: path.clone(),
                old: Some(old.clone()),
                new,
            });
        }
    }
    changes.extend(after.into_iter().map(|(path, new)| Change {
        path,
        old: None,
        new: Some(new),
    }));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}
