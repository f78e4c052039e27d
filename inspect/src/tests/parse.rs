//! The one door for reading a run: picks the parser of the suite's kind, then puts the report in its final shape.

use std::path::PathBuf;

use super::command::TestCommand;
use super::detect::{Suite, SuiteKind};
use super::report::{SuiteReport, plain, shorten};
use super::{cargo, go, make, npm_report, pytest};

/// Reads what a run printed and wrote. `exit` is none when a signal or the time limit ended it. `outputs` are the
/// machine-readable files that exist (those that do not may be left out). `command` and `seconds` stay empty unless
/// the output tells; [`finish`] fills them.
pub fn parse(
    suite: &Suite,
    exit: Option<i32>,
    stdout: &str,
    stderr: &str,
    outputs: &[(PathBuf, String)],
) -> SuiteReport {
    let (out, err) = (plain(stdout), plain(stderr));
    let mut report = match suite.kind {
        SuiteKind::Cargo => cargo::parse(suite, exit, &out, &err),
        SuiteKind::Npm => npm_report::parse(suite, exit, &out, &err, outputs),
        SuiteKind::Pytest => pytest::parse(suite, exit, &out, &err, outputs),
        SuiteKind::Go => go::parse(suite, exit, &out, &err),
        SuiteKind::Make => make::parse(suite, exit, &out, &err),
    };
    report.failing.sort();
    report.failing.dedup_by(|a, b| a.name == b.name);
    report.failed = report.failed.max(report.failing.len() as u64);
    if exit.is_none() {
        report.cut_short("the run was ended by a signal or the time limit before it was done");
    } else if exit == Some(127) && report.failed == 0 && report.note.is_empty() {
        let last = |text: &str| shorten(text.trim_end().lines().last().unwrap_or_default());
        let said = [last(&err), last(&out)];
        let said = said.iter().find(|line| !line.is_empty());
        let said = said.map(|line| format!(": {line}")).unwrap_or_default();
        report.cut_short(&format!("a program it needs was not found{said}"));
    } else if exit != Some(0) && report.failed == 0 && report.note.is_empty() {
        report.cut_short(&format!(
            "the run ended with exit code {} and named no failing test",
            exit.unwrap_or(-1)
        ));
    }
    report
}

/// [`parse`], with the command and the seconds filled in, and absolute paths shortened.
pub fn finish(
    suite: &Suite,
    command: &TestCommand,
    exit: Option<i32>,
    printed: (&str, &str),
    outputs: &[(PathBuf, String)],
    seconds: f64,
) -> SuiteReport {
    let mut report = parse(suite, exit, printed.0, printed.1, outputs);
    if report.command.is_empty() {
        report.command = command.shown.clone();
    }
    if !command.note.is_empty() {
        report.say(&command.note);
    }
    report.seconds = seconds;
    let before = format!("{}/", command.cwd.display());
    let shorten = |text: &mut String| *text = text.replace(&before, "");
    shorten(&mut report.note);
    for test in &mut report.failing {
        shorten(&mut test.name);
        shorten(&mut test.file);
    }
    report
}
