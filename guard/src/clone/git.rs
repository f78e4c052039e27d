//! The clone's `.git`: head, branches, index and a rewritten configuration are its own; objects are
//! shown read-only from the workspace. Linked worktrees are resolved. What cannot be read makes a
//! plain folder, never an error.

use super::CloneError;
use super::alternates;
use super::config::{Kind, rewritten};
use super::copy::{Copier, below, open_folder, small_text};
use crate::sandbox::spec::{OBJECTS, Owner};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// State of one work tree.
const OF_WORKTREE: [&str; 8] = [
    "HEAD",
    "index",
    "MERGE_HEAD",
    "MERGE_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "ORIG_HEAD",
    "BISECT_LOG",
];
/// State shared by all work trees.
const SHARED: [&str; 2] = ["packed-refs", "shallow"];

struct Repository {
    /// Where this work tree's state is.
    own: PathBuf,
    /// Where branches and objects are.
    common: PathBuf,
}

/// Refuses a workspace whose repository cannot be cloned, before anything of it is copied.
pub(super) fn check(workspace: &Path) -> Result<(), CloneError> {
    let Some(repository) = find(workspace, &workspace.join(".git")) else {
        return Ok(());
    };
    let from = repository.common.join("objects");
    let borrowed = alternates::of(&repository.common, &from);
    alternates::told(workspace, &from, &borrowed.elsewhere).map(drop)
}

/// Gives the clone a `.git`, where the workspace has one that can be read.
pub(super) fn copy(
    workspace: &Path,
    work: &Path,
    owner: Owner,
    copier: &mut Copier,
) -> Result<(), CloneError> {
    let git = workspace.join(".git");
    if fs::symlink_metadata(&git).is_err() {
        return Ok(());
    }
    let Some(repository) = find(workspace, &git) else {
        copier
            .left_out
            .push(".git: not a repository that can be read; the clone is a plain folder".into());
        return Ok(());
    };
    let to = work.join(".git");
    for folder in [
        "",
        "info",
        "logs",
        "objects",
        "objects/info",
        "objects/pack",
        "refs",
        "refs/heads",
    ] {
        copier.make_folder(&to.join(folder), 0o755)?;
    }
    for name in OF_WORKTREE {
        copier.plain_file(&repository.own.join(name), &to.join(name))?;
    }
    for name in SHARED {
        copier.plain_file(&repository.common.join(name), &to.join(name))?;
    }
    for shared_index in names(&repository.own, "sharedindex.") {
        copier.plain_file(&repository.own.join(&shared_index), &to.join(&shared_index))?;
    }
    copier.make_folder(&to.join("logs/refs"), 0o755)?;
    inner_file(copier, &repository.common, &to, "logs/refs/stash")?;
    if let Ok(common) = open_folder(&repository.common) {
        let modules = Path::new(".git/modules");
        let name = OsStr::new("modules");
        if is_folder(&repository.common.join(name)) && repository.own == repository.common {
            copier.modules(&common, name, &to.join(name), modules, 0)?;
        }
    }
    inner_file(copier, &repository.own, &to, "logs/HEAD")?;
    inner_file(copier, &repository.own, &to, "info/sparse-checkout")?;
    inner_file(copier, &repository.common, &to, "info/exclude")?;
    for folder in ["refs", "reftable"] {
        copier.plain_folder(&repository.common.join(folder), &to.join(folder))?;
    }
    let config = small_text(&repository.common.join("config")).unwrap_or_default();
    copier.make_file(&to.join("config"), &rewritten(&config, Kind::WorkTree))?;
    let objects_to = to.join("objects");
    objects(workspace, &repository, &objects_to, owner, copier)
}

/// Copies a file that lies in folders of git's own folder, through no link.
fn inner_file(copier: &mut Copier, from: &Path, to: &Path, name: &str) -> Result<(), CloneError> {
    let (above, file) = name.rsplit_once('/').unwrap_or(("", name));
    let mut folder = open_folder(from);
    for part in above.split('/').filter(|part| !part.is_empty()) {
        folder = folder.and_then(|folder| open_folder(&below(&folder, OsStr::new(part))));
    }
    match folder {
        Ok(folder) => copier.plain_file(&below(&folder, OsStr::new(file)), &to.join(name)),
        Err(_) => Ok(()),
    }
}

fn names(folder: &Path, prefix: &str) -> Vec<String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect()
}

fn find(workspace: &Path, git: &Path) -> Option<Repository> {
    let meta = fs::symlink_metadata(git).ok()?;
    let found = if meta.is_dir() {
        Repository {
            own: git.to_owned(),
            common: git.to_owned(),
        }
    } else {
        linked(workspace, git)?
    };
    let readable = small_text(&found.own.join("HEAD")).is_some()
        && is_folder(&found.common.join("objects"))
        && is_folder(&found.common.join("refs"));
    readable.then_some(found)
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// A linked worktree: its `.git` file names a folder, which must name this workspace back. Both are the
/// workspace's own words as long as the folder could be its own, so it must lie where git registers
/// work trees: in the very repository that it says it is of. Whoever only points somewhere cannot put it there.
fn linked(workspace: &Path, git: &Path) -> Option<Repository> {
    let text = small_text(git)?;
    let own = resolve(workspace, text.strip_prefix("gitdir:")?.trim())?;
    let common = own.parent().filter(|above| above.ends_with("worktrees"))?;
    let common = common.parent()?.to_owned();
    if resolve(&own, small_text(&own.join("commondir"))?.trim())? != common {
        return None;
    }
    let back = resolve(&own, small_text(&own.join("gitdir"))?.trim())?;
    if back != git.canonicalize().ok()? {
        return None;
    }
    let owner = fs::metadata(workspace).ok()?.uid();
    let same = [&own, &common]
        .iter()
        .all(|path| fs::metadata(path).is_ok_and(|m| m.uid() == owner));
    same.then_some(Repository { own, common })
}

fn resolve(from: &Path, path: &str) -> Option<PathBuf> {
    from.join(path).canonicalize().ok()
}

/// Shows the objects read-only; where the sandbox's user could not read them, copies them.
fn objects(
    workspace: &Path,
    repository: &Repository,
    to: &Path,
    owner: Owner,
    copier: &mut Copier,
) -> Result<(), CloneError> {
    let from = &repository.common.join("objects");
    let borrowed = alternates::of(&repository.common, from);
    let left_out = alternates::told(workspace, from, &borrowed.elsewhere)?;
    copier.left_out.extend(left_out);
    if !readable_by(from, owner) || !readable_by(&from.join("pack"), owner) {
        return copier.plain_folder(from, to);
    }
    copier
        .mounts
        .push((from.to_owned(), PathBuf::from(OBJECTS)));
    let mut lines = format!("{OBJECTS}\n");
    for (number, own) in borrowed.own.into_iter().enumerate() {
        let inside = format!("{OBJECTS}-{number}");
        lines.push_str(&format!("{inside}\n"));
        copier.mounts.push((own, PathBuf::from(inside)));
    }
    copier.make_file(&to.join("info/alternates"), &lines)
}

fn readable_by(folder: &Path, owner: Owner) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|m| m.is_dir() && (m.uid() == owner.uid || m.mode() & 0o005 == 0o005))
}
