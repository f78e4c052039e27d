//! Times: the stamp at the start of a log line, and a moment as it is told.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The time at the start of a line, and how many bytes it takes. Without a zone it is the host's; without a year, the
/// last time that day was.
pub fn stamp(line: &str, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, usize)> {
    let first = line.bytes().next()?;
    if first.is_ascii_digit() {
        return dated(line, zone);
    }
    if first.is_ascii_alphabetic() {
        return syslog(line, at, zone);
    }
    None
}

/// `2026-11-21T03:20:37.123+01:00`, `2026/11/21 03:20:37`, `2026-11-21 03:20:37.123 UTC`.
fn dated(line: &str, zone: &TimeZone) -> Option<(Timestamp, usize)> {
    let bytes = line.as_bytes();
    let number = |from: usize, to: usize| -> Option<i16> {
        let digits = line.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let parted = matches!(bytes.get(4)?, b'-' | b'/') && bytes.get(4) == bytes.get(7);
    if !parted
        || !matches!(bytes.get(10)?, b' ' | b'T')
        || bytes.get(13) != Some(&b':')
        || bytes.get(16) != Some(&b':')
    {
        return None;
    }
    let parts = [(5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map(|(from, to)| number(from, to));
    let [
        Some(month),
        Some(day),
        Some(hour),
        Some(minute),
        Some(second),
    ] = parts
    else {
        return None;
    };
    let civil = civil(number(0, 4)?, month, day, hour, minute, second)?;
    let mut end = 19;
    if matches!(bytes.get(end), Some(b'.' | b',')) {
        end += 1 + bytes
            .get(end + 1..)?
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
    }
    let rest = line.get(end..)?;
    let (offset, taken) = zone_of(rest);
    let moment = match offset {
        Some(seconds) => jiff::tz::Offset::from_seconds(seconds)
            .ok()?
            .to_timestamp(civil)
            .ok()?,
        None => zone.to_timestamp(civil).ok()?,
    };
    Some((moment, end + taken))
}

/// The offset that a stamp names, in seconds, and the bytes it takes. Names of zones other than UTC are the host's own.
fn zone_of(rest: &str) -> (Option<i32>, usize) {
    let trimmed = rest.trim_start();
    let blanks = rest.len() - trimmed.len();
    if trimmed.starts_with('Z') {
        return (Some(0), blanks + 1);
    }
    if let Some(name) = ["UTC", "GMT"]
        .into_iter()
        .find(|name| trimmed.starts_with(name))
    {
        return (Some(0), blanks + name.len());
    }
    let sign = match trimmed.bytes().next() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (None, 0),
    };
    let length = trimmed
        .bytes()
        .skip(1)
        .take_while(|b| b.is_ascii_digit() || *b == b':')
        .count();
    let digits: String = trimmed
        .chars()
        .skip(1)
        .take(length)
        .filter(char::is_ascii_digit)
        .collect();
    let parse = |from: usize, to: usize| digits.get(from..to).and_then(|t| t.parse::<i32>().ok());
    match (digits.len(), parse(0, 2), parse(2, 4)) {
        (4, Some(hours), Some(minutes)) => (
            Some(sign * (hours * 3600 + minutes * 60)),
            blanks + 1 + length,
        ),
        (2, Some(hours), _) => (Some(sign * hours * 3600), blanks + 1 + length),
        _ => (None, 0),
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Nov  1 03:20:37`.
fn syslog(line: &str, at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, usize)> {
    let month = MONTHS.iter().position(|name| line.starts_with(name))?;
    let text = line.get(3..15)?;
    let digits = |from: usize, to: usize| text.get(from..to)?.trim_start().parse::<i16>().ok();
    if text.get(6..7) != Some(":") || text.get(9..10) != Some(":") || !text.starts_with(' ') {
        return None;
    }
    let (day, hour, minute, second) =
        (digits(1, 3)?, digits(4, 6)?, digits(7, 9)?, digits(10, 12)?);
    let year = at.to_zoned(zone.clone()).year();
    // A day ahead is a clock that is a little wrong; more is last year.
    let latest = at.checked_add(24.hours()).ok()?;
    let in_year = |year: i16| {
        let civil = civil(year, month as i16 + 1, day, hour, minute, second)?;
        zone.to_timestamp(civil)
            .ok()
            .filter(|moment| *moment <= latest)
    };
    let moment = (0..=4).find_map(|back| in_year(year + 1 - back))?;
    Some((moment, 15))
}

fn civil(year: i16, month: i16, day: i16, hour: i16, minute: i16, second: i16) -> Option<DateTime> {
    let small = |n: i16| i8::try_from(n).ok();
    DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second.min(59))?,
        0,
    )
    .ok()
}

/// A day as nginx and Apache write it: `21/Nov/2026:03:20:37 +0100`.
pub fn access(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let month = MONTHS.iter().position(|name| *name == month)? as i16 + 1;
    let (year, rest) = rest.split_once(':')?;
    let mut parts = rest
        .get(..8)?
        .split(':')
        .map(|part| part.parse::<i16>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let civil = civil(
        year.parse().ok()?,
        month,
        day.parse().ok()?,
        hour,
        minute,
        second,
    )?;
    let (offset, _) = zone_of(rest.get(8..)?);
    jiff::tz::Offset::from_seconds(offset?)
        .ok()?
        .to_timestamp(civil)
        .ok()
}

/// A moment for people: in the host's zone, with its offset.
pub fn told(moment: Timestamp, zone: &TimeZone) -> String {
    moment
        .to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S%:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at() -> Timestamp {
        "2026-03-30T10:00:00Z".parse().unwrap() // a Monday, the day after the clocks went ahead
    }

    #[test]
    fn stamps_are_read_in_their_zone() {
        for (line, expected) in [
            ("Mar 29 01:59:59 shop app: x", Some("2026-03-29T00:59:59Z")),
            ("Mar 29 03:00:00 shop app: x", Some("2026-03-29T01:00:00Z")),
            ("Mar  1 03:00:00 shop app: x", Some("2026-03-01T02:00:00Z")),
            ("Dec 31 23:59:59 shop app: x", Some("2025-12-31T22:59:59Z")),
            (
                "2026-03-29T01:02:03.5+05:30 shop app: x",
                Some("2026-03-28T19:32:03Z"),
            ),
            ("2026-03-29 01:02:03 app", Some("2026-03-29T00:02:03Z")),
            (
                "2026-03-29 01:02:03,123 ERROR",
                Some("2026-03-29T00:02:03Z"),
            ),
            (
                "2026/03/29 01:02:03 [error] 1#1: x",
                Some("2026-03-29T00:02:03Z"),
            ),
            (
                "2026-03-29 01:02:03.004 UTC [12] ERROR:  x",
                Some("2026-03-29T01:02:03Z"),
            ),
            (
                "2026-03-29 01:02:03.004 CET [12] ERROR:  x",
                Some("2026-03-29T00:02:03Z"),
            ),
            ("2026-03-29T01:02:03Z x", Some("2026-03-29T01:02:03Z")),
            ("2026-03-29 01:02:03 -0400 x", Some("2026-03-29T05:02:03Z")),
            ("    at com.shop.Main", None),
            ("Marvin was here", None),
            ("2026-13-01 00:00:00 x", None),
            ("1234", None),
        ] {
            let got = stamp(line, at(), &berlin()).map(|(moment, _)| moment.to_string());
            assert_eq!(got.as_deref(), expected, "{line}");
        }
        let access = access("21/Nov/2026:03:20:37 +0100").map(|t| t.to_string());
        assert_eq!(access.as_deref(), Some("2026-11-21T02:20:37Z"));
        assert_eq!(told(at(), &berlin()), "2026-03-30 12:00:00+02:00");
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line in ".{0,60}") {
            let taken = stamp(&line, at(), &berlin());
            prop_assert!(taken.is_none_or(|(_, bytes)| line.is_char_boundary(bytes)));
            let _ = access(&line);
        }
    }
}
