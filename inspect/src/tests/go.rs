//! Go suites: `go test -json`, one event a line. A failing test that has failing subtests is not named itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::command::{TestCommand, words};
use super::detect::Suite;
use super::report::{FailingTest, SuiteReport, shorten, unique_names};

pub(super) fn command(only: &[String]) -> TestCommand {
    let mut argv = words(&["go", "test", "-json"]);
    let pattern = pattern(only);
    if !pattern.is_empty() {
        argv.extend(["-run".to_string(), pattern]);
    }
    argv.push("./...".into());
    let shown = argv.join(" ").replace(" -json", "");
    let env = vec![("GOPROXY".to_string(), "off".to_string())];
    TestCommand {
        argv,
        env,
        shown,
        ..TestCommand::default()
    }
}

/// `-run` takes one pattern a level, so only the tests at the top are named; their subtests run along.
fn pattern(only: &[String]) -> String {
    let bare = |name: &String| {
        name.rsplit_once(": ")
            .map_or(name.as_str(), |(_, rest)| rest)
            .to_string()
    };
    let tops: BTreeSet<String> = only
        .iter()
        .map(bare)
        .filter_map(|n| n.split('/').next().map(regex::escape))
        .collect();
    if tops.is_empty() {
        String::new()
    } else {
        format!("^({})$", tops.into_iter().collect::<Vec<_>>().join("|"))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Event {
    action: String,
    package: String,
    import_path: String,
    test: String,
    output: String,
}

#[derive(Default)]
struct Package {
    outcome: String,
    lines: Vec<String>,
    tests: BTreeMap<String, Test>,
}

#[derive(Default)]
struct Test {
    outcome: String,
    lines: Vec<String>,
}

pub(super) fn parse(suite: &Suite, exit: Option<i32>, out: &str, err: &str) -> SuiteReport {
    let mut report = SuiteReport::new(suite, exit);
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let mut other: Vec<&str> = err.lines().collect();
    for line in out.lines() {
        match serde_json::from_str::<Event>(line) {
            Ok(event) if !event.action.is_empty() => take(&mut packages, event),
            _ => other.push(line),
        }
    }
    let mut failed = Vec::new();
    for (name, package) in &packages {
        settle(&mut report, name, package, &mut failed);
    }
    for line in other
        .iter()
        .filter(|l| l.starts_with("FAIL\t") && l.ends_with(" failed]"))
    {
        let why = other
            .iter()
            .find(|l| l.contains(".go:"))
            .map(|l| format!(": {}", shorten(l)))
            .unwrap_or_default();
        report.cut_short(&format!(
            "{}{why}",
            line[5..].replace(" [", " could not be built [")
        ));
    }
    let places: Vec<(&str, &str)> = failed
        .iter()
        .map(|(p, n, _)| (p.as_str(), n.as_str()))
        .collect();
    let shown = unique_names(places, ": ");
    for (name, (package, _, test)) in shown.into_iter().zip(&failed) {
        let (file, message) = reason(package, test);
        report.failing.push(FailingTest {
            name,
            file,
            message,
        });
    }
    if packages.is_empty() || (exit != Some(0) && failed.is_empty() && report.complete) {
        let why = other
            .iter()
            .map(|l| l.trim())
            .find(|l| !l.is_empty() && !l.starts_with('#'))
            .unwrap_or_default();
        if exit != Some(0) {
            report.cut_short(&format!("go could not run the tests: {}", shorten(why)));
        } else {
            report.say("no tests were found");
        }
    }
    report
}

fn take(packages: &mut BTreeMap<String, Package>, event: Event) {
    let name = if event.package.is_empty() {
        event
            .import_path
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_string()
    } else {
        event.package
    };
    let package = packages.entry(name).or_default();
    let (outcome, lines) = if event.test.is_empty() {
        (&mut package.outcome, &mut package.lines)
    } else {
        let test = package.tests.entry(event.test).or_default();
        (&mut test.outcome, &mut test.lines)
    };
    match event.action.as_str() {
        "output" | "build-output" if lines.len() < 500 => {
            lines.push(event.output.trim_end().to_string())
        }
        "pass" | "fail" | "skip" | "build-fail" => *outcome = event.action,
        _ => {}
    }
}

type Failed<'a> = (String, String, &'a Test);

fn settle<'a>(
    report: &mut SuiteReport,
    name: &str,
    package: &'a Package,
    failed: &mut Vec<Failed<'a>>,
) {
    let mut unfinished = Vec::new();
    for (test, result) in &package.tests {
        let below = format!("{test}/");
        let mut children = package
            .tests
            .range(below.clone()..)
            .take_while(|(n, _)| n.starts_with(&below));
        let parent = children.clone().next().is_some();
        match result.outcome.as_str() {
            "fail" if !children.any(|(_, c)| c.outcome == "fail") => {
                failed.push((name.to_string(), test.clone(), result));
            }
            "pass" if !parent => report.passed += 1,
            "skip" => report.skipped += 1,
            "" => unfinished.push(test.as_str()),
            _ => {}
        }
    }
    if !unfinished.is_empty() {
        let panic = all_lines(package)
            .find(|l| l.starts_with("panic:"))
            .unwrap_or("it ended early");
        report.cut_short(&format!(
            "{name}: {} tests did not finish ({})",
            unfinished.len(),
            shorten(panic)
        ));
    }
    let built = package.outcome != "build-fail"
        && !package
            .lines
            .iter()
            .any(|l| l.contains("[build failed]") || l.contains("[setup failed]"));
    if !built {
        let why = package
            .lines
            .iter()
            .find(|l| l.contains(".go:"))
            .map(|l| format!(": {}", shorten(l)))
            .unwrap_or_default();
        report.cut_short(&format!("{name} could not be built{why}"));
    } else if package.outcome == "fail" && !failed.iter().any(|(p, _, _)| p == name) {
        report.cut_short(&format!("{name} failed without naming a test"));
    } else if package.outcome == "fail" && all_lines(package).any(|l| l.starts_with("panic:")) {
        report.cut_short(&format!(
            "{name}: a panic ended the run, later tests did not start"
        ));
    }
}

fn all_lines(package: &Package) -> impl Iterator<Item = &str> {
    package
        .lines
        .iter()
        .chain(package.tests.values().flat_map(|t| &t.lines))
        .map(String::as_str)
}

/// The first `file.go:12: message` line, or the panic.
fn reason(package: &str, test: &Test) -> (String, String) {
    for line in test.lines.iter().map(|l| l.trim()) {
        if let Some((place, message)) = line.split_once(": ")
            && let Some((file, number)) = place.rsplit_once(':')
            && file.ends_with(".go")
            && number.parse::<u32>().is_ok()
        {
            return (format!("{package}/{file}"), shorten(message.trim()));
        }
    }
    let said = test
        .lines
        .iter()
        .find(|l| l.starts_with("panic:"))
        .map(|l| shorten(l));
    (String::new(), said.unwrap_or_default())
}
