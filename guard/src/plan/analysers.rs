//! The analysers: those that take no input, those that take one or two plain values, and the
//! scans of the host.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
use inspect::data::scan::DataScan;
use inspect::host::Scan;
use protocol::tool::TOOLS;
use serde::Deserialize;
use serde_json::Value;

/// A tool without input: an empty object or nothing is fine, anything else is a mistake.
pub(super) fn bare(
    tool: &'static str,
    value: &Value,
    operation: Operation,
) -> Result<Operation, PlanError> {
    let empty = match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if empty {
        Ok(operation)
    } else {
        Err(wrong(tool, "it takes no input: send {}"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileInput {
    file_path: String,
}

pub(super) fn profile(value: &Value) -> Result<Operation, PlanError> {
    let given: ProfileInput = input("Profile", value)?;
    Ok(Operation::Profile {
        path: paths::readable(&given.file_path)?,
    })
}

/// A scan of tables; the files it names come in their clean form.
pub(super) fn data(name: &str, value: &Value) -> Result<Operation, PlanError> {
    let mut scan = DataScan::parse(name, value).map_err(|why| wrong(name_of(name), why))?;
    for file in scan.files_mut() {
        *file = paths::readable(file)?;
    }
    Ok(Operation::DataScan { scan })
}

/// A scan of the host; its tool's name and its input are one value in the room that scans.
pub(super) fn host(name: &str, value: &Value) -> Result<Operation, PlanError> {
    let scan = Scan::parse(name, value).map_err(|why| wrong(name_of(name), why))?;
    Ok(Operation::HostScan { scan })
}

fn name_of(name: &str) -> &'static str {
    let known = TOOLS.into_iter().find(|known| *known == name);
    known.unwrap_or("this tool")
}

/// Days after which a branch is old, unless the call says otherwise.
const DAYS: u64 = 90;
/// Megabytes from which on a file is large, unless the call says otherwise.
const MEGABYTES: u64 = 1;
/// Largest of both.
const MOST: u64 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BranchesInput {
    days: Option<u64>,
}

pub(super) fn branches(value: &Value) -> Result<Operation, PlanError> {
    let given: BranchesInput = input("Branches", value)?;
    let days = within("Branches", "days", given.days.unwrap_or(DAYS))?;
    Ok(Operation::Branches { days })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LargeFilesInput {
    megabytes: Option<u64>,
}

pub(super) fn large_files(value: &Value) -> Result<Operation, PlanError> {
    let given: LargeFilesInput = input("LargeFiles", value)?;
    let megabytes = given.megabytes.unwrap_or(MEGABYTES);
    let megabytes = within("LargeFiles", "megabytes", megabytes)?;
    Ok(Operation::LargeFiles {
        least: megabytes * 1_000_000,
    })
}

fn within(tool: &'static str, name: &str, number: u64) -> Result<u64, PlanError> {
    if (1..=MOST).contains(&number) {
        Ok(number)
    } else {
        Err(wrong(tool, format!("`{name}` is 1 to {MOST}")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangesInput {
    since: Option<String>,
}

pub(super) fn changes(value: &Value) -> Result<Operation, PlanError> {
    let given: ChangesInput = input("Changes", value)?;
    let odd = |text: &String| text.len() > 200 || text.chars().any(char::is_control);
    if given.since.as_ref().is_some_and(odd) {
        return Err(wrong("Changes", "`since` is a tag, branch, commit or date"));
    }
    Ok(Operation::Changes { since: given.since })
}
