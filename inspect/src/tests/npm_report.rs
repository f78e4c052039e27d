//! Reads what a JavaScript suite wrote: jest's and vitest's JSON, the lines of our mocha and node reporters, TAP, and
//! the remarks of the script that ran it.

use std::path::PathBuf;

use serde::Deserialize;

use super::detect::Suite;
use super::report::{FailingTest, SuiteReport, first_line, plain, shorten, unique_names};
use super::tap;

struct Case {
    file: String,
    path: Vec<String>,
    message: String,
}

pub(super) fn parse(
    suite: &Suite,
    exit: Option<i32>,
    out: &str,
    err: &str,
    outputs: &[(PathBuf, String)],
) -> SuiteReport {
    let mut report = SuiteReport::new(suite, exit);
    let mut failed = Vec::new();
    let mut known = false;
    for (path, text) in outputs.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        known = true;
        match name.split('_').nth(2).unwrap_or_default() {
            "jest" | "vitest" => from_json(&mut report, text, &mut failed),
            "mocha" | "node" => from_lines(&mut report, text, &mut failed),
            "tap" => from_tap(&mut report, text),
            _ => {}
        }
    }
    name_failing(&mut report, failed);
    if !known && tap::looks_like(out) {
        known = true;
        from_tap(&mut report, out);
    }
    let ran = report.passed + report.skipped + report.failing.len() as u64;
    if known && ran == 0 && report.complete {
        report.say("no tests were found");
    }
    remarks(&mut report, err, out, known);
    report
}

fn from_tap(report: &mut SuiteReport, text: &str) {
    let tap = tap::read(text);
    report.passed += tap.passed;
    report.skipped += tap.skipped;
    report.failing.extend(tap.failing);
    if !tap.complete {
        report.cut_short("the TAP output ends early");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestReport {
    test_results: Vec<JestFile>,
    #[serde(default)]
    was_interrupted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestFile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    assertion_results: Vec<JestCase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JestCase {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    failure_messages: Option<Vec<String>>,
}

fn from_json(report: &mut SuiteReport, text: &str, failed: &mut Vec<Case>) {
    let Ok(read) = serde_json::from_str::<JestReport>(text) else {
        return report.cut_short("the runner's report is cut off");
    };
    if read.was_interrupted {
        report.cut_short("the runner was interrupted");
    }
    for file in read.test_results {
        if file.status == "failed" && !file.assertion_results.iter().any(|c| c.status == "failed") {
            let why = first_line(&plain(&file.message).replace("● Test suite failed to run", ""));
            report.cut_short(&format!("{} could not be loaded: {why}", file.name));
        }
        for case in file.assertion_results {
            match case.status.as_str() {
                "passed" => report.passed += 1,
                "failed" => {
                    let message = case
                        .failure_messages
                        .and_then(|m| m.into_iter().next())
                        .unwrap_or_default();
                    let mut path = case.ancestor_titles;
                    path.push(case.title);
                    failed.push(Case {
                        file: file.name.clone(),
                        path,
                        message,
                    });
                }
                _ => report.skipped += 1,
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    event: String,
    outcome: String,
    path: Vec<String>,
    file: String,
    message: String,
    parent: bool,
    hook: bool,
}

fn from_lines(report: &mut SuiteReport, text: &str, failed: &mut Vec<Case>) {
    let mut ended = false;
    for event in text
        .lines()
        .filter_map(|l| serde_json::from_str::<Event>(l).ok())
    {
        ended |= event.event == "end";
        if event.event != "test" {
            continue;
        }
        if event.hook && event.outcome == "failed" {
            report.cut_short(&format!(
                "a hook failed ({}), so tests may not have run",
                event.path.join(" > ")
            ));
        }
        match event.outcome.as_str() {
            _ if event.parent => {}
            "passed" => report.passed += 1,
            "failed"
                if event.path.len() == 1
                    && !event.file.is_empty()
                    && event.file == event.path[0] =>
            {
                report.cut_short(&format!("{} ended before its tests were done", event.file));
                failed.push(Case {
                    file: String::new(),
                    path: event.path,
                    message: event.message,
                });
            }
            "failed" => failed.push(Case {
                file: event.file,
                path: event.path,
                message: event.message,
            }),
            _ => report.skipped += 1,
        }
    }
    if !ended {
        report.cut_short("the runner ended before the tests were done");
    }
}

/// Full titles; the file is put before them only where two files have the same title.
fn name_failing(report: &mut SuiteReport, failed: Vec<Case>) {
    let titles: Vec<String> = failed.iter().map(|c| c.path.join(" > ")).collect();
    let files: Vec<String> = failed
        .iter()
        .map(|c| shorter(&c.file, &report.dir))
        .collect();
    let places = files
        .iter()
        .map(String::as_str)
        .zip(titles.iter().map(String::as_str))
        .collect();
    for ((name, case), file) in unique_names(places, ": ")
        .into_iter()
        .zip(failed)
        .zip(&files)
    {
        let message = first_line(&plain(&case.message));
        report.failing.push(FailingTest {
            name,
            file: file.clone(),
            message,
        });
    }
}

/// A file's path without the workspace before it.
fn shorter(file: &str, dir: &str) -> String {
    let file = file.strip_prefix("file://").unwrap_or(file);
    let file = file.strip_prefix("/workspace/").unwrap_or(file);
    let inside = if dir == "." {
        None
    } else {
        file.strip_prefix(&format!("{dir}/"))
    };
    inside.unwrap_or(file).to_string()
}

fn remarks(report: &mut SuiteReport, err: &str, out: &str, known: bool) {
    let failed = report.exit != Some(0);
    for line in err.lines().filter_map(|l| l.strip_prefix("ai-infra: ")) {
        let (kind, what) = line.split_once(": ").unwrap_or((line, ""));
        match kind {
            "linter" => report.say(&format!("`{what}` failed (it is no test)")),
            "stopped" => report.cut_short(&format!(
                "`{what}` failed, so the steps after it did not run{}",
                last_error(err, out)
            )),
            "no report" => {
                report.cut_short(&format!("`{what}` wrote no report{}", last_error(err, out)))
            }
            "missing" if failed => report.cut_short(what),
            "plain" if !known => report.cut_short(&format!(
                "`{what}` failed and does not name single tests{}",
                last_error(err, out)
            )),
            "plain" => report.say(&format!("`{what}` failed")),
            "unnamed" if !known => {
                report.say("the script does not name single tests; only its exit code is known")
            }
            _ => {}
        }
    }
}

fn last_error(err: &str, out: &str) -> String {
    let lines = err
        .lines()
        .chain(out.lines())
        .map(str::trim)
        .filter(|l| !l.starts_with("ai-infra:"));
    let is = |l: &&str| l.contains("Error") || l.contains("error") || l.contains("not found");
    lines
        .clone()
        .find(is)
        .map(|l| format!(": {}", shorten(l)))
        .unwrap_or_default()
}
