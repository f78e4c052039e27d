//! The three-way comparison: what both sides knew last, what lies here, what lies there. It decides for
//! each file alone; nothing is read or written. A change of one side travels; where both changed a file,
//! its lines are merged; what cannot be merged is a conflict and stays as it is on both sides.

use std::collections::{BTreeMap, BTreeSet};

/// A file: git's name of its content, and whether it may be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The blob.
    pub id: String,
    /// Whether it may be run.
    pub executable: bool,
}

/// Files by their paths below the home.
pub type Tree = BTreeMap<String, Entry>;

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Both sides have the same.
    Agreed,
    /// Changed here alone: it is sent.
    Out,
    /// Changed there alone: it comes in.
    In,
    /// Changed on both sides: its lines are merged, where they do not touch.
    Merge,
    /// Changed here alone, and it holds what must not leave.
    KeptBack,
    /// Both sides stay as they are until a person says which one holds.
    Conflict(Why),
}

/// Why a file waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Removed here, changed there.
    RemovedHere,
    /// Changed here, removed there.
    RemovedThere,
    /// A file on one side is a folder on the other.
    InTheWay,
    /// Another file has the same name but for capital letters.
    Case,
    /// What lies on one side is no file that can be kept: a link, a huge file, an odd name.
    Unfit,
}

impl Why {
    /// As a sentence.
    pub fn said(self) -> &'static str {
        match self {
            Why::RemovedHere => "it was removed here and changed there",
            Why::RemovedThere => "it was changed here and removed there",
            Why::InTheWay => "it is a file on one side and a folder on the other",
            Why::Case => "another file has the same name but for capital letters",
            Why::Unfit => "what lies on one side is no ordinary file of at most 1 MB",
        }
    }
}

/// What becomes of every file that any side has.
pub fn steps(base: &Tree, ours: &Tree, theirs: &Tree) -> BTreeMap<String, Step> {
    let paths: BTreeSet<&String> = base
        .keys()
        .chain(ours.keys())
        .chain(theirs.keys())
        .collect();
    let mut steps: BTreeMap<String, Step> = paths
        .into_iter()
        .map(|path| {
            let step = step(base.get(path), ours.get(path), theirs.get(path));
            (path.clone(), step)
        })
        .collect();
    // What one side adds must fit beside what stays on the other.
    let news = |step: &Step, tree: &Tree, path: &String| {
        matches!(step, Step::In | Step::Out) && tree.contains_key(path)
    };
    let mut clashes = Vec::new();
    for (path, step) in &steps {
        let (from, to) = match step {
            Step::In => (theirs, ours),
            Step::Out => (ours, theirs),
            _ => continue,
        };
        if !news(step, from, path) || to.contains_key(path) {
            continue;
        }
        // What goes in the same run is in nobody's way.
        let stays = |other: &String| {
            other != path && (from.contains_key(other) || steps.get(other) != Some(step))
        };
        if to.keys().any(|other| stays(other) && is_below(other, path)) {
            clashes.push((path.clone(), Why::InTheWay));
        } else if to
            .keys()
            .any(|other| stays(other) && other.to_lowercase() == path.to_lowercase())
        {
            clashes.push((path.clone(), Why::Case));
        }
    }
    for (path, why) in clashes {
        steps.insert(path, Step::Conflict(why));
    }
    steps
}

/// Whether one of two paths lies below the other.
pub fn is_below(one: &str, other: &str) -> bool {
    let below = |path: &str, folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}

fn step(base: Option<&Entry>, ours: Option<&Entry>, theirs: Option<&Entry>) -> Step {
    if ours == theirs {
        return Step::Agreed;
    }
    if ours == base {
        return Step::In;
    }
    if theirs == base {
        return Step::Out;
    }
    match (ours, theirs) {
        (Some(_), Some(_)) => Step::Merge,
        (None, _) => Step::Conflict(Why::RemovedHere),
        (_, None) => Step::Conflict(Why::RemovedThere),
    }
}

/// Whether a merged file may be run: the side that changed that decides.
pub fn merged_mode(base: Option<&Entry>, ours: &Entry, theirs: &Entry) -> bool {
    match base {
        Some(base) if base.executable == ours.executable => theirs.executable,
        _ => ours.executable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files
            .iter()
            .map(|(path, id)| {
                let entry = Entry {
                    id: (*id).to_owned(),
                    executable: false,
                };
                ((*path).to_owned(), entry)
            })
            .collect()
    }

    #[track_caller]
    fn check(
        base: &[(&str, &str)],
        ours: &[(&str, &str)],
        theirs: &[(&str, &str)],
        expected: Step,
    ) {
        let steps = steps(&tree(base), &tree(ours), &tree(theirs));
        let last = steps.into_iter().find(|(_, step)| *step != Step::Agreed);
        assert_eq!(last.map_or(Step::Agreed, |(_, step)| step), expected);
    }

    #[test]
    fn what_one_side_did_travels_and_what_both_did_is_never_guessed() {
        check(&[("a", "1")], &[("a", "1")], &[("a", "2")], Step::In);
        check(&[("a", "1")], &[("a", "2")], &[("a", "1")], Step::Out);
        check(&[("a", "1")], &[("a", "2")], &[("a", "2")], Step::Agreed);
        check(&[("a", "1")], &[("a", "2")], &[("a", "3")], Step::Merge);
        check(&[("a", "1")], &[], &[("a", "1")], Step::Out);
        check(&[("a", "1")], &[("a", "1")], &[], Step::In);
        check(&[("a", "1")], &[], &[], Step::Agreed);
        let conflict = Step::Conflict;
        check(
            &[("a", "1")],
            &[],
            &[("a", "2")],
            conflict(Why::RemovedHere),
        );
        check(
            &[("a", "1")],
            &[("a", "2")],
            &[],
            conflict(Why::RemovedThere),
        );
        check(&[], &[("a", "1")], &[("a", "2")], Step::Merge);
    }

    #[test]
    fn names_that_cannot_stand_beside_each_other_wait() {
        let in_the_way = Step::Conflict(Why::InTheWay);
        check(
            &[("x", "1")],
            &[("x", "2")],
            &[("x", "1"), ("x/y", "1")],
            Step::Out,
        );
        check(&[], &[("x", "1")], &[("x/y", "1")], in_the_way.clone());
        check(&[], &[("A", "1")], &[("a", "2")], Step::Conflict(Why::Case));
        // A file that becomes a folder comes in, where it is unchanged here.
        let steps = steps(
            &tree(&[("x", "1")]),
            &tree(&[("x", "1")]),
            &tree(&[("x/y", "2")]),
        );
        assert!(steps.values().all(|step| *step == Step::In), "{steps:?}");
    }

    proptest! {
        #[test]
        fn both_sides_decide_the_same(
            base in proptest::collection::btree_map("[ab](/[ab])?", "[12]", 0..4),
            ours in proptest::collection::btree_map("[ab](/[ab])?", "[12]", 0..4),
            theirs in proptest::collection::btree_map("[ab](/[ab])?", "[12]", 0..4),
        ) {
            let tree = |files: &BTreeMap<String, String>| -> Tree {
                files.iter().map(|(path, id)| (path.clone(), Entry { id: id.clone(), executable: false })).collect()
            };
            let (base, ours, theirs) = (tree(&base), tree(&ours), tree(&theirs));
            let here = steps(&base, &ours, &theirs);
            let there = steps(&base, &theirs, &ours);
            for (path, step) in &here {
                let mirrored = match step {
                    Step::In => Step::Out,
                    Step::Out => Step::In,
                    Step::Conflict(Why::RemovedHere) => Step::Conflict(Why::RemovedThere),
                    Step::Conflict(Why::RemovedThere) => Step::Conflict(Why::RemovedHere),
                    other => other.clone(),
                };
                prop_assert_eq!(there.get(path), Some(&mirrored));
                // Nothing that both sides changed is taken from one alone.
                if matches!(step, Step::In) { prop_assert_eq!(ours.get(path), base.get(path)); }
                if matches!(step, Step::Out) { prop_assert_eq!(theirs.get(path), base.get(path)); }
            }
        }
    }
}
