//! Which suites are found in planted trees, and with which commands they would run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use inspect::tests::{Suite, SuiteKind, TestCommand, command, detect};

fn planted(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let dir = planted(files);
    let found = detect(dir.path());
    let seen: Vec<_> = found
        .iter()
        .map(|s| (s.kind.name(), s.dir.as_str()))
        .collect();
    assert_eq!(seen, expected, "{files:?}");
}

const PACKAGE: &str = "[package]\nname = \"x\"\n";
const JEST: &str = r#"{"scripts":{"test":"jest"}}"#;

#[test]
fn finds_suites_and_not_what_only_looks_like_one() {
    check(&[], &[]);
    check(&[("README.md", "hi")], &[]);
    check(
        &[("Cargo.toml", PACKAGE), ("src/lib.rs", "")],
        &[("cargo", ".")],
    );
    check(
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers=[\"a\"]\nexclude=[\"fuzz\"]",
            ),
            ("a/Cargo.toml", PACKAGE),
            ("fuzz/Cargo.toml", PACKAGE),
        ],
        &[("cargo", "."), ("cargo", "fuzz")],
    );
    check(
        &[
            ("a/Cargo.toml", PACKAGE),
            ("b/Cargo.toml", PACKAGE),
            ("target/x/Cargo.toml", PACKAGE),
            ("tests/fixtures/p/Cargo.toml", PACKAGE),
        ],
        &[("cargo", "a"), ("cargo", "b")],
    );
    check(&[("a/b/c/d/Cargo.toml", PACKAGE)], &[]);
    check(
        &[
            ("package.json", JEST),
            ("node_modules/x/package.json", JEST),
        ],
        &[("npm", ".")],
    );
    check(
        &[(
            "package.json",
            r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#,
        )],
        &[],
    );
    check(
        &[("package.json", r#"{"devDependencies":{"vitest":"1"}}"#)],
        &[("npm", ".")],
    );
    check(
        &[
            (
                "package.json",
                r#"{"workspaces":["p/*"],"scripts":{"test":"npm test --workspaces"}}"#,
            ),
            ("p/a/package.json", JEST),
        ],
        &[("npm", "p/a")],
    );
    check(
        &[
            (
                "package.json",
                r#"{"workspaces":["p/*"],"scripts":{"test":"jest"}}"#,
            ),
            ("p/a/package.json", JEST),
        ],
        &[("npm", ".")],
    );
    check(&[("pyproject.toml", ""), ("src/a.py", "")], &[]);
    check(&[("tests/test_a.py", "")], &[("pytest", ".")]);
    check(
        &[("tests/pytest.ini", ""), ("tests/test_a.py", "")],
        &[("pytest", ".")],
    );
    check(
        &[
            ("backend/requirements.txt", ""),
            ("backend/tests/test_a.py", ""),
            ("web/package.json", JEST),
        ],
        &[("pytest", "backend"), ("npm", "web")],
    );
    check(
        &[
            ("go.mod", "module x"),
            ("a/a_test.go", ""),
            ("empty/go.mod", "module y"),
        ],
        &[("go", ".")],
    );
    check(
        &[("Makefile", "all:\n\tcc\ntest: all\n\t./run\n")],
        &[("make", ".")],
    );
    check(&[("Makefile", "all:\n\tcc\ntests_dir := x\n")], &[]);
    check(
        &[
            ("Makefile", "check:\n\tcargo test\n"),
            ("Cargo.toml", PACKAGE),
        ],
        &[("cargo", ".")],
    );
}

fn chosen(files: &[(&str, &str)], only: &[&str]) -> TestCommand {
    let dir = planted(files);
    let suite = detect(dir.path()).remove(0);
    let only: Vec<String> = only.iter().map(|n| n.to_string()).collect();
    let mut made = command(&suite, dir.path(), &only, Path::new("/scratch")).unwrap();
    for (_, text) in &mut made.files {
        *text = text.replace(&dir.path().to_string_lossy().into_owned(), "/workspace");
    }
    made
}

#[test]
fn cargo_commands() {
    let cargo = |only: &[&str]| chosen(&[("Cargo.toml", PACKAGE)], only).shown;
    assert_eq!(cargo(&[]), "cargo test --no-fail-fast --offline");
    assert_eq!(
        cargo(&["a::b", "it: c"]),
        "cargo test --no-fail-fast --offline -- --exact a::b c"
    );
    assert_eq!(
        cargo(&["a::b", "src/lib.rs - f (line 2)"]),
        "cargo test --no-fail-fast --offline"
    );
}

#[test]
fn npm_scripts_keep_their_steps_and_report() {
    let script = |test: &str, only: &[&str]| {
        let package = serde_json::json!({"scripts": {"pretest": "tsc -p .", "lint": "eslint .", "unit": "jest --watch -c x.js", "test": test}});
        chosen(&[("package.json", &package.to_string())], only).files[0]
            .1
            .clone()
    };
    let text = script("npm run lint && npm run unit -- --verbose", &[]);
    let at = |piece: &str| {
        text.find(piece)
            .unwrap_or_else(|| panic!("{piece} is not in {text}"))
    };
    assert!(
        at("{ tsc -p .") < at("{ eslint .")
            && at("{ eslint .")
                < at("{ jest -c x.js --verbose --json --outputFile='/scratch/ai_infra_jest_2.out'")
    );
    assert!(text.contains("PATH='/workspace/node_modules/.bin':$PATH"));
    let has = |test: &str, only: &[&str], piece: &str| {
        let text = script(test, only);
        assert!(text.contains(piece), "{piece} is not in {text}");
    };
    has(
        "NODE_ENV=test nyc mocha -R dot --bail 'test/**/*.js'",
        &[],
        "NODE_ENV=test nyc mocha 'test/**/*.js' --no-bail --reporter '/scratch/ai_infra_mocha.cjs'",
    );
    has(
        "vitest run --reporter=dot",
        &["a > b (c)"],
        "vitest run --watch=false --bail=0 --reporter=json --outputFile='/scratch/ai_infra_vitest_1.out' -t '^(a b \\(c\\))$'",
    );
    has(
        "node --import tsx --test test/*.ts",
        &[],
        "node --test-reporter='/scratch/ai_infra_node.mjs' --test-reporter-destination='/scratch/ai_infra_node_1.out' --import tsx --test test/*.ts",
    );
    has(
        "xo && c8 ava",
        &[],
        "{ c8 ava --tap > '/scratch/ai_infra_tap_2.out'",
    );
    has(
        "tape test/*.js | tap-spec",
        &[],
        "{ tape test/*.js > '/scratch/ai_infra_tap_1.out'",
    );
    has("./run.sh; jest", &[], "{ ./run.sh; jest");
    has("npm test", &[], "{ npm test");
}

#[test]
fn pytest_leaves_nested_suites_to_themselves() {
    let files = [
        ("tests/test_a.py", ""),
        ("sub/pyproject.toml", ""),
        ("sub/test_b.py", ""),
        (".venv/bin/python", ""),
    ];
    let made = chosen(&files, &["tests/test_a.py::test_x[a - b]"]);
    assert!(
        made.argv[0].ends_with("/.venv/bin/python")
            && made.argv[1] == "/scratch/ai_infra_pytest.py"
    );
    assert_eq!(made.shown, ".venv/bin/python -m pytest -q");
    let settings: serde_json::Value = serde_json::from_str(&made.files[1].1).unwrap();
    assert_eq!(settings["ignore"], serde_json::json!(["sub"]));
    assert_eq!(
        settings["only"],
        serde_json::json!(["tests/test_a.py::test_x[a - b]"])
    );
}

#[test]
fn a_virtual_environment_that_leads_nowhere_is_named() {
    let dir = planted(&[("test_a.py", ""), (".venv/pyvenv.cfg", "")]);
    let bin = dir.path().join(".venv/bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/nowhere/bin/python3", bin.join("python3")).unwrap();
    std::os::unix::fs::symlink("python3", bin.join("python")).unwrap();
    let suite = detect(dir.path()).remove(0);
    let made = command(&suite, dir.path(), &[], Path::new("/scratch")).unwrap();
    assert_eq!(
        made.note,
        "`.venv/bin/python` leads to /nowhere/bin/python3, which cannot be reached from here, so the system's Python ran them"
    );
}

#[test]
fn go_make_and_missing_folders() {
    assert_eq!(
        chosen(
            &[("go.mod", ""), ("a_test.go", "")],
            &["TestA/x", "p/q: TestB"]
        )
        .argv[3..],
        ["-run", "^(TestA|TestB)$", "./..."]
    );
    assert_eq!(
        chosen(&[("Makefile", "check:\n")], &[]).argv,
        ["make", "-k", "check"]
    );
    let gone = Suite {
        kind: SuiteKind::Go,
        dir: "gone".into(),
    };
    assert!(command(&gone, Path::new("/nowhere"), &[], Path::new("/scratch")).is_err());
}
