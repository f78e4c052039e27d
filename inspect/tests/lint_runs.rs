//! Real checkers over a project with planted findings, with decoys beside them, and over one with nothing to find: each
//! names exactly what is planted. ruff, black, eslint and prettier are those that scripts/test.sh installs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use inspect::limits::Limits;
use inspect::lint::{Check, Lint, State, judge, list, total, without};

/// What a file is called and what it holds.
type Files<'a> = &'a [(&'a str, &'a str)];

fn tools() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools");
    let wanted = [
        "venv/bin/ruff",
        "venv/bin/black",
        "node_modules/.bin/eslint",
        "node_modules/.bin/prettier",
    ];
    let missing = wanted.iter().find(|name| !tools.join(name).exists());
    if let Some(name) = missing {
        eprintln!("skipped: no {name} in target/test-tools; scripts/test.sh installs it");
        return None;
    }
    Some(tools.canonicalize().unwrap())
}

fn on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// A project whose own environment and packages are the installed ones.
fn project(tools: &Path, files: Files<'_>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for (from, to) in [("venv", ".venv"), ("node_modules", "node_modules")] {
        std::os::unix::fs::symlink(tools.join(from), dir.path().join(to)).unwrap();
    }
    dir
}

/// Runs every checker the project has set up, as the executor does.
fn run(root: &Path) -> Lint {
    let scratch = tempfile::tempdir().unwrap();
    let root = root.canonicalize().unwrap();
    let one = |checker: &inspect::lint::Checker| -> Check {
        if let Some(why) = &checker.cannot {
            return without(checker, State::Missing, why);
        }
        let mut command = Command::new(&checker.argv[0]);
        command
            .args(&checker.argv[1..])
            .current_dir(&checker.cwd)
            .env("CARGO_TARGET_DIR", scratch.path().join("target"))
            .env("GOCACHE", scratch.path().join("go"))
            .env("GOTOOLCHAIN", "local")
            .stdin(Stdio::null());
        let Ok(output) = command.output() else {
            return judge(checker, Some(127), "", "");
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        judge(checker, output.status.code(), &stdout, &stderr)
    };
    let checks = list(&root, &Limits::default()).iter().map(one).collect();
    total(checks, Vec::new())
}

/// Every finding as `checker path:line rule`, in order.
fn named(lint: &Lint) -> Vec<String> {
    let of = |check: &Check| {
        let one = |p: &inspect::lint::Place| {
            format!("{} {}:{} {}", check.name, p.path, p.line, p.rule)
                .trim_end()
                .to_owned()
        };
        check.places.iter().map(one).collect::<Vec<_>>()
    };
    lint.checks.iter().flat_map(of).collect()
}

const CARGO: &str =
    "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n";
const PYTHON: &str = "[tool.ruff.lint]\nselect = [\"E\", \"F\"]\n[tool.ruff.format]\nquote-style = \"double\"\n[tool.black]\n";
const ESLINT: &str = "export default [\n  {\n    rules: { \"no-var\": \"error\", \"no-debugger\": \"error\", eqeqeq: \"warn\" },\n  },\n];\n";
const PACKAGE: &str = "{\n  \"name\": \"shop\",\n  \"type\": \"module\"\n}\n";

#[test]
fn each_checker_names_what_is_planted_and_no_decoy() {
    let Some(tools) = tools() else { return };
    let dir = project(
        &tools,
        &[
            ("Cargo.toml", CARGO),
            ("Cargo.lock", LOCK),
            (
                "src/lib.rs",
                "//! A shop.\n\nmod badly;\n\n/// Whether there is nothing.\npub fn none(all: &[u8]) -> bool {\n    all.len() == 0\n}\n\n/// A decoy: allowed here.\n#[allow(clippy::len_zero)]\npub fn some(all: &[u8]) -> bool {\n    all.len() > 0 && badly::is(all)\n}\n",
            ),
            (
                "src/badly.rs",
                "pub fn is(all: &[u8]) -> bool {\n    all .len() > 3\n}\n",
            ),
            ("pyproject.toml", PYTHON),
            (
                "shop/cart.py",
                "import os\nimport sys\n\n\ndef total(items):\n    return summe(items) if items != None else sys.maxsize\n",
            ),
            (
                "shop/decoy.py",
                "import os  # noqa: F401\n\nTEXT = \"import os and x == None\"\n",
            ),
            ("shop/ugly.py", "x = { 'a':1 }\n"),
            ("shop/torn.py", "def half(:\n"),
            ("tests/fixtures/wrong.sh", "echo $1\n"),
            ("package.json", PACKAGE),
            ("eslint.config.js", ESLINT),
            (".prettierrc", "{}\n"),
            (".prettierignore", "*.json\n*.md\n"),
            ("web/cart.js", "var a = 1;\nif (a == 2) {\n  debugger;\n}\n"),
            (
                "web/decoy.js",
                "// var b = 1; debugger\n// eslint-disable-next-line no-var\nvar b = \"a == b\";\nexport default b;\n",
            ),
            ("web/ugly.js", "export const c = {a:1}\n"),
            ("web/node_modules/other/index.js", "var x = 1\n"),
            ("go.mod", "module shop\n\ngo 1.15\n"),
            (
                "vet.go",
                "package shop\n\nimport \"fmt\"\n\n// Say says it.\nfunc Say(n string) { fmt.Printf(\"%d\\n\", n) }\n",
            ),
            ("ugly.go", "package shop\n\nvar  Ugly = 1\n"),
            ("vendor/github.com/x/y/z.go", "package y\nvar  Z = 1\n"),
            ("run.sh", "#!/bin/sh\n# A decoy: echo $1\necho $1\n"),
        ],
    );
    let lint = run(dir.path());
    let own = &lint.checks[2].command[0];
    assert_eq!(
        own, ".venv/bin/ruff",
        "the project's own program comes first"
    );
    let mut expected = vec![
        "rustfmt src/badly.rs:1",
        "clippy src/lib.rs:7 clippy::len_zero",
        "ruff shop/cart.py:1 F401",
        "ruff shop/cart.py:6 E711",
        "ruff shop/cart.py:6 F821",
        "ruff shop/torn.py:1 invalid-syntax",
        "ruff shop/torn.py:2 invalid-syntax",
        "ruff format shop/torn.py:1",
        "ruff format shop/ugly.py:0",
        "black shop/torn.py:1",
        "black shop/ugly.py:0",
        "prettier web/ugly.js:0",
        "eslint web/cart.js:1 no-var",
        "eslint web/cart.js:2 eqeqeq",
        "eslint web/cart.js:3 no-debugger",
    ];
    if on_path("go") && on_path("gofmt") {
        expected.extend(["gofmt ugly.go:0", "go vet vet.go:6"]);
    }
    if on_path("shellcheck") {
        expected.push("shellcheck run.sh:3 SC2086");
    }
    assert_eq!(named(&lint), expected, "{lint:#?}");
    assert_eq!(lint.findings, expected.len() as u64);
    let failed = lint.checks.iter().any(|c| c.state == State::Failed);
    assert!(!failed, "{lint:#?}");
}

#[test]
fn nothing_to_find_is_nothing_found() {
    let Some(tools) = tools() else { return };
    let dir = project(
        &tools,
        &[
            ("Cargo.toml", CARGO),
            ("Cargo.lock", LOCK),
            (
                "src/lib.rs",
                "//! A shop.\n\n/// One.\npub fn one() -> u8 {\n    1\n}\n",
            ),
            ("pyproject.toml", PYTHON),
            (
                "shop/cart.py",
                "import sys\n\n\ndef most():\n    return sys.maxsize\n",
            ),
            ("package.json", PACKAGE),
            ("eslint.config.js", ESLINT),
            (".prettierrc", "{}\n"),
            ("web/cart.js", "export const a = 1;\n"),
            ("go.mod", "module shop\n\ngo 1.15\n"),
            (
                "shop.go",
                "// Package shop sells.\npackage shop\n\n// One is one.\nvar One = 1\n",
            ),
            ("run.sh", "#!/bin/sh\necho \"$1\"\n"),
        ],
    );
    let lint = run(dir.path());
    let states: Vec<(&str, State)> = lint
        .checks
        .iter()
        .map(|c| (c.name.as_str(), c.state))
        .collect();
    let always = [
        "rustfmt",
        "clippy",
        "ruff",
        "ruff format",
        "black",
        "prettier",
        "eslint",
    ];
    for name in always {
        assert!(states.contains(&(name, State::Clean)), "{name}: {lint:#?}");
    }
    let sometimes = [
        ("gofmt", "gofmt"),
        ("go vet", "go"),
        ("shellcheck", "shellcheck"),
    ];
    for (name, program) in sometimes {
        let state = match on_path(program) {
            true => State::Clean,
            false => State::Missing,
        };
        assert!(states.contains(&(name, state)), "{name}: {lint:#?}");
    }
    assert_eq!((lint.findings, states.len()), (0, 10), "{lint:#?}");
}

#[test]
fn a_checker_that_cannot_do_its_work_is_no_clean_one() {
    let Some(tools) = tools() else { return };
    let dir = project(
        &tools,
        &[
            ("ruff.toml", "select = [\n"),
            ("a.py", "x = 1\n"),
            ("package.json", PACKAGE),
            (
                "eslint.config.js",
                "export default [{ rules: { \"no-such-rule\": \"error\" } }];\n",
            ),
            ("a.js", "export const a = 1;\n"),
            (".prettierrc", "{ not json"),
        ],
    );
    let lint = run(dir.path());
    let told: Vec<(&str, State)> = lint
        .checks
        .iter()
        .map(|c| (c.name.as_str(), c.state))
        .collect();
    let expected = ["ruff", "prettier", "eslint"].map(|name| (name, State::Failed));
    assert_eq!(told, expected, "{lint:#?}");
    for check in &lint.checks {
        let note = check.note.as_deref().unwrap_or_default();
        let words = ["ruff.toml", ".prettierrc", "no-such-rule"];
        assert!(words.iter().any(|word| note.contains(word)), "{check:#?}");
    }
}
