//! The files that a program is run from or given by name: which they are, whether anybody but root can change them, and
//! copies of those that somebody can. What was seen is bound to the yes; what runs is looked at again right before.

use super::script::interpreter;
use crate::{Refused, digest};
use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use protocol::duty::run::{HostRun, PATH, shown};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// Most files, and most bytes of one that is copied.
const MOST: usize = 16;
const COPIED: u64 = 8 * 1024 * 1024;
/// Most bytes of one that is only looked at.
const LOOKED_AT: u64 = 512 * 1024 * 1024;
/// Most links on one way, as the kernel has it; and most scripts that read scripts.
const LINKS: usize = 40;
const SCRIPTS: usize = 4;

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What it is to the program: `program`, `interpreter`, `word 2`.
    pub what: String,
    /// Which word names it, and from which byte of that word on; none of an interpreter.
    pub word: Option<(usize, usize)>,
    /// Where it lies.
    pub path: String,
    /// Its size, owner and mode.
    pub size: u64,
    /// The user it belongs to.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
    /// Its digest; empty where whoever runs the program cannot read it.
    pub sha256: String,
    /// Its copy, below the folder of copies, where somebody else than root can change it.
    pub copy: Option<String>,
}

/// Every file, the program first; copies are made. Their texts, where they are short, come with them.
///
/// # Errors
/// A sentence: the program is not there, or cannot be run as it was seen.
pub fn seen(run: &HostRun, copies: &Path) -> Result<Vec<(Seen, Option<String>)>, Refused> {
    let gone = fs::remove_dir_all(copies);
    if let Err(error) = gone
        && error.kind() != ErrorKind::NotFound
    {
        return Err(format!("{} cannot be emptied: {error}", copies.display()).into());
    }
    let mut all = Vec::new();
    let program = found(run.program())?;
    let (first, bytes) = look("program", Some((0, 0)), &program, all.len(), copies)?;
    if first.mode & 0o111 == 0 {
        let path = shown(&first.path);
        return Err(format!("{path} is not executable: name the program that reads it").into());
    }
    let head = bytes.map_or_else(|| head_of(&program), Ok)?;
    all.push((first, Some(head.clone())));
    interpreters(head, &mut all)?;
    for (at, word) in run.argv().iter().enumerate().skip(1) {
        if let Some((from, path)) = named(word, run.folder()) {
            let (seen, bytes) = look(
                &format!("word {}", at + 1),
                Some((at, from)),
                &path,
                all.len(),
                copies,
            )?;
            all.push((seen, bytes));
        }
        if all.len() > MOST {
            return Err(format!("it names more than {MOST} files: nobody looks at so many").into());
        }
    }
    let text = |(seen, bytes): (Seen, Option<Vec<u8>>)| {
        let text = bytes
            .filter(|_| seen.copy.is_some())
            .and_then(|b| String::from_utf8(b).ok());
        (seen, text)
    };
    Ok(all.into_iter().map(text).collect())
}

/// Whether all is as it was seen, and no word names a file that it did not name then.
///
/// # Errors
/// A sentence that names the file.
pub fn same(run: &HostRun, files: &[Seen], copies: &Path) -> Result<(), Refused> {
    same_copies(files, copies)?;
    for file in files.iter().filter(|file| file.copy.is_none()) {
        is_unchanged(file)?;
    }
    for (at, word) in run.argv().iter().enumerate().skip(1) {
        let then = files
            .iter()
            .any(|file| file.word.is_some_and(|(word, _)| word == at));
        if !then && named(word, run.folder()).is_some() {
            return Err(format!(
                "{} names a file now that was not there when leave was asked for: nothing was done; ask again",
                shown(word)
            )
            .into());
        }
    }
    Ok(())
}

/// Whether every copy is what was seen.
///
/// # Errors
/// A sentence that names the file.
pub fn same_copies(files: &[Seen], copies: &Path) -> Result<(), Refused> {
    let copied = files
        .iter()
        .filter_map(|file| Some((file, file.copy.as_ref()?)));
    for (file, copy) in copied {
        match read(&copies.join(copy), COPIED, O_NOFOLLOW) {
            Ok((bytes, _)) if digest(&bytes) == file.sha256 => {}
            _ => {
                let path = shown(&file.path);
                return Err(format!(
                    "the copy of {path} is not what was shown: nothing was done; ask again"
                )
                .into());
            }
        }
    }
    Ok(())
}

/// The words as they are run: those that name a copied file lead to its copy.
pub fn words(run: &HostRun, files: &[Seen], copies: &Path) -> Vec<String> {
    let mut words = run.argv().to_vec();
    for file in files {
        let (Some((at, from)), Some(copy)) = (file.word, &file.copy) else {
            continue;
        };
        if let Some(word) = words.get_mut(at)
            && at > 0
        {
            word.truncate(from);
            word.push_str(&copies.join(copy).display().to_string());
        }
    }
    words
}

fn is_unchanged(file: &Seen) -> Result<(), Refused> {
    let path = Path::new(&file.path);
    let now = only_root(path)
        .ok()
        .filter(|only| *only)
        .and_then(|_| measured(path).ok());
    match now.is_some_and(|(_, sha256)| sha256 == file.sha256) {
        true => Ok(()),
        false => Err(format!(
            "{} changed since leave was asked for: nothing was done; ask again",
            shown(&file.path)
        )
        .into()),
    }
}

/// Where a program lies that is named by a path or, in [`PATH`], by a name alone.
fn found(program: &str) -> Result<PathBuf, Refused> {
    let is_there = |path: &PathBuf| fs::metadata(path).is_ok_and(|about| about.is_file());
    let path = match program.starts_with('/') {
        true => Some(PathBuf::from(program)),
        false => PATH
            .split(':')
            .map(|folder| Path::new(folder).join(program))
            .find(is_there),
    };
    let path = path.filter(is_there);
    path.ok_or_else(|| match program.starts_with('/') {
        true => format!("there is no file {}", shown(program)).into(),
        false => format!(
            "there is no program {} in {PATH}: name it by its path",
            shown(program)
        )
        .into(),
    })
}

/// The file that a word names, whole or behind its first `=`, and from where on it does.
fn named(word: &str, folder: &str) -> Option<(usize, PathBuf)> {
    let behind = word.find('=').map(|at| at + 1);
    let tries = [Some(0), behind].into_iter().flatten();
    tries
        .map(|from| (from, word.get(from..).unwrap_or_default()))
        .find_map(|(from, name)| {
            let path = Path::new(folder).join(name);
            let file = !name.is_empty() && fs::metadata(&path).is_ok_and(|about| about.is_file());
            file.then_some((from, path))
        })
}

/// Notes what reads a script, and what reads that. A copy of one would not be what runs, so only root may be able to
/// change it.
fn interpreters(mut head: Vec<u8>, all: &mut Vec<(Seen, Option<Vec<u8>>)>) -> Result<(), Refused> {
    for _ in 0..SCRIPTS {
        let Some(next) = interpreter(&head)? else {
            return Ok(());
        };
        let first = PathBuf::from(&next.path);
        let by_name = next.by_name.as_deref().map(found).transpose()?;
        for path in [Some(&first), by_name.as_ref()].into_iter().flatten() {
            let name = shown(&path.display().to_string());
            let only =
                only_root(path).map_err(|error| format!("the interpreter {name}: {error}"))?;
            if !only {
                return Err(format!(
                    "it is read by {name}, which others than root can change: name that as the program, so that a copy of it is kept"
                )
                .into());
            }
            all.push((
                look("interpreter", None, path, all.len(), Path::new(""))?.0,
                None,
            ));
        }
        head = head_of(by_name.as_ref().unwrap_or(&first))?;
    }
    Err("it is read by a script that is read by a script, and so on".into())
}

fn head_of(path: &Path) -> Result<Vec<u8>, Refused> {
    let mut head = Vec::new();
    let read = open(path, 0).and_then(|(file, _)| file.take(512).read_to_end(&mut head));
    match read {
        Ok(_) => Ok(head),
        // The kernel runs what cannot be read; it is no script then.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(head),
        Err(error) => Err(format!("{}: {error}", shown(&path.display().to_string())).into()),
    }
}

/// Looks at one file, and copies it where somebody else than root can change it; the bytes of the copy come with it.
fn look(
    what: &str,
    word: Option<(usize, usize)>,
    path: &Path,
    number: usize,
    copies: &Path,
) -> Result<(Seen, Option<Vec<u8>>), Refused> {
    let name = path.to_str().map(str::to_owned);
    let name = name.ok_or("it names a file whose path is no text")?;
    let failed = |error: io::Error| format!("{} cannot be looked at: {error}", shown(&name));
    let seen = |about: &Metadata, sha256: String, copy: Option<String>| Seen {
        what: what.to_owned(),
        word,
        path: name.clone(),
        size: about.len(),
        owner: about.uid(),
        mode: about.mode() & 0o7777,
        sha256,
        copy,
    };
    if only_root(path).map_err(failed)? {
        let (about, sha256) = measured(path).map_err(failed)?;
        return Ok((seen(&about, sha256, None), None));
    }
    let (bytes, about) = read(path, COPIED, 0).map_err(failed)?;
    let base = path
        .file_name()
        .map_or_else(|| "file".into(), |base| base.to_string_lossy());
    let copy = format!("{number}/{base}");
    let mode = if about.mode() & 0o111 == 0 {
        0o400
    } else {
        0o500
    };
    keep(&copies.join(&copy), &bytes, mode)
        .map_err(|error| format!("{} cannot be copied: {error}", shown(&name)))?;
    Ok((seen(&about, digest(&bytes), Some(copy)), Some(bytes)))
}

fn keep(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opens a plain file and nothing else; a pipe that lies there is not waited for.
fn open(path: &Path, more: i32) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(O_NONBLOCK | O_CLOEXEC | more)
        .open(path)?;
    let about = file.metadata()?;
    match about.is_file() {
        true => Ok((file, about)),
        false => Err(io::Error::other("it is no plain file")),
    }
}

fn read(path: &Path, most: u64, more: i32) -> io::Result<(Vec<u8>, Metadata)> {
    let (file, about) = open(path, more)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!(
            "others than root can change it, and it is larger than the {} MB that are copied",
            most / 1024 / 1024
        ))),
        false => Ok((bytes, about)),
    }
}

/// The digest of a file that is not copied; empty where it cannot be read.
fn measured(path: &Path) -> io::Result<(Metadata, String)> {
    let (file, about) = match open(path, 0) {
        Ok(open) => open,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Ok((fs::metadata(path)?, String::new()));
        }
        Err(error) => return Err(error),
    };
    if about.len() > LOOKED_AT {
        return Err(io::Error::other(
            "it is larger than the 512 MB that are looked at",
        ));
    }
    let mut hash = Sha256::new();
    let mut file = file.take(LOOKED_AT);
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part)? {
            0 => break,
            n => hash.update(part.get(..n).unwrap_or_default()),
        }
    }
    let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((about, hex))
}

/// Whether nobody but root can make this path lead to other bytes: each folder and link on the way and the file itself
/// belong to root, and neither group nor others may write them.
fn only_root(path: &Path) -> io::Result<bool> {
    let (mut at, mut links, mut only) = (PathBuf::from("/"), 0, true);
    let mut left: VecDeque<PathBuf> = parts(path);
    let closed = |about: &Metadata| about.uid() == 0 && about.mode() & 0o022 == 0;
    only &= closed(&fs::symlink_metadata(&at)?);
    while let Some(part) = left.pop_front() {
        match part.components().next() {
            Some(Component::ParentDir) => {
                at.pop();
                continue;
            }
            Some(Component::RootDir) => {
                at = PathBuf::from("/");
                continue;
            }
            Some(Component::Normal(_)) => {}
            _ => continue,
        }
        let next = at.join(&part);
        let about = fs::symlink_metadata(&next)?;
        if !about.file_type().is_symlink() {
            only &= closed(&about);
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(io::Error::other("too many links lead to it"));
        }
        only &= about.uid() == 0;
        for part in parts(&fs::read_link(&next)?).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(only)
}

fn parts(path: &Path) -> VecDeque<PathBuf> {
    let part = |part: Component<'_>| PathBuf::from(part.as_os_str());
    path.components().map(part).collect()
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
