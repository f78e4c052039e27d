//! The reports, word for word, with something to say and with nothing.

use super::*;

fn check(name: &str, world: &World, expected: &str) {
    assert_eq!(report(name, &params_of(name), world), expected, "{name}");
}

fn of_tests(suites: Value, expected: &str) {
    check("run-tests", &json!({"Tests": tests(suites)}), expected);
}

#[test]
fn test_reports() {
    check(
        "run-tests",
        &world(),
        "\
2 of 1,212 tests fail:
- parser::empty (src/parser.rs): assertion failed: left == right
- parser::wide
- the pytest suite in `tools` did not run to its end: no module named yaml

Run: `cargo test` (1,200 passed, 2 failed), `pytest test` in `tools` (10 passed, 0 failed); 2.5 s.",
    );
    check(
        "run-tests",
        &empty(),
        "\
I found no test suite, so nothing was run. I looked for:
- Cargo.toml (cargo test)
- package.json with a test script (npm test)
- pytest settings or test_*.py files (pytest)
- go.mod (go test)
- a Makefile with a test target (make test)",
    );
    of_tests(
        json!([suite("cargo", ".", 214, json!([]), Value::Null)]),
        "All 214 tests pass.\n\nRun: `cargo test`; 1.2 s.",
    );
    of_tests(
        json!([suite("cargo", ".", 1, json!([]), Value::Null)]),
        "The one test passes.\n\nRun: `cargo test`; 1.2 s.",
    );
    let mut unnamed = suite("make", ".", 0, json!([]), Value::Null);
    unnamed["note"] = json!("only its exit code is known");
    of_tests(
        json!([unnamed]),
        "1 suite ran to the end without failing, but no single test is named.\n- about the make suite in the top folder: only its exit code is known\n\nRun: `make test`; 1.2 s.",
    );
    of_tests(
        json!([suite("cargo", ".", 0, json!([]), Value::Null)]),
        "1 suite ran to the end, but it holds no tests.\n\nRun: `cargo test`; 1.2 s.",
    );
    of_tests(
        json!([suite(
            "cargo",
            "",
            0,
            json!([{"name": "a", "file": null, "message": null}]),
            Value::Null
        )]),
        "1 of 1 test fails:\n- a\n\nRun: `cargo test`; 1.2 s.",
    );
    of_tests(
        json!([suite(
            "cargo",
            "",
            0,
            json!([]),
            json!("could not compile shop")
        )]),
        "\
The tests could not be run:
- the cargo suite in the top folder did not run to its end: could not compile shop

Run: `cargo test`; 1.2 s.",
    );
    of_tests(
        json!([
            suite("cargo", "", 3, json!([]), Value::Null),
            suite("npm", "web", 0, json!([]), json!("npm is not installed"))
        ]),
        "\
No test failed, but not everything ran: 3 tests passed. What did not:
- the npm suite in `web` did not run to its end: npm is not installed

Run: `cargo test` (3 passed, 0 failed), `npm test` in `web` (0 passed, 0 failed); 2.5 s.",
    );
}

#[test]
fn repository_reports() {
    check("look-over", &world(), "\
The repository holds 14,203 lines of Rust, 16,000 lines in all, in 312 files and 2 packages; newest commit 2026-08-01; 1 possible secret; 2 unfinished marks; 1 of 2 quick checks failed.
- Check failed: cargo fmt: Diff in src/lib.rs
- Possible secret: a.env:3: aws access key `AKIA****`
- Unfinished: src/lib.rs:7: TODO: finish
- Unfinished: src/lib.rs:9: FIXME later
- Dependencies without a lock file: web/package.json
- Missing: a licence
- Checks passed: yaml parses");
    check(
        "look-over",
        &empty(),
        "The folder holds no files, so there is nothing to look over.",
    );
    check("repository-overview", &world(), "\
The repository holds 16,000 lines in 312 files (1.2 MB), most of it Rust; newest commit 2026-08-01 \"[pai] playbooks route\".
- Branch: main at 9c1e2ab00112
- Languages: Rust 14,203 lines in 200 files, YAML 1 line in 1 file
- Packages: Cargo.toml (1 direct dependency), web/package.json (1 direct dependency, not locked)
- Longest files: src/lib.rs (449 lines)
- Missing: a licence");
    check(
        "repository-overview",
        &empty(),
        "The folder holds no files.",
    );
}

#[test]
fn findings_reports() {
    check("leaked-secrets", &world(), "\
1 possible secret in 1 file; values are masked:
- a.env:3: aws access key `AKIA****`

A secret that was ever pushed or shared should be replaced, not only removed. 312 files scanned.
Not read: 2 files (binary or too large). Files named in .gitignore, installed packages and older commits were not looked at.");
    check(
        "leaked-secrets",
        &empty(),
        "I found no file to scan for secrets.\nFiles named in .gitignore, installed packages and older commits were not looked at.",
    );
    check(
        "unfinished-marks",
        &world(),
        "\
2 unfinished marks in 1 file (1 FIXME, 1 TODO); 310 files scanned:
- src/lib.rs:7: TODO: finish
- src/lib.rs:9: FIXME later",
    );
    check(
        "unfinished-marks",
        &empty(),
        "I found no file to scan for unfinished marks.",
    );
}

#[test]
fn long_lists_are_cut_and_counted() {
    let mut world = world();
    let finding =
        |n: usize| json!({"path": format!("f{n}"), "line": n, "mark": "TODO", "text": "TODO"});
    world["Marks"]["findings"] = (0..100).map(finding).collect();
    world["Marks"]["total"] = json!(1234);
    for (name, shown, more) in [
        ("look-over", 20, "and 1,214 more unfinished marks"),
        ("unfinished-marks", 50, "and 1,184 more"),
    ] {
        let text = report(name, &nothing(), &world);
        assert!(text.contains(more), "{text}");
        assert_eq!(text.matches(": TODO").count(), shown, "{text}");
    }
}

#[test]
fn data_and_host_reports() {
    check(
        "host-health",
        &world(),
        "\
shop1 needs a look: 1 disk at or over 90 %.
- Disk /data: 95 % full, 95.0 GB of 100.0 GB used, 5.0 GB free (xfs)
- Disk /: 62 % full, 30.0 GB of 50.0 GB used, 18.0 GB free (ext4)
- Memory: 40 % in use, 4.8 GB of 8.0 GB available; no swap
- Load: 0.12 over 15 minutes on 4 processors
- Up: 12 days",
    );
    check(
        "host-health",
        &empty(),
        "\
bare is well: nothing at or over 90 %.
- Disks: none could be read
- Memory: 10 % in use, 900.0 MB of 1.0 GB available; swap 0 B of 500.0 MB used
- Load: 0 over 15 minutes on 1 processor
- Up: 5 seconds",
    );
}
