//! Suites behind a Makefile, where nothing else is found: `make test`, or `make check`. What it prints is read as any
//! format that is known; else only the exit code counts.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::command::{TestCommand, words};
use super::detect::Suite;
use super::report::{FailingTest, SuiteReport, shorten};
use super::{cargo, go, tap};
use crate::limits::InspectError;

/// The target to make: `test`, else `check`.
pub(super) fn target(folder: &Path) -> Option<&'static str> {
    let file = ["GNUmakefile", "makefile", "Makefile"]
        .iter()
        .find_map(|n| crate::walk::read_text(&folder.join(n), 1 << 20))?;
    let has = |target: &str| {
        file.lines().any(|line| {
            let Some((names, rest)) = line.split_once(':') else {
                return false;
            };
            !line.starts_with(['\t', ' ', '#', '.'])
                && !rest.starts_with('=')
                && names.split_whitespace().any(|n| n == target)
        })
    };
    ["test", "check"].into_iter().find(|t| has(t))
}

pub(super) fn command(suite: &Suite, cwd: &Path) -> Result<TestCommand, InspectError> {
    let why = "its Makefile has neither a test nor a check target; add one";
    let target = target(cwd).ok_or_else(|| InspectError::NoCommand {
        kind: "make".into(),
        dir: suite.dir.clone(),
        why: why.into(),
    })?;
    let argv = words(&["make", "-k", target]);
    Ok(TestCommand {
        shown: format!("make {target}"),
        argv,
        ..TestCommand::default()
    })
}

pub(super) fn parse(suite: &Suite, exit: Option<i32>, out: &str, err: &str) -> SuiteReport {
    let text = format!("{out}\n{err}");
    if out.lines().any(|l| l.starts_with("test result: ")) {
        return cargo::parse(suite, exit, out, err);
    }
    if out
        .lines()
        .any(|l| l.starts_with("{\"Time\":") && l.contains("\"Action\":"))
    {
        return go::parse(suite, exit, out, err);
    }
    let mut report = SuiteReport::new(suite, exit);
    if tap::looks_like(out) {
        let read = tap::read(out);
        (
            report.passed,
            report.skipped,
            report.failing,
            report.complete,
        ) = (read.passed, read.skipped, read.failing, read.complete);
    } else if !(ctest(&mut report, &text)
        || pytest(&mut report, &text)
        || go_text(&mut report, &text))
    {
        match exit {
            Some(0) => {
                report.say("what it printed names no single tests; only its exit code is known")
            }
            _ => report.cut_short(&format!(
                "it failed and names no single tests{}",
                last(&text)
            )),
        }
    }
    report
}

/// The last line that says what went wrong.
fn last(text: &str) -> String {
    let line = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|l| l.to_ascii_lowercase().contains("error"));
    line.map(|l| format!(": {}", shorten(l)))
        .unwrap_or_default()
}

fn shape(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn fail(report: &mut SuiteReport, name: &str, message: &str) {
    report.failing.push(FailingTest {
        name: name.into(),
        file: String::new(),
        message: shorten(message),
    });
}

/// `The following tests FAILED:` and its list.
fn ctest(report: &mut SuiteReport, text: &str) -> bool {
    static SUM: LazyLock<Option<Regex>> =
        LazyLock::new(|| shape(r"\d+% tests passed, (\d+) tests failed out of (\d+)"));
    static ITEM: LazyLock<Option<Regex>> =
        LazyLock::new(|| shape(r"^\s+\d+ - (.+) \(([^()]+)\)\s*$"));
    let Some(found) = SUM.as_ref().and_then(|s| s.captures(text)) else {
        return false;
    };
    let number = |i: usize| found[i].parse::<u64>().unwrap_or(0);
    let list = text
        .lines()
        .skip_while(|l| !l.starts_with("The following tests FAILED:"))
        .skip(1);
    for item in list.map_while(|l| ITEM.as_ref().and_then(|i| i.captures(l))) {
        fail(report, &item[1], &item[2]);
    }
    report.passed = number(2).saturating_sub(number(1));
    report.failed = number(1);
    if report.failing.len() as u64 != report.failed {
        report.cut_short("not every failing test is in the list ctest printed");
    }
    true
}

/// The short summary of pytest: `FAILED tests/test_a.py::test_b[x - y] - why`.
fn pytest(report: &mut SuiteReport, text: &str) -> bool {
    static SUM: LazyLock<Option<Regex>> =
        LazyLock::new(|| shape(r"(?m)^(?:=+ )?((?:\d+ \w+(?:, )?)+) in [\d.]+s"));
    let Some(found) = SUM.as_ref().and_then(|s| s.captures_iter(text).last()) else {
        return false;
    };
    for part in found[1].split(", ") {
        let Some((number, word)) = part.split_once(' ') else {
            continue;
        };
        let number = number.parse::<u64>().unwrap_or(0);
        match word {
            "passed" | "xpassed" => report.passed += number,
            "failed" | "error" | "errors" => report.failed += number,
            "skipped" | "xfailed" => report.skipped += number,
            _ => {}
        }
    }
    for line in text.lines() {
        let Some(rest) = line.strip_prefix("FAILED ").or(line.strip_prefix("ERROR ")) else {
            continue;
        };
        if rest.contains(".py") {
            let (name, message) = split_summary(rest);
            fail(report, name, message);
        }
    }
    if report.failing.len() as u64 != report.failed {
        report.cut_short("not every failing test is in the summary pytest printed");
    }
    true
}

/// The name and the message; a ` - ` inside brackets is part of the name.
fn split_summary(rest: &str) -> (&str, &str) {
    let from = match (rest.find('['), rest.find(" - ")) {
        (Some(open), Some(dash)) if open < dash => rest.rfind("] - ").map_or(open, |at| at + 1),
        _ => 0,
    };
    match rest[from..].find(" - ") {
        Some(at) => (&rest[..from + at], &rest[from + at + 3..]),
        None => (rest, ""),
    }
}

/// `--- FAIL: TestX/sub (0.00s)`, as go prints without `-json`; a test with failing subtests is not named.
fn go_text(report: &mut SuiteReport, text: &str) -> bool {
    static LINE: LazyLock<Option<Regex>> =
        LazyLock::new(|| shape(r"^\s*--- (PASS|FAIL|SKIP): (\S+) \("));
    let ran = text
        .lines()
        .any(|l| l.starts_with("ok  \t") || l.starts_with("FAIL\t"));
    let found: Vec<_> = text
        .lines()
        .filter_map(|l| LINE.as_ref().and_then(|r| r.captures(l)))
        .collect();
    if !ran {
        return false;
    }
    let failed: Vec<&str> = found
        .iter()
        .filter(|f| &f[1] == "FAIL")
        .filter_map(|f| f.get(2))
        .map(|m| m.as_str())
        .collect();
    report.passed = found.iter().filter(|f| &f[1] == "PASS").count() as u64;
    report.skipped = found.iter().filter(|f| &f[1] == "SKIP").count() as u64;
    for name in failed
        .iter()
        .filter(|n| !failed.iter().any(|o| o.starts_with(&format!("{n}/"))))
    {
        fail(report, name, "");
    }
    if text.lines().any(|l| {
        l.starts_with("FAIL\t") && (l.contains("[build failed]") || l.contains("[setup failed]"))
    }) {
        report.cut_short("some packages could not be built");
    }
    report.say("go counts passing tests only with -v");
    true
}
