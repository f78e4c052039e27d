//! Python suites: a small program, written into the scratch folder, runs pytest (or unittest) with the project's own
//! options and writes one JSON line an event, so that names are exact whatever the terminal output looks like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::command::TestCommand;
use super::detect::{self, Suite, SuiteKind};
use super::report::{FailingTest, SuiteReport, first_line, shorten};

const PROGRAM: &str = include_str!("../../runners/ai_infra_pytest.py");
const EVENTS: &str = "ai_infra_pytest.jsonl";

pub(super) fn command(
    suite: &Suite,
    root: &Path,
    cwd: &Path,
    only: &[String],
    scratch: &Path,
) -> TestCommand {
    let (program, settings) = (
        scratch.join("ai_infra_pytest.py"),
        scratch.join("ai_infra_pytest.json"),
    );
    let events = scratch.join(EVENTS);
    let (python, note) = python(cwd, root);
    let chosen = serde_json::json!({
        "only": only,
        "ignore": nested(suite, root),
        "cache": scratch.join("pytest-cache"),
    });
    let argv = [&python, &text(&program), &text(&events), &text(&settings)];
    TestCommand {
        argv: argv.into_iter().cloned().collect(),
        env: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
        files: vec![(program, PROGRAM.into()), (settings, chosen.to_string())],
        outputs: vec![events],
        shown: format!("{} -m pytest -q", shown(&python, cwd)),
        note,
        ..TestCommand::default()
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The project's own Python where it has one, else the system's; and what must be said about that.
fn python(cwd: &Path, root: &Path) -> (String, String) {
    let mut note = String::new();
    for folder in [cwd, root] {
        for place in [".venv/bin/python", "venv/bin/python", "env/bin/python"] {
            let found = folder.join(place);
            if found.exists() {
                return (text(&found), String::new());
            }
            if let (Some(target), true) = (leads_to(&found), note.is_empty()) {
                note = format!(
                    "`{place}` leads to {}, which cannot be reached from here, so the system's Python ran them",
                    target.display()
                );
            }
        }
    }
    let installed = |name: &str| {
        ["/usr/bin", "/usr/local/bin"]
            .iter()
            .any(|f| Path::new(f).join(name).exists())
    };
    let python = if !installed("python3") && installed("python") {
        "python"
    } else {
        "python3"
    };
    (python.into(), note)
}

/// The end of a chain of links.
fn leads_to(link: &Path) -> Option<PathBuf> {
    let mut target = link.read_link().ok()?;
    for _ in 0..8 {
        let at = link.parent()?.join(&target);
        match at.read_link() {
            Ok(next) => target = at.parent()?.join(next),
            Err(_) => break,
        }
    }
    Some(target)
}

fn shown(python: &str, cwd: &Path) -> String {
    let inside = Path::new(python).strip_prefix(cwd).map(text);
    inside.unwrap_or_else(|_| python.to_string())
}

/// Python suites below this one: they run by themselves, so this run leaves them out.
fn nested(suite: &Suite, root: &Path) -> Vec<String> {
    let prefix = if suite.dir == "." {
        String::new()
    } else {
        format!("{}/", suite.dir)
    };
    let below = |other: &Suite| other.kind == SuiteKind::Pytest && other.dir != suite.dir;
    let all = detect::detect(root);
    all.iter()
        .filter(|s| below(s))
        .filter_map(|s| s.dir.strip_prefix(&prefix))
        .map(String::from)
        .collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    event: String,
    id: String,
    name: String,
    when: String,
    outcome: String,
    xfail: bool,
    message: String,
    exit: Option<i32>,
}

#[derive(Default)]
struct Test {
    failed: Option<String>,
    skipped: bool,
    passed: bool,
    open: bool,
}

#[derive(Default)]
struct Run {
    tests: BTreeMap<String, Test>,
    unloadable: BTreeMap<String, String>,
    skipped_modules: u64,
    expected: u64,
    unexpected: u64,
    internal: String,
    unittest: bool,
    retried: bool,
    pytest_missing: bool,
    finish: Option<i32>,
}

impl Run {
    fn read(lines: &str) -> Self {
        let mut run = Run::default();
        for line in lines.lines() {
            if let Ok(event) = serde_json::from_str::<Event>(line) {
                run.take(event);
            }
        }
        run
    }

    fn take(&mut self, event: Event) {
        match event.event.as_str() {
            "runner" => self.unittest = event.name == "unittest",
            "start" => self.tests.entry(event.id).or_default().open = true,
            "end" => self.tests.entry(event.id).or_default().open = false,
            "report" => self.report(event),
            "collect" if event.outcome == "skipped" => self.skipped_modules += 1,
            "collect" => drop(self.unloadable.insert(event.id, event.message)),
            "internal" => self.internal = event.message,
            "retry" => self.retried = true,
            "missing" => self.pytest_missing = true,
            "finish" => self.finish = event.exit,
            _ => {}
        }
    }

    fn report(&mut self, event: Event) {
        let test = self.tests.entry(event.id).or_default();
        test.open &= self.unittest || event.when != "???";
        match event.outcome.as_str() {
            "failed" => drop(test.failed.get_or_insert(event.message)),
            "skipped" => {
                test.skipped = true;
                self.expected += u64::from(event.xfail);
            }
            "passed" if event.when == "call" => {
                test.passed = true;
                self.unexpected += u64::from(event.xfail);
            }
            _ => {}
        }
    }
}

pub(super) fn parse(
    suite: &Suite,
    exit: Option<i32>,
    out: &str,
    err: &str,
    outputs: &[(PathBuf, String)],
) -> SuiteReport {
    let mut report = SuiteReport::new(suite, exit);
    let events = outputs
        .iter()
        .find(|(path, _)| path.ends_with(EVENTS))
        .map_or("", |(_, text)| text.as_str());
    let run = Run::read(events);
    for (name, test) in &run.tests {
        count(&mut report, name, test);
    }
    for (name, message) in &run.unloadable {
        report.failing.push(failing(name, message));
        report.cut_short(&format!(
            "{name} could not be loaded, so its tests are not known"
        ));
    }
    report.skipped += run.skipped_modules;
    remarks(&mut report, &run, (exit, out, err));
    report
}

fn count(report: &mut SuiteReport, name: &str, test: &Test) {
    match &test.failed {
        Some(message) => report.failing.push(failing(name, message)),
        None if test.skipped => report.skipped += 1,
        None if test.passed => report.passed += 1,
        None if test.open => report.cut_short(&format!("the run ended while {name} was running")),
        None => {}
    }
}

fn failing(name: &str, message: &str) -> FailingTest {
    let file = name
        .split("::")
        .next()
        .filter(|f| f.ends_with(".py"))
        .unwrap_or_default();
    FailingTest {
        name: name.to_string(),
        file: file.to_string(),
        message: first_line(message),
    }
}

fn remarks(report: &mut SuiteReport, run: &Run, (exit, out, err): (Option<i32>, &str, &str)) {
    if run.expected > 0 {
        report.say(&format!(
            "{} failed as expected and count as skipped",
            run.expected
        ));
    }
    if run.unexpected > 0 {
        report.say(&format!(
            "{} passed although expected to fail",
            run.unexpected
        ));
    }
    if run.retried {
        report.say("the project's addopts were left out, since pytest refused them (a plugin is not installed)");
    }
    if run.unittest {
        report.command = "python3 -m unittest discover".into();
    }
    if run.pytest_missing {
        report.cut_short(
            "pytest is not installed, so only unittest tests ran; `python3 -m pip install pytest`",
        );
    }
    if !run.internal.is_empty() {
        report.cut_short(&format!("pytest failed inside: {}", shorten(&run.internal)));
    }
    match run.finish.or(exit) {
        _ if run.finish.is_none() => report.cut_short(&format!(
            "python ended before the tests were done{}",
            why(out, err)
        )),
        Some(5) if report.failing.is_empty() => report.say("no tests were found"),
        Some(2..=4) => {
            report.cut_short(&format!("pytest could not run the tests{}", why(out, err)))
        }
        _ if run.tests.is_empty() && run.unloadable.is_empty() => report.say("no tests were found"),
        _ => {}
    }
}

/// The line that most likely says why Python gave up.
fn why(out: &str, err: &str) -> String {
    let lines: Vec<&str> = err
        .lines()
        .chain(out.lines())
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let marks: [fn(&str) -> bool; 3] = [
        |l| l.starts_with("E  "),
        |l| l.contains("error: ") || l.starts_with("ERROR"),
        |l| {
            l.split(':')
                .next()
                .is_some_and(|w| w.ends_with("Error") || w.ends_with("Exception"))
                || l.starts_with("Fatal")
        },
    ];
    let found = marks
        .iter()
        .find_map(|mark| lines.iter().rev().find(|l| mark(l)));
    found
        .map(|l| format!(": {}", shorten(l.trim_start_matches("E ").trim())))
        .unwrap_or_default()
}
