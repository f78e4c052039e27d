//! What folders of JavaScript packages hold. They are shown entry by entry in a writable folder in
//! memory: bundlers and coverage tools keep caches beside the packages and end where they cannot.

use super::spec::{Kind, SandboxSpec, WORKSPACE};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Most entries shown one by one; a larger folder is shown as a whole, read-only.
const MOST: usize = 2_000;
/// Caches: not shown, so that the runner makes its own.
const CACHES: [&str; 4] = [".cache", ".vite", ".vite-temp", ".vitest"];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A folder or file, shown read-only.
    Shown {
        /// Its name.
        name: OsString,
    },
    /// A symbolic link, made again.
    Link {
        /// Its name.
        name: OsString,
        /// What it names.
        target: PathBuf,
    },
}

/// Entries of the folders shown one by one, by their place inside.
pub type Listings = BTreeMap<PathBuf, Vec<Entry>>;

/// Looks into every folder of packages that a sandbox shows.
pub fn look(spec: &SandboxSpec) -> Listings {
    let Kind::Workspace { read_only, .. } = &spec.kind else {
        return Listings::new();
    };
    let mut room = MOST;
    let mut found = Listings::new();
    for (from, to) in read_only {
        let packages = to.starts_with(WORKSPACE) && to.ends_with("node_modules");
        if let Some(entries) = packages.then(|| list(from, room)).flatten() {
            room -= entries.len();
            found.insert(to.clone(), entries);
        }
    }
    found
}

/// The entries in order of name; none where there are more than `most` or one cannot be told.
fn list(folder: &Path, most: usize) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let (name, kind) = (entry.file_name(), entry.file_type().ok()?);
        if CACHES.iter().any(|cache| name == *cache) {
            continue;
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).ok()?;
            entries.push(Entry::Link { name, target });
        } else if kind.is_dir() || kind.is_file() {
            entries.push(Entry::Shown { name });
        }
        if entries.len() > most {
            return None;
        }
    }
    entries.sort();
    Some(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn packages_files_and_links_are_listed_and_caches_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for name in ["left", "@scope", ".cache", ".vite"] {
            std::fs::create_dir(at.join(name)).unwrap();
        }
        std::fs::write(at.join(".package-lock.json"), "{}").unwrap();
        std::os::unix::fs::symlink("../packages/own", at.join("own")).unwrap();
        let shown = |name: &str| Entry::Shown { name: name.into() };
        let own = Entry::Link {
            name: "own".into(),
            target: "../packages/own".into(),
        };
        let all = vec![
            shown(".package-lock.json"),
            shown("@scope"),
            shown("left"),
            own,
        ];
        assert_eq!(list(at, 4), Some(all));
        assert_eq!(list(at, 3), None);
        assert_eq!(list(&at.join("none"), 3), None);
    }
}
