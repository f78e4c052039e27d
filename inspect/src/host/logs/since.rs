//! "Since when", as people and reports say it.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// What `since` may be, for the one who got it wrong.
const FORMS: &str =
    "say it as 2 hours, 7 days, today, yesterday, monday, 14:30, 2026-01-31 or 2026-01-31 14:30";

/// The moment that a person's words name, seen from `at`.
///
/// # Errors
/// What can be said instead.
pub fn since(words: &str, at: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = words.trim().to_lowercase();
    let wrong = || {
        format!(
            "`{}` is no time to look back to: {FORMS}",
            words.chars().take(60).collect::<String>()
        )
    };
    if let Some(moment) = words.trim().parse().ok().or_else(|| of_utc(&text)) {
        return come(moment, words, at);
    }
    let now = at.to_zoned(zone.clone());
    let kept: Vec<&str> = text
        .split_whitespace()
        .filter(|w| {
            ![
                "the", "last", "past", "in", "since", "of", "ago", "at", "on", "previous",
            ]
            .contains(w)
        })
        .collect();
    let found = match kept.as_slice() {
        ["today" | "midnight"] => now.start_of_day().ok(),
        ["yesterday"] => now.yesterday().and_then(|day| day.start_of_day()).ok(),
        [one] => day(one, &now)
            .or_else(|| clock(one, &now))
            .or_else(|| back(one, &now)),
        [date, time] => at_time(date, time, &now).or_else(|| back(&kept.concat(), &now)),
        _ => None,
    };
    come(found.ok_or_else(wrong)?.timestamp(), words, at)
}

fn come(moment: Timestamp, words: &str, at: Timestamp) -> Result<Timestamp, String> {
    match moment > at {
        true => Err(format!(
            "`{}` has not come yet",
            words.chars().take(60).collect::<String>()
        )),
        false => Ok(moment),
    }
}

/// `2026-11-21 14:03 utc`, `2026-11-21 14:03 utc+5:30`: as reports write it.
fn of_utc(text: &str) -> Option<Timestamp> {
    let (clock, offset) = text.rsplit_once("utc")?;
    let (date, time) = clock.trim().split_once(' ')?;
    let (date, time) = (
        date.parse::<Date>().ok()?,
        time.trim().parse::<Time>().ok()?,
    );
    let (sign, offset) = match offset.trim().split_at_checked(1) {
        None => (1, "0"),
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "0"));
    let digits = |part: &str, most: i32| {
        let plain = part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i32>().ok().filter(|n| plain && *n <= most)
    };
    let seconds = sign * (digits(hours, 14)? * 3600 + digits(minutes, 59)? * 60);
    let offset = jiff::tz::Offset::from_seconds(seconds).ok()?;
    offset.to_timestamp(date.to_datetime(time)).ok()
}

fn day(word: &str, now: &Zoned) -> Option<Zoned> {
    if let Ok(date) = word.parse::<Date>() {
        return date.to_zoned(now.time_zone().clone()).ok();
    }
    let weekday = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ]
    .into_iter()
    .find(|(name, _)| *name == word)?
    .1;
    let back = match weekday == now.weekday() {
        true => 0,
        false => now.weekday().since(weekday),
    };
    now.checked_sub(i64::from(back).days())
        .ok()?
        .start_of_day()
        .ok()
}

/// A time of the day: the last one that was.
fn clock(word: &str, now: &Zoned) -> Option<Zoned> {
    if !word.contains(':') {
        return None;
    }
    let time = word.parse::<Time>().ok()?;
    let today = now
        .date()
        .to_datetime(time)
        .to_zoned(now.time_zone().clone())
        .ok()?;
    if today > *now {
        today.checked_sub(1.day()).ok()
    } else {
        Some(today)
    }
}

fn at_time(date: &str, time: &str, now: &Zoned) -> Option<Zoned> {
    let base = match date {
        "today" => now.start_of_day().ok()?,
        "yesterday" => now.yesterday().ok()?.start_of_day().ok()?,
        other => day(other, now)?,
    };
    let time = time.parse::<Time>().ok().filter(|_| time.contains(':'))?;
    base.date()
        .to_datetime(time)
        .to_zoned(now.time_zone().clone())
        .ok()
}

/// `2h`, `7days`, `hour`, `aweek`.
fn back(word: &str, now: &Zoned) -> Option<Zoned> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let (number, unit) = match (number.parse::<i64>(), unit) {
        (Ok(number), unit) => (number, unit),
        (Err(_), unit) if number.is_empty() => {
            let short = unit.strip_prefix("an").filter(|u| *u == "hour");
            (
                1,
                short
                    .or_else(|| unit.strip_prefix('a').filter(|u| u.len() > 2))
                    .unwrap_or(unit),
            )
        }
        _ => return None,
    };
    // A bare letter is a length only after a number.
    if digits == 0 && unit.len() < 3 {
        return None;
    }
    if number > 100_000 {
        return None;
    }
    let span = match unit {
        "m" | "min" | "mins" | "minute" | "minutes" => number.minutes(),
        "h" | "hr" | "hrs" | "hour" | "hours" => number.hours(),
        "d" | "day" | "days" => number.days(),
        "w" | "week" | "weeks" => number.weeks(),
        "month" | "months" => number.months(),
        "year" | "years" => number.years(),
        _ => return None,
    };
    now.checked_sub(span).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::moment::told;
    use super::*;
    use proptest::prelude::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at() -> Timestamp {
        "2026-03-30T10:00:00Z".parse().unwrap() // a Monday, the day after the clocks went ahead
    }

    #[test]
    fn people_say_since_when() {
        for (words, expected) in [
            ("2 hours", Some("2026-03-30T08:00:00Z")),
            ("the last 2 hours", Some("2026-03-30T08:00:00Z")),
            ("an hour", Some("2026-03-30T09:00:00Z")),
            ("hour", Some("2026-03-30T09:00:00Z")),
            ("30m", Some("2026-03-30T09:30:00Z")),
            ("a week", Some("2026-03-23T11:00:00Z")),
            ("1 day", Some("2026-03-29T10:00:00Z")),
            ("2d", Some("2026-03-28T11:00:00Z")),
            ("today", Some("2026-03-29T22:00:00Z")),
            ("yesterday", Some("2026-03-28T23:00:00Z")),
            ("yesterday 14:30", Some("2026-03-29T12:30:00Z")),
            ("monday", Some("2026-03-29T22:00:00Z")),
            ("sunday", Some("2026-03-28T23:00:00Z")),
            ("09:30", Some("2026-03-30T07:30:00Z")),
            ("23:00", Some("2026-03-29T21:00:00Z")),
            ("2026-03-01", Some("2026-02-28T23:00:00Z")),
            ("2026-03-01 06:00", Some("2026-03-01T05:00:00Z")),
            ("2026-03-01T06:00:00Z", Some("2026-03-01T06:00:00Z")),
            ("2026-03-01 06:00 UTC", Some("2026-03-01T06:00:00Z")),
            ("2026-03-01 06:00 UTC+2", Some("2026-03-01T04:00:00Z")),
            ("2026-03-01 06:00 utc-3:30", Some("2026-03-01T09:30:00Z")),
            ("2026-03-01 UTC", None),
            ("2026-03-01 06:00 UTC+99", None),
            ("2026-03-01 06:00 UTC2", None),
            ("2026-03-30 12:01 UTC", None),
            ("2027-01-01T00:00:00Z", None),
            ("2027-01-01", None),
            ("h", None),
            ("soon", None),
            ("", None),
            ("99999999999 days", None),
            ("-3 days", None),
        ] {
            let got = since(words, at(), &berlin())
                .ok()
                .map(|moment| moment.to_string());
            assert_eq!(got.as_deref(), expected, "{words}");
        }
    }

    proptest! {
        /// What a machine is given and what a person reads in a report (`pai/src/playbook/written.rs`) can both be
        /// said again.
        #[test]
        fn what_is_told_can_be_said_again(back in 0i64..4_000_000_000, zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Africa/Monrovia", "Pacific/Kiritimati",
        ])) {
            let zone = TimeZone::get(zone).unwrap();
            let moment = Timestamp::from_second(at().as_second() - back).unwrap();
            let machine = told(moment, &zone);
            prop_assert_eq!(since(&machine, at(), &TimeZone::UTC), Ok(moment));
            let offset = zone.to_offset(moment);
            let sign = if offset.seconds() < 0 { "-" } else { "+" };
            let minutes = offset.seconds().abs() / 60;
            let person = format!("{} UTC{sign}{}:{:02}", &machine[..16], minutes / 60, minutes % 60);
            let whole = moment.as_second() - moment.as_second().rem_euclid(60);
            // Offsets of before 1973 had seconds; people are told whole minutes.
            if offset.seconds() % 60 == 0 {
                prop_assert_eq!(since(&person, at(), &TimeZone::UTC).map(|m| m.as_second()), Ok(whole));
            }
        }

        #[test]
        fn any_words_are_taken(words in "[a-z0-9: -]{0,20}", more in ".{0,30}") {
            let _ = since(&words, at(), &berlin());
            let _ = since(&more, at(), &berlin());
        }
    }
}
