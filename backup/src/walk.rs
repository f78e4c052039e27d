//! What belongs to a backup: every file below its roots, in an order that is always the same. Nothing
//! is run and no link is followed. Of a git repository the references are read before the objects they
//! name, so that what is pushed meanwhile cannot leave a reference without its object.

use crate::error::{BackupError, file};
use crate::index_file;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is left out below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    All,
    /// What a home makes again by itself, or must not bring back.
    Home,
    /// What a repository ignores and does not track.
    Workspace,
}

/// A file or folder to back up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Where it stands in the snapshot.
    pub label: PathBuf,
    /// Where it is now.
    pub path: PathBuf,
    /// What is left out.
    pub rule: Rule,
}

/// One thing found.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Where it stands in the snapshot.
    pub label: &'a Path,
    /// Where it is now.
    pub path: &'a Path,
    /// How it looked; links are not followed.
    pub about: &'a Metadata,
}

/// Folders of a home that are left out: what lives only as long as the team is up, what is made anew
/// from the rest, and the bus, whose place after a restore is empty.
const NOT_OF_HOME: [&str; 8] = [
    "run",
    "redis",
    "logs",
    "caches",
    "index",
    "vectors",
    "backup",
    "restoring.json",
];
/// Folders of a task that are left out: its clones.
const NOT_OF_TASK: [&str; 4] = ["work", "verify", "snapshots", "making"];

/// Whether a path of a home is backed up. The ledger is copied by who keeps it, not read from here.
pub fn of_home(path: &Path) -> bool {
    let mut parts = path.components().map(|c| c.as_os_str());
    match (
        parts.next().and_then(OsStr::to_str),
        parts.next(),
        parts.next(),
    ) {
        (Some("tasks"), Some(_), Some(part)) => !NOT_OF_TASK.iter().any(|not| part == *not),
        (Some("MEMORY"), Some(part), None) => part != ".owner",
        // What a warden holds is for once: only its key and what proves a person come back.
        (Some("warden"), Some(part), None) => part == "seal.key" || part == "pin.json",
        (Some(top), ..) => !NOT_OF_HOME.contains(&top) && !top.starts_with("ledger.db"),
        (None, ..) => true,
    }
}

/// Notes about what could not be read, as sentences.
pub type Notes = Vec<String>;

/// Calls `each` for everything below a root, folders before what is in them.
pub fn walk(
    root: &Root,
    notes: &mut Notes,
    each: &mut dyn FnMut(Seen<'_>, &mut Notes) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let about = match fs::symlink_metadata(&root.path) {
        Ok(about) => about,
        Err(error) => {
            notes.push(format!("{} cannot be read: {error}", root.path.display()));
            return Ok(());
        }
    };
    let seen = Seen {
        label: &root.label,
        path: &root.path,
        about: &about,
    };
    each(seen, notes)?;
    if !about.is_dir() {
        return Ok(());
    }
    let mut walker = Walker { root, notes, each };
    walker.folder(&root.path, Path::new(""), &Sieve::open(), false)
}

struct Walker<'a> {
    root: &'a Root,
    notes: &'a mut Notes,
    each: &'a mut dyn FnMut(Seen<'_>, &mut Notes) -> Result<(), BackupError>,
}

impl Walker<'_> {
    fn folder(
        &mut self,
        folder: &Path,
        below: &Path,
        sieve: &Sieve<'_>,
        inside_git: bool,
    ) -> Result<(), BackupError> {
        let mut names = match names(folder) {
            Ok(names) => names,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    self.notes
                        .push(format!("{} cannot be read: {error}", folder.display()));
                }
                return Ok(());
            }
        };
        if inside_git {
            names.sort_by_key(|name| (name == "objects", name.clone()));
        } else {
            names.sort();
        }
        let own;
        let sieve = match self.root.rule == Rule::Workspace && !inside_git {
            true => {
                own = sieve.below(folder, names.iter().any(|name| name == ".git"), self.notes);
                &own
            }
            false => sieve,
        };
        for name in names {
            let path = folder.join(&name);
            let below = below.join(&name);
            let about = match fs::symlink_metadata(&path) {
                Ok(about) => about,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if inside_git {
                        self.notes.push(format!(
                            "{} went away while it was read: back up again",
                            path.display()
                        ));
                    }
                    continue;
                }
                Err(error) => return Err(file("look at", &path)(error)),
            };
            let git = name == ".git";
            let wanted = match self.root.rule {
                Rule::All => true,
                Rule::Home => of_home(&below),
                Rule::Workspace => inside_git || git || sieve.takes(&path, about.is_dir()),
            };
            if !wanted {
                continue;
            }
            if self.root.rule == Rule::Workspace && git {
                self.notes.extend(elsewhere(&path, &about));
            }
            let label = self.root.label.join(&below);
            let seen = Seen {
                label: &label,
                path: &path,
                about: &about,
            };
            (self.each)(seen, self.notes)?;
            if about.is_dir() {
                let whole = inside_git || (self.root.rule == Rule::Workspace && git);
                self.folder(&path, &below, sieve, whole)?;
            }
        }
        Ok(())
    }
}

fn names(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}

/// What a `.git` says of objects that lie elsewhere and are therefore not in this backup.
fn elsewhere(git: &Path, about: &Metadata) -> Option<String> {
    if about.is_file() {
        let text = fs::read_to_string(git).unwrap_or_default();
        let at = text.trim().trim_start_matches("gitdir:").trim().to_owned();
        return Some(format!(
            "{} is a work tree of a repository at {}, which is backed up only where that is a workspace too",
            git.display(),
            config::error::quoted(&at)
        ));
    }
    let text = fs::read_to_string(git.join("objects/info/alternates")).unwrap_or_default();
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    Some(format!(
        "{} borrows objects from {}, which is backed up only where that is a workspace too",
        git.display(),
        config::error::quoted(first)
    ))
}

/// What a repository ignores, as far down as the walk has come.
struct Sieve<'a> {
    above: Option<&'a Sieve<'a>>,
    ignores: Option<Gitignore>,
    tracked: Option<Tracked>,
    /// The folder itself is ignored, and with it what is below.
    all_ignored: bool,
}

/// The repository a sieve belongs to.
struct Tracked {
    top: PathBuf,
    /// Its tracked paths in order; `None` where they cannot be known.
    paths: Option<Vec<Vec<u8>>>,
}

impl<'a> Sieve<'a> {
    /// One that takes everything.
    fn open() -> Self {
        Sieve {
            above: None,
            ignores: None,
            tracked: None,
            all_ignored: false,
        }
    }

    /// The sieve of a folder, below this one; a repository begins a new one.
    fn below(&'a self, folder: &Path, repository: bool, notes: &mut Notes) -> Sieve<'a> {
        let mut builder = GitignoreBuilder::new(folder);
        let own = folder.join(".gitignore");
        let mut any = false;
        if repository {
            let exclude = folder.join(".git/info/exclude");
            any |= exclude.is_file() && builder.add(exclude).is_none();
        } else if self.repository().is_none() {
            return Sieve::open();
        }
        any |= own.is_file() && builder.add(own).is_none();
        let tracked = repository.then(|| Tracked {
            top: folder.to_owned(),
            paths: index_file::paths(&folder.join(".git/index")).unwrap_or_else(|why| {
                notes.push(format!(
                    "{}: {why}, so what it ignores is backed up too",
                    folder.display()
                ));
                None
            }),
        });
        Sieve {
            above: (!repository).then_some(self),
            ignores: any.then(|| builder.build().ok()).flatten(),
            tracked,
            all_ignored: !repository && (self.all_ignored || self.ignored(folder, true)),
        }
    }

    fn repository(&self) -> Option<&Tracked> {
        self.tracked
            .as_ref()
            .or_else(|| self.above.and_then(Sieve::repository))
    }

    fn takes(&self, path: &Path, folder: bool) -> bool {
        let Some(repository) = self.repository() else {
            return true;
        };
        let Some(paths) = &repository.paths else {
            return true;
        };
        !self.ignored(path, folder) || is_tracked(paths, path.strip_prefix(&repository.top))
    }

    fn ignored(&self, path: &Path, folder: bool) -> bool {
        if self.all_ignored {
            return true;
        }
        if let Some(ignores) = &self.ignores {
            let found = ignores.matched(path, folder);
            if !found.is_none() {
                return found.is_ignore();
            }
        }
        self.above.is_some_and(|above| above.ignored(path, folder))
    }
}

/// Whether a path is tracked, or something below it is.
fn is_tracked(paths: &[Vec<u8>], path: Result<&Path, std::path::StripPrefixError>) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = path else { return true };
    let path = path.as_os_str().as_bytes();
    let mut folder = path.to_vec();
    folder.push(b'/');
    let exact = paths
        .binary_search_by(|known| known.as_slice().cmp(path))
        .is_ok();
    let at = paths.partition_point(|known| known.as_slice() < folder.as_slice());
    exact
        || paths
            .get(at)
            .is_some_and(|known| known.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    fn seen(root: &Path, rule: Rule) -> (Vec<String>, Notes) {
        let root = Root {
            label: PathBuf::from("w"),
            path: root.to_owned(),
            rule,
        };
        let (mut all, mut notes) = (Vec::new(), Vec::new());
        walk(&root, &mut notes, &mut |seen, _| {
            all.push(seen.label.display().to_string());
            Ok(())
        })
        .unwrap();
        (all, notes)
    }

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn of_a_home_only_what_must_come_back() {
        for (path, expected) in [
            ("MEMORY/Learning/a.md", true),
            ("MEMORY/.owner", false),
            ("tasks/t1/patch.diff", true),
            ("tasks/t1/work/a", false),
            ("tasks/t1/snapshots", false),
            ("secrets/x", true),
            ("anything-new", true),
            ("ledger.db", false),
            ("ledger.db-wal", false),
            ("run/x", false),
            ("backup/x", false),
            ("config/run/x", true),
        ] {
            assert_eq!(of_home(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_workspace_without_what_git_ignores_but_with_what_it_tracks() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, "plain/.gitignore", "*.o\n");
        put(root, "plain/kept.o", "");
        put(root, "repo/.gitignore", "target/\n*.log\n!keep.log\n");
        for file in [
            "a.rs",
            "x.log",
            "keep.log",
            "target/big",
            "forced.log",
            "sub/y.log",
            "sub/z",
        ] {
            put(root, &format!("repo/{file}"), "1");
        }
        let git = |words: &[&str]| {
            let done = Command::new("git")
                .arg("-C")
                .arg(root.join("repo"))
                .args(words)
                .output();
            assert!(done.unwrap().status.success(), "{words:?}");
        };
        git(&["init", "-q"]);
        git(&["add", "a.rs"]);
        git(&["add", "-f", "forced.log", "target/big"]);
        put(root, "repo/target/other", "");
        put(root, "repo/.git/refs/heads/x.log", "");
        let (all, notes) = seen(root, Rule::Workspace);
        assert_eq!(notes, Vec::<String>::new());
        for (path, expected) in [
            ("w/plain/kept.o", true),
            ("w/repo/a.rs", true),
            ("w/repo/x.log", false),
            ("w/repo/keep.log", true),
            ("w/repo/forced.log", true),
            ("w/repo/target/big", true),
            ("w/repo/target/other", false),
            ("w/repo/sub/y.log", false),
            ("w/repo/sub/z", true),
            ("w/repo/.git/refs/heads/x.log", true),
            ("w/repo/.git/index", true),
        ] {
            assert_eq!(all.contains(&path.to_owned()), expected, "{path}: {all:?}");
        }
        let at = |path: &str| all.iter().position(|p| p == path).unwrap();
        assert!(at("w/repo/.git/refs") < at("w/repo/.git/objects"));
        // An index that cannot be read: everything is taken, and it is said.
        put(root, "repo/.git/index", "nonsense");
        let (all, notes) = seen(root, Rule::Workspace);
        assert!(all.contains(&"w/repo/x.log".to_owned()));
        assert!(
            notes[0].contains("what it ignores is backed up too"),
            "{notes:?}"
        );
    }
}
