//! Small projects with known tests, red and green, written where a story wants them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder");
        }
        std::fs::write(path, text).expect("a file");
    }
}

/// A Cargo package; `red` plants two failing tests among three.
pub fn cargo(folder: &Path, red: bool) {
    let wrong = if red { "1" } else { "0" };
    let lib = format!(
        "pub fn add(a: i32, b: i32) -> i32 {{ a + b + {wrong} }}\n\
         #[cfg(test)]\nmod tests {{\n    use super::*;\n    mod sums {{\n        use super::*;\n\
         #[test]\n        fn small() {{ assert_eq!(add(1, 2), 3); }}\n\
         #[test]\n        fn large() {{ assert_eq!(add(1000, 2), 1002); }}\n    }}\n\
         #[test]\n    fn fine() {{ assert!(add(1, 1) > 0); }}\n}}\n"
    );
    let manifest =
        "[package]\nname = \"sums\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    write(folder, &[("Cargo.toml", manifest), ("src/lib.rs", &lib)]);
}

/// A pytest project with its own `.venv`; `None` where the test tools are not installed.
pub fn pytest(folder: &Path, red: bool) -> Option<()> {
    let venv = test_tools().join("venv");
    if !venv.join("bin/python3").exists() {
        eprintln!(
            "skipped: {} is missing; scripts/test.sh makes it",
            venv.display()
        );
        return None;
    }
    let test = format!(
        "import pytest\n\n\
         @pytest.mark.parametrize('word,size', [('a b', 3), ('x - y', {}), ('[z]', 3)])\n\
         def test_length(word, size):\n    assert len(word) == size\n\n\
         def test_fine():\n    assert True\n",
        if red { 6 } else { 5 }
    );
    write(folder, &[("test_words.py", &test)]);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(&venv)
        .arg(folder.join(".venv"))
        .status()
        .expect("cp runs");
    assert!(copied.success());
    Some(())
}

/// A package whose tests run under node's own runner.
pub fn node(folder: &Path, red: bool) {
    let test = format!(
        "const {{ test, describe, it }} = require('node:test');\n\
         const assert = require('node:assert');\n\
         describe('cart', () => {{\n  it('adds', () => assert.equal(1 + 1, {}));\n\
         it('is empty', () => assert.equal([].length, 0));\n}});\n\
         test('plain', () => assert.ok(true));\n",
        if red { 3 } else { 2 }
    );
    let package = r#"{"name": "cart", "version": "1.0.0", "scripts": {"test": "node --test"}}"#;
    write(
        folder,
        &[("package.json", package), ("cart.test.js", &test)],
    );
}

/// Makes `folder` a git repository with one commit of everything in it.
pub fn commit_all(folder: &Path) {
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=Story",
            "-c",
            "user.email=story@example.org",
            "commit",
            "-q",
            "-m",
            "first",
        ],
    ] {
        let done = Command::new("git")
            .args(args)
            .current_dir(folder)
            .env("HOME", folder)
            .status()
            .expect("git runs");
        assert!(done.success(), "git {args:?}");
    }
}

/// Where `scripts/test.sh` keeps the test frameworks of other languages.
pub fn test_tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools")
}
