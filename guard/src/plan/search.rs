//! Glob and Grep.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
use serde::Deserialize;
use serde_json::Value;

const PATTERN_BYTES: usize = 4096;
const MATCHES: u64 = 200;
const MOST_MATCHES: u64 = 5000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GlobInput {
    pattern: String,
    path: Option<String>,
}

pub(super) fn glob(value: &Value) -> Result<Operation, PlanError> {
    let given: GlobInput = input("Glob", value)?;
    // Absolute patterns under the workspace are what engines often write.
    let pattern = given
        .pattern
        .strip_prefix("/workspace/")
        .unwrap_or(&given.pattern);
    check_glob("Glob", pattern)?;
    Ok(Operation::Glob {
        pattern: pattern.to_owned(),
        path: paths::readable_or_root(given.path.as_deref())?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrepInput {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    limit: Option<u64>,
}

pub(super) fn grep(value: &Value) -> Result<Operation, PlanError> {
    let given: GrepInput = input("Grep", value)?;
    if given.pattern.is_empty() || given.pattern.len() > PATTERN_BYTES {
        return Err(wrong("Grep", "pattern must have 1 to 4096 bytes"));
    }
    regex::Regex::new(&given.pattern)
        .map_err(|e| wrong("Grep", format!("pattern is not a regular expression: {e}")))?;
    if let Some(glob) = &given.glob {
        check_glob("Grep", glob)?;
    }
    Ok(Operation::Grep {
        pattern: given.pattern,
        path: paths::readable_or_root(given.path.as_deref())?,
        glob: given.glob,
        limit: given.limit.unwrap_or(MATCHES).clamp(1, MOST_MATCHES),
    })
}

fn check_glob(tool: &'static str, pattern: &str) -> Result<(), PlanError> {
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES {
        return Err(wrong(tool, "pattern must have 1 to 4096 bytes"));
    }
    if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
        return Err(wrong(
            tool,
            "pattern must stay in the workspace: no leading / and no ..",
        ));
    }
    globset::Glob::new(pattern)
        .map(|_| ())
        .map_err(|e| wrong(tool, format!("pattern is not a glob: {e}")))
}
