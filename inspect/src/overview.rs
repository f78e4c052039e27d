//! A first look at a project: how big, in which languages, with which manifests, and where its history stands.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::git::{self, Commit};
use crate::limits::{InspectError, Limits};
use crate::{language, walk};

/// Files and lines of one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanguageShare {
    /// The language.
    pub name: String,
    /// Its files.
    pub files: u64,
    /// Their lines.
    pub lines: u64,
}

/// A large file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeFile {
    /// File, relative to the root.
    pub path: String,
    /// Its lines.
    pub lines: u64,
}

/// The first look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Files that are not ignored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lines of the text files among them.
    pub lines: u64,
    /// Languages, most lines first.
    pub languages: Vec<LanguageShare>,
    /// Files that describe a project to a build tool, relative to the root.
    pub manifests: Vec<String>,
    /// The ten text files with most lines.
    pub largest: Vec<LargeFile>,
    /// True when the root is a git work tree.
    pub repository: bool,
    /// Branch; empty when detached or no repository.
    pub branch: String,
    /// Commit, in hex; empty when there is none.
    pub head: String,
    /// The newest commit, where the reflog tells it; the caller may fill it with [`git::parse_log`].
    pub newest_commit: Option<Commit>,
    /// True when a README lies at the root.
    pub has_readme: bool,
    /// True when a licence lies at the root.
    pub has_license: bool,
    /// True when a CI configuration is there.
    pub has_ci: bool,
}

/// Looks at every file once.
pub fn scan(root: &Path, limits: &Limits) -> Result<Overview, InspectError> {
    let mut overview = Overview::default();
    let mut shares: std::collections::BTreeMap<&str, (u64, u64)> = Default::default();
    let mut sizes = Vec::new();
    for seen in walk::files(root, limits)?.files {
        overview.files += 1;
        overview.bytes += seen.bytes;
        overview.note_name(&seen.name);
        let Some(text) = walk::text(&seen, limits) else {
            continue;
        };
        let lines = text.lines().count() as u64;
        overview.lines += lines;
        if let Some(language) = language::of(&seen.name, text.lines().next().unwrap_or_default()) {
            let share = shares.entry(language).or_default();
            *share = (share.0 + 1, share.1 + lines);
        }
        sizes.push(LargeFile {
            path: seen.name,
            lines,
        });
    }
    sizes.sort_by(|a, b| b.lines.cmp(&a.lines).then(a.path.cmp(&b.path)));
    sizes.truncate(10);
    overview.largest = sizes;
    let share = |(name, (files, lines)): (&str, (u64, u64))| LanguageShare {
        name: name.into(),
        files,
        lines,
    };
    overview.languages = shares.into_iter().map(share).collect();
    overview
        .languages
        .sort_by(|a, b| b.lines.cmp(&a.lines).then(a.name.cmp(&b.name)));
    if let Some(at) = git::read_head(root) {
        overview.repository = true;
        (overview.branch, overview.head, overview.newest_commit) = (at.branch, at.head, at.newest);
    }
    Ok(overview)
}

impl Overview {
    fn note_name(&mut self, name: &str) {
        let base = name.rsplit('/').next().unwrap_or(name);
        let lower = base.to_ascii_lowercase();
        if language::is_manifest(base) {
            self.manifests.push(name.to_string());
        }
        if !name.contains('/') {
            self.has_readme |= lower == "readme" || lower.starts_with("readme.");
            self.has_license |= ["license", "licence", "copying", "unlicense"]
                .iter()
                .any(|l| {
                    lower == *l
                        || lower.starts_with(&format!("{l}."))
                        || lower.starts_with(&format!("{l}-"))
                });
        }
        self.has_ci |= (name.starts_with(".github/workflows/")
            || name.starts_with(".forgejo/workflows/"))
            || [".circleci/config.yml", ".woodpecker.yml", ".ci/run"].contains(&name)
            || (!name.contains('/')
                && [
                    ".gitlab-ci.yml",
                    ".travis.yml",
                    "jenkinsfile",
                    "azure-pipelines.yml",
                    "bitbucket-pipelines.yml",
                    ".drone.yml",
                    "appveyor.yml",
                    ".appveyor.yml",
                    ".cirrus.yml",
                ]
                .contains(&lower.as_str()));
    }
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn counts_what_was_planted() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("README.md", "# hi\n");
        put("LICENSE-MIT", "MIT\n");
        put("Cargo.toml", "[package]\n");
        put("src/a.rs", "fn a() {}\nfn b() {}\nfn c() {}\n");
        put("src/b.rs", "fn d() {}\n");
        put("tool", "#!/usr/bin/env python3\nprint(1)\n");
        put(".github/workflows/ci.yml", "on: push\n");
        put("data.bin", "\0\0\0");
        put(".gitignore", "skip/\n");
        put("skip/x.rs", "fn x() {}\n");
        let seen = scan(dir.path(), &Limits::default()).unwrap();
        assert_eq!((seen.files, seen.lines), (9, 11));
        assert_eq!(
            seen.languages[0],
            LanguageShare {
                name: "Rust".into(),
                files: 2,
                lines: 4
            }
        );
        assert!(
            seen.languages
                .iter()
                .any(|l| l.name == "Python" && l.lines == 2)
        );
        assert_eq!(seen.manifests, ["Cargo.toml"]);
        assert_eq!(
            seen.largest[0],
            LargeFile {
                path: "src/a.rs".into(),
                lines: 3
            }
        );
        assert!(seen.has_readme && seen.has_license && seen.has_ci && !seen.repository);
        assert_eq!((seen.branch.as_str(), seen.newest_commit), ("", None));
    }
}
