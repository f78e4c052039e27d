//! What of the old is let go: a pure decision over what lies there. What is still needed is never named, and what was
//! used within the last hour is never named either, however full it is.

use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// Nothing that was used within this time is let go.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Clone and snapshots of a task that is over. Its patch stays.
    Clone,
    /// What programs keep between two tasks of a project.
    Cache,
    /// The content of something too large for a stream.
    Blob,
}

/// One thing that lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thing {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) path: PathBuf,
    /// What it takes on the disk, in bytes.
    pub(crate) bytes: u64,
    /// When it was used last, or its task ended.
    pub(crate) used: Timestamp,
    /// Nothing refers to it any more.
    pub(crate) free: bool,
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// What was not used for longer is let go; `None` where age does not count.
    pub(crate) age: Option<SignedDuration>,
    /// Clones and caches take no more than this together, in bytes; `None` where they may.
    pub(crate) bytes: Option<u64>,
}

/// What is let go: first what is too old, then the oldest until the rest fits.
pub(crate) fn decide(mut things: Vec<Thing>, bounds: Bounds, now: Timestamp) -> Vec<Thing> {
    let mut all: u64 = (things.iter().filter(|thing| thing.kind != Kind::Blob))
        .map(|thing| thing.bytes)
        .sum();
    things.retain(|thing| thing.free && now.duration_since(thing.used) > FRESH);
    things.sort_by(|a, b| (a.used, a.kind, &a.path).cmp(&(b.used, b.kind, &b.path)));
    let mut gone = Vec::new();
    for thing in things {
        let unused = now.duration_since(thing.used);
        let old = bounds.age.is_some_and(|age| unused > age);
        let full = thing.kind != Kind::Blob && bounds.bytes.is_some_and(|most| all > most);
        if old || full {
            if thing.kind != Kind::Blob {
                all = all.saturating_sub(thing.bytes);
            }
            gone.push(thing);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn thing(name: &str, kind: Kind, days: i64, bytes: u64, free: bool) -> Thing {
        Thing {
            kind,
            path: PathBuf::from(name),
            bytes,
            used: Timestamp::from_second(NOW - days * 86_400 - 60).unwrap(),
            free,
        }
    }

    #[track_caller]
    fn check(age: Option<i64>, bytes: Option<u64>, expected: &[&str]) {
        let things = vec![
            thing("today", Kind::Clone, 0, 100, true),
            thing("week", Kind::Clone, 7, 100, true),
            thing("month", Kind::Clone, 31, 100, true),
            thing("needed", Kind::Clone, 90, 100, false),
            thing("cache", Kind::Cache, 20, 100, true),
            thing("blob", Kind::Blob, 40, 900, true),
            thing("named", Kind::Blob, 40, 900, false),
        ];
        let bounds = Bounds {
            age: age.map(|days| SignedDuration::from_hours(24 * days)),
            bytes,
        };
        let now = Timestamp::from_second(NOW).unwrap();
        let gone = decide(things, bounds, now);
        let names: Vec<&str> = gone.iter().map(|t| t.path.to_str().unwrap()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_old_goes_and_then_the_oldest_until_it_fits() {
        check(None, None, &[]);
        check(Some(30), None, &["blob", "month"]);
        check(Some(10), None, &["blob", "month", "cache"]);
        // 500 bytes of clones and caches; blobs are not counted, and age alone ends them.
        check(None, Some(500), &[]);
        check(None, Some(499), &["month"]);
        check(None, Some(250), &["month", "cache", "week"]);
        // What was used a moment ago stays, and so does what is needed.
        check(Some(1), Some(0), &["blob", "month", "cache", "week"]);
    }
}
