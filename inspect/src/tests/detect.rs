//! Finds the test suites of a tree by its manifests: at the root and up to three folders below it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::npm_script::Runner;

/// What runs a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SuiteKind {
    /// `cargo test`.
    Cargo,
    /// The `test` script of a package.json, whatever it starts.
    Npm,
    /// pytest, or unittest where pytest is not installed.
    Pytest,
    /// `go test`.
    Go,
    /// A `test` or `check` target of a Makefile.
    Make,
}

impl SuiteKind {
    /// Its name, as in reports.
    pub fn name(self) -> &'static str {
        match self {
            SuiteKind::Cargo => "cargo",
            SuiteKind::Npm => "npm",
            SuiteKind::Pytest => "pytest",
            SuiteKind::Go => "go",
            SuiteKind::Make => "make",
        }
    }
}

/// A test suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Suite {
    /// What runs it.
    pub kind: SuiteKind,
    /// Its folder, relative to the root; `.` for the root.
    pub dir: String,
}

const SKIPPED: &[&str] = &[
    "node_modules",
    "vendor",
    "target",
    "dist",
    "build",
    "third_party",
    "site-packages",
    "venv",
    "env",
    "fixtures",
    "testdata",
    "test_data",
    "__fixtures__",
    "__mocks__",
    "templates",
    "__pycache__",
];

const PYTHON_MARKERS: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "manage.py",
    "tox.ini",
    "pytest.ini",
];

/// What lies in the folders that are looked at.
#[derive(Default)]
struct Tree {
    folders: BTreeMap<PathBuf, Vec<String>>,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Tree::default();
        let mut walk = crate::walk::builder(root, 6);
        walk.filter_entry(|e| {
            let name = e.file_name().to_string_lossy();
            e.depth() == 0
                || !(e.file_type().is_some_and(|t| t.is_dir())
                    && (name.starts_with('.') || SKIPPED.contains(&&*name)))
        });
        for entry in walk.build().flatten().take(100_000) {
            if entry.file_type().is_some_and(|t| t.is_file())
                && let Some(folder) = entry.path().parent()
            {
                let name = entry.file_name().to_string_lossy().into_owned();
                tree.folders
                    .entry(folder.to_path_buf())
                    .or_default()
                    .push(name);
            }
        }
        tree
    }

    fn has(&self, folder: &Path, name: &str) -> bool {
        self.folders
            .get(folder)
            .is_some_and(|names| names.iter().any(|n| n == name))
    }

    /// Folders at most three below the root that hold a file.
    fn with<'a>(&'a self, root: &'a Path, name: &'a str) -> impl Iterator<Item = &'a PathBuf> {
        let near = move |f: &Path| {
            f.strip_prefix(root)
                .is_ok_and(|r| r.components().count() <= 3)
        };
        self.folders
            .keys()
            .filter(move |f| near(f) && self.has(f, name))
    }
}

/// Finds the suites, in order of folder. A member of a Cargo, npm or Go workspace is no suite of its own.
pub fn detect(root: &Path) -> Vec<Suite> {
    let tree = Tree::read(root);
    let mut found: BTreeSet<(PathBuf, SuiteKind)> = BTreeSet::new();
    found.extend(
        cargo(&tree, root)
            .into_iter()
            .map(|f| (f, SuiteKind::Cargo)),
    );
    found.extend(npm(&tree, root).into_iter().map(|f| (f, SuiteKind::Npm)));
    found.extend(
        python(&tree, root)
            .into_iter()
            .map(|f| (f, SuiteKind::Pytest)),
    );
    found.extend(go(&tree, root).into_iter().map(|f| (f, SuiteKind::Go)));
    for name in ["Makefile", "makefile", "GNUmakefile"] {
        for folder in tree.with(root, name) {
            let covered = |f: &Path| f.starts_with(folder) || folder.starts_with(f);
            if !found.iter().any(|(f, _)| covered(f)) && super::make::target(folder).is_some() {
                found.insert((folder.clone(), SuiteKind::Make));
            }
        }
    }
    found
        .into_iter()
        .map(|(folder, kind)| Suite {
            kind,
            dir: crate::walk::relative(root, &folder),
        })
        .collect()
}

/// Folders whose Cargo.toml is not below a workspace that claims them.
fn cargo(tree: &Tree, root: &Path) -> Vec<PathBuf> {
    let read = |f: &Path| {
        let text = crate::walk::read_text(&f.join("Cargo.toml"), 1 << 20).unwrap_or_default();
        crate::toml_text::parse(&text).unwrap_or_default()
    };
    let all: Vec<(&PathBuf, Value)> = tree
        .with(root, "Cargo.toml")
        .map(|f| (f, read(f)))
        .collect();
    let excluded = |above: &Path, workspace: &Value, folder: &Path| {
        let list = workspace
            .get("exclude")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        list.iter()
            .filter_map(Value::as_str)
            .any(|e| folder.starts_with(above.join(e)))
    };
    let claimed = |folder: &Path| {
        all.iter().any(|(above, manifest)| {
            let workspace = manifest.get("workspace");
            folder != above.as_path()
                && folder.starts_with(above)
                && workspace.is_some_and(|w| !excluded(above, w, folder))
        })
    };
    let own = |manifest: &Value| manifest.get("workspace").is_some();
    let kept = all
        .iter()
        .filter(|(f, m)| (own(m) || m.get("package").is_some()) && (own(m) || !claimed(f)));
    kept.map(|(f, _)| (*f).clone()).collect()
}

/// Folders with a test script. At the root of a workspace, either the root's script runs the members' tests, or it only
/// calls theirs: then they are the suites.
fn npm(tree: &Tree, root: &Path) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    let mut covering: Option<PathBuf> = None;
    for folder in tree.with(root, "package.json") {
        if covering.as_ref().is_some_and(|c| folder.starts_with(c)) {
            continue;
        }
        let Some(manifest) = super::npm::manifest(folder) else {
            continue;
        };
        let Some(scripts) = super::npm::scripts(&manifest) else {
            continue;
        };
        let workspace =
            manifest.get("workspaces").is_some() || tree.has(folder, "pnpm-workspace.yaml");
        let steps = super::npm_script::steps(&scripts, "test");
        let known = steps
            .iter()
            .any(|s| !matches!(s.runner, Runner::Other | Runner::Linter));
        let calls = [
            "--workspaces",
            " -ws",
            "turbo ",
            "lerna ",
            "nx ",
            " -r ",
            "wsrun",
            "--recursive",
            " workspaces ",
        ];
        if workspace
            && !known
            && steps
                .iter()
                .any(|s| calls.iter().any(|c| format!("{} ", s.text).contains(c)))
        {
            continue;
        }
        if workspace && known {
            covering = Some(folder.clone());
        }
        kept.push(folder.clone());
    }
    kept
}

/// Python projects that own a test file: each test file belongs to the nearest project above it, or to the root.
fn python(tree: &Tree, root: &Path) -> Vec<PathBuf> {
    let marked = |f: &Path| PYTHON_MARKERS.iter().any(|m| tree.has(f, m));
    let named_tests = |f: &Path| f.file_name().is_some_and(|n| n == "tests" || n == "test");
    let near = |f: &Path| {
        f.strip_prefix(root)
            .is_ok_and(|r| r.components().count() <= 3)
    };
    let owner = |f: &Path| {
        let above = f.ancestors().take_while(|a| a.starts_with(root));
        let found = above
            .into_iter()
            .find(|a| marked(a) && near(a) && !named_tests(a));
        found.unwrap_or(root).to_path_buf()
    };
    let is_test = |n: &String| {
        n.ends_with(".py") && (n.starts_with("test_") || n.ends_with("_test.py") || n == "tests.py")
    };
    let with_tests = tree
        .folders
        .iter()
        .filter(|(_, names)| names.iter().any(is_test))
        .map(|(f, _)| f);
    let owners: BTreeSet<PathBuf> = with_tests.map(|f| owner(f)).collect();
    owners.into_iter().collect()
}

/// Modules with a test file, those of one go.work too: `./...` stays within a module.
fn go(tree: &Tree, root: &Path) -> Vec<PathBuf> {
    let modules: Vec<&PathBuf> = tree.with(root, "go.mod").collect();
    let inner = |m: &Path, f: &Path| {
        modules
            .iter()
            .any(|o| o.as_path() != m && o.starts_with(m) && f.starts_with(o))
    };
    let tested = |m: &Path| {
        let mut own = tree
            .folders
            .iter()
            .filter(|(f, _)| f.starts_with(m) && !inner(m, f));
        own.any(|(_, names)| names.iter().any(|n| n.ends_with("_test.go")))
    };
    modules
        .iter()
        .filter(|m| tested(m))
        .map(|m| (*m).clone())
        .collect()
}
