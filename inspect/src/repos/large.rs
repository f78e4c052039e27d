//! The largest files of a folder, and of a repository's history: what is stored there though no
//! commit of today holds it, and what could be ignored or kept in Git LFS.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ignore::WalkBuilder;
use serde::{Deserialize, Serialize};

use super::{Asked, Git, cut, history, is_repository};
use crate::limits::{InspectError, Limits};
use crate::walk;

/// Most files and most blobs named.
const MOST: usize = 100;

/// How git keeps a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// It is in the index.
    Tracked,
    /// It is neither in the index nor ignored.
    Untracked,
    /// An ignore rule names it.
    Ignored,
    /// There is no repository.
    Outside,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeFile {
    /// Relative to the root.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// How git keeps it.
    pub kept: Kept,
    /// What could be done about it; none where it looks as it should.
    pub advice: Option<String>,
}

/// A blob that the newest commit does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldBlob {
    /// A path it was committed at.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// What it takes on disk, compressed.
    pub stored: u64,
    /// Its name in hex.
    pub id: String,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeFiles {
    /// True when there is a repository.
    pub repository: bool,
    /// From how many bytes on a file counts as large.
    pub least: u64,
    /// Files in all, installed packages left out.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest file, large or not.
    pub largest: Option<LargeFile>,
    /// Large files, largest first.
    pub large: Vec<LargeFile>,
    /// How many there are in all.
    pub large_total: u64,
    /// Large blobs of the history that the newest commit does not hold, largest first.
    pub old: Vec<OldBlob>,
    /// How many there are in all.
    pub old_total: u64,
    /// Bytes they take on disk, all together.
    pub old_stored: u64,
    /// Bytes that all of the history takes on disk.
    pub stored: u64,
    /// Why the history was not read; none when it was, or when there is none.
    pub history_unread: Option<String>,
    /// A limit was reached: there may be more files.
    pub cut_off: bool,
}

/// Looks for what is large.
pub fn scan(
    root: &Path,
    least: u64,
    limits: &Limits,
    git: &mut Git<'_>,
) -> Result<LargeFiles, InspectError> {
    if !root.is_dir() {
        return Err(InspectError::NotAFolder(root.to_path_buf()));
    }
    let mut all = LargeFiles {
        least,
        repository: is_repository(root, git),
        ..LargeFiles::default()
    };
    let asked = Asked {
        folder: root,
        options: &[],
    };
    let mut seen = files(root, limits, &mut all);
    seen.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    all.large_total = seen.iter().filter(|(_, bytes)| *bytes >= least).count() as u64;
    let named: Vec<(String, u64)> = seen
        .into_iter()
        .enumerate()
        .take_while(|(n, (_, bytes))| *n < MOST && (*n == 0 || *bytes >= least))
        .map(|(_, file)| file)
        .collect();
    let kept = kept(&asked, git, all.repository, &named);
    let lfs = in_lfs(&asked, git, all.repository, &named);
    for (path, bytes) in named {
        let kept = kept.get(&path).copied().unwrap_or(Kept::Ignored);
        let kept = if all.repository { kept } else { Kept::Outside };
        let advice = advice(&path, kept, lfs.contains(&path)).map(str::to_owned);
        let file = LargeFile {
            path,
            bytes,
            kept,
            advice,
        };
        all.largest.get_or_insert_with(|| file.clone());
        if bytes >= least {
            all.large.push(file);
        }
    }
    if all.repository
        && let Err(why) = past(&asked, git, &mut all)
    {
        all.history_unread = Some(cut(why.trim(), 300));
    }
    Ok(all)
}

/// Every regular file beside git's own and installed packages, ignored ones too.
fn files(root: &Path, limits: &Limits, all: &mut LargeFiles) -> Vec<(String, u64)> {
    let mut builder = WalkBuilder::new(root);
    builder
        .standard_filters(false)
        .follow_links(false)
        .max_depth(Some(limits.depth))
        .filter_entry(|e| {
            let name = e.file_name();
            e.depth() == 0
                || ![".git", "node_modules", "site-packages"]
                    .iter()
                    .any(|passed| name == *passed)
        });
    let mut found = Vec::new();
    for entry in builder.build().flatten() {
        if !entry.file_type().is_some_and(|t| t.is_file()) {
            continue;
        }
        if found.len() >= limits.files {
            all.cut_off = true;
            break;
        }
        let bytes = entry.metadata().map(|m| m.len()).unwrap_or(0);
        all.files += 1;
        all.bytes += bytes;
        found.push((walk::relative(root, entry.path()), bytes));
    }
    found
}

/// How git keeps these files.
fn kept(
    asked: &Asked<'_>,
    git: &mut Git<'_>,
    repository: bool,
    files: &[(String, u64)],
) -> HashMap<String, Kept> {
    let mut found = HashMap::new();
    if !repository || files.is_empty() {
        return found;
    }
    for (words, kept) in [
        (["ls-files", "-z", "--cached"].as_slice(), Kept::Tracked),
        (
            &["ls-files", "-z", "--others", "--exclude-standard"],
            Kept::Untracked,
        ),
    ] {
        let listed = of_paths(asked, git, words, files);
        for path in listed.split('\0').filter(|p| !p.is_empty()) {
            found.entry(path.to_owned()).or_insert(kept);
        }
    }
    found
}

/// Asks about these paths, taken literally.
fn of_paths(
    asked: &Asked<'_>,
    git: &mut Git<'_>,
    words: &[&str],
    files: &[(String, u64)],
) -> String {
    let mut all = vec!["--literal-pathspecs"];
    all.extend(words);
    all.push("--");
    all.extend(files.iter().map(|(path, _)| path.as_str()));
    asked.of(git, &all).unwrap_or_default()
}

fn in_lfs(
    asked: &Asked<'_>,
    git: &mut Git<'_>,
    repository: bool,
    files: &[(String, u64)],
) -> HashSet<String> {
    if !repository || files.is_empty() {
        return HashSet::new();
    }
    let said = of_paths(asked, git, &["check-attr", "-z", "filter"], files);
    let fields: Vec<&str> = said.split('\0').collect();
    let of = |c: &[&str]| (c.get(2) == Some(&"lfs")).then(|| c.first().map(|p| (*p).to_owned()))?;
    fields.chunks(3).filter_map(of).collect()
}

fn past(asked: &Asked<'_>, git: &mut Git<'_>, all: &mut LargeFiles) -> Result<(), String> {
    if asked
        .of(git, &["rev-parse", "-q", "--verify", "HEAD"])
        .is_err()
    {
        return Ok(());
    }
    let objects = history::objects(asked, git, all.least)?;
    all.stored = objects.stored;
    let now = history::of_head(asked, git)?;
    let gone: Vec<_> = objects
        .large
        .into_iter()
        .filter(|b| !now.contains(&b.id))
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let ids: HashSet<&str> = gone.iter().map(|b| b.id.as_str()).collect();
    let paths = history::paths(asked, git, &ids)?;
    let mut old: Vec<OldBlob> = gone
        .iter()
        .filter_map(|blob| {
            Some(OldBlob {
                path: paths.get(&blob.id)?.clone(),
                bytes: blob.bytes,
                stored: blob.stored,
                id: blob.id.clone(),
            })
        })
        .collect();
    old.sort_by(|a, b| (b.bytes, &a.path, &a.id).cmp(&(a.bytes, &b.path, &b.id)));
    all.old_total = old.len() as u64;
    all.old_stored = old.iter().map(|b| b.stored).sum();
    old.truncate(MOST);
    all.old = old;
    Ok(())
}

const MADE_FOLDERS: [&str; 10] = [
    "target",
    "dist",
    "build",
    "out",
    "__pycache__",
    ".next",
    ".nuxt",
    "coverage",
    "obj",
    ".gradle",
];
const MADE: [&str; 16] = [
    "o", "obj", "a", "lib", "so", "dylib", "dll", "exe", "class", "pyc", "jar", "war", "whl",
    "rlib", "pdb", "map",
];
const LEFT_OVER: [&str; 9] = [
    "log", "dump", "core", "tmp", "swp", "bak", "orig", "prof", "trace",
];
const DATA: [&str; 9] = [
    "db", "sqlite", "sqlite3", "sql", "csv", "tsv", "parquet", "jsonl", "ndjson",
];
const BINARY: [&str; 34] = [
    "zip",
    "gz",
    "tgz",
    "xz",
    "bz2",
    "zst",
    "7z",
    "rar",
    "tar",
    "iso",
    "dmg",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "tif",
    "tiff",
    "psd",
    "mp3",
    "wav",
    "flac",
    "mp4",
    "mov",
    "avi",
    "mkv",
    "webm",
    "pdf",
    "onnx",
    "pt",
    "pth",
    "safetensors",
    "npy",
    "bin",
];

/// What could be done about a large file. Pure.
fn advice(path: &str, kept: Kept, lfs: bool) -> Option<&'static str> {
    if lfs {
        return Some("is in Git LFS already");
    }
    let (folders, base) = path.rsplit_once('/').unwrap_or(("", path));
    let end = base
        .rsplit_once('.')
        .map(|(_, e)| e.to_ascii_lowercase())
        .unwrap_or_default();
    let is = |list: &[&str]| list.contains(&end.as_str());
    let made = is(&MADE) || folders.split('/').any(|f| MADE_FOLDERS.contains(&f));
    let left = is(&LEFT_OVER) || base == "core";
    match kept {
        Kept::Ignored | Kept::Outside => None,
        Kept::Tracked if made => Some("is made by a build: take it out of git and ignore it"),
        Kept::Tracked if left => Some("looks left over: take it out of git and ignore it"),
        Kept::Tracked if is(&DATA) => Some("is data: keep it beside git, or in Git LFS"),
        Kept::Tracked if is(&BINARY) => Some("is binary: keep it in Git LFS"),
        Kept::Untracked if made || left => Some("should be ignored"),
        Kept::Untracked if is(&DATA) || is(&BINARY) => Some("ignore it, or keep it in Git LFS"),
        Kept::Tracked | Kept::Untracked => None,
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn advice_fits() {
        for (path, kept, lfs, expected) in [
            (
                "dist/app.js",
                Kept::Tracked,
                false,
                Some("is made by a build: take it out of git and ignore it"),
            ),
            (
                "a/b.SO",
                Kept::Tracked,
                false,
                Some("is made by a build: take it out of git and ignore it"),
            ),
            (
                "debug.log",
                Kept::Tracked,
                false,
                Some("looks left over: take it out of git and ignore it"),
            ),
            (
                "debug.log",
                Kept::Untracked,
                false,
                Some("should be ignored"),
            ),
            ("debug.log", Kept::Ignored, false, None),
            (
                "film.mp4",
                Kept::Tracked,
                false,
                Some("is binary: keep it in Git LFS"),
            ),
            (
                "film.mp4",
                Kept::Tracked,
                true,
                Some("is in Git LFS already"),
            ),
            (
                "data.csv",
                Kept::Tracked,
                false,
                Some("is data: keep it beside git, or in Git LFS"),
            ),
            ("src/big.rs", Kept::Tracked, false, None),
            ("film.mp4", Kept::Outside, false, None),
        ] {
            assert_eq!(advice(path, kept, lfs), expected, "{path} {kept:?} {lfs}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_judged(path in ".{0,80}") {
            for kept in [Kept::Tracked, Kept::Untracked, Kept::Ignored, Kept::Outside] {
                advice(&path, kept, false);
            }
        }
    }
}
