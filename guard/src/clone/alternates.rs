//! Object folders that a repository borrows from. The list is content of the workspace, so only those that lie in the
//! repository itself are shown to a task: any other folder, another repository too, is the person's and not the task's.

use super::CloneError;
use super::copy::small_text;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most of them that are looked at.
const MOST: usize = 8;
/// Where git keeps the list, below its objects.
const LIST: &str = "info/alternates";

/// What a repository borrows from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Borrowed {
    /// Folders of the repository itself, of the same user.
    pub(super) own: Vec<PathBuf>,
    /// What lies elsewhere, resolved.
    pub(super) elsewhere: Vec<PathBuf>,
}

/// Reads what the objects of a repository are borrowed from. `common` holds all that belongs to the repository.
pub(super) fn of(common: &Path, objects: &Path) -> Borrowed {
    let owner = fs::metadata(objects).map(|m| m.uid()).ok();
    let mut found = Borrowed::default();
    let (Ok(common), Ok(first)) = (common.canonicalize(), objects.canonicalize()) else {
        return found;
    };
    let mut queue = vec![first.clone()];
    while let Some(folder) = queue.pop() {
        let text = small_text(&folder.join(LIST)).unwrap_or_default();
        for path in text.lines().filter_map(|line| resolved(&folder, line)) {
            let Ok(meta) = fs::metadata(&path) else {
                continue;
            };
            let is_own = path.starts_with(&common) && is_objects(&path);
            let list = match is_own {
                true => &mut found.own,
                false => &mut found.elsewhere,
            };
            if path == first || list.contains(&path) || list.len() >= MOST {
                continue;
            }
            if !is_own {
                list.push(path);
            } else if meta.is_dir() && Some(meta.uid()) == owner {
                list.push(path.clone());
                queue.push(path);
            }
        }
    }
    found
}

/// Whether a folder is the objects of a repository, and none that holds settings of one: those may name credentials.
fn is_objects(path: &Path) -> bool {
    let beside = |name: &str| path.with_file_name(name).is_file();
    let holds = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
    path.ends_with("objects") && beside("HEAD") && !holds("HEAD") && !holds("config")
}

fn resolved(folder: &Path, line: &str) -> Option<PathBuf> {
    let line = line.trim();
    let says = !line.is_empty() && !line.starts_with('#');
    says.then(|| folder.join(line).canonicalize().ok())?
}

/// Refuses a workspace whose git would miss objects without a store that lies elsewhere: half a repository would
/// answer wrongly. What is no store gives git nothing; it is told, to be named among what was left out.
pub(super) fn told(
    workspace: &Path,
    objects: &Path,
    elsewhere: &[PathBuf],
) -> Result<Vec<String>, CloneError> {
    let list = objects.join(LIST);
    if let Some(store) = elsewhere.iter().find(|path| is_store(path)) {
        return Err(CloneError::Refused {
            path: workspace.to_owned(),
            why: format!(
                "its git borrows objects from {}, outside of its own repository, which no task is shown: \
                 make it whole with `git repack -a -d && rm {}`, run in it",
                store.display(),
                list.display()
            ),
        });
    }
    let said = |path: &PathBuf| {
        format!(
            "{}: named in {}, lies outside of the repository and holds no objects of git",
            path.display(),
            list.display()
        )
    };
    Ok(elsewhere.iter().map(said).collect())
}

/// Whether git could find objects there.
fn is_store(folder: &Path) -> bool {
    let is_half = |name: &str| name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let mut names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.any(|entry| {
        let name = entry.file_name();
        name == "pack" || name.to_str().is_some_and(is_half)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A repository at `shop/.git` that borrows from these, beside `folders`.
    #[track_caller]
    fn check(folders: &[&str], list: &str, own: &[&str], elsewhere: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        for folder in folders.iter().chain(&["shop/.git/objects/info"]) {
            let path = top.join(folder);
            match ["HEAD", "config"].iter().any(|name| path.ends_with(name)) {
                false => fs::create_dir_all(path).unwrap(),
                true => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, "").unwrap();
                }
            }
        }
        let objects = top.join("shop/.git/objects");
        fs::write(objects.join(LIST), list).unwrap();
        std::os::unix::fs::symlink("../../private", top.join("shop/.git/link")).unwrap();
        let at = |paths: &[&str]| paths.iter().map(|path| top.join(path)).collect();
        let expected = Borrowed {
            own: at(own),
            elsewhere: at(elsewhere),
        };
        assert_eq!(of(&top.join("shop/.git"), &objects), expected, "{list}");
    }

    #[test]
    fn only_what_lies_in_the_repository_is_its_own() {
        let folders = [
            "private",
            "private/.git/objects/pack",
            "shop/.git/more",
            "shop/.git/modules/lib/HEAD",
            "shop/.git/modules/lib/objects",
            "shop/.git/modules/lib/config",
        ];
        let all = |list: &str, own: &[&str], other: &[&str]| check(&folders, list, own, other);
        let lib = "shop/.git/modules/lib/objects";
        all("../modules/lib/objects\n", &[lib], &[]);
        // Its own settings, and those of what it holds, are none of its objects.
        all("..\n", &[], &["shop/.git"]);
        all("../modules/lib\n", &[], &["shop/.git/modules/lib"]);
        all("../more\n", &[], &["shop/.git/more"]);
        all("../../../private\n", &[], &["private"]);
        all("../link\n", &[], &["private"]);
        all("../link/.git/objects\n", &[], &["private/.git/objects"]);
        all("../modules/lib/objects\n../more/../../..\n", &[lib], &[""]);
        all("# a word\n\n../gone\n.\n", &[], &[]);
    }

    #[test]
    fn a_store_elsewhere_is_said_with_the_next_step_and_what_is_none_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("store/pack")).unwrap();
        fs::create_dir_all(dir.path().join("keys/id")).unwrap();
        let at = |name: &str| dir.path().join(name);
        let say = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
            told(Path::new("/shop"), Path::new("/shop/.git/objects"), &paths)
        };
        let error = say(&["keys", "store"]).unwrap_err().to_string();
        let expected = format!(
            "/shop cannot be a workspace: its git borrows objects from {}, outside of its own repository, which no task \
             is shown: make it whole with `git repack -a -d && rm /shop/.git/objects/info/alternates`, run in it",
            at("store").display()
        );
        assert_eq!(error, expected);
        let left = say(&["keys"]).unwrap();
        assert_eq!(left.len(), 1);
        assert!(left[0].contains("holds no objects of git"), "{left:?}");
        assert!(say(&[]).unwrap().is_empty());
    }
}
