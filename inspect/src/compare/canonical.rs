//! When two values are the same: numbers by their value, truths and times by what they say, text letter by letter. What
//! is equal and written differently can be told.

use std::borrow::Cow;

use crate::data::{Cell, Class};

/// How two columns are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As numbers.
    Number,
    /// As numbers where both look like one and none looks like a code.
    Open,
    /// As true and false.
    Boolean,
    /// As dates and times.
    Date,
    /// Letter by letter.
    Exact,
}

/// How columns of these classes are compared.
pub(super) fn how(left: Class, right: Class) -> How {
    let any = |class| left == class || right == class;
    match () {
        _ if any(Class::Text) || any(Class::Blob) => How::Exact,
        _ if any(Class::Boolean) => How::Boolean,
        _ if any(Class::Date) => How::Date,
        _ if any(Class::Integer) || any(Class::Real) => How::Number,
        _ => How::Open,
    }
}

/// The value in the form in which equal ones are the same; `None` where there is none.
pub(super) fn canonical<'c>(
    cell: &'c Cell<'_>,
    how: How,
    empty_is_none: bool,
) -> Option<Cow<'c, str>> {
    let shown = match cell {
        Cell::Null => return None,
        Cell::Text(text) if text.is_empty() && empty_is_none => return None,
        Cell::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            return Some(Cow::Owned(format!("\\x{hex}")));
        }
        other => other.shown(),
    };
    let changed = match how {
        How::Exact => None,
        How::Open => number(&shown, false),
        How::Number => number(shown.trim(), true),
        How::Boolean => truth(shown.trim()).map(str::to_owned),
        How::Date => Some(moment(shown.trim())),
    };
    Some(changed.map_or(shown, Cow::Owned))
}

/// `1.0`, `01` and `1e0` as `1`; without `codes`, what starts with a zero or a plus stays a code.
pub(super) fn number(text: &str, codes: bool) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => (
            "",
            if codes {
                text.strip_prefix('+').unwrap_or(text)
            } else {
                text
            },
        ),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (
            &digits[..at],
            digits[at + 1..]
                .parse::<i32>()
                .ok()
                .filter(|e| e.abs() < 400)?,
        ),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !plain(whole) || !plain(fraction) {
        return None;
    }
    if !codes && (whole.is_empty() || whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let (whole, fraction) = match usize::try_from(point) {
        Err(_) => (
            String::new(),
            format!("{}{all}", "0".repeat(usize::try_from(-point).ok()?)),
        ),
        Ok(point) if point >= all.len() => (
            format!("{all}{}", "0".repeat(point - all.len())),
            String::new(),
        ),
        Ok(point) => (all[..point].to_owned(), all[point..].to_owned()),
    };
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction {
        "" if whole == "0" => "0".to_owned(),
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    })
}

fn truth(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "on" => Some("true"),
        "false" | "f" | "no" | "n" | "0" | "off" => Some("false"),
        _ => None,
    }
}

/// `2026-01-02T03:04:05.000Z` as `2026-01-02 03:04:05`.
fn moment(text: &str) -> String {
    let mut text = text.replacen('T', " ", 1);
    for utc in ["Z", "+00:00", "+00"] {
        if let Some(rest) = text.strip_suffix(utc) {
            text = rest.to_owned();
            break;
        }
    }
    if let Some((whole, fraction)) = text.rsplit_once('.')
        && fraction.bytes().all(|b| b.is_ascii_digit())
    {
        let fraction = fraction.trim_end_matches('0');
        text = if fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        };
    }
    match text.strip_suffix(" 00:00:00") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

/// Adds a value to a key. Numbers come in their own order, and no two keys become one.
pub(super) fn add_to_key(key: &mut Vec<u8>, value: Option<&str>, how: How) {
    let Some(value) = value else {
        key.extend([0, 0]);
        return;
    };
    let number = how != How::Exact && number(value, true).as_deref() == Some(value);
    if number {
        let digits = value.trim_start_matches('-');
        let whole = digits.find('.').unwrap_or(digits.len()).min(255);
        let sign = u8::from(!value.starts_with('-'));
        key.extend([1, sign, u8::try_from(whole).unwrap_or(u8::MAX)]);
    } else {
        key.push(2);
    }
    for byte in value.bytes() {
        match byte {
            0 => key.extend([0, 255]),
            other => key.push(other),
        }
    }
    key.extend([0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_by_their_value() {
        for (text, codes, expected) in [
            ("1", false, Some("1")),
            ("1.0", false, Some("1")),
            ("-0.50", false, Some("-0.5")),
            ("-0.0", false, Some("0")),
            ("1e3", false, Some("1000")),
            ("1.5E-3", false, Some("0.0015")),
            ("0", false, Some("0")),
            ("0.10", false, Some("0.1")),
            ("007", false, None),
            ("007", true, Some("7")),
            ("+5", false, None),
            ("+5", true, Some("5")),
            (".5", true, Some("0.5")),
            ("1e999999", true, None),
            ("12a", true, None),
            ("", true, None),
            (".", true, None),
            ("NaN", true, None),
        ] {
            assert_eq!(number(text, codes).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn truths_and_times() {
        for (text, how, expected) in [
            ("t", How::Boolean, "true"),
            ("No", How::Boolean, "false"),
            ("maybe", How::Boolean, "maybe"),
            ("2026-01-02T03:04:05Z", How::Date, "2026-01-02 03:04:05"),
            (
                "2026-01-02 03:04:05.1200+00",
                How::Date,
                "2026-01-02 03:04:05.12",
            ),
            ("2026-01-02 00:00:00", How::Date, "2026-01-02"),
            ("1.10", How::Exact, "1.10"),
        ] {
            let cell = Cell::Text(text.into());
            assert_eq!(
                canonical(&cell, how, false).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_number_keeps_its_value_and_its_form(value in -1e12f64..1e12, places in 0usize..6) {
            let text = format!("{value:.places$}");
            let canonical = number(&text, true).unwrap_or_default();
            prop_assert_eq!(canonical.parse::<f64>().ok(), text.parse::<f64>().ok());
            prop_assert_eq!(number(&canonical, true), Some(canonical.clone()));
        }

        #[test]
        fn any_text_is_survived(text in "[0-9eE.+-]{0,12}", other in "\\PC{0,12}") {
            let _ = (number(&text, true), number(&text, false), number(&other, true), moment(&other));
        }

        #[test]
        fn different_keys_stay_apart(a in proptest::option::of("[a\u{0}0-9]{0,3}"), b in proptest::option::of("[a\u{0}0-9]{0,3}"), c in proptest::option::of("[a\u{0}0-9]{0,3}"), d in proptest::option::of("[a\u{0}0-9]{0,3}")) {
            let key = |x: &Option<String>, y: &Option<String>| {
                let mut key = Vec::new();
                add_to_key(&mut key, x.as_deref(), How::Open);
                add_to_key(&mut key, y.as_deref(), How::Open);
                key
            };
            prop_assert_eq!(key(&a, &b) == key(&c, &d), (&a, &b) == (&c, &d));
        }
    }
}
