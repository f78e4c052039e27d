//! Folders that are large and not written by people: shown read-only from the user's own tree, or
//! left out because they are made again.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::{Path, PathBuf};

/// What becomes of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Copied.
    Copy,
    /// An empty folder, over which the user's own is shown read-only.
    Mount,
    /// Not there.
    LeaveOut,
}

/// Shown read-only wherever they are.
const SHOWN: [&str; 3] = ["node_modules", ".venv", "venv"];
/// Shown read-only where ignored; elsewhere they are source.
const SHOWN_IF_IGNORED: [&str; 1] = ["vendor"];
/// Left out where ignored.
const MADE: [&str; 22] = [
    "target",
    "dist",
    "build",
    "out",
    ".tox",
    ".nox",
    ".next",
    ".nuxt",
    ".gradle",
    ".terraform",
    ".cache",
    ".parcel-cache",
    ".turbo",
    ".svelte-kit",
    "coverage",
    "bower_components",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".eggs",
];
/// Of these, left out of a plain folder too, where nothing says what is ignored.
const CACHES: [&str; 6] = [
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
];

/// What is known of a folder.
pub(super) struct Facts {
    /// Named by an ignore file.
    pub(super) ignored: bool,
    /// Holds a `CACHEDIR.TAG`.
    pub(super) tagged: bool,
    /// Lies in a repository.
    pub(super) repository: bool,
    /// Lies beside a `Cargo.toml`.
    pub(super) beside_cargo: bool,
}

/// Decides. Pure.
pub(super) fn fate(name: &str, facts: &Facts) -> Fate {
    let known = |list: &[&str]| list.contains(&name);
    if known(&SHOWN) || (known(&SHOWN_IF_IGNORED) && facts.ignored) {
        return Fate::Mount;
    }
    let plain = !facts.repository && (known(&CACHES) || (name == "target" && facts.beside_cargo));
    if known(&MADE) && (facts.ignored || facts.tagged || plain) {
        return Fate::LeaveOut;
    }
    Fate::Copy
}

/// Whether a folder is worth asking about.
pub(super) fn is_candidate(name: &str) -> bool {
    SHOWN.contains(&name) || SHOWN_IF_IGNORED.contains(&name) || MADE.contains(&name)
}

/// Stands for the workspace in ignore rules: they want a root that is not `/`.
const TOP: &str = "/w";

/// The rules of one ignore file in a folder, relative to the workspace; lines that are no rule are
/// passed over.
pub(super) fn rules(folder: &Path, text: &str) -> Option<Gitignore> {
    // Joining nothing would leave a slash at the end, and no path would match.
    let root: PathBuf = Path::new(TOP).join(folder).components().collect();
    let mut builder = GitignoreBuilder::new(root);
    for line in text.lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().filter(|rules| !rules.is_empty())
}

/// Whether a folder, relative to the workspace, is ignored: the innermost rule that speaks of it decides.
/// The rules are those of the folders above it, outermost first.
pub(super) fn is_ignored(stack: &[Gitignore], path: &Path) -> bool {
    let path = Path::new(TOP).join(path);
    stack
        .iter()
        .rev()
        .map(|rules| rules.matched(&path, true))
        .find(|found| !found.is_none())
        .is_some_and(|found| found.is_ignore())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_meet_their_fate() {
        for (name, ignored, tagged, repository, beside_cargo, expected) in [
            ("node_modules", false, false, false, false, Fate::Mount),
            ("vendor", true, false, true, false, Fate::Mount),
            ("vendor", false, false, true, false, Fate::Copy),
            ("target", true, false, true, true, Fate::LeaveOut),
            ("target", false, true, true, true, Fate::LeaveOut),
            ("target", false, false, false, true, Fate::LeaveOut),
            ("target", false, false, false, false, Fate::Copy),
            ("target", false, false, true, true, Fate::Copy),
            ("build", false, false, true, false, Fate::Copy),
            ("__pycache__", false, false, false, false, Fate::LeaveOut),
            ("src", true, true, false, false, Fate::Copy),
        ] {
            let facts = Facts {
                ignored,
                tagged,
                repository,
                beside_cargo,
            };
            assert_eq!(fate(name, &facts), expected, "{name}");
        }
    }

    #[test]
    fn inner_rules_win() {
        let outer = rules(Path::new(""), "build\nvendor/\n");
        let inner = rules(Path::new("a"), "!build\n");
        let mut stack: Vec<Gitignore> = outer.into_iter().collect();
        assert!(is_ignored(&stack, Path::new("build")));
        assert!(is_ignored(&stack, Path::new("x/vendor")));
        assert!(is_ignored(&stack, Path::new("a/build")));
        assert!(!is_ignored(&stack, Path::new("src")));
        stack.extend(inner);
        assert!(!is_ignored(&stack, Path::new("a/build")));
        assert!(is_ignored(&stack, Path::new("a/vendor")));
    }
}
