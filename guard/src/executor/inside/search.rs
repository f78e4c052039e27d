//! Glob and Grep: what `.gitignore` names and `.git` are left out, links are not followed.

use super::place;
use super::program::Leash;
use super::serve::Done;
use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;
use inspect::walk::read_text;
use protocol::text;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Most paths a Glob lists.
const PATHS: usize = 1000;
/// Most files a search walks past.
const FILES: usize = 500_000;
/// Largest file a Grep reads, in bytes.
const FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Longest part of a matching line that is shown, in characters.
const LINE: usize = 300;

pub(super) fn glob(pattern: &str, path: &str, leash: Leash<'_>) -> Result<Done, String> {
    let top = place::existing(path)?;
    let matcher = matcher(pattern)?;
    let (mut paths, mut total) = (Vec::new(), 0_usize);
    let cut = walk(&top, leash, |file| {
        let relative = file.strip_prefix(&top).unwrap_or(file);
        if matcher.is_match(relative) {
            total += 1;
            if paths.len() < PATHS {
                paths.push(place::shown(file));
            }
        }
        true
    });
    let truncated = cut || total > paths.len();
    let mut text = paths.join("\n");
    if truncated {
        text.push_str(&format!("\n… {total} in all, cut: use a narrower pattern"));
    }
    if total == 0 {
        text = format!("nothing matches {pattern}");
    }
    let data = json!({ "paths": paths, "total": total, "truncated": truncated });
    Ok(Done::good(text, data))
}

pub(super) fn grep(
    pattern: &str,
    path: &str,
    glob: Option<&str>,
    limit: u64,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let top = place::existing(path)?;
    let regex = regex::RegexBuilder::new(pattern)
        .size_limit(4 << 20)
        .build()
        .map_err(|e| format!("pattern is not a regular expression: {e}"))?;
    let filter = glob.map(any_depth).transpose()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut lines, mut total) = (Vec::new(), Vec::new(), 0_usize);
    let cut = walk(&top, leash, |file| {
        let name = place::shown(file);
        if filter
            .as_ref()
            .is_some_and(|filter| !filter.is_match(&name))
        {
            return true;
        }
        for (number, line) in read_text(file, FILE_BYTES)
            .iter()
            .flat_map(|t| t.lines().enumerate())
        {
            if !regex.is_match(line) {
                continue;
            }
            total += 1;
            if found.len() < limit {
                let line = text::cut(line, LINE);
                lines.push(format!("{name}:{}:{line}", number + 1));
                found.push(json!({ "path": name, "line": number + 1, "text": line }));
            }
        }
        true
    });
    let truncated = cut || total > found.len();
    if truncated {
        lines.push(format!("… {total} in all, cut: use a narrower pattern"));
    }
    if total == 0 {
        lines.push(format!("nothing matches {pattern}"));
    }
    let data = json!({ "matches": found, "total": total, "truncated": truncated });
    Ok(Done::good(lines.join("\n"), data))
}

fn matcher(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|e| format!("pattern is not a glob: {e}"))
}

/// A glob without a slash means files of that name at any depth.
fn any_depth(pattern: &str) -> Result<GlobMatcher, String> {
    match pattern.contains('/') {
        true => matcher(pattern),
        false => matcher(&format!("**/{pattern}")),
    }
}

/// Visits regular files in order of name; true when it stopped before the end.
fn walk(top: &Path, leash: Leash<'_>, mut visit: impl FnMut(&Path) -> bool) -> bool {
    let entries = WalkBuilder::new(top)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .sort_by_file_name(|a, b| a.cmp(b))
        .build()
        .flatten()
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .map(|entry| entry.into_path());
    for (count, path) in entries.enumerate() {
        let path: PathBuf = path;
        let late = leash.late() || leash.lifeline.is_cancelled(leash.question);
        if count >= FILES || late || !visit(&path) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn globs_know_depth() {
        for (pattern, path, deep, plain) in [
            ("*.rs", "a.rs", true, true),
            ("*.rs", "x/a.rs", true, false),
            ("**/*.rs", "x/y/a.rs", true, true),
            ("x/*.rs", "x/y/a.rs", false, false),
        ] {
            assert_eq!(
                any_depth(pattern).unwrap().is_match(path),
                deep,
                "{pattern} {path}"
            );
            assert_eq!(
                matcher(pattern).unwrap().is_match(path),
                plain,
                "{pattern} {path}"
            );
        }
    }
}
