//! Values on the command line that have a form of their own.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Most lines or entries that are asked for at once.
pub const MOST: u64 = 1_000_000;

/// A whole number within bounds.
pub fn whole<N: TryFrom<u64>>(least: u64, most: u64) -> impl Fn(&str) -> Result<N, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|n| (least..=most).contains(n));
        let fits = number.and_then(|number| N::try_from(number).ok());
        fits.ok_or_else(|| format!("`{text}` is no whole number from {least} to {most}"))
    }
}

/// A length of time such as `500ms`, `90s`, `10m`, `2h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    within(text, 30 * 86_400_000)
        .ok_or_else(|| format!("`{text}` is no length of time: use 90s, 10m or 2h"))
}

/// The same of at most so many milliseconds.
fn within(text: &str, most: u64) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    milliseconds
        .and_then(|unit: u64| number.checked_mul(unit))
        .filter(|milliseconds| (1..=most).contains(milliseconds))
        .map(Duration::from_millis)
}

/// A moment such as `2026-11-22T03:00` in the time zone of this machine, or one that names its own.
/// A time that a clock change leaves out is taken as the one after it, one that comes twice as the
/// first.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Ok(stamp);
    }
    text.parse::<DateTime>()
        .ok()
        .and_then(|local| local.to_zoned(TimeZone::system()).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| format!("`{text}` is no time: use 2026-11-22T03:00, or --in 10m"))
}

/// A moment that has passed: `2h` ago, or a time as [`moment`] takes it.
pub fn since(text: &str) -> Result<Timestamp, String> {
    let ago = duration(text)
        .ok()
        .and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    ago.or_else(|| moment(text).ok())
        .ok_or_else(|| format!("`{text}` is no time: use 10m, 2h or 2026-11-22T03:00"))
}

/// A moment that may have passed long ago: `90d` ago, or a day as [`moment`] takes it.
pub fn long_ago(text: &str) -> Result<Timestamp, String> {
    let ago =
        within(text, 3660 * 86_400_000).and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    ago.or_else(|| moment(text).ok())
        .ok_or_else(|| format!("`{text}` is no time: use 12h, 30d or 2026-11-01"))
}

/// Dollars such as `1.50` or `$1.50`.
pub fn dollars(text: &str) -> Result<f64, String> {
    text.strip_prefix('$')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|amount: &f64| amount.is_finite() && *amount >= 0.0 && *amount <= 1e6)
        .ok_or_else(|| format!("`{text}` is no amount of dollars: use 1.50"))
}

/// A parameter such as `service=shop`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` is no parameter: use key=value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let local = |text: &str| {
            let time = text.parse::<DateTime>().ok()?;
            Some(time.to_zoned(TimeZone::system()).ok()?.timestamp())
        };
        for (text, expected) in [
            ("2026-11-22T03:00Z", "2026-11-22T03:00:00Z".parse().ok()),
            (
                "2026-11-22T03:00+02:00",
                "2026-11-22T01:00:00Z".parse().ok(),
            ),
            ("2026-11-22T03:00", local("2026-11-22T03:00")),
            ("2026-11-22 03:00:30", local("2026-11-22T03:00:30")),
            ("03:00", None),
            ("tomorrow", None),
            ("2026-13-01T00:00", None),
            ("", None),
        ] {
            assert_eq!(moment(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("90s", Some(90_000)),
            ("90", Some(90_000)),
            ("10m", Some(600_000)),
            ("250ms", Some(250)),
            ("31d", None),
            ("", None),
            ("s", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
        ] {
            let read = duration(text).ok().map(|time| time.as_millis());
            assert_eq!(read, expected, "{text}");
        }
    }
}
