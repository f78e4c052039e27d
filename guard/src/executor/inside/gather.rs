//! What a snapshot holds: every file of the clone that git would keep, those of repositories inside it
//! (git alone would note where such a one stands and drop its files), those that are tracked although
//! `.gitignore` names them, and those that a task wrote by name. A repository's own `.git` is no file
//! of it: it stays in the clone.

use super::git as quiet;
use super::program::{Ended, Leash};
use super::snapshot::{check_hash, exclude, good};
use crate::sandbox::spec::{SNAPSHOTS, WORKSPACE};
use ignore::WalkBuilder;
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most repositories inside a workspace whose files are kept.
const MOST: usize = 1_000;
/// Paths of one call of git that takes them as arguments only.
const AT_ONCE: usize = 500;
/// How paths stand in a file for git.
const NUL: &str = "--pathspec-file-nul";
/// The list of what tasks wrote by name: paths below the workspace, each ended by a zero byte.
const WRITTEN: &str = "written";

/// Notes that a task wrote a file by name. What cannot be noted must not be said to be written.
pub(super) fn note(file: &Path) -> io::Result<()> {
    let Ok(path) = file.strip_prefix(WORKSPACE) else {
        return Ok(());
    };
    let list = Path::new(SNAPSHOTS).join(WRITTEN);
    let mut line = path.as_os_str().as_encoded_bytes().to_vec();
    line.push(0);
    if fs::read(&list).is_ok_and(|list| ended(&list).any(|known| known == path)) {
        return Ok(());
    }
    let mut list = OpenOptions::new().create(true).append(true).open(list)?;
    list.write_all(&line)
}

/// Git over the private repository: work tree, index, arguments.
pub(super) type Git<'a> = dyn Fn(&Path, &str, &[&str]) -> Result<Ended, String> + 'a;

/// One snapshot being gathered, in the private repository.
pub(super) struct Gather<'a> {
    pub(super) git: &'a Git<'a>,
    /// The private repository.
    pub(super) repository: &'a Path,
    /// Read-only mounts, relative to the workspace.
    pub(super) mounts: &'a [String],
    pub(super) leash: Leash<'a>,
}

impl Gather<'_> {
    /// Adds all of the workspace to the index and writes its tree. What is in the index already and
    /// unchanged is not read again.
    pub(super) fn tree(&self) -> Result<String, String> {
        let mut room = MOST;
        self.tree_of(Path::new(WORKSPACE), &mut room)
    }

    fn tree_of(&self, work: &Path, room: &mut usize) -> Result<String, String> {
        let index = index_of(work);
        let inner = self.kept(work, &index, self.below(work))?;
        *room = room.checked_sub(inner.len()).ok_or_else(|| {
            format!("the workspace holds more than {MOST} repositories: name a smaller folder")
        })?;
        let asked = |args: &[&str]| good((self.git)(work, &index, args)?);
        let own = |path: &String| {
            let file = work.join(path);
            let inside = inner.iter().any(|i| Path::new(path).starts_with(i));
            !inside && is_file(&file) && self.is_own(&file)
        };
        // Those that are tracked belong to the first tree, from which the patch is taken.
        let tracked = match self.repository.join(&index).exists() {
            true => Vec::new(),
            false => self.tracked(work)?,
        };
        let forced = tracked.into_iter().chain(written(work)).filter(own);
        if let Some(list) = self.list(forced)? {
            let add = ["--literal-pathspecs", "add", "-f", &list, NUL];
            asked(&add)?;
        }
        // A repository inside is no entry of this one.
        let but = inner.iter().map(|path| format!(":(exclude,literal){path}"));
        if let Some(list) = self.list([".".to_owned()].into_iter().chain(but))? {
            let hidden = self.hidden(work)?;
            asked(&["-c", &hidden, "add", "-A", &list, NUL])?;
        }
        if let Some(list) = self.list(inner.iter().cloned())? {
            let literal = "--literal-pathspecs";
            let quiet = ["-rqf", "--cached", "--ignore-unmatch"];
            asked(&[&[literal, "rm"], &quiet[..], &[&list, NUL]].concat())?;
        }
        for path in &inner {
            let tree = self.tree_of(&work.join(path), room)?;
            asked(&["read-tree", &format!("--prefix={path}/"), &tree])?;
        }
        let tree = asked(&["write-tree"])?.stdout.trim().to_owned();
        check_hash(&tree)?;
        Ok(tree)
    }

    /// The option that names paths to git by a file; none where there are none.
    fn list(&self, paths: impl Iterator<Item = String>) -> Result<Option<String>, String> {
        let text: String = paths.map(|path| path + "\0").collect();
        if text.is_empty() {
            return Ok(None);
        }
        let file = self.repository.join("paths");
        fs::write(&file, text)
            .map_err(|e| format!("the snapshot's paths cannot be listed: {e}"))?;
        Ok(Some(format!("--pathspec-from-file={}", file.display())))
    }

    /// The outermost repositories below a work tree that its `.gitignore` does not name, relative to it,
    /// in order. A name that is no text is left to git, which says what it cannot do with it.
    fn below(&self, work: &Path) -> Vec<String> {
        let found = Arc::new(Mutex::new(Vec::new()));
        let (seen, top) = (Arc::clone(&found), work.to_owned());
        let mounts: Vec<PathBuf> = self
            .mounts
            .iter()
            .map(|m| Path::new(WORKSPACE).join(m))
            .collect();
        let entries = WalkBuilder::new(work)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .filter_entry(move |entry| {
                let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                if entry.depth() == 0 || !folder {
                    return folder;
                }
                if entry.file_name() == ".git" || mounts.iter().any(|m| m == entry.path()) {
                    return false;
                }
                let repository = entry.path().join(".git").symlink_metadata().is_ok();
                let below = entry.path().strip_prefix(&top).ok().and_then(Path::to_str);
                if let Some(below) = below.filter(|_| repository) {
                    let mut found = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    found.push(below.to_owned());
                }
                !repository
            })
            .build();
        entries.for_each(drop);
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        found.sort();
        found
    }

    /// Those of the repositories that git does not ignore, by its own word.
    fn kept(&self, work: &Path, index: &str, inner: Vec<String>) -> Result<Vec<String>, String> {
        // Git quotes odd names, so that each of these is asked about alone.
        let odd = |path: &String| path.contains(|c: char| c.is_control() || "\"\\".contains(c));
        let (odd, plain): (Vec<String>, Vec<String>) = inner.into_iter().partition(odd);
        let mut kept = Vec::new();
        for some in plain.chunks(AT_ONCE).chain(odd.chunks(1)) {
            let mut ask = ["check-ignore", "--no-index", "--"].to_vec();
            ask.extend(some.iter().map(String::as_str));
            let ended = (self.git)(work, index, &ask)?;
            let said = match ended.exit {
                Some(1) => String::new(),
                _ => good(ended)?.stdout,
            };
            let ignored = |path: &&String| match some.len() {
                1 => !said.is_empty(),
                _ => said.lines().any(|line| line == path.as_str()),
            };
            kept.extend(some.iter().filter(|path| !ignored(path)).cloned());
        }
        kept.sort();
        Ok(kept)
    }

    /// The setting that hides the mounts in a work tree.
    fn hidden(&self, work: &Path) -> Result<String, String> {
        let mounts = self.mounts.iter().map(|m| Path::new(WORKSPACE).join(m));
        let below: Vec<String> = mounts
            .filter_map(|m| m.strip_prefix(work).ok()?.to_str().map(str::to_owned))
            .collect();
        let file = self.repository.join("hidden");
        fs::write(&file, exclude(&below))
            .map_err(|e| format!("the snapshot's mounts cannot be listed: {e}"))?;
        Ok(format!("core.excludesFile={}", file.display()))
    }

    /// Files that the repository there tracks although it ignores them. One that git cannot read has none.
    fn tracked(&self, work: &Path) -> Result<Vec<String>, String> {
        let mut program = quiet::program(&["git", "ls-files", "-ci", "--exclude-standard", "-z"])?;
        program.cwd = work.to_owned();
        program.env.push((
            "GIT_CEILING_DIRECTORIES".to_owned(),
            work.parent().unwrap_or(work).display().to_string(),
        ));
        let ended = program
            .run(self.leash)
            .map_err(|e| format!("git cannot be started: {e}"))?;
        match ended.exit {
            _ if ended.timed_out => Err("the snapshot took too long and was stopped".to_owned()),
            Some(0) if ended.truncated => {
                Err("more files are tracked although ignored than can be listed".to_owned())
            }
            Some(0) => Ok(listed(ended.stdout.as_bytes())),
            _ => Ok(Vec::new()),
        }
    }

    /// Not of a mount, and not git's own.
    fn is_own(&self, file: &Path) -> bool {
        let git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
        let below = file.strip_prefix(WORKSPACE).unwrap_or(file);
        !below.components().any(git) && !self.mounts.iter().any(|mount| below.starts_with(mount))
    }
}

/// The file of the index for a work tree: the workspace's, or that of a repository inside.
fn index_of(work: &Path) -> String {
    let below = work.strip_prefix(WORKSPACE).unwrap_or(work);
    match below.as_os_str().is_empty() {
        true => "index".to_owned(),
        false => {
            let name = Sha256::digest(below.as_os_str().as_encoded_bytes());
            format!("inner-{}", crate::act::hex(&name))
        }
    }
}

/// A file or a link that stands where it says: no folder on its way is a link.
fn is_file(path: &Path) -> bool {
    let Some(folder) = path.parent() else {
        return false;
    };
    folder.canonicalize().is_ok_and(|real| real == folder)
        && path.symlink_metadata().is_ok_and(|m| !m.is_dir())
}

fn ended(list: &[u8]) -> impl Iterator<Item = &Path> {
    list.split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .filter_map(|path| std::str::from_utf8(path).ok().map(Path::new))
}

fn listed(list: &[u8]) -> Vec<String> {
    ended(list)
        .filter_map(|path| path.to_str().map(str::to_owned))
        .collect()
}

/// What tasks wrote by name below a work tree, relative to it.
fn written(work: &Path) -> Vec<String> {
    let list = fs::read(Path::new(SNAPSHOTS).join(WRITTEN)).unwrap_or_default();
    let prefix = work.strip_prefix(WORKSPACE).unwrap_or(work);
    listed(&list)
        .iter()
        .filter_map(|path| Path::new(path).strip_prefix(prefix).ok()?.to_str())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repository_has_an_index_of_its_own() {
        let of = |path: &str| index_of(&Path::new(WORKSPACE).join(path));
        assert_eq!(index_of(Path::new(WORKSPACE)), "index");
        assert_ne!(of("a"), of("b"));
        assert!(of("a/b").starts_with("inner-"));
    }

    #[test]
    fn a_list_that_was_cut_off_still_tells_the_rest() {
        assert_eq!(listed(b"a\0b c\0\0\xff\0deep/d"), ["a", "b c", "deep/d"]);
        assert!(listed(b"").is_empty());
    }
}
