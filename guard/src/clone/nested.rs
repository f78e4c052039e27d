//! Repositories inside a workspace: a folder of projects, submodules, bare ones. Their objects are
//! borrowed read-only instead of copied, their hooks stay behind and their configuration is
//! rewritten, as it is done for the workspace's own.

use super::CloneError;
use super::config::{Kind, rewritten};
use super::copy::{Copier, below, open_folder, small_text};
use crate::sandbox::spec::KEPT_OBJECTS;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most histories shown; those of further repositories are copied.
const MOST_SHOWN: usize = 256;
/// Names that stay behind: what git would run, and what it makes again.
const LEFT: [&str; 4] = ["hooks", "config", "config.worktree", "fsmonitor--daemon"];
/// Deepest names of submodules, such as `vendor/lib`.
const DEEPEST: usize = 6;

/// Whether a folder is git's own: what git itself asks for.
pub(super) fn is_repository(folder: &File) -> bool {
    let there = |name: &str| fs::symlink_metadata(below(folder, OsStr::new(name)));
    there("HEAD").is_ok_and(|m| m.is_file())
        && there("objects").is_ok_and(|m| m.is_dir())
        && there("refs").is_ok_and(|m| m.is_dir())
}

impl Copier {
    /// Copies git's own folder of a repository below the workspace.
    pub(super) fn repository(
        &mut self,
        git: &File,
        to: &Path,
        path: &Path,
    ) -> Result<(), CloneError> {
        self.make_folder(to, 0o755)?;
        let config = small_text(&below(git, OsStr::new("config"))).unwrap_or_default();
        let bare = path.file_name() != Some(OsStr::new(".git"));
        let kind = if bare { Kind::AsItIs } else { Kind::WorkTree };
        self.make_file(&to.join("config"), &rewritten(&config, kind))?;
        let listing = fs::read_dir(below(git, OsStr::new("."))).map_err(CloneError::at(path))?;
        for entry in listing {
            let name = entry.map_err(CloneError::at(path))?.file_name();
            let (inside, copy) = (path.join(&name), to.join(&name));
            match name.to_str() {
                Some(left) if LEFT.contains(&left) => {}
                Some("objects") if self.may_show(git) => self.borrow(to, path)?,
                Some("modules") => self.modules(git, &name, &copy, &inside, 0)?,
                _ => self.entry(git, to, path, &name, None)?,
            }
        }
        Ok(())
    }

    /// A store of its own that borrows from the user's, shown beside it.
    fn borrow(&mut self, to: &Path, path: &Path) -> Result<(), CloneError> {
        for folder in ["objects", "objects/info", "objects/pack"] {
            self.make_folder(&to.join(folder), 0o755)?;
        }
        let alternates = format!("../{KEPT_OBJECTS}\n");
        self.make_file(&to.join("objects/info/alternates"), &alternates)?;
        self.show(
            &to.join(KEPT_OBJECTS),
            &path.join("objects"),
            &path.join(KEPT_OBJECTS),
        )
    }

    fn may_show(&self, git: &File) -> bool {
        let objects = fs::symlink_metadata(below(git, OsStr::new("objects")));
        let readable = |m: &fs::Metadata| m.mode() & 0o005 == 0o005 || self.is_owner(m.uid());
        self.mounts.len() < MOST_SHOWN && objects.is_ok_and(|m| readable(&m))
    }

    /// The folders of submodules; their names may hold slashes.
    pub(super) fn modules(
        &mut self,
        parent: &File,
        name: &OsStr,
        to: &Path,
        path: &Path,
        depth: usize,
    ) -> Result<(), CloneError> {
        let Ok(folder) = open_folder(&below(parent, name)) else {
            return Ok(());
        };
        if is_repository(&folder) {
            return self.repository(&folder, to, path);
        }
        self.make_folder(to, 0o755)?;
        if depth >= DEEPEST {
            return Ok(());
        }
        let listing =
            fs::read_dir(below(&folder, OsStr::new("."))).map_err(CloneError::at(path))?;
        for entry in listing {
            let name = entry.map_err(CloneError::at(path))?.file_name();
            let (inside, copy) = (path.join(&name), to.join(&name));
            self.modules(&folder, &name, &copy, &inside, depth + 1)?;
        }
        Ok(())
    }
}
