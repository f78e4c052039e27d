//! What a project is locked to: planted packages and licences with decoys beside them; a project that needs nothing; and
//! real projects, held against what cargo, npm and pip say of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use inspect::inventory::{Caches, Inventory, Package, scan};
use inspect::limits::Limits;
use serde_json::Value;

fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn look(root: &Path, caches: &Caches) -> Inventory {
    scan(root, caches, &Limits::default()).unwrap()
}

fn line(p: &Package) -> String {
    let direct = if p.direct { " direct" } else { "" };
    let licence = p.licence.as_deref().unwrap_or("-");
    format!("{} {} {} {licence}{direct}", p.kind, p.name, p.version)
}

#[test]
fn what_is_planted_is_named_and_no_decoy() {
    let dir = tempfile::tempdir().unwrap();
    let crate_of = |name: &str, version: &str, licence: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n{licence}\n")
    };
    write(
        dir.path(),
        &[
            // Rust: two of three vendored, one of them in another version than the lock says; the workspace's own is no dependency.
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\nmild = \"1\"\n",
            ),
            (
                "Cargo.lock",
                "version = 4\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"mild\"]\n[[package]]\nname = \"mild\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n[[package]]\nname = \"strict\"\nversion = \"2.0.0\"\nsource = \"registry+x\"\n[[package]]\nname = \"strict\"\nversion = \"3.0.0\"\nsource = \"registry+x\"\n",
            ),
            (
                "vendor/mild/Cargo.toml",
                &crate_of("mild", "1.0.0", "license = \"MIT OR GPL-3.0-only\""),
            ),
            (
                "vendor/strict/Cargo.toml",
                &crate_of("strict", "2.0.0", "license = \"AGPL-3.0-or-later\""),
            ),
            (
                "vendor/decoy/Cargo.toml",
                &crate_of("decoy", "9.0.0", "license = \"GPL-3.0\""),
            ),
            // JavaScript: a scope, one below another, a link to the project's own package.
            (
                "web/package.json",
                r#"{"name":"web","dependencies":{"@s/a":"^1"},"devDependencies":{"b":"2"}}"#,
            ),
            (
                "web/package-lock.json",
                r#"{"lockfileVersion":3,"packages":{"":{"name":"web"},"node_modules/@s/a":{"version":"1.1.0","license":"MPL-2.0"},"node_modules/@s/a/node_modules/b":{"version":"1.0.0","license":"ISC"},"node_modules/b":{"version":"2.0.0"},"packages/own":{"version":"0.0.1"},"node_modules/own":{"resolved":"packages/own","link":true}}}"#,
            ),
            (
                "web/node_modules/b/package.json",
                r#"{"name":"b","version":"2.0.0","license":"SEE LICENSE IN EULA"}"#,
            ),
            // Python: pinned, not pinned, and an option that is no package.
            (
                "tools/requirements.txt",
                "--index-url https://example.org\nFlask_Login==0.6.3 # why\nrequests>=2\n-e .\n",
            ),
            // Go: one asked for through another.
            (
                "svc/go.mod",
                "module svc\n\ngo 1.22\n\nrequire (\n\texample.org/x v1.2.0\n\texample.org/y v0.1.0 // indirect\n)\n",
            ),
            // What another project's tests hold is no lock of this one, and a broken one is said.
            ("broken/Cargo.lock", "[[package"),
            (
                "notes/Cargo.lock.txt",
                "[[package]]\nname = \"decoy\"\nversion = \"1.0.0\"\nsource = \"x\"\n",
            ),
        ],
    );
    let found = look(dir.path(), &Caches::default());
    let told: Vec<String> = found.packages.iter().map(line).collect();
    assert_eq!(
        told,
        [
            "cargo mild 1.0.0 MIT OR GPL-3.0-only direct",
            "cargo strict 2.0.0 AGPL-3.0-or-later",
            "cargo strict 3.0.0 -",
            "go example.org/x v1.2.0 - direct",
            "go example.org/y v0.1.0 -",
            "npm @s/a 1.1.0 MPL-2.0 direct",
            "npm b 1.0.0 ISC",
            "npm b 2.0.0 SEE LICENSE IN EULA direct",
            "python flask-login 0.6.3 - direct",
        ]
    );
    let notable: Vec<String> = found.notable.iter().map(line).collect();
    assert_eq!(
        notable,
        [
            "cargo strict 2.0.0 AGPL-3.0-or-later",
            "npm @s/a 1.1.0 MPL-2.0 direct",
            "npm b 2.0.0 SEE LICENSE IN EULA direct",
        ]
    );
    let several: Vec<(&str, &[String])> = found
        .several
        .iter()
        .map(|s| (s.name.as_str(), s.versions.as_slice()))
        .collect();
    assert_eq!(
        several,
        [
            ("strict", &["2.0.0".to_owned(), "3.0.0".to_owned()][..]),
            ("b", &["1.0.0".to_owned(), "2.0.0".to_owned()][..])
        ]
    );
    assert_eq!((found.total, found.unknown), (9, 4));
    assert_eq!(found.unread, ["broken/Cargo.lock"]);
    let unpinned: Vec<&str> = found.unpinned.iter().map(|u| u.path.as_str()).collect();
    assert_eq!(unpinned, ["tools/requirements.txt"]);
}

#[test]
fn nothing_to_find_is_nothing_found() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n",
            ),
            (
                "Cargo.lock",
                "version = 4\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n",
            ),
            ("package.json", r#"{"name":"shop"}"#),
            ("README.md", "require github.com/x/y v1.0.0\n"),
        ],
    );
    assert_eq!(look(dir.path(), &Caches::default()), Inventory::default());
}

/// What a judge said, as JSON; none where it is not installed or refuses, which is told.
fn judge(program: &Path, words: &[&str], at: &Path) -> Option<Value> {
    let output = Command::new(program).args(words).current_dir(at).output();
    let said = match output {
        Ok(output) if output.status.success() => serde_json::from_slice(&output.stdout).ok(),
        _ => None,
    };
    if said.is_none() {
        eprintln!("skipped: {} {words:?} gives no answer", program.display());
    }
    said
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Version and licence by name, of those that a judge lists.
type Known = BTreeMap<(String, String), Option<String>>;

fn of_kind(found: &Inventory, kind: &str) -> Known {
    let those = found.packages.iter().filter(|p| p.kind == kind);
    those
        .map(|p| ((p.name.clone(), p.version.clone()), p.licence.clone()))
        .collect()
}

#[test]
fn cargo_says_the_same_of_this_very_project() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let words = [
        "metadata",
        "--locked",
        "--offline",
        "--format-version=1",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let Some(said) = judge(Path::new(env!("CARGO")), &words, &root) else {
        return;
    };
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cargo"));
    let caches = Caches {
        cargo: vec![home],
        go: Vec::new(),
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock")).unwrap();
    let ours = of_kind(&look(dir.path(), &caches), "cargo");
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
    assert_eq!(ours.len(), lock.matches("\nsource = ").count());
    let theirs = said["packages"].as_array().unwrap();
    let mut seen = 0;
    for package in theirs.iter().filter(|p| !p["source"].is_null()) {
        let key = (text(package, "name"), text(package, "version"));
        let licence = package["license"].as_str().map(str::to_owned);
        assert_eq!(ours.get(&key), Some(&licence), "{key:?}");
        seen += 1;
    }
    assert!(seen > 200, "{seen}");
}

#[test]
fn npm_says_the_same_of_the_installed_test_tools() {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools");
    let words = ["query", "*", "--package-lock-only"];
    if !tools.join("package-lock.json").exists() {
        return eprintln!(
            "skipped: no package-lock.json in target/test-tools; scripts/test.sh makes it"
        );
    }
    let Some(said) = judge(Path::new("npm"), &words, &tools) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(tools.join(name), dir.path().join(name)).unwrap();
    }
    let found = look(dir.path(), &Caches::default());
    let theirs: Known = said
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["version"].is_string())
        .map(|p| {
            let licence = p["license"].as_str().map(str::to_owned);
            ((text(p, "name"), text(p, "version")), licence)
        })
        .collect();
    assert_eq!(of_kind(&found, "npm"), theirs);
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(tools.join("package.json")).unwrap()).unwrap();
    let asked: BTreeSet<&String> = manifest["dependencies"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    let direct = found.packages.iter().filter(|p| p.direct);
    assert_eq!(direct.map(|p| &p.name).collect::<BTreeSet<_>>(), asked);
}

/// Names as pip compares them, versions, and the licence where the package tells it as an expression.
const PIP: &str = "import importlib.metadata as m, json, re\n\
print(json.dumps([[re.sub('[-_.]+', '-', d.metadata['Name']).lower(), d.version, d.metadata.get('License-Expression')] for d in m.distributions()]))";

#[test]
fn python_says_the_same_of_its_own_environment() {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools/venv");
    let Some(said) = judge(&venv.join("bin/python"), &["-I", "-c", PIP], Path::new("/")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("tool.py", "import pytest\n")]);
    std::os::unix::fs::symlink(venv.canonicalize().unwrap(), dir.path().join(".venv")).unwrap();
    let ours = of_kind(&look(dir.path(), &Caches::default()), "python");
    let theirs = said.as_array().unwrap();
    for one in theirs {
        let of = |at: usize| one[at].as_str().map(str::to_owned);
        let licence = ours.get(&(of(0).unwrap(), of(1).unwrap()));
        assert!(licence.is_some(), "{one}");
        if of(2).is_some() {
            assert_eq!(licence, Some(&of(2)), "{one}");
        }
    }
    assert_eq!(ours.len(), theirs.len());
}
