//! The configuration, kept in step with a plain git repository in both directions.
//!
//! `tree` decides for each file from three states: what both sides knew last, what lies here, what lies
//! there. `scope` says what belongs to it, `judge` what may come in by itself, `shelf` is git. The order
//! makes it safe to be killed anywhere: what is sent goes first, what came is put in force all together
//! (`config::in_force`), and only then both sides are said to know it. A run that was cut off is done again
//! from the same state and finds its own work as something both sides agree on.
//!
//! `take` settles what waits for a person, `versions` looks back and goes back.

mod judge;
mod report;
mod scope;
mod shelf;
pub mod take;
#[cfg(test)]
mod tests;
mod tree;
pub mod versions;

pub use judge::{Judge, Objection};
pub use report::{KeptBack, Report, Waiting};
pub use scope::FOLDERS;

use crate::error::BackupError;
use crate::history::Alone;
use crate::store::login::Login;
use config::home::Home;
use config::in_force::{self, Change, Watch};
use jiff::Timestamp;
use judge::Coming;
use scope::Ours;
use shelf::{Looked, Seen, Shelf};
use std::collections::BTreeMap;
use tree::{Entry, Step, Tree, Why, is_below};

/// How often it is tried when others push too.
const TRIES: u32 = 8;
/// Most paths named in the message of a version.
const NAMED: usize = 5;

/// Taken by the one process of the home that changes the configuration; backups go on beside it. What one
/// that was killed has laid out to look at is swept away.
///
/// # Errors
/// When another process has it.
pub fn alone(home: &Home) -> Result<Alone, BackupError> {
    let alone = crate::history::alone(&report::folder(home))?;
    let entries = std::fs::read_dir(home.backup()).into_iter().flatten();
    for entry in entries.flatten() {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(judge::LAID_OUT)
        {
            let _left = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(alone)
}

/// Where the configuration is kept in step.
#[derive(Debug, Clone)]
pub struct Place {
    /// A git repository, as git names it.
    pub url: String,
    /// For git.
    pub login: Login,
    /// What the team calls this host; it stands in the message of what is sent.
    pub host: String,
}

impl Place {
    fn shelf(&self, home: &Home) -> Result<Shelf, BackupError> {
        Shelf::open(&report::folder(home), &self.url, &self.login)
    }
}

/// What becomes of every file.
struct Plan {
    steps: BTreeMap<String, Step>,
    ours: Ours,
    our_tree: Tree,
    theirs: Seen,
    base: Tree,
    merged: Tree,
    coming: Coming,
    report: Report,
}

/// Brings both sides in step. Called by the one process that holds [`alone`], on a thread
/// that may block. `watch` hears of each step before it is done, and can end it there.
///
/// # Errors
/// When the place does not answer or refuses, or the home cannot be read or written. Nothing is lost then.
pub fn sync(
    home: &Home,
    place: &Place,
    judge: &Judge<'_>,
    watch: Watch<'_>,
) -> Result<Report, BackupError> {
    in_force::finish(home)?;
    let shelf = place.shelf(home)?;
    for _ in 0..TRIES {
        watch("look")?;
        let looked = shelf.look()?;
        let mut plan = plan(home, &shelf, &looked, judge)?;
        let sending = sending(&plan);
        if !sending.is_empty() {
            watch("send")?;
            let message = message(&place.host, &sending);
            let commit = shelf.commit(looked.head.as_deref(), &sending, &message)?;
            if !shelf.push(&commit, &looked)? {
                continue;
            }
            plan.report.version = Some(commit);
            plan.report.sent = (sending.into_keys())
                .filter(|path| !plan.merged.contains_key(path))
                .collect();
        }
        return put(home, &shelf, plan, watch);
    }
    Err(BackupError::Busy(format!(
        "{}: others push there all the time; nothing is lost: run it again",
        shelf.place()
    )))
}

/// Looks at both sides and decides.
fn plan(
    home: &Home,
    shelf: &Shelf,
    looked: &Looked,
    judge: &Judge<'_>,
) -> Result<Plan, BackupError> {
    let mut report = Report {
        place: shelf.place(),
        version: looked.head.clone(),
        ..Report::default()
    };
    let base = shelf.base();
    let (theirs, base) = match (&looked.head, base) {
        (Some(head), Some(base)) => (shelf.files(head)?, shelf.files(&base)?.files),
        (Some(head), None) => (shelf.files(head)?, Tree::new()),
        // What is empty was emptied: all is sent anew, nothing goes here.
        (None, base) => {
            if base.is_some() {
                let said = "the repository was emptied; all of it was sent anew";
                report.notes.push(said.to_owned());
            }
            (Seen::default(), Tree::new())
        }
    };
    if shelf.base().is_none() {
        let said = "it lies there in plain: whoever can read the repository can read it";
        report.notes.push(said.to_owned());
    }
    if looked.rewritten && looked.head.is_some() {
        let said = "the history there was rewritten; what was known before is still compared with";
        report.notes.push(said.to_owned());
    }
    let ours = scope::read(home)?;
    let our_tree = shelf.keep(&ours.files)?;
    let mut steps = tree::steps(&base, &our_tree, &theirs.files);
    unfit(&mut steps, &ours, &theirs, &mut report);
    let mut plan = Plan {
        steps,
        ours,
        our_tree,
        theirs,
        base,
        merged: Tree::new(),
        coming: Coming::new(),
        report,
    };
    plan.merge(shelf)?;
    plan.come(home, shelf, looked.rewritten, judge)?;
    plan.keep_back(judge);
    Ok(plan)
}

/// What cannot be kept on both sides is no change of either: neither removed there nor here.
fn unfit(steps: &mut BTreeMap<String, Step>, ours: &Ours, theirs: &Seen, report: &mut Report) {
    let about = |refused: &[(String, String)], path: &str| {
        refused
            .iter()
            .any(|(other, _)| other == path || is_below(other, path))
    };
    for (path, step) in steps.iter_mut() {
        let here = about(&ours.refused, path);
        let there = about(&theirs.refused, path);
        if (here || there) && *step != Step::Agreed {
            *step = Step::Conflict(Why::Unfit);
        }
    }
    for (path, why) in &ours.refused {
        report.kept_back.push(KeptBack {
            path: path.clone(),
            why: why.clone(),
        });
    }
    for (path, why) in &theirs.refused {
        let said = format!("{path} was not taken: {why}");
        report.notes.push(said);
    }
}

impl Plan {
    fn wait(&mut self, path: &str, why: String, conflict: bool, can_be_taken: bool) {
        self.report.waiting.push(Waiting {
            path: path.to_owned(),
            conflict,
            can_be_taken,
            why,
            theirs: self.theirs.files.get(path).map(|entry| entry.id.clone()),
        });
    }

    /// Merges the lines of what both sides changed.
    fn merge(&mut self, shelf: &Shelf) -> Result<(), BackupError> {
        let paths: Vec<String> = (self.steps.iter())
            .filter(|(_, step)| **step == Step::Merge)
            .map(|(path, _)| path.clone())
            .collect();
        let of = |tree: &Tree| -> Tree {
            let known = |path: &String| Some((path.clone(), tree.get(path)?.clone()));
            paths.iter().filter_map(known).collect()
        };
        let (base, ours, theirs) = (of(&self.base), of(&self.our_tree), of(&self.theirs.files));
        let texts = [&base, &ours, &theirs].map(|tree| shelf.contents(tree));
        let [base_texts, our_texts, their_texts] = texts;
        let (base_texts, our_texts, their_texts) = (base_texts?, our_texts?, their_texts?);
        let mut merged = BTreeMap::new();
        for path in &paths {
            let (Some(our), Some(their)) = (our_texts.get(path), their_texts.get(path)) else {
                continue;
            };
            let bytes = match base_texts.get(path) {
                Some(base) => shelf.merged(&base.bytes, &our.bytes, &their.bytes)?,
                None if our.bytes == their.bytes => Some(our.bytes.clone()),
                None => None,
            };
            match (bytes, ours.get(path), theirs.get(path)) {
                (Some(bytes), Some(our), Some(their)) => {
                    let executable = tree::merged_mode(base.get(path), our, their);
                    merged.insert(path.clone(), in_force::Content { bytes, executable });
                }
                _ => {
                    let why = match base_texts.contains_key(path) {
                        true => "the same lines were changed on both sides",
                        false => "it differs, and nothing says which one is newer",
                    };
                    self.wait(path, why.to_owned(), true, true);
                }
            }
        }
        self.merged = shelf.keep(&merged)?;
        for (path, content) in merged {
            self.coming.insert(path, Some(content));
        }
        Ok(())
    }

    /// What comes in, without what waits.
    fn come(
        &mut self,
        home: &Home,
        shelf: &Shelf,
        rewritten: bool,
        judge: &Judge<'_>,
    ) -> Result<(), BackupError> {
        let mut new = Tree::new();
        let mut conflicts = Vec::new();
        for (path, step) in &self.steps {
            match (step, self.theirs.files.get(path)) {
                (Step::In, Some(entry)) => {
                    new.insert(path.clone(), entry.clone());
                }
                (Step::In, None) => {
                    self.coming.insert(path.clone(), None);
                }
                (Step::Conflict(why), _) => conflicts.push((path.clone(), *why)),
                _ => {}
            }
        }
        for (path, content) in shelf.contents(&new)? {
            self.coming.insert(path, Some(content));
        }
        for (path, why) in conflicts {
            let can_be_taken = matches!(why, Why::RemovedHere | Why::RemovedThere);
            self.wait(&path, why.said().to_owned(), true, can_be_taken);
        }
        for (path, why) in judge::held(home, &self.ours, &self.coming, rewritten, judge)? {
            self.coming.remove(&path);
            let both = self.merged.remove(&path).is_some();
            self.wait(&path, why, both, true);
        }
        self.report
            .waiting
            .sort_by(|one, other| one.path.cmp(&other.path));
        Ok(())
    }

    /// What holds a secret does not leave.
    fn keep_back(&mut self, judge: &Judge<'_>) {
        for (path, step) in &mut self.steps {
            let Some(content) = self.ours.files.get(path).filter(|_| *step == Step::Out) else {
                continue;
            };
            if let Some((line, what)) = judge::first_secret(content, judge) {
                *step = Step::KeptBack;
                self.report.kept_back.push(KeptBack {
                    path: path.clone(),
                    why: format!(
                        "line {line} holds what looks like a secret ({what}): keep it with `ai-infra secret set NAME` and write {{secret: NAME}} there"
                    ),
                });
            }
        }
    }
}

/// What is to be other there: its entry, or `None` where it goes.
fn sending(plan: &Plan) -> BTreeMap<String, Option<Entry>> {
    let out = (plan.steps.iter())
        .filter(|(_, step)| **step == Step::Out)
        .map(|(path, _)| (path.clone(), plan.our_tree.get(path).cloned()));
    let merged = (plan.merged.iter())
        .filter(|(path, entry)| plan.theirs.files.get(*path) != Some(entry))
        .map(|(path, entry)| (path.clone(), Some(entry.clone())));
    out.chain(merged).collect()
}

/// Puts what came in force, and notes what both sides know now.
fn put(
    home: &Home,
    shelf: &Shelf,
    mut plan: Plan,
    watch: Watch<'_>,
) -> Result<Report, BackupError> {
    let changes: Vec<Change> = (plan.coming.iter())
        .map(|(path, after)| Change {
            path: path.clone(),
            before: plan.ours.files.get(path).cloned(),
            after: after.clone(),
        })
        .filter(|change| change.before != change.after)
        .collect();
    watch("put")?;
    let left = in_force::put(home, &changes, watch)?;
    watch("agree")?;
    let mut known = Tree::new();
    let mut old = Tree::new();
    for (path, step) in &plan.steps {
        let coming = plan.coming.contains_key(path) && !left.contains(path);
        let now = match step {
            Step::Agreed | Step::Out => plan.our_tree.get(path),
            Step::In if coming => plan.theirs.files.get(path),
            Step::Merge if coming => plan.merged.get(path),
            _ => {
                old.extend(
                    plan.base
                        .get(path)
                        .map(|entry| (path.clone(), entry.clone())),
                );
                continue;
            }
        };
        known.extend(now.map(|entry| (path.clone(), entry.clone())));
    }
    // Forgetting is safe where both cannot stand: then it is a conflict.
    old.retain(|path, _| !known.keys().any(|other| is_below(other, path)));
    known.extend(old);
    if known != plan.base || shelf.base().is_none() {
        shelf.agree(&known)?;
    }
    let report = &mut plan.report;
    for path in &left {
        let said = format!("{path} was changed here in this moment: the next run looks again");
        report.notes.push(said);
    }
    for path in plan.coming.into_keys().filter(|path| !left.contains(path)) {
        match plan.merged.contains_key(&path) {
            true => report.merged.push(path),
            false => report.came.push(path),
        }
    }
    report.at = Timestamp::now();
    report.save(home)?;
    Ok(plan.report)
}

/// The message of a version.
fn message(host: &str, sending: &BTreeMap<String, Option<Entry>>) -> String {
    let mut names: Vec<&str> = sending.keys().map(String::as_str).take(NAMED).collect();
    let more = format!("and {} more", sending.len().saturating_sub(NAMED));
    if sending.len() > NAMED {
        names.push(&more);
    }
    format!("{host}: {}", names.join(", "))
}
