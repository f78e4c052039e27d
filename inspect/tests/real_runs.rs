//! Real runners over planted projects: cargo always, python and node where they are installed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use inspect::tests::{SuiteReport, command, detect, finish};

fn run(files: &[(&str, &str)]) -> Option<SuiteReport> {
    let (project, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, text) in files {
        let path = project.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = project.path().canonicalize().unwrap();
    let suite = detect(&root).remove(0);
    let made = command(&suite, &root, &[], scratch.path()).unwrap();
    for (path, text) in &made.files {
        std::fs::write(path, text).unwrap();
    }
    let mut child = Command::new(&made.argv[0]);
    child
        .args(&made.argv[1..])
        .envs(made.env.iter().cloned())
        .current_dir(&made.cwd)
        .stdin(Stdio::null());
    let output = child
        .env("CARGO_TARGET_DIR", scratch.path().join("target"))
        .output()
        .ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let outputs: Vec<_> = made
        .outputs
        .iter()
        .filter_map(|p| Some((p.clone(), std::fs::read_to_string(p).ok()?)))
        .collect();
    Some(finish(
        &suite,
        &made,
        output.status.code(),
        (&text(&output.stdout), &text(&output.stderr)),
        &outputs,
        0.5,
    ))
}

fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn names(report: &SuiteReport) -> Vec<&str> {
    report.failing.iter().map(|f| f.name.as_str()).collect()
}

#[test]
fn cargo_names_the_failing_tests() {
    let report = run(&[
        ("Cargo.toml", "[package]\nname = \"planted\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n"),
        ("src/lib.rs", "#[cfg(test)]\nmod tests {\n #[test] fn good() {}\n #[test] fn bad() { print!(\"test x ... ok\"); assert_eq!(1, 2); }\n #[test] #[ignore] fn later() {}\n}\n"),
        ("tests/it.rs", "#[test] fn whole() { panic!(\"broken\") }\n"),
    ])
    .unwrap();
    assert_eq!(names(&report), ["tests::bad", "whole"], "{report:#?}");
    assert_eq!(
        (
            report.passed,
            report.failed,
            report.skipped,
            report.complete
        ),
        (1, 2, 1, true)
    );
    assert_eq!(
        (
            report.failing[1].file.as_str(),
            report.failing[1].message.as_str()
        ),
        ("tests/it.rs", "broken")
    );
    assert_eq!(
        report.command,
        "cargo test --no-fail-fast --offline --workspace"
    );
}

#[test]
fn python_names_the_failing_tests() {
    if !installed("python3") {
        return;
    }
    let text = "import unittest\nclass A(unittest.TestCase):\n    def test_good(self): pass\n    def test_bad(self): self.assertEqual(1, 2)\n";
    let report = run(&[("test_a.py", text)]).unwrap();
    let name = if report.command.contains("unittest") {
        "test_a.A.test_bad"
    } else {
        "test_a.py::A::test_bad"
    };
    assert_eq!(names(&report), [name], "{report:#?}");
    assert_eq!(
        (report.passed, report.failed, report.complete),
        (1, 1, true)
    );
    assert!(report.failing[0].message.contains("1 != 2"));
}

#[test]
fn node_names_the_failing_tests() {
    if !installed("node") {
        return;
    }
    let text = "const { test } = require('node:test');\ntest('good', () => {});\ntest('outer', async (t) => { await t.test('inner', () => { throw new Error('no'); }); });\n";
    let report = run(&[
        ("package.json", r#"{"scripts":{"test":"node --test"}}"#),
        ("test/a.test.js", text),
    ])
    .unwrap();
    assert_eq!(names(&report), ["outer > inner"], "{report:#?}");
    assert_eq!(
        (report.passed, report.failed, report.complete),
        (1, 1, true)
    );
    assert!(Path::new(&report.failing[0].file).ends_with("test/a.test.js"));
}
