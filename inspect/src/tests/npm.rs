//! JavaScript suites: what the `test` script does, run from local programs only, with reports from jest, vitest, mocha
//! and `node --test`, and TAP from the others. Of an unknown runner only the exit code is known, and that is said.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::command::{TestCommand, words};
use super::detect::Suite;
use super::npm_script::{self, Runner, Step, quote};
use super::report::{FailingTest, SuiteReport, first_line, shorten, unique_names};
use super::tap;
use crate::limits::InspectError;

const MOCHA: &str = include_str!("../../runners/ai_infra_mocha.cjs");
const NODE: &str = include_str!("../../runners/ai_infra_node.mjs");

/// The package.json of a folder.
pub(super) fn manifest(folder: &Path) -> Option<Value> {
    let text = crate::walk::read_text(&folder.join("package.json"), 4 << 20)?;
    serde_json::from_str(&text).ok()
}

/// The scripts; where there is no `test` script but a known runner among the dependencies, that runner.
pub(super) fn scripts(manifest: &Value) -> Option<Map<String, Value>> {
    let mut scripts = manifest.get("scripts").and_then(Value::as_object).cloned().unwrap_or_default();
    let test = scripts.get("test").and_then(Value::as_str).unwrap_or_default().trim().to_string();
    if !test.is_empty() && !test.contains("no test specified") {
        return Some(scripts);
    }
    let needs = |name: &str| ["devDependencies", "dependencies"].iter().any(|k| manifest.get(k).is_some_and(|d| d.get(name).is_some()));
    let runner = ["vitest", "jest", "mocha", "ava"].into_iter().find(|r| needs(r))?;
    scripts.insert("test".into(), runner.into());
    Some(scripts)
}

pub(super) fn command(
    suite: &Suite,
    cwd: &Path,
    root: &Path,
    only: &[String],
    scratch: &Path,
) -> Result<TestCommand, InspectError> {
    let missing = |why: &str| InspectError::NoCommand { kind: "npm".into(), dir: suite.dir.clone(), why: why.into() };
    let manifest = manifest(cwd).ok_or_else(|| missing("its package.json cannot be read; correct it"))?;
    let scripts = scripts(&manifest).ok_or_else(|| missing("its package.json has no test script; add one"))?;
    let steps = npm_script::steps(&scripts, "test");
    let (file, mocha, node) =
        (scratch.join("ai_infra_npm.sh"), scratch.join("ai_infra_mocha.cjs"), scratch.join("ai_infra_node.mjs"));
    let mut outputs = Vec::new();
    let script = script(&steps, &manifest, (cwd, root, scratch), only, &mut outputs);
    Ok(TestCommand {
        argv: vec!["sh".into(), file.to_string_lossy().into_owned()],
        env: [("NO_COLOR", "1"), ("FORCE_COLOR", "0"), ("npm_config_offline", "true"), ("NODE_DISABLE_COLORS", "1")]
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        files: vec![(file, script), (mocha, MOCHA.into()), (node, NODE.into())],
        outputs,
        shown: words(&["npm", "test"]).join(" "),
        ..TestCommand::default()
    })
}

/// The whole shell script. Lines it writes to standard error that begin with `ai-infra:` are read back by [`parse`].
fn script(
    steps: &[Step],
    manifest: &Value,
    (cwd, root, scratch): (&Path, &Path, &Path),
    only: &[String],
    outputs: &mut Vec<PathBuf>,
) -> String {
    let mut script = String::from("code=0\n");
    let folders = cwd.ancestors().take_while(|f| f.starts_with(root));
    let bins: Vec<String> = folders.map(|f| f.join("node_modules/.bin").to_string_lossy().into_owned()).collect();
    script.push_str(&format!("PATH={}:$PATH\nexport PATH\n", quote(&bins.join(":"))));
    let installed = cwd.ancestors().take_while(|f| f.starts_with(root)).any(|f| f.join("node_modules").is_dir());
    let needs = ["dependencies", "devDependencies"].iter().any(|k| manifest.get(k).and_then(Value::as_object).is_some_and(|d| !d.is_empty()));
    if needs && !installed {
        script.push_str("echo 'ai-infra: missing: node_modules is not there; `npm ci` installs what the tests need' >&2\n");
    }
    let path = |name: &str| scratch.join(name).to_string_lossy().into_owned();
    let reporters = (path("ai_infra_mocha.cjs"), path("ai_infra_node.mjs"));
    let only = pattern(only);
    for (number, step) in steps.iter().enumerate() {
        let said = |kind: &str| format!("echo {} >&2", quote(&format!("ai-infra: {kind}: {}", shorten(&step.text))));
        let name = match step.runner {
            Runner::Jest => "jest",
            Runner::Vitest => "vitest",
            Runner::Mocha => "mocha",
            Runner::Node => "node",
            Runner::Tap => "tap",
            Runner::Linter => {
                script.push_str(&format!("{{ {}\n}} || {{ code=$?; {}; }}\n", step.text, said("linter")));
                continue;
            }
            Runner::Other => {
                let last = number + 1 == steps.len();
                let stop = if last { said("plain") } else { said("stopped") };
                script.push_str(&format!("{{ {}\n}} || {{ code=$?; {stop}; exit $code; }}\n", step.text));
                if last && outputs.is_empty() {
                    script.push_str("echo 'ai-infra: unnamed: ' >&2\n");
                }
                continue;
            }
        };
        let output = scratch.join(format!("ai_infra_{name}_{number}.out"));
        let text = npm_script::reporting(step, &output.to_string_lossy(), (&reporters.0, &reporters.1), &only);
        let file = quote(&output.to_string_lossy());
        script.push_str(&format!("{{ {text}\n}} || code=$?\n[ -s {file} ] || {}\n", said("no report")));
        outputs.push(output);
    }
    script.push_str("exit $code\n");
    script
}

/// A pattern of full names as the runners join them: by spaces.
fn pattern(only: &[String]) -> String {
    let full = |name: &str| regex::escape(&name.replace(" > ", " ")).replace("\\ ", " ").replace("\\-", "-");
    let mut all: Vec<String> = Vec::new();
    for name in only {
        all.push(full(name));
        all.extend(name.split_once(": ").map(|(_, rest)| full(rest)));
    }
    if all.is_empty() { String::new() } else { format!("^({})$", all.join("|")) }
}

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
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
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
            let why = first_line(&super::report::plain(&file.message).replace("● Test suite failed to run", ""));
            report.cut_short(&format!("{} could not be loaded: {why}", file.name));
        }
        for case in file.assertion_results {
            match case.status.as_str() {
                "passed" => report.passed += 1,
                "failed" => {
                    let message = case.failure_messages.and_then(|m| m.into_iter().next()).unwrap_or_default();
                    let mut path = case.ancestor_titles;
                    path.push(case.title);
                    failed.push(Case { file: file.name.clone(), path, message });
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
    for event in text.lines().filter_map(|l| serde_json::from_str::<Event>(l).ok()) {
        ended |= event.event == "end";
        if event.event != "test" {
            continue;
        }
        if event.hook && event.outcome == "failed" {
            report.cut_short(&format!("a hook failed ({}), so tests may not have run", event.path.join(" > ")));
        }
        match event.outcome.as_str() {
            _ if event.parent => {}
            "passed" => report.passed += 1,
            "failed" => failed.push(Case { file: event.file, path: event.path, message: event.message }),
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
    let files: Vec<String> = failed.iter().map(|c| shorter(&c.file, &report.dir)).collect();
    let places = files.iter().map(String::as_str).zip(titles.iter().map(String::as_str)).collect();
    for ((name, case), file) in unique_names(places, ": ").into_iter().zip(failed).zip(&files) {
        let message = first_line(&super::report::plain(&case.message));
        report.failing.push(FailingTest { name, file: file.clone(), message });
    }
}

/// A file's path without the workspace before it.
fn shorter(file: &str, dir: &str) -> String {
    let file = file.strip_prefix("file://").unwrap_or(file);
    let file = file.strip_prefix("/workspace/").unwrap_or(file);
    let inside = if dir == "." { None } else { file.strip_prefix(&format!("{dir}/")) };
    inside.unwrap_or(file).to_string()
}

fn remarks(report: &mut SuiteReport, err: &str, out: &str, known: bool) {
    let failed = report.exit != Some(0);
    for line in err.lines().filter_map(|l| l.strip_prefix("ai-infra: ")) {
        let (kind, what) = line.split_once(": ").unwrap_or((line, ""));
        match kind {
            "linter" => report.say(&format!("`{what}` failed (it is no test)")),
            "stopped" => report.cut_short(&format!("`{what}` failed, so the steps after it did not run{}", last_error(err, out))),
            "no report" => report.cut_short(&format!("`{what}` wrote no report{}", last_error(err, out))),
            "missing" if failed => report.cut_short(what),
            "plain" if !known => report.cut_short(&format!("`{what}` failed and does not name single tests{}", last_error(err, out))),
            "plain" => report.say(&format!("`{what}` failed")),
            "unnamed" if !known => report.say("the script does not name single tests; only its exit code is known"),
            _ => {}
        }
    }
}

fn last_error(err: &str, out: &str) -> String {
    let lines = err.lines().chain(out.lines()).map(str::trim).filter(|l| !l.starts_with("ai-infra:"));
    let is = |l: &&str| l.contains("Error") || l.contains("error") || l.contains("not found");
    lines.clone().find(is).map(|l| format!(": {}", shorten(l))).unwrap_or_default()
}
