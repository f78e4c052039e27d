//! The project's own formatters and linters, in check mode: which are set up, how each is called, and
//! what its output says. Nothing here mends a file.

mod find;
mod read;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use find::list;

/// Most places named of one checker.
const PLACES: usize = 100;

/// What a checker's output looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// `cargo fmt --check`.
    CargoFmt,
    /// `cargo clippy` with JSON lines.
    Clippy,
    /// `ruff check` with JSON.
    Ruff,
    /// `Would reformat: path`, of ruff and black.
    WouldReformat,
    /// `path:line:column: code message`.
    Lines,
    /// `eslint` with JSON.
    Eslint,
    /// One path a line.
    Paths,
    /// `shellcheck` with JSON.
    Shellcheck,
}

/// A checker that fits the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checker {
    /// Its name, as people say it.
    pub name: &'static str,
    /// Folder it works in, relative to the root, `.` for the root.
    pub dir: String,
    /// The same, absolute.
    pub cwd: PathBuf,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// How many of the words name what is called; the rest are files.
    pub shown: usize,
    /// What it prints.
    pub output: Output,
    /// Why it cannot be run here, known before trying.
    pub cannot: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It ran and found nothing.
    Clean,
    /// It ran and found something.
    Findings,
    /// It ran and could not do its work.
    Failed,
    /// It is not installed, or lacks what it needs.
    Missing,
}

/// A place a checker names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the root.
    pub path: String,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Its rule; empty where it has none.
    pub rule: String,
    /// What it says.
    pub message: String,
}

/// A check that was made, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The checker.
    pub name: String,
    /// Folder it worked in, relative to the root.
    pub dir: String,
    /// The command, without its list of files.
    pub command: Vec<String>,
    /// How it ended.
    pub state: State,
    /// Different findings.
    pub findings: u64,
    /// Files with findings.
    pub files: u64,
    /// The first of them, by file and line.
    pub places: Vec<Place>,
    /// Why it failed or is missing; none when it ran.
    pub note: Option<String>,
}

/// All checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lint {
    /// In the order they were made.
    pub checks: Vec<Check>,
    /// Findings of all together.
    pub findings: u64,
    /// How many ran and found nothing.
    pub clean: u64,
    /// How many ran and found something.
    pub with_findings: u64,
    /// How many failed or are missing.
    pub not_run: u64,
    /// Files that differ afterwards: a checker that writes is no checker.
    pub changed: Vec<String>,
}

/// What a run of a checker means.
pub fn judge(checker: &Checker, exit: Option<i32>, stdout: &str, stderr: &str) -> Check {
    let absent = exit == Some(127) || read::is_missing(stderr);
    if exit != Some(0) && absent {
        return without(
            checker,
            State::Missing,
            &format!("{} is not installed", checker.name),
        );
    }
    let mut places = read::places(checker, stdout, stderr);
    places.sort();
    places.dedup();
    let quiet = exit == Some(0) && places.is_empty();
    // A linter's own exit codes for findings are 1; rustc's errors end cargo with 101.
    let failed = match exit {
        Some(0 | 1) => places.is_empty() && !quiet,
        _ => places.is_empty(),
    };
    if failed {
        return without(checker, State::Failed, &read::reason(exit, stdout, stderr));
    }
    let mut check = without(
        checker,
        if quiet { State::Clean } else { State::Findings },
        "",
    );
    check.findings = places.len() as u64;
    let files: BTreeSet<&str> = places.iter().map(|p| p.path.as_str()).collect();
    check.files = files.len() as u64;
    places.truncate(PLACES);
    check.places = places;
    check.note = None;
    check
}

/// A check that gave no findings, for a reason.
pub fn without(checker: &Checker, state: State, note: &str) -> Check {
    let shown = |word: &String| {
        // A program of the project is told as the project's, wherever the project lies.
        let own = std::path::Path::new(word).strip_prefix(&checker.cwd).ok();
        own.map_or_else(|| word.clone(), |own| own.to_string_lossy().into_owned())
    };
    Check {
        name: checker.name.to_owned(),
        dir: checker.dir.clone(),
        command: checker.argv.iter().take(checker.shown).map(shown).collect(),
        state,
        findings: 0,
        files: 0,
        places: Vec::new(),
        note: Some(note.to_owned()),
    }
}

/// Adds checks up.
pub fn total(checks: Vec<Check>, changed: Vec<String>) -> Lint {
    let of = |wanted: &[State]| checks.iter().filter(|c| wanted.contains(&c.state)).count() as u64;
    Lint {
        findings: checks.iter().map(|c| c.findings).sum(),
        clean: of(&[State::Clean]),
        with_findings: of(&[State::Findings]),
        not_run: of(&[State::Failed, State::Missing]),
        changed,
        checks,
    }
}
