//! Tests.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
use serde::Deserialize;
use serde_json::Value;

const MOST_NAMES: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestsInput {
    suite: Option<String>,
    dir: Option<String>,
    only: Option<Vec<String>>,
    timeout_s: Option<u64>,
}

pub(super) fn tests(value: &Value) -> Result<Operation, PlanError> {
    let given: TestsInput = input("Tests", value)?;
    let only = given.only.unwrap_or_default();
    if only.len() > MOST_NAMES
        || only
            .iter()
            .any(|n| n.is_empty() || n.len() > 1000 || n.contains('\0'))
    {
        return Err(wrong(
            "Tests",
            "`only` takes at most 500 names of 1 to 1000 characters",
        ));
    }
    Ok(Operation::Tests {
        suite: given.suite,
        dir: given.dir.as_deref().map(paths::clean).transpose()?,
        only,
        timeout_s: given.timeout_s.map(|s| s.clamp(1, 24 * 3600)),
    })
}
