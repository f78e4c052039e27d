//! Which snapshots stay, and when one is alarming: pure decisions.

use crate::names::SnapshotName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// How many of each job are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many, whenever they were made: one that went wrong does not push out the good one
    /// of the same day.
    pub last: usize,
    /// The newest of so many days.
    pub daily: usize,
    /// The newest of so many weeks.
    pub weekly: usize,
    /// The newest of so many months.
    pub monthly: usize,
}

/// The snapshots to let go of: of each job neither its newest ones, nor the newest of one of the last days,
/// weeks or months that have any (UTC, weeks of ISO 8601).
pub fn let_go(all: &[SnapshotName], keep: Keep) -> Vec<SnapshotName> {
    let mut jobs: BTreeMap<&str, Vec<&SnapshotName>> = BTreeMap::new();
    for name in all {
        jobs.entry(&name.job).or_default().push(name);
    }
    let mut stay: BTreeSet<&SnapshotName> = BTreeSet::new();
    for names in jobs.values_mut() {
        names.sort_by(|a, b| b.cmp(a));
        stay.extend(names.iter().take(keep.last.max(1)));
        newest_of(names, keep.daily, day, &mut stay);
        newest_of(names, keep.weekly, week, &mut stay);
        newest_of(names, keep.monthly, |at| day(at) / 100, &mut stay);
    }
    all.iter()
        .filter(|name| !stay.contains(name))
        .cloned()
        .collect()
}

fn newest_of<'a>(
    newest_first: &[&'a SnapshotName],
    many: usize,
    span: impl Fn(Timestamp) -> i64,
    stay: &mut BTreeSet<&'a SnapshotName>,
) {
    let mut spans = BTreeSet::new();
    for name in newest_first {
        let span = span(name.at);
        if spans.len() >= many && !spans.contains(&span) {
            return;
        }
        if spans.insert(span) {
            stay.insert(name);
        }
    }
}

fn day(at: Timestamp) -> i64 {
    let date = at.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

fn week(at: Timestamp) -> i64 {
    let week = at.to_zoned(TimeZone::UTC).date().iso_week_date();
    i64::from(week.year()) * 100 + i64::from(week.week())
}

/// How large a backup was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Size {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A sentence where a backup has less than half of what the one before had. What is small is not worth
/// one: fewer than 20 files, less than 100 kB.
pub fn shrunk(before: Size, now: Size) -> Option<String> {
    let halved = |was: u64, is: u64| is < was.div_ceil(2);
    let files = before.files >= 20 && halved(before.files, now.files);
    let bytes = before.bytes >= 100_000 && halved(before.bytes, now.bytes);
    match (files, bytes) {
        (true, _) => Some(format!(
            "it has {} files, the one before had {}: look whether something is missing",
            now.files, before.files
        )),
        (_, true) => Some(format!(
            "it has {} bytes, the one before had {}: look whether something is missing",
            now.bytes, before.bytes
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::{SignedDuration, Span};
    use proptest::prelude::*;

    fn name(at: &str, job: &str) -> SnapshotName {
        SnapshotName::new(at.parse().unwrap(), job)
    }

    const KEEP: Keep = Keep {
        last: 3,
        daily: 7,
        weekly: 4,
        monthly: 6,
    };

    #[test]
    fn a_year_of_days_leaves_days_weeks_and_months() {
        let first: Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
        let all: Vec<SnapshotName> = (0..365)
            .map(|day| SnapshotName::new(first + SignedDuration::from_hours(24 * day), "code"))
            .collect();
        let gone = let_go(&all, KEEP);
        let left: Vec<String> = all
            .iter()
            .filter(|name| !gone.contains(name))
            .map(|name| name.at.strftime("%m-%d").to_string())
            .collect();
        // The last days; the ends of ISO weeks (Sundays); the last days of months.
        let expected = [
            "07-31", "08-31", "09-30", "10-31", "11-30", "12-13", "12-20", "12-25", "12-26",
            "12-27", "12-28", "12-29", "12-30", "12-31",
        ];
        assert_eq!(left, expected);
        let kept: Vec<SnapshotName> = all.into_iter().filter(|n| !gone.contains(n)).collect();
        assert_eq!(let_go(&kept, KEEP), [], "a second time nothing goes");
    }

    #[test]
    fn the_newest_of_each_job_stays_whatever_is_said() {
        let all = [
            name("2020-01-01T00:00:00Z", "memory"),
            name("2026-01-01T00:00:00Z", "code"),
            name("2026-01-02T00:00:00Z", "code"),
        ];
        let none = Keep {
            last: 0,
            daily: 0,
            weekly: 0,
            monthly: 0,
        };
        assert_eq!(let_go(&all, none), [all[1].clone()]);
        assert_eq!(let_go(&[], KEEP), []);
    }

    proptest! {
        #[test]
        fn never_the_newest_and_never_more_than_said(
            hours in proptest::collection::vec(0i64..20_000, 1..80), last in 0usize..5, daily in 0usize..5, weekly in 0usize..5, monthly in 0usize..5,
        ) {
            let first: Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
            let all: Vec<SnapshotName> = hours
                .iter()
                .map(|h| SnapshotName::new(first.checked_add(Span::new().hours(*h)).unwrap(), "code"))
                .collect();
            let gone = let_go(&all, Keep { last, daily, weekly, monthly });
            prop_assert!(!gone.contains(all.iter().max().unwrap()));
            let most = (last + daily + weekly + monthly).max(1);
            prop_assert!(all.len() - gone.len() <= most);
        }
    }

    #[test]
    fn half_is_alarming_and_little_is_not() {
        let size = |files, bytes| Size { files, bytes };
        for (before, now, alarmed) in [
            (size(100, 1_000_000), size(100, 1_000_000), false),
            (size(100, 1_000_000), size(50, 500_000), false),
            (size(100, 1_000_000), size(49, 1_000_000), true),
            (size(100, 1_000_000), size(100, 499_999), true),
            (size(100, 1_000_000), size(0, 0), true),
            (size(10, 10), size(0, 0), false),
            (size(0, 0), size(9, 9), false),
        ] {
            assert_eq!(shrunk(before, now).is_some(), alarmed, "{before:?} {now:?}");
        }
    }
}
