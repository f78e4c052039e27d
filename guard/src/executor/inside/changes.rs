//! Write and Edit, and how the world is asked whether they happened.

use super::gather;
use super::place;
use super::serve::Done;
use crate::act::{Operation, hex};
use protocol::effect::ProbeAnswer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Largest file an edit reads, in bytes.
const EDIT_BYTES: u64 = 64 * 1024 * 1024;
/// Largest file in which secrets are put back, in bytes; escaped as JSON it still fits a frame.
const HELD_BYTES: u64 = 2 * 1024 * 1024;

pub(super) fn write(path: &str, content: &str) -> Result<Done, String> {
    let real = place::writable(path)?;
    kept(path, &real)?;
    replace(&real, content.as_bytes()).map_err(|e| place::sentence(path, &e))?;
    let (bytes, sha256) = (content.len(), sha(content.as_bytes()));
    Ok(Done::good(
        format!("wrote {path} ({bytes} bytes)"),
        json!({ "bytes": bytes, "sha256": sha256 }),
    ))
}

pub(super) fn edit(path: &str, old: &str, new: &str, all: bool) -> Result<Done, String> {
    let real = place::existing(path)?;
    let (after, replacements) = edited(path, &real, old, new, all)?;
    kept(path, &real)?;
    replace(&real, after.as_bytes()).map_err(|e| place::sentence(path, &e))?;
    Ok(Done::good(
        format!("edited {path} ({replacements} replaced)"),
        json!({ "replacements": replacements, "sha256": sha(after.as_bytes()) }),
    ))
}

/// What is written by name comes home, also where `.gitignore` names it.
fn kept(path: &str, real: &Path) -> Result<(), String> {
    gather::note(real).map_err(|e| format!("{path} cannot be noted as written: {e}"))
}

/// What the file would hold after an edit, and how often it replaces.
fn edited(
    path: &str,
    real: &Path,
    old: &str,
    new: &str,
    all: bool,
) -> Result<(String, usize), String> {
    let meta = fs::metadata(real).map_err(|e| place::sentence(path, &e))?;
    if !meta.is_file() || meta.len() > EDIT_BYTES {
        return Err(format!("{path} is not a file of at most 64 MB"));
    }
    let bytes = fs::read(real).map_err(|e| place::sentence(path, &e))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text"))?;
    match text.matches(old).count() {
        0 => Err(format!(
            "old_string is not in {path}: read the file again and copy it exactly"
        )),
        n if n > 1 && !all => Err(format!(
            "old_string is {n} times in {path}: give more of its surroundings, or replace_all"
        )),
        n => Ok((text.replace(old, new), n)),
    }
}

/// Replaces a file whole: a reader sees the old content or the new. Keeps its mode.
fn replace(real: &Path, content: &[u8]) -> std::io::Result<()> {
    if real.is_dir() {
        return Err(std::io::Error::other("it is a folder"));
    }
    let folder = real.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mode = fs::metadata(real).map_or(0o644, |m| m.permissions().mode() & 0o7777);
    // The name is the same each time: what a killed call left half written is taken away by the
    // same call when it is made again, and never becomes part of the result.
    let name = real.file_name().unwrap_or_default();
    let name = format!(".ai-infra-{:.16}", sha(name.as_encoded_bytes()));
    match fs::remove_file(folder.join(&name)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut temporary = tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    temporary.write_all(content)?;
    temporary
        .as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    temporary.persist(real).map_err(|e| e.error)?;
    Ok(())
}

fn sha(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn sha_of(path: &str) -> Value {
    let real = place::existing(path).ok().filter(|real| real.is_file());
    match real.and_then(|real| fs::read(real).ok()) {
        Some(bytes) => Value::String(sha(&bytes)),
        None => Value::Null,
    }
}

/// The text of a file; nothing where there is none, it is no text, or it is too large for a frame.
pub(super) fn holds(path: &str) -> String {
    let real = place::existing(path).ok().filter(|real| {
        let about = fs::metadata(real);
        about.is_ok_and(|about| about.is_file() && about.len() <= HELD_BYTES)
    });
    real.and_then(|real| fs::read_to_string(real).ok())
        .unwrap_or_default()
}

/// What to keep with the intent of an operation.
pub(super) fn before(operation: &Operation) -> Value {
    let Operation::Edit {
        path,
        old,
        new,
        all,
    } = operation
    else {
        return Value::Null;
    };
    let after = place::existing(path)
        .and_then(|real| edited(path, &real, old, new, *all))
        .map_or(Value::Null, |(text, _)| Value::String(sha(text.as_bytes())));
    json!({ "before": sha_of(path), "after": after })
}

/// Whether an operation that was begun happened.
pub(super) fn probe(operation: &Operation, before: &Value) -> ProbeAnswer {
    match operation {
        Operation::Edit { path, .. } => judge(&sha_of(path), &before["before"], &before["after"]),
        Operation::Write { path, content } => {
            match sha_of(path) == Value::String(sha(content.as_bytes())) {
                true => ProbeAnswer::Happened,
                false => ProbeAnswer::Not,
            }
        }
        Operation::Bash { .. } | Operation::Tests { .. } | Operation::QuickChecks => {
            ProbeAnswer::Unknown
        }
        _ => ProbeAnswer::Not,
    }
}

fn judge(now: &Value, before: &Value, after: &Value) -> ProbeAnswer {
    match now {
        now if after.is_string() && now == after => ProbeAnswer::Happened,
        now if now == before => ProbeAnswer::Not,
        _ => ProbeAnswer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn edits_are_counted_before_they_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "one two one").unwrap();
        let check = |old: &str, all: bool| edited("a", &file, old, "x", all);
        assert_eq!(check("two", false).unwrap(), ("one x one".into(), 1));
        assert_eq!(check("one", true).unwrap(), ("x two x".into(), 2));
        assert!(check("one", false).unwrap_err().contains("2 times"));
        assert!(check("three", true).unwrap_err().contains("not in a"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deep/er/a.sh");
        replace(&file, b"one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_call_left_is_taken_away_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        let left = format!(".ai-infra-{:.16}", sha(b"a"));
        fs::write(dir.path().join(left), "hal").unwrap();
        replace(&file, b"whole").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_world_is_read_three_ways() {
        let [a, b, c] = ["a", "b", "c"].map(Value::from);
        assert_eq!(judge(&b, &a, &b), ProbeAnswer::Happened);
        assert_eq!(judge(&a, &a, &b), ProbeAnswer::Not);
        assert_eq!(judge(&c, &a, &b), ProbeAnswer::Unknown);
        assert_eq!(
            judge(&Value::Null, &Value::Null, &Value::Null),
            ProbeAnswer::Not
        );
    }
}
