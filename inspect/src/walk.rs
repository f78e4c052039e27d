//! Reads a tree the same way for every analyser: honours ignore files, skips `.git` and installed packages, follows no
//! link, and stops at the limits. Binary and huge files are seen but not read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::limits::{InspectError, Limits};

/// A file the walk came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub path: PathBuf,
    /// The same, relative to the root, with `/`.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Regular files in order of name.
    pub files: Vec<Seen>,
    /// True when the limit of files was reached.
    pub cut_off: bool,
}

/// Lists the regular files below a root, in order of name.
pub fn files(root: &Path, limits: &Limits) -> Result<Walk, InspectError> {
    if !root.is_dir() {
        return Err(InspectError::NotAFolder(root.to_path_buf()));
    }
    let mut walk = Walk::default();
    for entry in builder(root, limits.depth).build().flatten() {
        if !entry.file_type().is_some_and(|t| t.is_file()) {
            continue;
        }
        if walk.files.len() >= limits.files {
            walk.cut_off = true;
            break;
        }
        let bytes = entry.metadata().map(|m| m.len()).unwrap_or(0);
        let name = relative(root, entry.path());
        walk.files.push(Seen {
            path: entry.into_path(),
            name,
            bytes,
        });
    }
    Ok(walk)
}

/// The walk's rules, for rooms that need folders too.
pub(crate) fn builder(root: &Path, depth: usize) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .max_depth(Some(depth))
        .filter_entry(|e| e.depth() == 0 || (e.file_name() != ".git" && !installed(e)))
        .sort_by_file_name(|a, b| a.cmp(b));
    builder
}

/// Folders of other people's work and of caches, whatever an ignore file says.
const INSTALLED: [&str; 6] = [
    "node_modules",
    "bower_components",
    "site-packages",
    "__pycache__",
    ".tox",
    ".nox",
];
/// Files that mark such a folder under any name: a Python environment, a cache.
const MARKS: [&str; 2] = ["pyvenv.cfg", "CACHEDIR.TAG"];

fn installed(entry: &ignore::DirEntry) -> bool {
    let name = entry.file_name();
    let marked = || {
        let there = |mark: &&str| entry.path().join(mark).symlink_metadata().is_ok();
        MARKS.iter().any(there)
    };
    entry.file_type().is_some_and(|t| t.is_dir())
        && (INSTALLED.iter().any(|i| name == *i) || marked())
}

/// A path relative to the root, with `/`; `.` for the root itself.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let rest = path
        .strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .replace('\\', "/");
    if rest.is_empty() { ".".into() } else { rest }
}

/// The text of a file; none when it is binary, larger than the limit, or cannot be read. Bytes that are not UTF-8 are
/// replaced.
pub fn text(seen: &Seen, limits: &Limits) -> Option<String> {
    read_text(&seen.path, limits.file_bytes)
}

/// The same for a path, as long as it is a regular file (a link is not followed).
pub fn read_text(path: &Path, max: u64) -> Option<String> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    if !meta.is_file() || meta.len() > max {
        return None;
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    File::open(path)
        .ok()?
        .take(max + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    if bytes.len() as u64 > max || is_binary(&bytes) {
        return None;
    }
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// A zero byte in the first 8 kB says binary, as git does.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(8192).any(|b| *b == 0)
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn ignores_links_binaries_and_huge_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            std::fs::write(root.join(name), bytes).unwrap();
        };
        write(".gitignore", b"out/\n");
        write("a.txt", b"hello");
        write("out/b.txt", b"ignored");
        write(".git/config", b"no");
        write(".github/ci.yml", b"yes");
        write("bin", b"a\0b");
        for installed in [
            "web/node_modules/x.js",
            "my-env/pyvenv.cfg",
            "my-env/lib/x.py",
        ] {
            write(installed, b"not ours");
        }
        write("t/CACHEDIR.TAG", b"");
        write("t/debug/x", b"made");
        write("big", &[b'x'; 200]);
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        let limits = Limits {
            file_bytes: 100,
            ..Limits::default()
        };
        let walk = files(root, &limits).unwrap();
        let names: Vec<_> = walk.files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(
            names,
            [".github/ci.yml", ".gitignore", "a.txt", "big", "bin"]
        );
        let read: Vec<_> = walk.files.iter().filter_map(|f| text(f, &limits)).collect();
        assert_eq!(read, ["yes", "out/\n", "hello"]);
        assert_eq!(read_text(&root.join("link"), 1 << 20), None);
        let cut = files(
            root,
            &Limits {
                files: 2,
                ..Limits::default()
            },
        )
        .unwrap();
        assert!(cut.cut_off && cut.files.len() == 2);
        assert!(files(&root.join("a.txt"), &limits).is_err());
    }
}
