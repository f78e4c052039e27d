//! When lines of cron come round: a year beside croniter, and the odd days of a clock by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use jiff::civil::date;

fn calendar(line: &str, zone: &str, repeated: Repeated) -> Calendar {
    Calendar::new(line, TimeZone::get(zone).unwrap(), repeated).unwrap()
}

/// The runs of a day, as the clock shows them.
fn runs(line: &str, zone: &str, repeated: Repeated, day: &str) -> String {
    let calendar = calendar(line, zone, repeated);
    let day: jiff::civil::Date = day.parse().unwrap();
    let start = day.to_zoned(calendar.zone.clone()).unwrap();
    let just_before = start.timestamp() - SignedDuration::from_nanos(1);
    let next = day.tomorrow().unwrap().to_zoned(calendar.zone.clone());
    let until = next.unwrap().timestamp() - SignedDuration::from_nanos(1);
    let runs = calendar.between(just_before, until);
    let shown = runs.map(|at| at.to_zoned(calendar.zone.clone()).strftime("%H:%M%z"));
    shown.map(|at| at.to_string()).collect::<Vec<_>>().join(" ")
}

/// FNV-1a, as `reference/write_reference.py` takes it.
fn fnv(times: &[Timestamp]) -> u64 {
    let text: String = times
        .iter()
        .map(|t| format!("{}\n", t.as_second()))
        .collect();
    let bytes = text.bytes().map(u64::from);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ byte).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn a_year_has_exactly_the_runs_of_croniter() {
    let reference = include_str!("reference/croniter-2026.txt");
    let mut looked = 0;
    for row in reference.lines() {
        let parts: Vec<&str> = row.split('|').collect();
        let [zone, line, count, sum] = parts.try_into().unwrap();
        let calendar = calendar(line, zone, Repeated::Both);
        let start = |year| {
            let day = date(year, 1, 1).to_zoned(calendar.zone.clone());
            day.unwrap().timestamp()
        };
        let until = start(2027) - SignedDuration::from_nanos(1);
        let times: Vec<Timestamp> = calendar.between(start(2026), until).collect();
        let found = format!("{}|{:016x}", times.len(), fnv(&times));
        assert_eq!(found, format!("{count}|{sum}"), "{zone} {line}");
        looked += 1;
    }
    assert!(looked > 250, "only {looked} rows were read");
}

#[test]
fn the_two_odd_days_of_a_clock() {
    use Repeated::{Both, First};
    let hours: Vec<String> = (0..24)
        .filter(|hour| *hour != 2)
        .map(|hour| format!("{hour:02}:28+0{}00", 1 + u8::from(hour > 2)))
        .collect();
    let hours = hours.join(" ");
    for (line, zone, repeated, day, expected) in [
        (
            "30 2 * * *",
            "Europe/Berlin",
            Both,
            "2026-03-28",
            "02:30+0100",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            Both,
            "2026-03-29",
            "03:00+0200",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            Both,
            "2026-10-25",
            "02:30+0200 02:30+0100",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            First,
            "2026-10-25",
            "02:30+0200",
        ),
        (
            "*/20 2 * * *",
            "Europe/Berlin",
            Both,
            "2026-03-29",
            "03:00+0200",
        ),
        ("28 * * * 0", "Europe/Berlin", Both, "2026-03-29", &hours),
        ("28 0-23 * * *", "Europe/Berlin", Both, "2026-03-29", &hours),
        (
            "15 2,3 * * *",
            "Europe/Berlin",
            Both,
            "2026-03-29",
            "03:00+0200 03:15+0200",
        ),
        (
            "0 0 * * *",
            "America/Havana",
            Both,
            "2026-03-08",
            "01:00-0400",
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            Both,
            "2026-10-04",
            "02:30+1100",
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            Both,
            "2026-04-05",
            "01:45+1100 01:45+1030",
        ),
        ("30 2 * * *", "UTC", Both, "2026-03-29", "02:30+0000"),
    ] {
        assert_eq!(
            runs(line, zone, repeated, day),
            expected,
            "{line} {zone} {day}"
        );
    }
}

#[test]
fn a_day_that_a_place_left_out() {
    // Samoa went from the evening of the 29th to the morning of the 31st.
    let calendar = calendar("0 12 * * *", "Pacific/Apia", Repeated::Both);
    let from: Timestamp = "2011-12-29T12:00:00-10:00".parse().unwrap();
    let next: Vec<String> = calendar
        .between(from, "2012-01-01T00:00:00Z".parse().unwrap())
        .map(|at| {
            at.to_zoned(calendar.zone.clone())
                .strftime("%d %H:%M")
                .to_string()
        })
        .collect();
    assert_eq!(next, ["31 00:00", "31 12:00", "01 12:00"]);
}

#[test]
fn lines_are_checked() {
    for (line, good) in [
        ("30 2 * * *", true),
        (" 0  0 1,15 * MON-FRI ", true),
        ("@daily", true),
        ("@Hourly", true),
        ("0 0 29 2 *", true),
        ("0 0 L * *", true),
        ("@reboot", false),
        ("60 2 * * *", false),
        ("* * *", false),
        ("* * * * * *", false),
        ("30 2 * * * Europe/Berlin", false),
        ("0 0 30 2 *", false),
        ("*/0 * * * *", false),
        ("", false),
        ("\u{1b}[31m", false),
        ("5-2 * * * *", false),
    ] {
        let read = Calendar::new(line, TimeZone::UTC, Repeated::Both);
        assert_eq!(read.is_ok(), good, "{line:?} {read:?}");
    }
    let said = Calendar::new("x", TimeZone::UTC, Repeated::Both).unwrap_err();
    assert!(
        said.to_string()
            .starts_with("`when` `x` is no line of cron"),
        "{said}"
    );
}
