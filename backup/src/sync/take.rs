//! What waits for a person is settled by one word: ours or theirs. Ours then travels at the next run;
//! theirs comes in at once. What would stop the team is refused also then.

use super::judge::{self, Coming, Judge};
use super::report::{Report, Waiting};
use super::scope;
use super::tree::Tree;
use super::{Place, shelf::Shelf};
use crate::error::BackupError;
use config::error::{did_you_mean, quoted};
use config::home::Home;
use config::in_force::{self, Change, Content};

/// Which side holds from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What lies here.
    Ours,
    /// What lies there.
    Theirs,
}

/// A file that waits, as both sides have it.
#[derive(Debug)]
pub struct Both {
    /// What is said about it.
    pub waiting: Waiting,
    /// As it lies here; `None` where it is gone or no ordinary file.
    pub ours: Option<Content>,
    /// As it lies there; `None` where it is gone or cannot be taken.
    pub theirs: Option<Content>,
    /// The lines that differ, as git shows them, where both are there.
    pub difference: Option<String>,
}

fn no_run() -> BackupError {
    let said = "the configuration was never kept in step: ai-infra backup run configuration";
    BackupError::Refused(said.to_owned())
}

/// Looks for a file that waits.
fn waiting<'a>(report: &'a Report, path: &str) -> Result<&'a Waiting, BackupError> {
    let found = report.waiting.iter().find(|waiting| waiting.path == path);
    found.ok_or_else(|| {
        let near = did_you_mean(path, report.waiting.iter().map(|w| w.path.as_str()));
        let path = quoted(path);
        BackupError::Refused(format!(
            "`{path}` does not wait for a decision{near}: see ai-infra backup conflicts"
        ))
    })
}

/// What lies there, as it was when the file was told of.
fn theirs(shelf: &Shelf, waiting: &Waiting) -> Result<(Tree, Option<Content>), BackupError> {
    let head = shelf.theirs().ok_or_else(no_run)?;
    let files = shelf.files(&head)?.files;
    let entry = files.get(&waiting.path).cloned();
    if entry.as_ref().map(|entry| &entry.id) != waiting.theirs.as_ref() {
        return Err(BackupError::Busy(format!(
            "{} was changed there since: ai-infra backup run configuration, then look again",
            waiting.path
        )));
    }
    let one: Tree = entry
        .into_iter()
        .map(|entry| (waiting.path.clone(), entry))
        .collect();
    let content = shelf.contents(&one)?.into_values().next();
    Ok((one, content))
}

/// Both sides of a file that waits.
pub fn both(home: &Home, place: &Place, path: &str) -> Result<Both, BackupError> {
    let report = Report::last(home).ok_or_else(no_run)?;
    let waiting = waiting(&report, path)?.clone();
    let shelf = place.shelf(home)?;
    let (their_tree, theirs) = theirs(&shelf, &waiting)?;
    let ours = in_force::read(&home.root.join(path)).ok().flatten();
    let mut difference = None;
    if let (Some(ours), Some(entry)) = (&ours, their_tree.get(path)) {
        let one = [(path.to_owned(), ours.clone())].into();
        if let Some(kept) = shelf.keep(&one)?.get(path) {
            let words = [
                "diff",
                "--no-ext-diff",
                "--no-textconv",
                "--no-color",
                kept.id.as_str(),
                entry.id.as_str(),
            ];
            difference = Some(shelf.read(&words)?);
        }
    }
    Ok(Both {
        waiting,
        ours,
        theirs,
        difference,
    })
}

/// Settles a file that waits. Called by the one process that holds [`super::alone`].
///
/// # Errors
/// When it does not wait, was changed on either side meanwhile, or the home could not work with theirs.
pub fn take(
    home: &Home,
    place: &Place,
    judge: &Judge<'_>,
    path: &str,
    side: Side,
) -> Result<(), BackupError> {
    in_force::finish(home)?;
    let mut report = Report::last(home).ok_or_else(no_run)?;
    let waiting = waiting(&report, path)?.clone();
    if !waiting.can_be_taken {
        return Err(BackupError::Refused(format!(
            "{path}: {}: rename or move one of them, then ai-infra backup run configuration",
            waiting.why
        )));
    }
    let shelf = place.shelf(home)?;
    let (their_tree, theirs) = theirs(&shelf, &waiting)?;
    if side == Side::Theirs {
        let ours = scope::read(home)?;
        let one: Coming = [(path.to_owned(), theirs.clone())].into();
        let before = judge::weighed(home, &ours, &Coming::new(), judge)?;
        let broken = judge::weighed(home, &ours, &one, judge)?
            .into_iter()
            .find(|objection| objection.broken && !before.contains(objection));
        if let Some(objection) = broken {
            return Err(BackupError::Refused(format!(
                "{path} as it lies there would stop the team: {}; change it there, or take ours",
                objection.why
            )));
        }
        let change = Change {
            path: path.to_owned(),
            before: ours.files.get(path).cloned(),
            after: theirs,
        };
        if !in_force::put(home, &[change], &mut |_| Ok(()))?.is_empty() {
            return Err(BackupError::Busy(format!(
                "{path} is being changed here in this moment: look again"
            )));
        }
    }
    // From now on theirs is known here: what differs from it was changed here.
    let mut base = match shelf.base() {
        Some(base) => shelf.files(&base)?.files,
        None => Tree::new(),
    };
    base.remove(path);
    base.retain(|other, _| !super::is_below(other, path));
    base.extend(their_tree);
    shelf.agree(&base)?;
    report.waiting.retain(|waiting| waiting.path != path);
    report.save(home)
}
