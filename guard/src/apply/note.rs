//! What an apply is going to do, file by file and by digest: kept before the first file is put in
//! place, it tells whoever goes on after a kill what is in already. Git could not say: a patch that
//! only adds lines often fits a second time. Pure.

use super::install::{Change, Entry};
use crate::act::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

/// One file of a patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStep {
    /// Relative to the workspace.
    pub path: String,
    /// Digest of what it was; `None` where there was nothing.
    pub old: Option<String>,
    /// Digest of what it shall be; `None` where it is removed.
    pub new: Option<String>,
}

impl FileStep {
    pub(super) fn of(change: &Change) -> Self {
        Self {
            path: change.path.clone(),
            old: change.old.as_ref().map(digest),
            new: change.new.as_ref().map(digest),
        }
    }
}

/// Lower-case hex SHA-256 of what [`Entry::same`] compares.
pub(super) fn digest(entry: &Entry) -> String {
    let mut sum = Sha256::new();
    match entry {
        Entry::Link(target) => {
            sum.update(b"link\0");
            sum.update(target.as_bytes());
        }
        Entry::File { content, mode } => {
            sum.update(match mode & 0o100 {
                0 => b"file\0",
                _ => b"prog\0",
            });
            sum.update(content);
        }
    }
    hex(&sum.finalize())
}

/// Names what is about to be put in one place.
pub(super) fn mark(path: &str, entry: &Entry) -> String {
    let mut sum = Sha256::new();
    sum.update(path);
    sum.update(digest(entry));
    hex(&sum.finalize()[..12])
}

/// The files that are not in place yet, or the first that is neither as before nor as it shall be,
/// with how many are in place. `now` goes along with `steps`.
pub(super) fn missing<'a>(
    steps: &'a [FileStep],
    now: &[Option<String>],
) -> Result<BTreeSet<&'a str>, (&'a str, usize)> {
    let placed = |(step, now): &(&FileStep, &Option<String>)| **now == step.new;
    let all = || steps.iter().zip(now);
    let strange = all().find(|(step, now)| **now != step.new && **now != step.old);
    match strange {
        Some((step, _)) => Err((&step.path, all().filter(placed).count())),
        None => Ok(all()
            .filter(|both| !placed(both))
            .map(|(step, _)| step.path.as_str())
            .collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_in_place_is_told_from_what_is_not() {
        let step = |path: &str, old: Option<&str>, new: Option<&str>| FileStep {
            path: path.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let steps = [
            step("changed", Some("1"), Some("2")),
            step("gone", Some("3"), None),
            step("made", None, Some("4")),
        ];
        let check = |now: [Option<&str>; 3], expected: Result<&[&str], (&str, usize)>| {
            let now = now.map(|digest| digest.map(str::to_owned));
            let missing = missing(&steps, &now).map(|all| all.into_iter().collect::<Vec<_>>());
            assert_eq!(missing.as_deref().map_err(|e| *e), expected, "{now:?}");
        };
        check(
            [Some("1"), Some("3"), None],
            Ok(&["changed", "gone", "made"]),
        );
        check([Some("2"), Some("3"), None], Ok(&["gone", "made"]));
        check([Some("2"), None, Some("4")], Ok(&[]));
        check([Some("2"), None, Some("5")], Err(("made", 2)));
        check([None, Some("3"), None], Err(("changed", 0)));
    }

    #[test]
    fn what_git_takes_for_the_same_has_one_digest() {
        let file = |content: &str, mode: u32| {
            let content = content.as_bytes().to_vec();
            digest(&Entry::File { content, mode })
        };
        assert_eq!(file("a", 0o644), file("a", 0o600));
        assert_ne!(file("a", 0o644), file("a", 0o755));
        assert_ne!(file("a", 0o644), file("b", 0o644));
        assert_ne!(file("a", 0o644), digest(&Entry::Link("a".into())));
    }
}
