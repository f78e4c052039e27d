//! Tools that take no input, and Profile.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
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
