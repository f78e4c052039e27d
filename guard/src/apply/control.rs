//! Which of the files a patch changes are control files: told from the files as they shall be, so
//! that a link or a folder that becomes a repository is seen too.

use super::install::{Change, Entry, Tree};
use super::touched;
use crate::control_files::{if_repository, leads, obeyed_by};
use std::path::Path;

/// What is done about control files in a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ControlFiles {
    /// A patch that touches one is refused.
    #[default]
    Refused,
    /// A person says that they read them: they are brought in with the rest.
    Read,
}

impl ControlFiles {
    /// Whether a person has read them.
    pub fn read(they_are: bool) -> Self {
        match they_are {
            true => ControlFiles::Read,
            false => ControlFiles::Refused,
        }
    }
}

/// One that a patch touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    /// Relative to the workspace.
    pub path: String,
    /// Who obeys it, or what it is, as people say it.
    pub why: String,
}

/// Most control files that are named in a sentence.
const NAMED: usize = 12;

/// As one line.
pub(super) fn list(files: &[ControlFile]) -> String {
    let said = |file: &ControlFile| format!("{} ({})", file.path, file.why);
    let mut words: Vec<String> = files.iter().take(NAMED).map(said).collect();
    if files.len() > NAMED {
        words.push(format!("and {} more", files.len() - NAMED));
    }
    words.join(", ")
}

/// The control files that a patch names, by their names alone: for whoever is told of a patch before
/// it is applied. What cannot be read as a patch names none.
pub fn named(patch: &str) -> Vec<String> {
    let touched = touched::touched(patch).unwrap_or_default();
    let control = touched.into_iter();
    control.filter(|path| obeyed_by(path).is_some()).collect()
}

/// The control files among the changes.
pub(super) fn found(tree: &Tree, changes: &[Change]) -> Vec<ControlFile> {
    let control = |change: &Change| {
        why(tree, change).map(|why| ControlFile {
            path: change.path.clone(),
            why,
        })
    };
    changes.iter().filter_map(control).collect()
}

fn why(tree: &Tree, change: &Change) -> Option<String> {
    let path = change.path.as_str();
    if let Some(by) = obeyed_by(path) {
        return Some(by.by().to_owned());
    }
    if let Some(Entry::Link(target)) = &change.new {
        return link(path, Path::new(target));
    }
    for folder in if_repository(path) {
        let head = match folder.as_str() {
            "" => "HEAD".to_owned(),
            folder => format!("{folder}/HEAD"),
        };
        // What cannot be read may be one.
        if !matches!(tree.read(&head), Ok(None)) {
            return Some("git, since a HEAD lies beside it".to_owned());
        }
    }
    None
}

/// What is wrong with a link that a patch makes.
fn link(path: &str, target: &Path) -> Option<String> {
    let Some(to) = leads(path, target) else {
        return Some("a link out of the workspace".to_owned());
    };
    let of_git = to.split('/').any(|part| part.eq_ignore_ascii_case(".git"));
    (of_git || obeyed_by(&to).is_some()).then(|| format!("a link to {to}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(content: &str) -> Entry {
        Entry::File {
            content: content.into(),
            mode: 0o644,
        }
    }

    #[track_caller]
    fn check(path: &str, old: Option<Entry>, new: Option<Entry>, expected: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bare")).unwrap();
        std::fs::write(folder.path().join("bare/HEAD"), "ref: refs/heads/main\n").unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        let path = path.to_owned();
        let found = found(&tree, &[Change { path, old, new }]);
        let why = found.first().map(|file| file.why.as_str());
        assert_eq!(why, expected);
    }

    #[test]
    fn what_a_file_shall_be_counts_and_not_only_its_name() {
        let link = |to: &str| Some(Entry::Link(to.into()));
        check(
            ".envrc",
            None,
            Some(file("x")),
            Some("shells and other tools as they start"),
        );
        check(
            ".envrc",
            Some(file("x")),
            None,
            Some("shells and other tools as they start"),
        );
        check("src/a", None, Some(file("x")), None);
        check("a", None, link("b/c"), None);
        check(
            "a",
            None,
            link("/etc/passwd"),
            Some("a link out of the workspace"),
        );
        check(
            "a/b",
            None,
            link("../.git/hooks"),
            Some("a link to .git/hooks"),
        );
        check(
            "a",
            None,
            link(".vscode/tasks.json"),
            Some("a link to .vscode/tasks.json"),
        );
        // A link that is taken away leads nowhere.
        check("a", link("/etc"), None, None);
        check(
            "bare/config",
            None,
            Some(file("x")),
            Some("git, since a HEAD lies beside it"),
        );
        check(
            "bare/hooks/post-checkout",
            None,
            Some(file("x")),
            Some("git, since a HEAD lies beside it"),
        );
        check("app/config", None, Some(file("x")), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let one = |n: usize| ControlFile {
            path: format!("{n}/.envrc"),
            why: "w".to_owned(),
        };
        let many: Vec<ControlFile> = (0..14).map(one).collect();
        assert!(
            list(&many).ends_with("11/.envrc (w), and 2 more"),
            "{}",
            list(&many)
        );
        assert_eq!(list(&many[..1]), "0/.envrc (w)");
    }

    #[test]
    fn a_patch_is_told_by_its_names() {
        let patch = "diff --git a/.envrc b/.envrc\n--- a/.envrc\ndiff --git a/y b/y\n";
        assert_eq!(named(patch), [".envrc"]);
        assert!(named("nothing").is_empty());
    }
}
