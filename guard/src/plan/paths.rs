//! Paths as engines write them, brought to one clean form relative to the workspace. Lexical only:
//! symlinks are dealt with inside the sandbox, where they can be looked at.

use super::PlanError;
use protocol::attachment::INSIDE as ATTACHMENTS;

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
    let relative = match below(path, WORKSPACE) {
        Some(rest) => rest,
        None if path.starts_with('/') => return Err(outside()),
        None => path,
    };
    let parts = parts(relative).ok_or_else(outside)?;
    if parts.is_empty() {
        return Ok(".".to_owned());
    }
    Ok(parts.join("/"))
}

/// Cleans a path that is only read: one of the workspace, or a file that was handed in with the
/// request, which stays absolute.
pub fn readable(path: &str) -> Result<String, PlanError> {
    let Some(rest) = below(path, ATTACHMENTS).filter(|_| path.len() <= MAX_BYTES) else {
        return clean(path);
    };
    match parts(rest).filter(|_| !path.contains('\0')) {
        Some(parts) if parts.is_empty() => Ok(ATTACHMENTS.to_owned()),
        Some(parts) => Ok(format!("{ATTACHMENTS}/{}", parts.join("/"))),
        None => clean(path),
    }
}

/// What of a path is below a folder.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// The names of a relative path, with `.` and `..` resolved; `None` where it leads above its start.
fn parts(relative: &str) -> Option<Vec<&str>> {
    let mut parts: Vec<&str> = Vec::new();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts)
}

/// Cleans an optional path that is only read; absent is the workspace.
pub(super) fn readable_or_root(path: Option<&str>) -> Result<String, PlanError> {
    path.map_or_else(|| Ok(".".to_owned()), readable)
}

/// Cleans an optional path; absent is the workspace.
pub(super) fn clean_or_root(path: Option<&str>) -> Result<String, PlanError> {
    path.map_or_else(|| Ok(".".to_owned()), clean)
}
