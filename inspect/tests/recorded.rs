//! What real runners printed and wrote (in `fixtures`), read back: exact names, counts, and whether it is all.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use inspect::tests::{Suite, SuiteKind, SuiteReport, parse, total};
use proptest::prelude::*;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(name),
    )
    .unwrap()
}

fn read(
    kind: SuiteKind,
    exit: Option<i32>,
    out: &str,
    output: Option<(&str, String)>,
) -> SuiteReport {
    let suite = Suite {
        kind,
        dir: ".".into(),
    };
    let outputs: Vec<_> = output
        .into_iter()
        .map(|(name, text)| (PathBuf::from("/scratch").join(name), text))
        .collect();
    parse(&suite, exit, out, "", &outputs)
}

fn check(report: &SuiteReport, counts: (u64, u64, u64), complete: bool, names: &[&str]) {
    let seen: Vec<_> = report.failing.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(seen, names, "{report:#?}");
    assert_eq!(
        (report.passed, report.failed, report.skipped),
        counts,
        "{report:#?}"
    );
    assert_eq!(report.complete, complete, "{report:#?}");
}

#[test]
fn cargo_with_doc_tests_noise_an_abort_and_equal_names() {
    let report = read(SuiteKind::Cargo, Some(101), &fixture("cargo.txt"), None);
    let names = [
        "cg/it: bad",
        "m/it: bad",
        "src/lib.rs - add (line 2)",
        "src/lib.rs - add (line 8)",
        "tests::bad",
        "tests::err",
        "tests::should",
    ];
    check(&report, (6, 7, 1), false, &names);
    assert!(
        report.note.contains("m/abort") && report.note.contains("SIGABRT"),
        "{}",
        report.note
    );
    assert!(
        report
            .note
            .contains("`-p cg --test custom` failed without naming a test")
    );
    let bad = &report.failing[4];
    assert_eq!(
        (bad.file.as_str(), bad.message.as_str()),
        ("src/lib.rs", "assertion `left == right` failed: what")
    );
}

#[test]
fn cargo_says_why_a_test_failed_however_much_it_printed() {
    let noise = "x\n".repeat(100_000);
    let out = format!(
        "running 1 test\ntest t::big ... FAILED\n\nfailures:\n\n---- t::big stdout ----\n{noise}\nthread 't::big' panicked at src/lib.rs:1:40:\nthe end\n\n\nfailures:\n    t::big\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n"
    );
    let report = read(SuiteKind::Cargo, Some(101), &out, None);
    let test = &report.failing[0];
    assert_eq!(
        (test.file.as_str(), test.message.as_str()),
        ("src/lib.rs", "the end")
    );
}

#[test]
fn a_runner_that_is_not_there_is_named() {
    let report = read(
        SuiteKind::Cargo,
        Some(127),
        "sh: 1: exec: cargo: not found\n",
        None,
    );
    assert!(!report.complete);
    assert_eq!(
        report.note,
        "a program it needs was not found: sh: 1: exec: cargo: not found"
    );
}

#[test]
fn cargo_that_cannot_be_built() {
    let report = read(
        SuiteKind::Cargo,
        Some(101),
        &fixture("cargo_unbuilt.txt"),
        None,
    );
    check(&report, (0, 0, 0), false, &[]);
    assert_eq!(
        report.note,
        "the tests could not be built: error[E0308]: mismatched types (src/lib.rs:1:30)"
    );
}

#[test]
fn pytest_with_parameters_fixtures_and_a_file_that_does_not_load() {
    let events = Some(("ai_infra_pytest.jsonl", fixture("pytest.jsonl")));
    let report = read(SuiteKind::Pytest, Some(1), "", events);
    let names = [
        "tests/test_a.py::TestC::test_in",
        "tests/test_a.py::TestU::test_sub",
        "tests/test_a.py::test_bad",
        "tests/test_a.py::test_eq[one-two]",
        "tests/test_a.py::test_param[[z]]",
        "tests/test_a.py::test_param[\\xfc::x]",
        "tests/test_a.py::test_param[a - b]",
        "tests/test_a.py::test_param[multi\\nline]",
        "tests/test_a.py::test_param[q\"uote]",
        "tests/test_a.py::test_setup",
        "tests/test_a.py::test_teardown",
        "tests/test_a.py::test_xpass",
        "tests/test_b.py",
    ];
    check(&report, (3, 13, 2), false, &names);
    assert!(
        report.note.contains("tests/test_b.py could not be loaded")
            && report.note.contains("addopts")
    );
    assert_eq!(report.failing[2].message, "AssertionError: one is not two");
}

#[test]
fn pytest_that_crashed_names_what_was_running() {
    let events = Some(("ai_infra_pytest.jsonl", fixture("pytest_crash.jsonl")));
    let report = read(SuiteKind::Pytest, Some(3), "", events);
    check(&report, (1, 1, 0), false, &["tests/test_c.py::test_b"]);
    assert!(
        report
            .note
            .contains("while tests/test_c.py::test_c was running"),
        "{}",
        report.note
    );
    let nothing = read(SuiteKind::Pytest, Some(127), "", None);
    assert!(!nothing.complete);
}

#[test]
fn javascript_runners() {
    let npm =
        |name: &str, file: &str| read(SuiteKind::Npm, Some(1), "", Some((name, fixture(file))));
    let names = [
        "math > add > adds (1 + 1)",
        "math > eq 1 2",
        "test/a.test.js: same",
        "test/b.test.js: same",
    ];
    check(
        &npm("ai_infra_jest_1.out", "jest.json"),
        (3, 4, 2),
        false,
        &names,
    );
    check(
        &npm("ai_infra_vitest_0.out", "vitest.json"),
        (3, 2, 2),
        true,
        &names[..2],
    );
    let names = [
        "math > add > adds (1 + 1)",
        "math > hooked > \"before all\" hook for \"never\"",
        "top",
    ];
    check(
        &npm("ai_infra_mocha_0.out", "mocha.jsonl"),
        (1, 3, 2),
        false,
        &names,
    );
    let names = [
        "nested > inner one",
        "suite > a > b # c",
        "test/a.test.js: top bad",
        "test/b.test.js: top bad",
        "test/c.test.js",
    ];
    let mut report = npm("ai_infra_node_0.out", "node.jsonl");
    for test in &mut report.failing {
        test.name = test.name.replace("/workspace/", "");
    }
    report.failing.sort();
    check(&report, (3, 5, 2), false, &names);
    check(
        &npm("ai_infra_tap_0.out", "ava.tap"),
        (2, 1, 1),
        true,
        &["bad - thing"],
    );
    check(
        &npm("ai_infra_tap_0.out", "tape.tap"),
        (1, 2, 0),
        true,
        &["one > differs # really", "two > should be truthy"],
    );
}

#[test]
fn javascript_without_names_says_so() {
    let suite = Suite {
        kind: SuiteKind::Npm,
        dir: ".".into(),
    };
    let err = "Error: bad\nai-infra: plain: node t.js\n";
    let report = parse(&suite, Some(1), "", err, &[]);
    check(&report, (0, 0, 0), false, &[]);
    assert_eq!(
        report.note,
        "`node t.js` failed and does not name single tests: Error: bad"
    );
    let fine = parse(&suite, Some(0), "", "ai-infra: unnamed: \n", &[]);
    assert!(fine.complete && fine.note.contains("only its exit code is known"));
}

#[test]
fn nested_tap() {
    let text = "TAP version 14\n# Subtest: math\n    # Subtest: adds\n        ok 1 - one\n        not ok 2 - two\n        1..2\n    \
                not ok 1 - adds # time=3ms\n    ok 2 - later # SKIP\n    not ok 3 - some day # TODO\n    1..3\nnot ok 1 - math\nok 2 - other\n1..2\n";
    let report = read(SuiteKind::Npm, Some(1), text, None);
    check(&report, (2, 1, 2), true, &["math > adds > two"]);
    let cut = read(
        SuiteKind::Npm,
        Some(1),
        "1..3\nok 1 - a\nBail out! no\n",
        None,
    );
    assert!(!cut.complete);
}

#[test]
fn go_with_subtests_a_panic_and_a_package_that_does_not_build() {
    let report = read(SuiteKind::Go, Some(1), &fixture("go.jsonl"), None);
    let names = [
        "TestPanic",
        "TestTable/a/b",
        "TestTable/with_space",
        "example.com/gop/sub: TestBad",
        "example.com/gop: TestBad",
    ];
    check(&report, (2, 5, 1), false, &names);
    assert!(
        report.note.contains("panic")
            && report
                .note
                .contains("example.com/gop/broken could not be built")
    );
    assert_eq!(report.failing[4].message, "got 1");
}

#[test]
fn make_reads_what_it_knows() {
    let make = |exit, out: &str| read(SuiteKind::Make, Some(exit), out, None);
    let ctest = "50% tests passed, 1 tests failed out of 2\n\nTotal Test time (real) = 0.01 sec\n\nThe following tests FAILED:\n\t  2 - adds two (Failed)\nErrors while running CTest\n";
    check(&make(8, ctest), (1, 1, 0), true, &["adds two"]);
    let pytest = "..F\nFAILED t/test_a.py::test_p[a - b] - assert 0\nFAILED t/test_a.py::test_q - why - so\n=== 2 failed, 3 passed, 1 skipped in 0.10s ===\n";
    check(
        &make(2, pytest),
        (3, 2, 1),
        true,
        &["t/test_a.py::test_p[a - b]", "t/test_a.py::test_q"],
    );
    let go = "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/x (0.00s)\nFAIL\nFAIL\tx/y\t0.01s\n";
    check(&make(2, go), (0, 1, 0), true, &["TestA/x"]);
    check(
        &make(
            2,
            "running 1 test\ntest a ... FAILED\n\nfailures:\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n",
        ),
        (0, 1, 0),
        true,
        &["a"],
    );
    check(
        &make(1, "1..2\nok 1 - a\nnot ok 2 - b\n"),
        (1, 1, 0),
        true,
        &["b"],
    );
    let plain = make(2, "cc x.c\nx.c:1: error: no\n");
    assert!(
        !plain.complete && plain.note.contains("x.c:1: error: no"),
        "{}",
        plain.note
    );
    assert!(make(0, "ok\n").complete);
}

#[test]
fn suites_add_up_and_equal_names_get_their_folder() {
    let suite = |dir: &str| Suite {
        kind: SuiteKind::Make,
        dir: dir.into(),
    };
    let run = |dir: &str, out: &str| parse(&suite(dir), Some(1), out, "", &[]);
    let all = total(vec![
        run("a", "1..2\nnot ok 1 - x\nok 2 - y\n"),
        run("b", "1..2\nnot ok 1 - x\nnot ok 2 - z\n"),
    ]);
    assert_eq!(all.failing, ["a/x", "b/x", "z"]);
    assert_eq!(
        (all.passed, all.failed, all.complete, all.found),
        (1, 3, true, true)
    );
    assert!(!total(Vec::new()).found);
}

const KINDS: [SuiteKind; 5] = [
    SuiteKind::Cargo,
    SuiteKind::Npm,
    SuiteKind::Pytest,
    SuiteKind::Go,
    SuiteKind::Make,
];

/// Cut off anywhere, a run never counts as complete and green.
#[test]
fn cut_off_anywhere_is_never_all_green() {
    let whole = fixture("cargo.txt");
    for at in (0..whole.len())
        .step_by(61)
        .filter(|at| whole.is_char_boundary(*at))
    {
        let report = read(SuiteKind::Cargo, None, &whole[..at], None);
        assert!(!report.complete);
    }
    let events = fixture("pytest.jsonl");
    for at in (0..events.len() - 60)
        .step_by(61)
        .filter(|at| events.is_char_boundary(*at))
    {
        let report = read(
            SuiteKind::Pytest,
            Some(0),
            "",
            Some(("ai_infra_pytest.jsonl", events[..at].into())),
        );
        assert!(!report.complete, "{at}");
    }
}

proptest! {
    #[test]
    fn any_output_is_read_without_panic(
        lines in proptest::collection::vec(
            prop_oneof![
                Just("running 2 tests".to_string()), Just("failures:".into()), Just("    a::b".into()), Just("test a ... ".into()),
                Just("test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out".into()),
                Just("     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)".into()),
                Just("error: test failed, to rerun pass `-p`".into()), Just("        not ok 1 - é".into()), Just("ok".into()), Just("1..9".into()),
                Just("{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"T/é\"}".into()), Just("  ---".into()), Just("FAILED a.py::b[ - ]é - ".into()),
                Just("{\"event\":\"report\",\"id\":\"é\",\"outcome\":\"failed\"}".into()), Just("---- a::b stdout ----".into()), ".{0,40}",
            ], 0..30),
        exit in proptest::option::of(0..255i32)) {
        let text = lines.join("\n");
        for kind in KINDS {
            for name in ["ai_infra_pytest.jsonl", "ai_infra_jest_0.out", "ai_infra_mocha_0.out", "ai_infra_tap_0.out"] {
                let report = read(kind, exit, &text, Some((name, text.clone())));
                prop_assert!(report.failed >= report.failing.len() as u64);
                prop_assert!(exit == Some(0) || !(report.complete && report.failed == 0 && report.note.is_empty()));
            }
        }
    }
}
