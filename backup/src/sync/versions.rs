//! Every state of the configuration that was ever sent or came is a version, and has a name. Going back to
//! one is a change like any other: it is made here, and travels.

use super::judge::{self, Coming, Judge};
use super::shelf::Shelf;
use super::{Place, scope};
use crate::error::BackupError;
use config::error::quoted;
use config::home::Home;
use config::in_force::{self, Change};
use serde::Serialize;
use std::collections::BTreeSet;

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its name: the first characters of git's.
    pub name: String,
    /// When it was made, RFC 3339.
    pub at: String,
    /// Who made it.
    pub by: String,
    /// What they said about it.
    pub message: String,
}

/// So many characters name a version.
const NAME: usize = 10;

fn newest(shelf: &Shelf) -> Result<String, BackupError> {
    shelf.theirs().ok_or_else(|| {
        let said = "there are no versions yet: ai-infra backup run configuration";
        BackupError::Refused(said.to_owned())
    })
}

/// The newest versions, as far as they are known here.
pub fn list(home: &Home, place: &Place, most: usize) -> Result<Vec<Version>, BackupError> {
    let shelf = place.shelf(home)?;
    let head = newest(&shelf)?;
    let many = format!("-{most}");
    let words = ["log", "-z", &many, "--format=%H%n%aI%n%an%n%s", &head];
    let said = shelf.read(&words)?;
    let versions = said.split('\0').filter_map(|one| {
        let mut lines = one.lines();
        Some(Version {
            name: lines.next()?.chars().take(NAME).collect(),
            at: lines.next()?.to_owned(),
            by: lines.next()?.to_owned(),
            message: lines.next().unwrap_or_default().to_owned(),
        })
    });
    Ok(versions.collect())
}

/// The whole name of a version.
fn found(shelf: &Shelf, version: &str) -> Result<String, BackupError> {
    let head = newest(shelf)?;
    let plain = version.len() >= 4 && version.bytes().all(|b| b.is_ascii_hexdigit());
    let none = || {
        BackupError::Refused(format!(
            "there is no version `{}`: see ai-infra backup versions list",
            quoted(version)
        ))
    };
    if !plain {
        return Err(none());
    }
    let commit = format!("{version}^{{commit}}");
    let words = ["rev-parse", "-q", "--verify", &commit];
    let id = shelf.read(&words).map_err(|_| none())?.trim().to_owned();
    // One of the branch, not of what this machine notes for itself.
    shelf
        .read(&["merge-base", "--is-ancestor", &id, &head])
        .map_err(|_| none())?;
    Ok(id)
}

/// What a version changed, as git shows it.
pub fn show(home: &Home, place: &Place, version: &str) -> Result<String, BackupError> {
    let shelf = place.shelf(home)?;
    let id = found(&shelf, version)?;
    shelf.read(&[
        "show",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--stat",
        "--patch",
        "--format=version %h of %aI by %an%n%n    %s%n",
        &id,
    ])
}

/// Makes the home's files what they were in a version; answers the paths that changed. The next run sends
/// that. Called by the one process that holds [`super::alone`].
///
/// # Errors
/// When something here was never sent (it would be lost), or the home could not work so.
pub fn rollback(
    home: &Home,
    place: &Place,
    judge: &Judge<'_>,
    version: &str,
) -> Result<Vec<String>, BackupError> {
    in_force::finish(home)?;
    let shelf = place.shelf(home)?;
    let id = found(&shelf, version)?;
    let wanted = shelf.files(&id)?.files;
    let ours = scope::read(home)?;
    let our_tree = shelf.keep(&ours.files)?;
    let base = match shelf.base() {
        Some(base) => shelf.files(&base)?.files,
        None => Default::default(),
    };
    let paths: BTreeSet<&String> = our_tree.keys().chain(wanted.keys()).collect();
    let differ = |path: &&String| our_tree.get(*path) != wanted.get(*path);
    let paths: Vec<&String> = paths.into_iter().filter(differ).collect();
    let unsent = |path: &&&String| our_tree.get(**path) != base.get(**path);
    if let Some(path) = paths.iter().find(unsent) {
        return Err(BackupError::Refused(format!(
            "{path} was changed here and is not part of any version yet: ai-infra backup run configuration first"
        )));
    }
    let contents = shelf.contents(&wanted)?;
    let coming: Coming = (paths.iter())
        .map(|path| ((*path).clone(), contents.get(*path).cloned()))
        .collect();
    let before = judge::weighed(home, &ours, &Coming::new(), judge)?;
    let broken = judge::weighed(home, &ours, &coming, judge)?
        .into_iter()
        .find(|objection| objection.broken && !before.contains(objection));
    if let Some(objection) = broken {
        return Err(BackupError::Refused(format!(
            "the team could not work with that version: {}",
            objection.why
        )));
    }
    let changes: Vec<Change> = coming
        .into_iter()
        .map(|(path, after)| Change {
            before: ours.files.get(&path).cloned(),
            path,
            after,
        })
        .collect();
    let left = in_force::put(home, &changes, &mut |_| Ok(()))?;
    let changed = changes.into_iter().map(|change| change.path);
    Ok(changed.filter(|path| !left.contains(path)).collect())
}
