//! What a test run says: one `SuiteReport` a suite, and `TestsReport` over all of them.

use serde::{Deserialize, Serialize};

use super::detect::{Suite, SuiteKind};

/// A test that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailingTest {
    /// The name as its runner prints it.
    pub name: String,
    /// The file it is in, as far as the runner says; else empty.
    pub file: String,
    /// The line that says why, as far as the runner says; else empty.
    pub message: String,
}

/// What one suite's run says. `failed` is the number of entries of `failing`, except where a runner counts failures
/// without naming them (then `complete` is false).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuiteReport {
    /// The suite's kind.
    pub kind: SuiteKind,
    /// The suite's folder, relative to the root; `.` for the root.
    pub dir: String,
    /// The command, as a person would type it.
    pub command: String,
    /// Exit code; none when a signal ended it.
    pub exit: Option<i32>,
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were skipped, ignored, or failed as expected.
    pub skipped: u64,
    /// The failing ones, in order of name.
    pub failing: Vec<FailingTest>,
    /// Wall time, filled by whoever ran it.
    pub seconds: f64,
    /// True when every test ran and every failing one is named.
    pub complete: bool,
    /// What a reader must know besides; else empty.
    pub note: String,
}

impl SuiteReport {
    /// An empty, complete report of a suite.
    pub fn new(suite: &Suite, exit: Option<i32>) -> Self {
        SuiteReport {
            kind: suite.kind,
            dir: suite.dir.clone(),
            command: String::new(),
            exit,
            passed: 0,
            failed: 0,
            skipped: 0,
            failing: Vec::new(),
            seconds: 0.0,
            complete: true,
            note: String::new(),
        }
    }

    /// Adds a sentence to the note, once.
    pub fn say(&mut self, sentence: &str) {
        if self.note.contains(sentence) {
            return;
        }
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(sentence);
    }

    /// Marks the report as not whole, and says why.
    pub fn cut_short(&mut self, why: &str) {
        self.complete = false;
        self.say(why);
    }
}

/// What all suites say together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestsReport {
    /// One report a suite.
    pub suites: Vec<SuiteReport>,
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were skipped.
    pub skipped: u64,
    /// Names of the failing tests, sorted. A name that fails in two suites is prefixed with the suite's folder.
    pub failing: Vec<String>,
    /// True when every suite is complete.
    pub complete: bool,
    /// True when there is a suite at all.
    pub found: bool,
}

/// Adds suites up.
pub fn total(suites: Vec<SuiteReport>) -> TestsReport {
    let names = suites.iter().flat_map(|s| {
        s.failing
            .iter()
            .map(move |f| (s.dir.as_str(), f.name.as_str()))
    });
    let mut failing = unique_names(names.collect(), "/");
    failing.sort();
    TestsReport {
        passed: suites.iter().map(|s| s.passed).sum(),
        failed: suites.iter().map(|s| s.failed).sum(),
        skipped: suites.iter().map(|s| s.skipped).sum(),
        complete: suites.iter().all(|s| s.complete),
        found: !suites.is_empty(),
        failing,
        suites,
    }
}

/// Names as they are, and prefixed with their place only where two places have the same name.
pub(super) fn unique_names(tests: Vec<(&str, &str)>, separator: &str) -> Vec<String> {
    let mut places: std::collections::HashMap<&str, std::collections::HashSet<&str>> =
        Default::default();
    for (place, name) in &tests {
        places.entry(name).or_default().insert(place);
    }
    let shown = |(place, name): &(&str, &str)| match places.get(name) {
        Some(all) if all.len() > 1 && !place.is_empty() => format!("{place}{separator}{name}"),
        _ => (*name).to_string(),
    };
    tests.iter().map(shown).collect()
}

/// The first line of a text that says something, cut to a readable length; one that ends in a colon
/// only announces the next.
pub(super) fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next().filter(|_| first.ends_with(':')) {
        Some(second) => shorten(&format!("{first} {second}")),
        None => shorten(first),
    }
}

/// At most 300 characters of a line.
pub(super) fn shorten(line: &str) -> String {
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_string(),
    }
}

/// Text without terminal colours and other escape sequences.
pub(super) fn plain(text: &str) -> String {
    if !text.contains('\u{1b}') {
        return text.replace("\r\n", "\n");
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
        } else if chars.peek() == Some(&'[') {
            chars.next();
            while let Some(&next) = chars.peek() {
                chars.next();
                if ('@'..='~').contains(&next) {
                    break;
                }
            }
        }
    }
    out.replace("\r\n", "\n")
}
