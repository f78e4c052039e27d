//! Which checkers a project has set up: by its manifests and configuration files, never by guessing
//! a style for it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Checker, Output};
use crate::limits::Limits;
use crate::{toml_text, walk};

/// Most folders of one kind in which a checker is run.
const FOLDERS: usize = 20;
/// Most files given to a checker that wants them named.
const FILES: usize = 500;
/// Largest configuration file read, in bytes.
const CONFIG: u64 = 1 << 20;
/// Folders of files that are wrong on purpose, or other people's.
const PASSED: [&str; 8] = [
    "fixtures",
    "__fixtures__",
    "testdata",
    "test_data",
    "node_modules",
    "vendor",
    "third_party",
    "snapshots",
];

/// The files of a project by name.
struct Tree<'a> {
    root: &'a Path,
    names: Vec<String>,
}

impl Tree<'_> {
    /// Folders that hold a file of which this holds, those below another one left out.
    fn tops(&self, is: impl Fn(&str) -> bool) -> Vec<String> {
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        for name in &self.names {
            let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
            let passed = folder.split('/').any(|part| PASSED.contains(&part));
            if !passed && is(base) {
                folders.insert(folder);
            }
        }
        let below = |folder: &str| {
            folders.iter().any(|other| {
                *other != folder && (other.is_empty() || folder.starts_with(&format!("{other}/")))
            })
        };
        let tops = folders.iter().filter(|f| !below(f));
        tops.take(FOLDERS).map(|f| (*f).to_owned()).collect()
    }

    fn text(&self, folder: &str, base: &str) -> Option<String> {
        walk::read_text(&self.root.join(folder).join(base), CONFIG)
    }

    fn has(&self, folder: &str, base: &str) -> bool {
        self.root.join(folder).join(base).symlink_metadata().is_ok()
    }

    /// A checker in a folder.
    fn checker(&self, name: &'static str, folder: &str, output: Output, words: &[&str]) -> Checker {
        Checker {
            name,
            dir: if folder.is_empty() {
                ".".to_owned()
            } else {
                folder.to_owned()
            },
            cwd: self.root.join(folder),
            argv: words.iter().map(|w| (*w).to_owned()).collect(),
            shown: words.len(),
            output,
            cannot: None,
        }
    }
}

/// The checkers a project has set up.
pub fn list(root: &Path, limits: &Limits) -> Vec<Checker> {
    let files = walk::files(root, limits)
        .map(|w| w.files)
        .unwrap_or_default();
    let tree = Tree {
        root,
        names: files.into_iter().map(|f| f.name).collect(),
    };
    let mut all = Vec::new();
    rust(&tree, &mut all);
    python(&tree, &mut all);
    javascript(&tree, &mut all);
    go(&tree, &mut all);
    shell(&tree, &mut all);
    all
}

fn rust(tree: &Tree<'_>, all: &mut Vec<Checker>) {
    for folder in tree.tops(|base| base == "Cargo.toml") {
        let fmt = ["cargo", "fmt", "--all", "--check"];
        all.push(tree.checker("rustfmt", &folder, Output::CargoFmt, &fmt));
        let clippy = [
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--offline",
            "--quiet",
            "--message-format=json",
        ];
        let mut clippy = tree.checker("clippy", &folder, Output::Clippy, &clippy);
        if !tree.has(&folder, "Cargo.lock") {
            clippy.cannot = Some(
                "there is no Cargo.lock, and clippy would write one: run `cargo generate-lockfile`"
                    .to_owned(),
            );
        }
        all.push(clippy);
    }
}

/// What pyproject.toml and its kin set up.
fn python(tree: &Tree<'_>, all: &mut Vec<Checker>) {
    let configs = [
        "pyproject.toml",
        "ruff.toml",
        ".ruff.toml",
        ".flake8",
        "setup.cfg",
        "tox.ini",
    ];
    for folder in tree.tops(|base| configs.contains(&base)) {
        let project = tree
            .text(&folder, "pyproject.toml")
            .and_then(|t| toml_text::parse(&t).ok());
        let tool = |name: &str| {
            project
                .as_ref()
                .is_some_and(|p| p.pointer(&format!("/tool/{name}")).is_some())
        };
        let own = ["ruff.toml", ".ruff.toml"]
            .iter()
            .find_map(|f| tree.text(&folder, f));
        let section = |file: &str| {
            tree.text(&folder, file)
                .is_some_and(|t| t.lines().any(|l| l.trim() == "[flake8]"))
        };
        if tool("ruff") || own.is_some() {
            let words = [
                "ruff",
                "check",
                "--no-fix",
                "--no-cache",
                "--output-format",
                "json",
                ".",
            ];
            all.push(in_environment(
                tree,
                tree.checker("ruff", &folder, Output::Ruff, &words),
            ));
        }
        if tool("ruff/format") || own.is_some_and(|t| t.lines().any(|l| l.trim() == "[format]")) {
            let words = ["ruff", "format", "--check", "--no-cache", "."];
            all.push(in_environment(
                tree,
                tree.checker("ruff format", &folder, Output::WouldReformat, &words),
            ));
        }
        if tool("black") {
            let words = ["black", "--check", "."];
            all.push(in_environment(
                tree,
                tree.checker("black", &folder, Output::WouldReformat, &words),
            ));
        }
        if tree.has(&folder, ".flake8") || section("setup.cfg") || section("tox.ini") {
            let words = [
                "flake8",
                "--format=%(path)s:%(row)d:%(col)d: %(code)s %(text)s",
                ".",
            ];
            all.push(in_environment(
                tree,
                tree.checker("flake8", &folder, Output::Lines, &words),
            ));
        }
    }
}

/// The project's own environment comes before whatever the machine has.
fn in_environment(tree: &Tree<'_>, mut checker: Checker) -> Checker {
    let Some(program) = checker.argv.first().cloned() else {
        return checker;
    };
    let folder = if checker.dir == "." {
        ""
    } else {
        checker.dir.as_str()
    };
    let places = [folder, ""]
        .into_iter()
        .flat_map(|f| [".venv", "venv"].map(|v| Path::new(f).join(v).join("bin").join(&program)));
    let own = places
        .into_iter()
        .map(|p| tree.root.join(p))
        .find(|p| p.exists());
    if let (Some(own), Some(first)) = (own, checker.argv.first_mut()) {
        *first = own.to_string_lossy().into_owned();
    }
    checker
}

fn javascript(tree: &Tree<'_>, all: &mut Vec<Checker>) {
    let eslint = |base: &str| base.starts_with("eslint.config.") || base.starts_with(".eslintrc");
    let prettier =
        |base: &str| base.starts_with(".prettierrc") || base.starts_with("prettier.config.");
    let manifest = |folder: &str, key: &str| {
        let text = tree.text(folder, "package.json").unwrap_or_default();
        serde_json::from_str::<Value>(&text).is_ok_and(|m| m.get(key).is_some())
    };
    for folder in tree.tops(|base| base == "package.json" || eslint(base) || prettier(base)) {
        let here = |is: &dyn Fn(&str) -> bool| {
            tree.names.iter().any(|name| {
                let (at, base) = name.rsplit_once('/').unwrap_or(("", name));
                at == folder && is(base)
            })
        };
        for (name, program, set_up, output, words) in [
            (
                "prettier",
                "prettier",
                here(&prettier) || manifest(&folder, "prettier"),
                Output::Paths,
                ["--list-different", ".", ""],
            ),
            (
                "eslint",
                "eslint",
                here(&eslint) || manifest(&folder, "eslintConfig"),
                Output::Eslint,
                [".", "-f", "json"],
            ),
        ] {
            if !set_up {
                continue;
            }
            let own = format!("node_modules/.bin/{program}");
            let mut argv = vec![own.as_str()];
            argv.extend(words.iter().filter(|w| !w.is_empty()));
            let mut checker = tree.checker(name, &folder, output, &argv);
            if !tree.root.join(&folder).join(&own).exists() {
                checker.cannot = Some(format!(
                    "{name} is set up and not installed: node_modules has none"
                ));
            }
            all.push(checker);
        }
    }
}

fn go(tree: &Tree<'_>, all: &mut Vec<Checker>) {
    for folder in tree.tops(|base| base == "go.mod") {
        all.push(tree.checker("gofmt", &folder, Output::Paths, &["gofmt", "-l", "."]));
        all.push(tree.checker("go vet", &folder, Output::Lines, &["go", "vet", "./..."]));
    }
}

fn shell(tree: &Tree<'_>, all: &mut Vec<Checker>) {
    let passed = |name: &&String| {
        name.split('/')
            .rev()
            .skip(1)
            .any(|part| PASSED.contains(&part))
    };
    let scripts: Vec<String> = tree
        .names
        .iter()
        .filter(|n| (n.ends_with(".sh") || n.ends_with(".bash")) && !passed(n))
        .take(FILES)
        .map(|n| format!("./{n}"))
        .collect();
    if !scripts.is_empty() {
        let mut checker = tree.checker(
            "shellcheck",
            "",
            Output::Shellcheck,
            &["shellcheck", "--format=json1"],
        );
        checker.argv.extend(scripts);
        all.push(checker);
    }
}
