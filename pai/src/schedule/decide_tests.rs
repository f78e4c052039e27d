//! What is decided about runs, look by look, as somebody who writes it down.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::schedule::grammar::parse;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn schedule(more: &str) -> Schedule {
    let text = format!("schedule: 1\nname: nightly\nask: look over this\nzone: UTC\n{more}");
    parse(&text, &TimeZone::UTC).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Somebody who writes down what was decided, as the ledger does.
struct Book {
    standing: Standing,
    started: Vec<Timestamp>,
    left_out: Vec<(Timestamp, usize, Why)>,
    anew: usize,
}

impl Book {
    fn from(settled: Timestamp) -> Self {
        Self {
            standing: Standing {
                settled,
                held: None,
                running: false,
                paused: false,
            },
            started: Vec::new(),
            left_out: Vec::new(),
            anew: 0,
        }
    }

    fn look(&mut self, schedule: &Schedule, now: Timestamp) {
        let Some(decision) = decide(schedule, &self.standing, now) else {
            return;
        };
        self.standing.settled = decision.settled;
        self.standing.held = decision.held;
        self.started.extend(decision.start);
        let left = decision.left_out;
        self.left_out.extend(left.map(|l| (l.due, l.count, l.why)));
        self.anew += usize::from(decision.clock_was_wrong);
        assert_eq!(
            decide(schedule, &self.standing, now),
            None,
            "once it is written down nothing is left to decide"
        );
    }

    fn shown(&self) -> String {
        let started = self.started.iter().map(|t| format!("+{t}"));
        let left = self
            .left_out
            .iter()
            .map(|(due, count, why)| format!("{why:?} {count} to {due}"));
        started.chain(left).collect::<Vec<_>>().join(", ")
    }
}

/// What a schedule does when it is looked at only at these moments.
fn check(more: &str, settled: &str, looks: &[&str], expected: &str) {
    let schedule = schedule(more);
    let mut book = Book::from(at(settled));
    for look in looks {
        book.look(&schedule, at(look));
    }
    assert_eq!(book.shown(), expected, "{more} {looks:?}");
}

#[test]
fn runs_that_nobody_could_start() {
    let nightly = "when: 0 2 * * *\n";
    let skip = "when: 0 2 * * *\nmissed: skip\n";
    let begin = "2026-01-01T12:00:00Z";
    check(nightly, begin, &["2026-01-01T13:00:00Z"], "");
    check(
        nightly,
        begin,
        &["2026-01-02T02:00:00Z"],
        "+2026-01-02T02:00:00Z",
    );
    // Within the five minutes of grace.
    check(
        skip,
        begin,
        &["2026-01-02T02:04:59Z"],
        "+2026-01-02T02:00:00Z",
    );
    // The host slept until the morning.
    check(
        nightly,
        begin,
        &["2026-01-02T08:00:00Z"],
        "+2026-01-02T02:00:00Z",
    );
    check(
        skip,
        begin,
        &["2026-01-02T08:00:00Z"],
        "Missed 1 to 2026-01-02T02:00:00Z",
    );
    // It slept for three nights.
    check(
        nightly,
        begin,
        &["2026-01-04T08:00:00Z"],
        "+2026-01-04T02:00:00Z, Missed 2 to 2026-01-03T02:00:00Z",
    );
    check(
        skip,
        begin,
        &["2026-01-04T08:00:00Z"],
        "Missed 3 to 2026-01-04T02:00:00Z",
    );
    // It woke up just in time for the last of them.
    check(
        skip,
        begin,
        &["2026-01-04T02:00:30Z"],
        "+2026-01-04T02:00:00Z, Missed 2 to 2026-01-03T02:00:00Z",
    );
    // A quarter of a year of minutes.
    let minutes = schedule("when: '* * * * *'\n");
    let mut book = Book::from(at("2026-01-01T00:00:00Z"));
    book.look(&minutes, at("2026-04-01T00:00:20Z"));
    assert_eq!(book.started, [at("2026-04-01T00:00:00Z")]);
}

#[test]
fn a_clock_that_is_set() {
    let hourly = "when: 0 * * * *\n";
    // Back by an hour: what ran is not run again, then it goes on.
    check(
        hourly,
        "2026-01-01T11:30:00Z",
        &[
            "2026-01-01T12:00:01Z",
            "2026-01-01T11:00:05Z",
            "2026-01-01T12:00:02Z",
            "2026-01-01T13:00:00Z",
        ],
        "+2026-01-01T12:00:00Z, +2026-01-01T13:00:00Z",
    );
    // It had been ten years ahead.
    check(
        hourly,
        "2036-01-01T12:00:00Z",
        &["2026-01-01T12:00:30Z", "2026-01-01T13:00:00Z"],
        "+2026-01-01T13:00:00Z",
    );
}

#[test]
fn runs_that_meet() {
    for (overlap, expected) in [
        ("skip", "+01:00 -02:00 -03:00 +05:00"),
        ("wait", "+01:00 -02:00 +03:00 +05:00"),
        ("parallel", "+01:00 +02:00 +03:00 +05:00"),
    ] {
        let schedule = schedule(&format!("when: 0 1,2,3,5 * * *\noverlap: {overlap}\n"));
        let mut book = Book::from(at("2026-01-01T00:00:00Z"));
        let mut seen = Vec::new();
        for minute in 0..=300 {
            let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
            // The first run takes from one until four, the others no time.
            book.standing.running = book.started.len() == 1 && minute < 240
                || overlap == "parallel" && (60..240).contains(&minute);
            let (started, left) = (book.started.len(), book.left_out.len());
            book.look(&schedule, now);
            let time = |t: &Timestamp| t.strftime("%H:%M").to_string();
            seen.extend(
                book.left_out[left..]
                    .iter()
                    .map(|(t, ..)| format!("-{}", time(t))),
            );
            seen.extend(
                book.started[started..]
                    .iter()
                    .map(|t| format!("+{}", time(t))),
            );
        }
        assert_eq!(seen.join(" "), expected, "{overlap}");
    }
}

#[test]
fn a_pause_is_not_made_up_for() {
    let schedule = schedule("when: 0 * * * *\n");
    let mut book = Book::from(at("2026-01-01T00:30:00Z"));
    book.standing.paused = true;
    book.look(&schedule, at("2026-01-01T05:30:00Z"));
    book.standing.paused = false;
    book.look(&schedule, at("2026-01-01T05:59:00Z"));
    assert_eq!(book.shown(), "");
    book.look(&schedule, at("2026-01-01T06:00:00Z"));
    assert_eq!(book.shown(), "+2026-01-01T06:00:00Z");
}

#[test]
fn jitter_is_the_same_for_the_same_run_and_spreads() {
    let schedule = schedule("when: 0 * * * *\njitter: 10m\n");
    let begin = at("2026-01-01T00:00:00Z");
    let later = schedule
        .calendar
        .between(begin, at("2026-01-08T00:00:00Z"))
        .map(|due| {
            let begins = begins(&schedule, due);
            assert_eq!(begins, super::begins(&schedule, due));
            begins.duration_since(due).as_secs()
        });
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for later in later {
        assert!((0..=600).contains(&later), "{later}");
        *minutes.entry(later / 60).or_default() += 1;
    }
    assert!(minutes.len() >= 9, "{minutes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the clock does within a day, no run is started twice, none that was not due, and
    /// none is both started and counted as left out more than once.
    #[test]
    fn a_run_is_started_once(
        steps in prop::collection::vec((-7200i64..20_000, any::<bool>(), 0u8..20), 1..60),
        policy in 0usize..3,
        missed in any::<bool>(),
        jitter in 0u8..40,
    ) {
        let overlap = ["skip", "wait", "parallel"][policy];
        let missed = if missed { "once" } else { "skip" };
        let schedule = schedule(&format!(
            "when: 10 */2 * * *\noverlap: {overlap}\nmissed: {missed}\njitter: {jitter}m\n"
        ));
        let begin = at("2026-01-01T00:00:00Z");
        let mut book = Book::from(begin);
        let mut now = begin;
        let mut latest = begin;
        for (step, running, pause) in steps {
            now += SignedDuration::from_secs(step);
            latest = latest.max(now);
            book.standing.running = running;
            book.standing.paused = pause == 0;
            book.look(&schedule, now);
        }
        let mut started = book.started.clone();
        started.dedup();
        prop_assert_eq!(&started, &book.started, "twice");
        prop_assert!(started.is_sorted());
        let due: Vec<Timestamp> = schedule.calendar.between(begin, latest).collect();
        prop_assert!(started.iter().all(|t| due.contains(t)));
        let left: usize = book.left_out.iter().map(|(_, count, _)| count).sum();
        prop_assert!(started.len() + left <= due.len());
    }

    /// Looked at often enough, with nothing in its way, each run is started, in its order.
    #[test]
    fn every_run_is_started(gaps in prop::collection::vec(1i64..240, 1..400)) {
        let schedule = schedule("when: '*/5 * * * *'\n");
        let begin = at("2026-01-01T00:00:00Z");
        let mut book = Book::from(begin);
        let mut now = begin;
        for gap in gaps {
            now += SignedDuration::from_secs(gap);
            book.look(&schedule, now);
        }
        let due: Vec<Timestamp> = schedule.calendar.between(begin, now).collect();
        prop_assert_eq!(book.started, due);
        prop_assert!(book.left_out.is_empty());
    }
}
