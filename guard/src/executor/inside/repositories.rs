//! The readers of `inspect` that ask git, or look where packages of other projects lie too.

use super::git;
use super::place;
use super::program::Leash;
use super::serve::Done;
use inspect::inventory::{self, Caches};
use inspect::limits::{InspectError, Limits};
use inspect::repos::{Ask, branches, changes, large, unpushed};
use jiff::Timestamp;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// Where objects go that git makes to answer a question.
const SCRATCH: &str = "/tmp/made-objects";

fn report<T: Serialize>(found: Result<T, InspectError>) -> Result<Done, String> {
    Done::report(&found.map_err(|e| e.to_string())?)
}

/// Git as these readers ask it: quiet, in any folder below the workspace.
fn answer(question: &Ask, leash: Leash<'_>) -> Result<String, String> {
    let words: Vec<&str> = std::iter::once("git")
        .chain(question.words.iter().map(String::as_str))
        .collect();
    let mut program = git::program(&words)?;
    program.cwd.clone_from(&question.folder);
    program.keep = question.keep;
    if let Some(store) = &question.borrow {
        fs::create_dir_all(SCRATCH).map_err(|e| format!("{SCRATCH} cannot be made: {e}"))?;
        program.env.extend([
            ("GIT_OBJECT_DIRECTORY".to_owned(), SCRATCH.to_owned()),
            (
                "GIT_ALTERNATE_OBJECT_DIRECTORIES".to_owned(),
                store.display().to_string(),
            ),
        ]);
    }
    let ended = program
        .run(leash)
        .map_err(|e| format!("git cannot be started: {e}"))?;
    match ended.exit {
        _ if ended.timed_out || ended.cancelled => Err("git did not answer in time".to_owned()),
        Some(0) if ended.truncated => Err("git said more than is read".to_owned()),
        Some(0) => Ok(ended.stdout),
        _ => Err(ended.stderr.trim().to_owned()),
    }
}

pub(super) fn unpushed(leash: Leash<'_>) -> Result<Done, String> {
    let mut git = |question: &Ask| answer(question, leash);
    report(unpushed::scan(place::root(), &Limits::default(), &mut git))
}

pub(super) fn branches(days: u64, leash: Leash<'_>) -> Result<Done, String> {
    let mut git = |question: &Ask| answer(question, leash);
    report(branches::scan(
        place::root(),
        days,
        Timestamp::now(),
        &mut git,
    ))
}

pub(super) fn large(least: u64, leash: Leash<'_>) -> Result<Done, String> {
    let mut git = |question: &Ask| answer(question, leash);
    report(large::scan(
        place::root(),
        least,
        &Limits::default(),
        &mut git,
    ))
}

pub(super) fn changes(since: Option<&str>, leash: Leash<'_>) -> Result<Done, String> {
    let mut git = |question: &Ask| answer(question, leash);
    report(changes::scan(place::root(), since, &mut git))
}

pub(super) fn inventory() -> Result<Done, String> {
    report(inventory::scan(
        place::root(),
        &caches(),
        &Limits::default(),
    ))
}

/// The user's caches of packages, which are mounts of the sandbox.
fn caches() -> Caches {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = || {
        let fields = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        fields.map(|path| PathBuf::from(path.replace("\\040", " ")))
    };
    Caches {
        cargo: places()
            .filter(|path| path.ends_with(".cargo/registry"))
            .filter_map(|path| path.parent().map(PathBuf::from))
            .collect(),
        go: places()
            .filter(|path| path.ends_with("go/pkg/mod"))
            .collect(),
    }
}
