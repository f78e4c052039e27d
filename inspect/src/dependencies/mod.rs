//! What a project says it needs: the direct dependencies of its manifests, and whether a lock file pins them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};
use crate::walk;

pub mod cargo;
pub mod go;
pub mod npm;
pub mod python;

/// A direct dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// What is asked for, as the manifest says it; `*` where it says nothing.
    pub requirement: String,
}

impl Dependency {
    /// A dependency; an empty requirement becomes `*`.
    pub fn new(name: &str, requirement: &str) -> Self {
        let requirement = requirement.trim();
        let requirement = if requirement.is_empty() { "*" } else { requirement };
        Dependency { name: name.trim().to_string(), requirement: requirement.to_string() }
    }
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// File, relative to the root.
    pub path: String,
    /// `cargo`, `npm`, `python` or `go`.
    pub kind: String,
    /// Direct dependencies, in order of name.
    pub direct: Vec<Dependency>,
    /// True when a lock file beside it, or above it in a workspace, pins the versions.
    pub locked: bool,
}

/// All manifests of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// In order of path.
    pub manifests: Vec<Manifest>,
    /// Direct dependencies in all of them together.
    pub total: u64,
}

type Reader = fn(&str) -> Option<Vec<Dependency>>;

/// Manifest name, kind, what reads it, and the lock files that pin it.
const KINDS: &[(&str, &str, Reader, &[&str])] = &[
    ("Cargo.toml", "cargo", cargo::read, &["Cargo.lock"]),
    ("package.json", "npm", npm::read, &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"]),
    ("pyproject.toml", "python", python::read_pyproject, &["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"]),
    ("requirements.txt", "python", python::read_requirements, &[]),
    ("requirements-dev.txt", "python", python::read_requirements, &[]),
    ("setup.cfg", "python", python::read_setup_cfg, &[]),
    ("Pipfile", "python", python::read_pipfile, &["Pipfile.lock"]),
    ("go.mod", "go", go::read, &["go.sum"]),
];

/// Reads every known manifest. One that cannot be parsed, or says nothing of dependencies, is left out.
pub fn scan(root: &Path, limits: &Limits) -> Result<Dependencies, InspectError> {
    let mut found = Dependencies::default();
    for seen in walk::files(root, limits)?.files {
        if seen.name.split('/').any(|part| part == "node_modules" || part == "site-packages") {
            continue;
        }
        let base = seen.name.rsplit('/').next().unwrap_or_default();
        let Some((_, kind, read, locks)) = KINDS.iter().find(|k| k.0 == base) else { continue };
        let Some(mut direct) = walk::text(&seen, limits).and_then(|text| read(&text)) else { continue };
        direct.sort();
        direct.dedup();
        let pinned = base.starts_with("requirements")
            && !direct.is_empty()
            && direct.iter().all(|d| d.requirement.starts_with("=="));
        let locked = pinned || has_lock(root, &seen.path, locks);
        found.total += direct.len() as u64;
        found.manifests.push(Manifest { path: seen.name, kind: (*kind).into(), direct, locked });
    }
    Ok(found)
}

/// A lock file beside the manifest or in a folder above it, up to the root.
fn has_lock(root: &Path, manifest: &Path, locks: &[&str]) -> bool {
    let folders = manifest.ancestors().skip(1).take_while(|f| f.starts_with(root));
    folders.into_iter().any(|folder| locks.iter().any(|lock| folder.join(lock).is_file()))
}
