//! Brings a task's patch into the user's workspace. The files it touches are copied to a stage, git
//! applies the patch there inside a sandbox, and the result is put in place by [`install`]: git
//! never runs over the user's own tree, no hook or filter of it is started, and nothing is changed
//! unless the whole patch fits.

mod install;
mod touched;

use crate::clone::{CloneError, owner_of};
use crate::deadline::Deadline;
use crate::executor::wire::PATCH_BYTES;
use crate::executor::{Executor, ExecutorError};
use crate::sandbox::spec::{Kind, Limits, Owner, SandboxSpec};
use install::{Change, Entry, Tree};
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

/// Applies a patch made by [`crate::executor::Executor::patch`]. `exe` is the binary that serves
/// as executor.
pub async fn apply(exe: &Path, workspace: &Path, patch: &str) -> Result<ApplyOutcome, ApplyError> {
    if patch.trim().is_empty() {
        return Ok(ApplyOutcome {
            changed: Vec::new(),
        });
    }
    if patch.len() > PATCH_BYTES {
        return Err(ApplyError::NotAPatch(format!(
            "it is larger than {} MB",
            PATCH_BYTES >> 20
        )));
    }
    let paths = touched::touched(patch).map_err(ApplyError::NotAPatch)?;
    let tree = Tree::open(workspace).map_err(|e| ApplyError::file(".", e))?;
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
    let changes = changes(&before, after);
    let changed = changes.iter().map(|change| change.path.clone()).collect();
    tree.install(&changes)?;
    Ok(ApplyOutcome { changed })
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
            cache: None,
        },
        owner,
        toolchains: false,
        home: PathBuf::from("/"),
        limits: Limits::default(),
        deadline: Deadline::after(LONGEST),
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
