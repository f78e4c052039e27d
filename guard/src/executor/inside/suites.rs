//! Tests: finds the suites, runs each in turn, and reads what each says.

use super::place;
use super::program::{Leash, Program};
use super::serve::Done;
use inspect::tests::{
    Suite, SuiteReport, TestCommand, TestsReport, command, detect, finish, total,
};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest run of one suite, unless the call says otherwise.
const SUITE: Duration = Duration::from_secs(600);
/// Bytes of output kept of a suite; its failing tests are named in it.
const KEEP: usize = 8 * 1024 * 1024;
/// Largest machine-readable file read.
const OUTPUT: u64 = 32 * 1024 * 1024;

pub(super) fn run(
    kind: Option<&str>,
    dir: Option<&str>,
    only: &[String],
    timeout_s: Option<u64>,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let suites: Vec<Suite> = detect(place::root())
        .into_iter()
        .filter(|suite| kind.is_none_or(|kind| suite.kind.name() == kind))
        .filter(|suite| dir.is_none_or(|dir| suite.dir == dir))
        .collect();
    let most = timeout_s.map_or(SUITE, Duration::from_secs);
    let reports = suites
        .iter()
        .enumerate()
        .map(|(number, suite)| one(number, suite, only, leash.shorter(most)))
        .collect();
    let report = total(reports);
    let data = serde_json::to_value(&report).map_err(|e| e.to_string())?;
    Ok(Done::good(summary(&report), data))
}

fn one(number: usize, suite: &Suite, only: &[String], leash: Leash<'_>) -> SuiteReport {
    let scratch = PathBuf::from(format!("/tmp/suite-{number}"));
    try_one(&scratch, suite, only, leash).unwrap_or_else(|why| {
        let mut report = SuiteReport::new(suite, None);
        report.cut_short(&why);
        report
    })
}

fn try_one(
    scratch: &Path,
    suite: &Suite,
    only: &[String],
    leash: Leash<'_>,
) -> Result<SuiteReport, String> {
    let _ = fs::remove_dir_all(scratch);
    fs::create_dir_all(scratch).map_err(|e| format!("no scratch folder: {e}"))?;
    let command = command(suite, place::root(), only, scratch).map_err(|e| e.to_string())?;
    for (path, content) in &command.files {
        let folder = path.parent().unwrap_or(scratch);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(path, content))
            .map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
    }
    let program = Program {
        argv: command.argv.clone(),
        cwd: command.cwd.clone(),
        env: command.env.clone(),
        keep: KEEP,
    };
    let ended = program
        .run(leash)
        .map_err(|e| format!("`{}` cannot be started: {e}", command.argv.join(" ")))?;
    let outputs = outputs(&command);
    let printed = (ended.stdout.as_str(), ended.stderr.as_str());
    let seconds = ended.took.as_secs_f64();
    let mut report = finish(suite, &command, ended.exit, printed, &outputs, seconds);
    if ended.timed_out || ended.cancelled {
        report.cut_short(&format!("stopped after {seconds:.0} s, before it was over"));
    }
    // What was written to files is complete, however much was printed.
    let all_written = !outputs.is_empty() && outputs.len() == command.outputs.len();
    if ended.truncated && !all_written {
        report.cut_short("it printed more than is read");
    }
    Ok(report)
}

fn outputs(command: &TestCommand) -> Vec<(PathBuf, String)> {
    command
        .outputs
        .iter()
        .filter_map(|path| {
            let mut bytes = Vec::new();
            File::open(path)
                .ok()?
                .take(OUTPUT)
                .read_to_end(&mut bytes)
                .ok()?;
            Some((path.clone(), String::from_utf8_lossy(&bytes).into_owned()))
        })
        .collect()
}

fn summary(report: &TestsReport) -> String {
    if !report.found {
        return "no test suite was found".to_owned();
    }
    let mut text = format!(
        "{} passed, {} failed, {} skipped{}\n",
        report.passed,
        report.failed,
        report.skipped,
        if report.complete {
            ""
        } else {
            " (not complete)"
        }
    );
    for suite in &report.suites {
        text.push_str(&format!(
            "{} in {}: {}",
            suite.kind.name(),
            suite.dir,
            suite.command
        ));
        if !suite.note.is_empty() {
            text.push_str(&format!(" ({})", suite.note));
        }
        text.push('\n');
        for test in suite.failing.iter().take(100) {
            text.push_str(&format!(
                "  FAILED {} {} {}\n",
                test.name, test.file, test.message
            ));
        }
    }
    text
}
