//! What comes in is looked at before it is in force. A key that lies in plain, settings that would stop
//! the team, and whatever permits more than before wait for a person; the rest of what came goes on.

use super::scope::Ours;
use crate::error::{BackupError, file};
use config::home::Home;
use config::in_force::Content;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Something that speaks against what a home would hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The file below the home, where it is one.
    pub path: Option<String>,
    /// Whether the home could not work so; else it could do more than before.
    pub broken: bool,
    /// The sentence.
    pub why: String,
}

/// Who is asked. The rooms that know the answers stand above this one.
pub struct Judge<'a> {
    /// What looks like a secret in a text: its line, and what it looks like.
    pub secrets: &'a dyn Fn(&str) -> Vec<(u64, String)>,
    /// What speaks against a home that is laid out for this.
    pub weigh: &'a dyn Fn(&Home) -> Vec<Objection>,
}

/// What is to come in: contents by path, `None` where a file goes.
pub type Coming = BTreeMap<String, Option<Content>>;

/// How the folders begin in which a home is laid out to be looked at.
pub const LAID_OUT: &str = "laid-out-";
/// So many files may go at once, whatever their share.
const FEW: usize = 4;

/// Which of what is to come waits for a person, and why.
pub fn held(
    home: &Home,
    ours: &Ours,
    coming: &Coming,
    rewritten: bool,
    judge: &Judge<'_>,
) -> Result<BTreeMap<String, String>, BackupError> {
    let mut held = BTreeMap::new();
    let gone = coming.values().filter(|content| content.is_none()).count();
    let many = gone > FEW && gone * 2 > ours.files.len();
    for (path, content) in coming {
        let why = match content {
            _ if by_rule(path).is_some() => by_rule(path).map(str::to_owned),
            None if rewritten => {
                Some("it is gone there, and the history there was rewritten".to_owned())
            }
            None if many => Some("more than half of all files are gone there at once".to_owned()),
            None => None,
            Some(content) => secret(content, judge),
        };
        if let Some(why) = why {
            held.insert(path.clone(), why);
        }
    }
    let before = weighed(home, ours, &Coming::new(), judge)?;
    let before: BTreeSet<String> = (before.into_iter())
        .filter(|objection| objection.broken)
        .map(|objection| objection.why)
        .collect();
    loop {
        let rest: Coming = (coming.iter())
            .filter(|(path, _)| !held.contains_key(*path))
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect();
        if rest.is_empty() {
            return Ok(held);
        }
        let new: Vec<Objection> = (weighed(home, ours, &rest, judge)?.into_iter())
            .filter(|objection| !(objection.broken && before.contains(&objection.why)))
            .collect();
        let Some(first) = new.first() else {
            return Ok(held);
        };
        let mut found = false;
        for objection in &new {
            if let Some(path) = objection
                .path
                .as_ref()
                .filter(|path| rest.contains_key(*path))
            {
                held.entry(path.clone())
                    .or_insert_with(|| objection.why.clone());
                found = true;
            }
        }
        // None of what came is named, and yet it is not good with it: then none of it.
        if !found {
            for path in rest.keys() {
                held.insert(path.clone(), first.why.clone());
            }
        }
    }
}

/// What speaks against a home with these changes.
pub fn weighed(
    home: &Home,
    ours: &Ours,
    changes: &Coming,
    judge: &Judge<'_>,
) -> Result<Vec<Objection>, BackupError> {
    let folder = tempfile::Builder::new()
        .prefix(LAID_OUT)
        .tempdir_in(home.backup())
        .map_err(file("make a folder in", &home.backup()))?;
    let root = folder.path().join("home");
    let laid = Home::at(&root);
    make(&root)?;
    for (path, content) in &ours.files {
        if !changes.contains_key(path) {
            lay(&root, path, content)?;
        }
    }
    for (path, content) in changes {
        if let Some(content) = content {
            // A file where a folder was, while what was in it is held back.
            let _cannot_stand = lay(&root, path, content);
        }
    }
    // What settings name, and what says whose team this is.
    let secrets = laid.secrets();
    std::os::unix::fs::symlink(home.secrets(), &secrets).map_err(file("make", &secrets))?;
    for name in [home.join(), home.host()] {
        let to = root.join(name.file_name().unwrap_or_default());
        if name.exists() {
            fs::copy(&name, &to).map_err(file("copy", &name))?;
        }
    }
    Ok((judge.weigh)(&laid))
}

/// What waits whatever it says.
fn by_rule(path: &str) -> Option<&'static str> {
    match path.split('/').next() {
        _ if path == "config/permissions.yaml" => Some("what agents may do is decided here"),
        Some("schedules") => Some("a schedule begins work by itself"),
        Some("hooks") => Some("a hook runs programs"),
        _ => None,
    }
}

/// The first secret of a file, as a sentence.
fn secret(content: &Content, judge: &Judge<'_>) -> Option<String> {
    let found = first_secret(content, judge)?;
    Some(format!(
        "line {} holds what looks like a secret ({}), in plain there: change that key",
        found.0, found.1
    ))
}

/// The first line that holds what looks like a secret, and what it looks like.
pub fn first_secret(content: &Content, judge: &Judge<'_>) -> Option<(u64, String)> {
    let text = String::from_utf8_lossy(&content.bytes);
    (judge.secrets)(&text).into_iter().next()
}

fn make(folder: &Path) -> Result<(), BackupError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(file("make", folder))
}

fn lay(root: &Path, path: &str, content: &Content) -> Result<(), BackupError> {
    let to = root.join(path);
    make(to.parent().unwrap_or(root))?;
    fs::write(&to, &content.bytes).map_err(file("write", &to))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).map_err(file("write", &to))
}
