//! Paths as engines write them, brought to one clean form relative to the workspace. Lexical only:
//! symlinks are dealt with inside the sandbox, where they can be looked at.

use super::PlanError;

/// Where the workspace is mounted in the sandbox.
pub const WORKSPACE: &str = "/workspace";

/// Longest accepted path, in bytes.
const MAX_BYTES: usize = 4096;

/// Cleans a path: absolute under `/workspace` or relative to it; `.` is the workspace itself.
pub fn clean(path: &str) -> Result<String, PlanError> {
    let outside = || PlanError::Outside {
        path: path.chars().take(120).collect(),
    };
    if path.is_empty() || path.len() > MAX_BYTES || path.contains('\0') {
        return Err(outside());
    }
    let relative = match path.strip_prefix(WORKSPACE) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ if path.starts_with('/') => return Err(outside()),
        _ => path,
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            name => parts.push(name),
        }
    }
    if parts.is_empty() {
        return Ok(".".to_owned());
    }
    Ok(parts.join("/"))
}

/// Cleans an optional path; absent is the workspace.
pub(super) fn clean_or_root(path: Option<&str>) -> Result<String, PlanError> {
    path.map_or_else(|| Ok(".".to_owned()), clean)
}
