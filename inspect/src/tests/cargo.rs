//! Rust suites: `cargo test`, read line by line. The list under the last `failures:` before a `test result:` line is
//! what names are taken from, since tests may print anything between; single `test …` lines serve where a test
//! program ended before its summary.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::command::{TestCommand, words};
use super::detect::Suite;
use super::report::{FailingTest, SuiteReport, first_line, shorten, unique_names};

pub(super) fn command(cwd: &Path, only: &[String]) -> TestCommand {
    let mut test = words(&["cargo", "test", "--no-fail-fast", "--offline"]);
    let manifest = std::fs::read_to_string(cwd.join("Cargo.toml")).unwrap_or_default();
    if crate::toml_text::parse(&manifest).is_ok_and(|m| m.get("workspace").is_some()) {
        test.push("--workspace".into());
    }
    // rustdoc splits filters at spaces, so names of doc tests cannot be given: then all run
    if !only.is_empty() && only.iter().all(|name| !bare(name).contains(' ')) {
        test.extend(words(&["--", "--exact"]));
        test.extend(only.iter().map(|name| bare(name).to_string()));
    }
    let shown = test.join(" ");
    // one stream, so that headers (stderr) and results (stdout) keep their order
    let mut argv = words(&["sh", "-c", "exec \"$@\" 2>&1", "sh"]);
    argv.extend(test);
    let env = [
        ("CARGO_TERM_COLOR", "never"),
        ("CARGO_TERM_PROGRESS_WHEN", "never"),
        ("RUST_BACKTRACE", "0"),
    ];
    let env = env
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    TestCommand {
        argv,
        env,
        shown,
        ..TestCommand::default()
    }
}

/// A name without the target put before it where two targets have the same one.
fn bare(name: &str) -> &str {
    match name.split_once(": ") {
        Some((_, rest)) if !name.contains(" - ") => rest,
        _ => name,
    }
}

/// What one test program printed.
#[derive(Default)]
struct Block {
    target: usize,
    announced: u64,
    closed: bool,
    passed: u64,
    ignored: u64,
    failed: Vec<String>,
    seen_failed: Vec<String>,
    seen_passed: u64,
    open_test: String,
    ended: String,
}

struct Shapes {
    header: Regex,
    running: Regex,
    result: Regex,
    rerun: Regex,
    test: Regex,
    panicked: Regex,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    let make = |pattern: &str| Regex::new(pattern).ok();
    Some(Shapes {
        header: make(r"^ +(?:Running (?:unittests )?(\S+)(?: \((\S+)\))?|Doc-tests (\S+))$")?,
        running: make(r"^running (\d+) tests?$")?,
        result: make(
            r"^test result: (ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; \d+ filtered out",
        )?,
        rerun: make(r"^error: (?:test|doctest) failed, to rerun pass `(.+)`")?,
        test: make(
            r"(?:^|[^\w])test (\S.*?)(?: - should panic| - compile(?: fail)?)? \.\.\. (ok|FAILED|ignored|bench:)?",
        )?,
        panicked: make(r"panicked at (?:'(.*)', )?([^\s:]+):\d+:\d+:?$")?,
    })
});

#[derive(Default)]
struct Reading {
    blocks: Vec<Block>,
    targets: Vec<String>,
    headers: bool,
    current: Option<usize>,
    list: Option<Vec<String>>,
    unnamed: Vec<String>,
}

pub(super) fn parse(suite: &Suite, exit: Option<i32>, out: &str, err: &str) -> SuiteReport {
    let mut report = SuiteReport::new(suite, exit);
    let Some(shapes) = SHAPES.as_ref() else {
        return report;
    };
    let mut reading = Reading {
        headers: out.lines().any(|l| shapes.header.is_match(l)),
        ..Reading::default()
    };
    for line in out.lines() {
        reading.line(line, shapes);
    }
    if !reading.headers {
        reading.targets_from(err, shapes);
    }
    reading.settle(&mut report, out, shapes);
    build_errors(&mut report, &reading, &format!("{err}\n{out}"));
    report
}

impl Reading {
    fn line(&mut self, line: &str, shapes: &Shapes) {
        if let Some(found) = shapes.header.captures(line) {
            self.targets.push(target_name(&found));
            self.current = None;
        } else if let Some(found) = shapes.running.captures(line) {
            self.open(&found);
        } else if let Some(found) = shapes.result.captures(line) {
            self.close(&found);
        } else if let Some(found) = shapes.rerun.captures(line) {
            self.target_failed(&found[1]);
        } else if line.contains("process didn't exit successfully") {
            let why = line
                .rsplit_once('(')
                .map(|(_, w)| w.trim_end_matches(')'))
                .unwrap_or_default();
            if let Some(block) = self.blocks.last_mut().filter(|b| !b.closed) {
                block.ended = why.to_string();
            }
        } else if let Some(found) = shapes.test.captures(line) {
            self.test(&found);
        }
        self.follow_list(line);
    }

    fn open(&mut self, found: &regex::Captures) {
        // while a program runs under its header, another such line is something a test printed
        if self.headers && self.current.is_some_and(|at| !self.blocks[at].closed) {
            return;
        }
        let announced = found[1].parse().unwrap_or(0);
        let target = if self.headers {
            self.targets.len().saturating_sub(1)
        } else {
            self.blocks.len()
        };
        self.current = Some(self.blocks.len());
        self.blocks.push(Block {
            target,
            announced,
            ..Block::default()
        });
    }

    fn close(&mut self, found: &regex::Captures) {
        let Some(block) = self.current.and_then(|at| self.blocks.get_mut(at)) else {
            return;
        };
        let number = |i: usize| found[i].parse::<u64>().unwrap_or(0);
        let (passed, failed, ignored) = (number(2) + number(5), number(3), number(4));
        let named = self.list.take().unwrap_or_default();
        if block.closed
            || passed + failed + ignored != block.announced
            || named.len() as u64 != failed
        {
            return;
        }
        (block.closed, block.passed, block.ignored, block.failed) = (true, passed, ignored, named);
    }

    fn test(&mut self, found: &regex::Captures) {
        let Some(block) = self
            .current
            .and_then(|at| self.blocks.get_mut(at))
            .filter(|b| !b.closed)
        else {
            return;
        };
        let name = found[1].to_string();
        block.open_test.clear();
        match found.get(2).map(|m| m.as_str()) {
            Some("FAILED") => block.seen_failed.push(name),
            Some("ok") => block.seen_passed += 1,
            Some(_) => {}
            None => block.open_test = name,
        }
    }

    fn follow_list(&mut self, line: &str) {
        if line == "failures:" {
            self.list = Some(Vec::new());
        } else if let Some(list) = &mut self.list {
            match line.strip_prefix("    ") {
                Some(name) => list.push(name.to_string()),
                None if line.is_empty() => {}
                None => self.list = None,
            }
        }
    }

    /// `-p shop --test it`: which target the last header meant, and that it failed.
    fn target_failed(&mut self, flags: &str) {
        let at = self.targets.len().saturating_sub(1);
        let flagged: Vec<&str> = flags.split_whitespace().collect();
        let after = |flag: &str| {
            flagged
                .iter()
                .position(|w| *w == flag)
                .and_then(|i| flagged.get(i + 1))
                .copied()
        };
        if let (Some(package), Some(target)) = (after("-p"), self.targets.get_mut(at)) {
            let part = after("--test")
                .or(after("--bin"))
                .or(after("--example"))
                .or(after("--bench"));
            *target = match part {
                Some(part) => format!("{package}/{part}"),
                None if flagged.contains(&"--doc") => format!("{package} doc tests"),
                None => package.to_string(),
            };
        }
        let explained = |b: &Block| b.target == at && (!b.closed || !b.failed.is_empty());
        if self.headers && !self.blocks.iter().any(explained) {
            self.unnamed.push(flags.to_string());
        }
    }

    fn targets_from(&mut self, err: &str, shapes: &Shapes) {
        let named: Vec<String> = err
            .lines()
            .filter_map(|l| shapes.header.captures(l))
            .map(|f| target_name(&f))
            .collect();
        if named.len() == self.blocks.len() {
            self.targets = named;
        }
    }

    fn settle(&self, report: &mut SuiteReport, out: &str, shapes: &Shapes) {
        let mut failed: Vec<(&str, &str)> = Vec::new();
        for block in &self.blocks {
            let target = self.targets.get(block.target).map_or("", String::as_str);
            let names = if block.closed {
                &block.failed
            } else {
                &block.seen_failed
            };
            failed.extend(names.iter().map(|n| (target, n.as_str())));
            report.passed += if block.closed {
                block.passed
            } else {
                block.seen_passed
            };
            report.skipped += block.ignored;
            if !block.closed {
                report.cut_short(&cut_off(block, target));
            }
        }
        for (flags, _) in self.unnamed.iter().zip(0..5) {
            report.cut_short(&format!(
                "the target `{flags}` failed without naming a test"
            ));
        }
        for (shown, (_, name)) in unique_names(failed.clone(), ": ").into_iter().zip(&failed) {
            let (file, message) = reason(name, out, shapes);
            report.failing.push(FailingTest {
                name: shown,
                file,
                message,
            });
        }
    }
}

fn cut_off(block: &Block, target: &str) -> String {
    let mut said = format!("the test program {target} ended before it was done");
    if !block.ended.is_empty() {
        said.push_str(&format!(" ({})", block.ended));
    }
    if !block.open_test.is_empty() {
        said.push_str(&format!(" while {} was running", block.open_test));
    }
    let done = block.seen_passed + block.seen_failed.len() as u64;
    said.push_str(&format!(
        "; {done} of its {} tests had finished",
        block.announced
    ));
    said
}

/// `foo` for `target/debug/deps/foo-0123456789abcdef`; the source is added for programs, whose name is often the
/// library's too.
fn target_name(found: &regex::Captures) -> String {
    if let Some(doc) = found.get(3) {
        return format!("{} doc tests", doc.as_str());
    }
    let source = found.get(1).map_or("", |m| m.as_str());
    let path = found.get(2).map_or(source, |m| m.as_str());
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = match file.rsplit_once('-') {
        Some((stem, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            stem
        }
        _ => file,
    };
    if source.ends_with("main.rs") || source.contains("src/bin/") {
        format!("{stem} ({source})")
    } else {
        stem.into()
    }
}

/// The test whose output begins at a line like `---- tests::adds stdout ----`.
fn section(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// File and message of a failing test, from its section.
fn reason(name: &str, out: &str, shapes: &Shapes) -> (String, String) {
    let mut lines = out.lines();
    let found = lines.any(|l| section(l) == Some(name));
    let documented = name
        .split_once(" - ")
        .map_or("", |(file, _)| file)
        .to_string();
    if !found {
        return (documented, String::new());
    }
    let section: Vec<&str> = lines.take_while(|l| section(l).is_none()).collect();
    for (at, line) in section.iter().enumerate() {
        if let Some(found) = shapes.panicked.captures(line) {
            let message = match found.get(1) {
                Some(old) => shorten(old.as_str()),
                None => said_in(&section[at + 1..]),
            };
            let file = if documented.is_empty() {
                found[2].to_string()
            } else {
                documented
            };
            return (file, message);
        }
    }
    (documented, said_in(&section))
}

/// The first line that says something, near the beginning.
fn said_in(lines: &[&str]) -> String {
    first_line(&lines[..lines.len().min(200)].join("\n"))
}

/// Says why nothing, or not everything, could be built.
fn build_errors(report: &mut SuiteReport, reading: &Reading, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let is_error = |l: &str| l.starts_with("error[") || l.starts_with("error: ");
    let not_built = lines
        .iter()
        .any(|l| l.starts_with("error: could not compile"));
    if !not_built && (!reading.blocks.is_empty() || !lines.iter().any(|l| is_error(l))) {
        return;
    }
    let Some(at) = lines.iter().position(|l| is_error(l)) else {
        return;
    };
    let place = lines[at..]
        .iter()
        .take(4)
        .find_map(|l| l.trim().strip_prefix("--> "));
    let place = place.map(|p| format!(" ({p})")).unwrap_or_default();
    let first = shorten(lines[at]);
    report.cut_short(&match not_built {
        true => format!("the tests could not be built: {first}{place}"),
        false => format!("cargo could not start the tests: {first}{place}"),
    });
    if text.contains("--offline") || text.contains("offline mode") {
        report.say("dependencies are missing offline; `cargo fetch` once with network");
    }
}
