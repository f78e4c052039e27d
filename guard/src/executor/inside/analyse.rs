//! The built-in readers of `inspect`, as operations.

use super::super::wire::Hello;
use super::program::Leash;
use super::serve::Done;
use super::{git, landlock, place};
use crate::host_view::HOST;
use inspect::host::Scan;
use inspect::limits::{InspectError, Limits};
use serde::Serialize;
use std::path::Path;

fn report<T: Serialize>(found: Result<T, InspectError>) -> Result<Done, String> {
    Done::report(&found.map_err(|e| e.to_string())?)
}

pub(super) fn overview(leash: Leash<'_>) -> Result<Done, String> {
    let mut found =
        inspect::overview::scan(place::root(), &Limits::default()).map_err(|e| e.to_string())?;
    if found.repository && found.newest_commit.is_none() {
        found.newest_commit = git::newest(leash);
    }
    Done::report(&found)
}

pub(super) fn secrets() -> Result<Done, String> {
    report(inspect::secrets::scan(place::root(), &Limits::default()))
}

pub(super) fn agent_files() -> Result<Done, String> {
    report(inspect::obeyed::scan(place::root()))
}

pub(super) fn marks() -> Result<Done, String> {
    report(inspect::marks::scan(place::root(), &Limits::default()))
}

pub(super) fn dependencies() -> Result<Done, String> {
    report(inspect::dependencies::scan(
        place::root(),
        &Limits::default(),
    ))
}

pub(super) fn links() -> Result<Done, String> {
    report(inspect::links::scan(place::root(), &Limits::default()))
}

pub(super) fn profile(path: &str) -> Result<Done, String> {
    report(inspect::profile::scan(
        &place::existing(path)?,
        &Limits::default(),
    ))
}

pub(super) fn host_facts() -> Result<Done, String> {
    report(inspect::host_facts::scan(
        Path::new("/"),
        &Limits::default(),
    ))
}

/// Looks at what is shown of the host; where nothing is, this is another kind of sandbox.
pub(super) fn host_scan(scan: &Scan, hello: &Hello) -> Result<Done, String> {
    let root = Path::new(HOST);
    if !root.is_dir() {
        return Err("this sandbox was opened for something else".to_owned());
    }
    let close = || landlock::put_on(hello);
    report(inspect::host::scan(scan, root, &Limits::default(), &close))
}
