//! Every repository below a folder: work trees, linked work trees, submodules, bare ones. Only names
//! and small files are looked at; links are not followed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::walk;

/// Most repositories of one look.
const MOST: usize = 2000;
/// Most folders of one look.
const MOST_FOLDERS: usize = 300_000;
/// Folders of packages and caches, in which nobody's work lies.
const PASSED: [&str; 12] = [
    "node_modules",
    "bower_components",
    "site-packages",
    "__pycache__",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    ".cargo",
    ".rustup",
    ".cache",
    ".terraform",
];

/// What kind of repository it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// With its files.
    WorkTree,
    /// A further work tree of another repository.
    Linked,
    /// Inside another repository, by its wish.
    Submodule,
    /// Without files.
    Bare,
}

/// A repository that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Relative to the root, `.` for the root itself.
    pub path: String,
    /// Absolute.
    pub folder: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Git's own folder of it, absolute.
    pub git: PathBuf,
    /// Options git needs to find it.
    pub options: Vec<String>,
}

/// Something that looks like a repository and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// Where, relative to the root.
    pub path: String,
    /// Why, as a sentence.
    pub why: String,
}

/// What was found, in order of path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repositories {
    /// Those that can be asked.
    pub found: Vec<Repository>,
    /// Those that cannot.
    pub unread: Vec<Unread>,
    /// A limit was reached: there may be more.
    pub cut_off: bool,
}

/// A `.git` file whose folder is not where it says.
struct Astray {
    path: String,
    folder: PathBuf,
    says: String,
}

/// Looks below a root.
pub fn repositories(root: &Path, limits: &Limits) -> Repositories {
    let mut all = Repositories::default();
    let mut astray = Vec::new();
    let mut stack = vec![(root.to_path_buf(), 0)];
    let mut folders = 0;
    while let Some((folder, depth)) = stack.pop() {
        folders += 1;
        if all.found.len() >= MOST || folders > MOST_FOLDERS {
            all.cut_off = true;
            break;
        }
        let path = walk::relative(root, &folder);
        if is_git_folder(&folder) {
            all.found
                .push(repository(path, &folder, Kind::Bare, folder.clone()));
            continue;
        }
        look(&mut all, &mut astray, &path, &folder);
        if depth < limits.depth {
            stack.extend(below(&folder).into_iter().map(|f| (f, depth + 1)));
        } else {
            all.cut_off = true;
        }
    }
    for lost in astray {
        match home_of(&lost, &all.found) {
            Some(git) => {
                let mut found = repository(lost.path, &lost.folder, Kind::Linked, git.clone());
                found.options = vec![
                    format!("--git-dir={}", git.display()),
                    format!("--work-tree={}", lost.folder.display()),
                ];
                all.found.push(found);
            }
            None => all.unread.push(Unread {
                path: lost.path,
                why: format!(
                    "its .git names {}, which is not below this folder",
                    crate::repos::cut(&lost.says, 200)
                ),
            }),
        }
    }
    all.found.sort_by(|a, b| a.path.cmp(&b.path));
    all.unread.sort();
    all
}

fn repository(path: String, folder: &Path, kind: Kind, git: PathBuf) -> Repository {
    Repository {
        path,
        folder: folder.to_path_buf(),
        kind,
        git,
        options: Vec::new(),
    }
}

/// What git itself asks for.
fn is_git_folder(folder: &Path) -> bool {
    let there = |name: &str| folder.join(name).symlink_metadata();
    there("HEAD").is_ok_and(|m| m.is_file())
        && there("objects").is_ok_and(|m| m.is_dir())
        && there("refs").is_ok_and(|m| m.is_dir())
}

fn look(all: &mut Repositories, astray: &mut Vec<Astray>, path: &str, folder: &Path) {
    let git = folder.join(".git");
    let Ok(meta) = git.symlink_metadata() else {
        return;
    };
    if meta.is_dir() {
        if is_git_folder(&git) {
            all.found
                .push(repository(path.to_owned(), folder, Kind::WorkTree, git));
        } else if git.join("HEAD").symlink_metadata().is_ok() {
            all.unread.push(Unread {
                path: path.to_owned(),
                why: "its .git lacks objects or refs".to_owned(),
            });
        }
        return;
    }
    let Some(says) = walk::read_text(&git, 4096)
        .and_then(|text| Some(text.trim().strip_prefix("gitdir:")?.trim().to_owned()))
    else {
        return;
    };
    let named = folder.join(&says);
    let linked = named.join("commondir").is_file();
    if is_git_folder(&named) || (linked && named.join("HEAD").is_file()) {
        let kind = if linked {
            Kind::Linked
        } else {
            Kind::Submodule
        };
        all.found
            .push(repository(path.to_owned(), folder, kind, named));
    } else {
        astray.push(Astray {
            path: path.to_owned(),
            folder: folder.to_path_buf(),
            says,
        });
    }
}

/// A linked work tree is named by an absolute path, which is another one where the folder is seen
/// at another place. It is at home where both sides name each other as far as the root.
fn home_of(lost: &Astray, found: &[Repository]) -> Option<PathBuf> {
    let back = format!("/{}/.git", lost.path);
    found
        .iter()
        .filter(|r| matches!(r.kind, Kind::WorkTree | Kind::Bare))
        .flat_map(|r| {
            below(&r.git.join("worktrees"))
                .into_iter()
                .map(move |tree| (r, tree))
        })
        .find(|(r, tree)| {
            let name = tree.file_name().unwrap_or_default().to_string_lossy();
            let place = match (r.kind, r.path.as_str()) {
                (Kind::Bare, path) => format!("/{path}/worktrees/{name}"),
                (_, ".") => format!("/.git/worktrees/{name}"),
                (_, path) => format!("/{path}/.git/worktrees/{name}"),
            };
            let names_back = walk::read_text(&tree.join("gitdir"), 4096)
                .is_some_and(|text| text.trim().ends_with(&back));
            lost.says.ends_with(&place) && names_back
        })
        .map(|(_, tree)| tree)
}

/// The folders in a folder that are worth a look, links left out.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .filter(|e| {
            let name = e.file_name();
            name != ".git" && !PASSED.iter().any(|passed| name == *passed)
        })
        .map(|e| e.path())
        .collect()
}
