//! Read, Write and Edit.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
use serde::Deserialize;
use serde_json::Value;

/// Largest file a call may write, in bytes.
const WRITE_BYTES: usize = 8 * 1024 * 1024;
const READ_LINES: u64 = 2000;
const MOST_READ_LINES: u64 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadInput {
    file_path: String,
    offset: Option<u64>,
    limit: Option<u64>,
}

pub(super) fn read(value: &Value) -> Result<Operation, PlanError> {
    let given: ReadInput = input("Read", value)?;
    Ok(Operation::Read {
        path: paths::readable(&given.file_path)?,
        offset: given.offset.unwrap_or(1).max(1),
        limit: given.limit.unwrap_or(READ_LINES).clamp(1, MOST_READ_LINES),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteInput {
    file_path: String,
    content: String,
}

pub(super) fn write(value: &Value) -> Result<Operation, PlanError> {
    let given: WriteInput = input("Write", value)?;
    if given.content.len() > WRITE_BYTES {
        return Err(wrong(
            "Write",
            "content is larger than 8 MB: write it in parts",
        ));
    }
    Ok(Operation::Write {
        path: writable("Write", &given.file_path)?,
        content: given.content,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditInput {
    file_path: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

pub(super) fn edit(value: &Value) -> Result<Operation, PlanError> {
    let given: EditInput = input("Edit", value)?;
    if given.old_string.is_empty() {
        return Err(wrong(
            "Edit",
            "old_string is empty: use Write to make a file",
        ));
    }
    if given.old_string == given.new_string {
        return Err(wrong("Edit", "old_string and new_string are the same"));
    }
    if given.new_string.len() > WRITE_BYTES {
        return Err(wrong("Edit", "new_string is larger than 8 MB"));
    }
    Ok(Operation::Edit {
        path: writable("Edit", &given.file_path)?,
        old: given.old_string,
        new: given.new_string,
        all: given.replace_all,
    })
}

/// A path a file tool may write: not the workspace itself, and not git's own files, which hold
/// configuration that runs programs.
fn writable(tool: &'static str, path: &str) -> Result<String, PlanError> {
    if paths::readable(path).is_ok_and(|clean| clean.starts_with('/')) {
        return Err(wrong(
            tool,
            "files that were handed in with the request are read-only: copy what you need into the workspace",
        ));
    }
    let clean = paths::clean(path)?;
    if clean == "." {
        return Err(wrong(
            tool,
            "file_path is the workspace itself: name a file in it",
        ));
    }
    if clean
        .split('/')
        .any(|part| part.eq_ignore_ascii_case(".git"))
    {
        return Err(wrong(
            tool,
            "files of .git are changed through git, not by hand",
        ));
    }
    Ok(clean)
}
