//! How a report writes what it did not make up itself: a value of somebody's data, a moment.

use jiff::fmt::temporal::Pieces;

/// A value of data on one line, so that no two values look alike: as it is where that is plain to see,
/// else in quotes with its line breaks, tabs and control characters as escapes.
pub fn value(text: &str, most: usize) -> String {
    let plain = !text.is_empty()
        && text.trim() == text
        && !text.starts_with('"')
        && !text.chars().any(unseen);
    if plain {
        return short(text, most);
    }
    let mut escaped = String::new();
    // Only as much as can be told: a value may be megabytes.
    for c in text.chars().take(most.saturating_add(1)) {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if unseen(c) => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    format!("\"{}\"", short(&escaped, most.saturating_sub(2)))
}

/// Characters that a line does not show as they are: controls, and those that only change how others look.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `2026-11-21T14:03:27+00:00` as `2026-11-21 14:03 UTC`, with another offset as `2026-11-21 14:03 UTC+2`: whole
/// minutes, on the clock it was given in. What is no moment with an offset stays as it is.
pub fn moment(text: &str) -> String {
    let read = || {
        let pieces = Pieces::parse(text.trim()).ok()?;
        let (date, time) = (pieces.date(), pieces.time()?);
        let away = pieces.to_numeric_offset()?.seconds() / 60;
        let sign = if away < 0 { '-' } else { '+' };
        let zone = match (away.abs() / 60, away.abs() % 60) {
            (0, 0) => "UTC".to_owned(),
            (hours, 0) => format!("UTC{sign}{hours}"),
            (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
        };
        let (hour, minute) = (time.hour(), time.minute());
        Some(format!("{date} {hour:02}:{minute:02} {zone}"))
    };
    read().unwrap_or_else(|| text.to_owned())
}

/// At most so many characters; what was cut ends in `…`.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_on_one_line_and_no_two_look_alike() {
        for (given, expected) in [
            ("plain", "plain"),
            ("a b", "a b"),
            ("ünï 日本", "ünï 日本"),
            (r"C:\new", r"C:\new"),
            ("two\nlines", r#""two\nlines""#),
            (r"two\nlines", r"two\nlines"),
            ("a\r\nb", r#""a\r\nb""#),
            ("\n", r#""\n""#),
            ("", r#""""#),
            (" a", r#"" a""#),
            ("tab\there", r#""tab\there""#),
            ("\u{1b}[31mred", r#""\u{1b}[31mred""#),
            ("a\u{202e}b", r#""a\u{202e}b""#),
            (r#""a""#, r#""\"a\"""#),
            ("say \"a\"", "say \"a\""),
        ] {
            assert_eq!(value(given, 40), expected, "{given:?}");
        }
        assert_eq!(value("abcdef", 4), "abc…");
        assert_eq!(value("ab\ncdef", 7), r#""ab\n…""#);
    }

    #[test]
    fn moments_read_well() {
        for (given, expected) in [
            ("2026-11-21 03:00:00+00:00", "2026-11-21 03:00 UTC"),
            ("2026-11-21T03:00:59.9Z", "2026-11-21 03:00 UTC"),
            ("2026-03-30 12:00:00+02:00", "2026-03-30 12:00 UTC+2"),
            ("2026-03-30T12:00:00-03:30", "2026-03-30 12:00 UTC-3:30"),
            ("2026-03-30T12:00:00-00:30", "2026-03-30 12:00 UTC-0:30"),
            ("2026-03-30 12:00:00", "2026-03-30 12:00:00"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(moment(given), expected);
        }
    }

    proptest! {
        #[test]
        fn two_values_that_are_not_the_same_do_not_look_it(a in "[ab\\\\n\n\t\"]{0,4}", b in "[ab\\\\n\n\t\"]{0,4}") {
            prop_assert_eq!(a == b, value(&a, 100) == value(&b, 100));
            prop_assert!(!value(&a, 100).chars().any(char::is_control));
        }

        #[test]
        fn anything_is_taken(text in ".{0,40}", most in 0usize..30) {
            prop_assert!(value(&text, most).chars().count() <= most.max(3));
            let _ = moment(&text);
        }
    }
}
