//! Calendar expressions of systemd's timers (`OnCalendar=`), as far as timers use them: words such as `daily`, weekdays,
//! dates and times with lists, ranges and steps. What is not understood is told as written, without a next time.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Days looked ahead for the next time.
const AHEAD: usize = 366 * 5;

/// When.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    weekdays: BTreeSet<i64>,
    years: BTreeSet<i64>,
    months: BTreeSet<i64>,
    days: BTreeSet<i64>,
    hours: BTreeSet<i64>,
    minutes: BTreeSet<i64>,
    seconds: BTreeSet<i64>,
    utc: bool,
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads an expression.
pub fn parse(text: &str) -> Option<Calendar> {
    let text = text.trim().to_ascii_lowercase();
    let full = match text.as_str() {
        "minutely" => "*-*-* *:*:00",
        "hourly" => "*-*-* *:00:00",
        "daily" => "*-*-* 00:00:00",
        "weekly" => "mon *-*-* 00:00:00",
        "monthly" => "*-*-01 00:00:00",
        "quarterly" => "*-01,04,07,10-01 00:00:00",
        "semiannually" => "*-01,07-01 00:00:00",
        "yearly" | "annually" => "*-01-01 00:00:00",
        other => other,
    };
    let mut words: Vec<&str> = full.split_whitespace().collect();
    let utc = words.last() == Some(&"utc");
    if utc {
        words.pop();
    }
    let weekdays = match words.first() {
        Some(first) if first.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            let set = weekdays(first)?;
            words.remove(0);
            set
        }
        _ => (0..7).collect(),
    };
    let (date, time) = match words.as_slice() {
        [] if full.is_empty() => return None,
        [] => ("*-*-*", "00:00:00"),
        [one] if one.contains(':') => ("*-*-*", *one),
        [one] => (*one, "00:00:00"),
        [date, time] if time.contains(':') => (*date, *time),
        _ => return None,
    };
    let date: Vec<&str> = date.split('-').collect();
    let (years, months, days) = match date.as_slice() {
        [years, months, days] => (
            set(years, 1970, 2200)?,
            set(months, 1, 12)?,
            set(days, 1, 31)?,
        ),
        [months, days] => (
            (1970..=2200).collect(),
            set(months, 1, 12)?,
            set(days, 1, 31)?,
        ),
        _ => return None,
    };
    let time: Vec<&str> = time.split(':').collect();
    let (hours, minutes, seconds) = match time.as_slice() {
        [hours, minutes] => (hours, minutes, &"00"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    Some(Calendar {
        weekdays,
        years,
        months,
        days,
        hours: set(hours, 0, 23)?,
        minutes: set(minutes, 0, 59)?,
        seconds: set(seconds, 0, 59)?,
        utc,
    })
}

fn weekdays(text: &str) -> Option<BTreeSet<i64>> {
    let number = |name: &str| {
        let name = name.get(..3)?;
        WEEKDAYS
            .iter()
            .position(|day| *day == name)
            .map(|n| n as i64)
    };
    let mut found = BTreeSet::new();
    for part in text.trim_end_matches(',').split(',') {
        match part.split_once("..").or_else(|| part.split_once('-')) {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                found.extend(
                    (0..7)
                        .map(|n| (from + n) % 7)
                        .take_while(|n| *n != (to + 1) % 7),
                );
                found.insert(to);
            }
            None => {
                found.insert(number(part)?);
            }
        }
    }
    Some(found)
}

/// `*`, `5`, `1,3`, `2..6`, `0/15`, `*/2`.
fn set(text: &str, least: i64, most: i64) -> Option<BTreeSet<i64>> {
    let mut found = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(step.parse::<i64>().ok().filter(|step| *step > 0)?),
            ),
            None => (part, None),
        };
        let (from, to) = match (range, range.split_once("..")) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (from.parse().ok()?, to.parse().ok()?),
            (one, None) => {
                let one: i64 = one.parse().ok()?;
                (one, if step.is_some() { most } else { one })
            }
        };
        if from < least || to > most {
            return None;
        }
        found.extend((from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?));
    }
    (!found.is_empty()).then_some(found)
}

/// The next time after a moment.
pub fn next(calendar: &Calendar, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let zone = if calendar.utc {
        TimeZone::UTC
    } else {
        zone.clone()
    };
    let now = after.to_zoned(zone.clone()).datetime();
    let mut day = now.date();
    for _ in 0..AHEAD {
        if holds(calendar, day)
            && let Some(found) = on(calendar, day, now)
            && let Ok(moment) = zone.to_timestamp(found)
        {
            return Some(moment);
        }
        day = day.checked_add(1.day()).ok()?;
    }
    None
}

fn holds(calendar: &Calendar, day: Date) -> bool {
    let weekday = i64::from(day.weekday().to_monday_zero_offset());
    calendar.weekdays.contains(&weekday)
        && calendar.years.contains(&i64::from(day.year()))
        && calendar.months.contains(&i64::from(day.month()))
        && calendar.days.contains(&i64::from(day.day()))
}

fn on(calendar: &Calendar, day: Date, now: DateTime) -> Option<DateTime> {
    let small = |n: i64| i8::try_from(n).ok();
    for hour in &calendar.hours {
        for minute in &calendar.minutes {
            for second in &calendar.seconds {
                let time = day.at(small(*hour)?, small(*minute)?, small(*second)?, 0);
                if time > now {
                    return Some(time);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn next_times_are_as_systemd_says() {
        let at: Timestamp = "2026-11-21T03:20:00Z".parse().unwrap(); // a Saturday
        for (text, expected) in [
            ("daily", Some("2026-11-22T00:00:00Z")),
            ("weekly", Some("2026-11-23T00:00:00Z")),
            ("monthly", Some("2026-12-01T00:00:00Z")),
            ("*-*-* 6,18:00", Some("2026-11-21T06:00:00Z")),
            ("*:0/15", Some("2026-11-21T03:30:00Z")),
            ("Sun *-*-* 03:10:00", Some("2026-11-22T03:10:00Z")),
            ("Mon..Fri 08:30", Some("2026-11-23T08:30:00Z")),
            ("Sat,Sun 04:00 UTC", Some("2026-11-21T04:00:00Z")),
            ("*-*-01..07 02:00", Some("2026-12-01T02:00:00Z")),
            ("2027-02-28", Some("2027-02-28T00:00:00Z")),
            ("2020-01-01", None),
            ("Fri..Mon 00:00", Some("2026-11-22T00:00:00Z")),
            ("soon", None),
            ("*-13-01", None),
            ("", None),
        ] {
            let got = parse(text)
                .and_then(|c| next(&c, at, &TimeZone::UTC))
                .map(|t| t.to_string());
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_expression_is_read(text in "[a-z0-9*:,./ -]{0,40}") {
            if let Some(calendar) = parse(&text) {
                let _ = next(&calendar, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
            }
        }
    }
}
