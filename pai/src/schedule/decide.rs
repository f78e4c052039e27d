//! What is to be done about a schedule now. The same answer is given again until it was written
//! down, so whoever asks may be killed anywhere; what was written down is never given again.

use super::grammar::{Missed, Overlap, Schedule};
use jiff::{SignedDuration, Timestamp};

/// A clock that stands this far behind what was already settled was wrong before, not set back.
pub const WRONG_CLOCK: SignedDuration = SignedDuration::from_hours(24);

/// Most runs that are counted one by one; of more it is known that there were at least so many.
const MOST_COUNTED: usize = 100_000;

/// What is known of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Everything due until then was started or left out.
    pub settled: Timestamp,
    /// The run that waits for the one before it to end.
    pub held: Option<Timestamp>,
    /// A run has not ended.
    pub running: bool,
    /// A person paused it.
    pub paused: bool,
}

/// Why runs were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody could start them in time.
    Missed,
    /// The run before had not ended.
    Overlap,
}

/// Runs that are not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// When the last one was due.
    pub due: Timestamp,
    /// How many; at least so many where it is `MOST_COUNTED`.
    pub count: usize,
    /// Why.
    pub why: Why,
}

/// What to do. It counts only once it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Everything due until then is settled by this decision.
    pub settled: Timestamp,
    /// The run that waits for the one before it.
    pub held: Option<Timestamp>,
    /// The run to start, by the time it was due.
    pub start: Option<Timestamp>,
    /// What is left out.
    pub left_out: Option<LeftOut>,
    /// The clock had been far ahead: counting begins anew.
    pub clock_was_wrong: bool,
}

/// Decides. `None` where nothing is to be written down.
pub fn decide(schedule: &Schedule, standing: &Standing, now: Timestamp) -> Option<Decision> {
    let Standing { settled, held, .. } = *standing;
    let nothing = Decision {
        settled,
        held,
        start: None,
        left_out: None,
        clock_was_wrong: false,
    };
    if settled.duration_since(now) > WRONG_CLOCK {
        return Some(Decision {
            settled: now,
            held: None,
            clock_was_wrong: true,
            ..nothing
        });
    }
    if standing.paused {
        // What comes round during a pause is not made up for.
        let passed = passed(schedule, settled, now);
        let last = passed.last;
        return (held.is_some() || last.is_some()).then(|| Decision {
            settled: last.unwrap_or(settled),
            held: None,
            ..nothing
        });
    }
    let passed = passed(schedule, settled, now);
    match (passed.last, held) {
        (None, None) => None,
        (None, Some(_)) if standing.running => None,
        (None, Some(due)) => Some(Decision {
            held: None,
            start: Some(due),
            ..nothing
        }),
        (Some(last), held) => {
            let overtaken = passed.before_last.or(held).map(|due| LeftOut {
                due,
                count: passed.count - 1 + usize::from(held.is_some()),
                why: match held {
                    Some(_) => Why::Overlap,
                    None => Why::Missed,
                },
            });
            Some(settle(schedule, standing, now, last, overtaken))
        }
    }
}

/// Settles the newest run that came round, and the ones before that it overtook.
fn settle(
    schedule: &Schedule,
    standing: &Standing,
    now: Timestamp,
    last: Timestamp,
    overtaken: Option<LeftOut>,
) -> Decision {
    let late = now.duration_since(begins(schedule, last)) > schedule.grace;
    let decision = |start, held, left_out| Decision {
        settled: last,
        held,
        start,
        left_out,
        clock_was_wrong: false,
    };
    let all = |why| LeftOut {
        due: last,
        count: 1 + overtaken.map_or(0, |overtaken| overtaken.count),
        why,
    };
    if late && schedule.missed == Missed::Skip {
        return decision(None, None, Some(all(Why::Missed)));
    }
    match (standing.running, schedule.overlap) {
        (false, _) | (true, Overlap::Parallel) => decision(Some(last), None, overtaken),
        (true, Overlap::Wait) => decision(None, Some(last), overtaken),
        (true, Overlap::Skip) => decision(None, None, Some(all(Why::Overlap))),
    }
}

/// When to look again, as far as the calendar tells; `None` where it never comes round again.
pub fn next(schedule: &Schedule, settled: Timestamp) -> Option<Timestamp> {
    let due = schedule.calendar.after(settled)?;
    Some(begins(schedule, due))
}

/// When the run of a time begins: up to `jitter` later, always the same for the same run.
pub fn begins(schedule: &Schedule, due: Timestamp) -> Timestamp {
    let most = schedule.jitter.as_millis().unsigned_abs();
    if most == 0 {
        return due;
    }
    let seed = schedule.name.bytes().map(u64::from);
    let seed = seed.chain([due.as_second().unsigned_abs()]);
    // FNV-1a, then the finalizer of splitmix64, so that neighbouring minutes spread.
    let mut hash = seed.fold(0xcbf2_9ce4_8422_2325, |hash: u64, part| {
        (hash ^ part).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let later = u64::try_from(u128::from(hash) % (most + 1)).unwrap_or_default();
    let later = i64::try_from(later).unwrap_or_default();
    due.checked_add(SignedDuration::from_millis(later))
        .unwrap_or(due)
}

/// How many runs came round since `settled`, and the last two of them.
struct Passed {
    count: usize,
    last: Option<Timestamp>,
    before_last: Option<Timestamp>,
}

fn passed(schedule: &Schedule, settled: Timestamp, now: Timestamp) -> Passed {
    // A run is due only when its own time has come; one that is late by jitter holds back none
    // but those after it.
    let due = schedule
        .calendar
        .between(settled, now)
        .take_while(|due| begins(schedule, *due) <= now);
    let mut passed = Passed {
        count: 0,
        last: None,
        before_last: None,
    };
    for due in due.take(MOST_COUNTED) {
        passed.count += 1;
        passed.before_last = passed.last.replace(due);
    }
    if passed.count == MOST_COUNTED {
        let lately = now.checked_sub(SignedDuration::from_hours(48)).ok();
        let lately = lately.filter(|lately| *lately > settled);
        let all = lately.map(|lately| schedule.calendar.between(lately, now));
        let come = all.into_iter().flatten();
        let newest = come.filter(|due| begins(schedule, *due) <= now).last();
        passed.last = passed.last.max(newest);
    }
    passed
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
