//! Tools that take no input, Profile, and the scans of the host.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
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
        path: paths::clean(&given.file_path)?,
    })
}

/// A scan of the host; its tool's name and its input are one value in the room that scans.
pub(super) fn host(name: &str, value: &Value) -> Result<Operation, PlanError> {
    let scan = Scan::parse(name, value).map_err(|why| wrong(name_of(name), why))?;
    Ok(Operation::HostScan { scan })
}

fn name_of(name: &str) -> &'static str {
    let known = TOOLS.into_iter().find(|known| *known == name);
    known.unwrap_or("HostScan")
}
