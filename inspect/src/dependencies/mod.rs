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
        let requirement = if requirement.is_empty() {
            "*"
        } else {
            requirement
        };
        Dependency {
            name: name.trim().to_string(),
            requirement: requirement.to_string(),
        }
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
    (
        "package.json",
        "npm",
        npm::read,
        &[
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
            "bun.lockb",
        ],
    ),
    (
        "pyproject.toml",
        "python",
        python::read_pyproject,
        &["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"],
    ),
    ("requirements.txt", "python", python::read_requirements, &[]),
    (
        "requirements-dev.txt",
        "python",
        python::read_requirements,
        &[],
    ),
    ("setup.cfg", "python", python::read_setup_cfg, &[]),
    ("Pipfile", "python", python::read_pipfile, &["Pipfile.lock"]),
    ("go.mod", "go", go::read, &["go.sum"]),
];

/// Reads every known manifest. One that cannot be parsed, or says nothing of dependencies, is left out.
pub fn scan(root: &Path, limits: &Limits) -> Result<Dependencies, InspectError> {
    let mut found = Dependencies::default();
    for seen in walk::files(root, limits)?.files {
        if seen
            .name
            .split('/')
            .any(|part| part == "node_modules" || part == "site-packages")
        {
            continue;
        }
        let base = seen.name.rsplit('/').next().unwrap_or_default();
        let Some((_, kind, read, locks)) = KINDS.iter().find(|k| k.0 == base) else {
            continue;
        };
        let Some(mut direct) = walk::text(&seen, limits).and_then(|text| read(&text)) else {
            continue;
        };
        direct.sort();
        direct.dedup();
        let pinned = base.starts_with("requirements")
            && !direct.is_empty()
            && direct.iter().all(|d| d.requirement.starts_with("=="));
        let locked = pinned || has_lock(root, &seen.path, locks);
        found.total += direct.len() as u64;
        found.manifests.push(Manifest {
            path: seen.name,
            kind: (*kind).into(),
            direct,
            locked,
        });
    }
    Ok(found)
}

/// A lock file beside the manifest or in a folder above it, up to the root.
fn has_lock(root: &Path, manifest: &Path, locks: &[&str]) -> bool {
    let folders = manifest
        .ancestors()
        .skip(1)
        .take_while(|f| f.starts_with(root));
    folders
        .into_iter()
        .any(|folder| locks.iter().any(|lock| folder.join(lock).is_file()))
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn check(read: Reader, text: &str, expected: &[(&str, &str)]) {
        let found = read(text).unwrap();
        let seen: Vec<_> = found
            .iter()
            .map(|d| (d.name.as_str(), d.requirement.as_str()))
            .collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn reads_every_kind() {
        let text = "[dependencies]\na = \"1\"\nb = { version = \"2\", features = [\"x\"] }\nc = { path = \"../c\" }\nd.workspace = true\n\
                    [dev-dependencies]\ne = { git = \"https://x\" }\n[target.'cfg(unix)'.dependencies]\nf = \"3\"\n";
        check(
            cargo::read,
            text,
            &[
                ("a", "1"),
                ("b", "2"),
                ("c", "path ../c"),
                ("d", "workspace"),
                ("e", "git https://x"),
                ("f", "3"),
            ],
        );
        check(
            npm::read,
            r#"{"dependencies":{"a":"^1"},"devDependencies":{"b":"*"},"scripts":{"c":"d"}}"#,
            &[("a", "^1"), ("b", "*")],
        );
        let text = "module x\n\nrequire github.com/a/b v1.0.0\nrequire (\n\tc.d/e v2.0.0 // indirect\n\tf.g/h v3.0.0\n)\nreplace x => y\n";
        check(
            go::read,
            text,
            &[("github.com/a/b", "v1.0.0"), ("f.g/h", "v3.0.0")],
        );
        let text = "[project]\ndependencies = [\"a>=1,<2\", \"b[x] ; python_version > '3'\"]\n[project.optional-dependencies]\nt = [\"c\"]\n[tool.poetry.dependencies]\npython = \"^3\"\nd = \"^4\"\n";
        check(
            python::read_pyproject,
            text,
            &[("a", ">=1,<2"), ("b", "*"), ("c", "*"), ("d", "^4")],
        );
        let text = "# no\n-r other.txt\n--index-url https://x\na==1.0 # why\nb\nc==2 --hash=sha256:00\nhttps://x/y.whl\n./local\n";
        check(
            python::read_requirements,
            text,
            &[("a", "==1.0"), ("b", "*"), ("c", "==2")],
        );
        check(
            python::read_setup_cfg,
            "[options]\ninstall_requires =\n  a>1\n  b\npackages = find:\n",
            &[("a", ">1"), ("b", "*")],
        );
        check(
            python::read_pipfile,
            "[packages]\na = \"*\"\n[dev-packages]\nb = {version = \"==1\"}\n",
            &[("a", "*"), ("b", "==1")],
        );
        assert!(cargo::read("not [toml").is_none() && npm::read("{").is_none());
    }

    #[test]
    fn scan_finds_manifests_and_locks() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("Cargo.lock", "");
        put("m/Cargo.toml", "[dependencies]\na = \"1\"\n");
        put("web/package.json", r#"{"dependencies":{"x":"1","y":"2"}}"#);
        put(
            "web/node_modules/x/package.json",
            r#"{"dependencies":{"z":"1"}}"#,
        );
        put("requirements.txt", "a==1\n");
        put("bad/Cargo.toml", "[[[");
        let found = scan(dir.path(), &Limits::default()).unwrap();
        let seen: Vec<_> = found
            .manifests
            .iter()
            .map(|m| (m.path.as_str(), m.kind.as_str(), m.locked))
            .collect();
        assert_eq!(
            seen,
            [
                ("m/Cargo.toml", "cargo", true),
                ("requirements.txt", "python", true),
                ("web/package.json", "npm", false)
            ]
        );
        assert_eq!(found.total, 4);
    }
}
