//! Filters and tests that reports and checks may use beside minijinja's own: `thousands`, `bytes`,
//! `percent`, `plural`, `duration`, `day`, `moment`, `line`, `value`, `command_line`, `flatten`, `head`, `near`, and `as_in`.

use super::written::{self, short};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

/// Adds all of them.
pub fn add(environment: &mut Environment<'static>) {
    environment.add_filter("thousands", |value: Value| number(&value).map(thousands));
    environment.add_filter("bytes", |value: Value| number(&value).map(bytes));
    environment.add_filter("percent", |part: Value, whole: Value| {
        Ok::<_, Error>(percent(number(&part)?, number(&whole)?))
    });
    environment.add_filter(
        "plural",
        |count: Value, one: String, many: Option<String>| {
            number(&count).map(|n| plural(n, &one, many))
        },
    );
    environment.add_filter("duration", |seconds: Value| number(&seconds).map(duration));
    environment.add_filter("day", |time: Value| {
        time.to_string().chars().take(10).collect::<String>()
    });
    environment.add_filter("line", |text: Value, most: Option<usize>| {
        line(&text.to_string(), most.unwrap_or(160))
    });
    environment.add_filter("value", |text: Value, most: Option<usize>| {
        written::value(&text.to_string(), most.unwrap_or(160))
    });
    environment.add_filter("moment", |time: Value| written::moment(&time.to_string()));
    environment.add_filter("path", |text: Value, most: Option<usize>| {
        path(&text.to_string(), most.unwrap_or(160))
    });
    environment.add_filter("command_line", command_line);
    environment.add_filter("flatten", flatten);
    environment.add_filter("head", |list: Value, most: usize| {
        Ok::<_, Error>(list.try_iter()?.take(most).collect::<Vec<_>>())
    });
    environment.add_test("near", near);
    environment.add_test("as_in", as_in);
}

fn number(value: &Value) -> Result<f64, Error> {
    if value.is_number() {
        f64::try_from(value.clone())
    } else {
        Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("{} is not a number", value.kind()),
        ))
    }
}

/// `14203` as `14,203`; fractions keep at most two digits.
pub fn thousands(number: f64) -> String {
    let text = if number.fract() == 0.0 {
        format!("{:.0}", number.abs())
    } else {
        format!("{:.2}", number.abs())
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    };
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if number < 0.0 && text != "0" { "-" } else { "" };
    format!("{sign}{grouped}{fraction}")
}

/// `1234567890` as `1.2 GB`; steps of 1000.
pub fn bytes(number: f64) -> String {
    let mut amount = number.abs();
    let mut unit = 0;
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    while unit + 1 < UNITS.len()
        && (if unit == 0 {
            amount
        } else {
            (amount * 10.0).round() / 10.0
        }) >= 1000.0
    {
        amount /= 1000.0;
        unit += 1;
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let name = UNITS.get(unit).copied().unwrap_or("B");
    if unit == 0 {
        return format!("{sign}{amount:.0} {name}");
    }
    format!("{sign}{amount:.1} {name}")
}

/// A share as `63 %`; below 10 with one digit, and never rounded to none or all when it is not.
pub fn percent(part: f64, whole: f64) -> String {
    if whole == 0.0 {
        return "0 %".to_owned();
    }
    let share = part / whole * 100.0;
    if share > 0.0 && share < 0.1 {
        "under 0.1 %".to_owned()
    } else if share > 99.0 && share < 100.0 {
        "over 99 %".to_owned()
    } else if share.abs() < 9.95 {
        let text = format!("{share:.1}");
        format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
    } else {
        format!("{share:.0} %")
    }
}

/// `3 tests`, `1 test`, `no` is never written: `0 tests`.
pub fn plural(count: f64, one: &str, many: Option<String>) -> String {
    let word = if count == 1.0 {
        one.to_owned()
    } else {
        many.unwrap_or_else(|| plural_of(one))
    };
    format!("{} {word}", thousands(count))
}

fn plural_of(word: &str) -> String {
    let before_y = word
        .strip_suffix('y')
        .filter(|head| !head.ends_with(['a', 'e', 'i', 'o', 'u']));
    if let Some(head) = before_y {
        format!("{head}ies")
    } else if ["s", "x", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

/// Seconds as `3 days 4 hours`, the two largest units.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round();
    let units = [
        ("day", 86_400.0),
        ("hour", 3600.0),
        ("minute", 60.0),
        ("second", 1.0),
    ];
    let mut rest = seconds;
    let mut said = Vec::new();
    for (name, size) in units {
        let count = (rest / size).floor();
        rest -= count * size;
        if count > 0.0 {
            said.push(plural(count, name, None));
        } else if !said.is_empty() {
            break;
        }
        if said.len() == 2 {
            break;
        }
    }
    if said.is_empty() {
        "0 seconds".to_owned()
    } else {
        said.join(" ")
    }
}

/// The first line that says something, without control characters, cut to `most` characters.
pub fn line(text: &str, most: usize) -> String {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let spaced = first.replace('\t', " ");
    let shown: String = spaced.chars().filter(|c| !c.is_control()).collect();
    short(&shown, most)
}

/// A path on one line, whole: a control character in it is written as its escape.
fn path(text: &str, most: usize) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => c.to_string(),
    };
    let shown: String = text.chars().map(escaped).collect();
    short(&shown, most)
}

/// A command as one line: a text as it is, a list joined by spaces.
fn command_line(command: Value) -> Result<String, Error> {
    match command.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(command
            .try_iter()?
            .map(|word| word.to_string())
            .collect::<Vec<_>>()
            .join(" ")),
        _ => Ok(command.to_string()),
    }
}

/// A list of lists as one list.
fn flatten(lists: Value) -> Result<Vec<Value>, Error> {
    let mut flat = Vec::new();
    for list in lists.try_iter()? {
        flat.extend(list.try_iter()?);
    }
    Ok(flat)
}

/// `result is as_in(steps.look)`: a fresh answer is the same as that of a step, in each of its fields.
fn as_in(fresh: Value, step: Value) -> Result<bool, Error> {
    if fresh.kind() != ValueKind::Map {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "as_in compares an answer with fields",
        ));
    }
    for field in fresh.try_iter()? {
        if fresh.get_item(&field)? != step.get_item(&field)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `a is near(b, 0.05)`: the two differ by at most that share of the larger one;
/// `a is near(b, 0.05, c)`: of `c`. Lists are compared item by item and must be of one length.
fn near(value: Value, other: Value, tolerance: f64, of: Option<Value>) -> Result<bool, Error> {
    if value.is_number() {
        let (a, b) = (number(&value)?, number(&other)?);
        let whole = match of {
            Some(of) => number(&of)?.abs(),
            None => a.abs().max(b.abs()),
        };
        return Ok((a - b).abs() <= tolerance * whole);
    }
    // The characters of a text are texts again: they would be taken apart for ever.
    if value.kind() == ValueKind::String || other.kind() == ValueKind::String {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "near compares numbers, or lists of numbers",
        ));
    }
    let left: Vec<Value> = value.try_iter()?.collect();
    let right: Vec<Value> = other.try_iter()?.collect();
    let wholes: Vec<Option<Value>> = match &of {
        Some(of) if !of.is_number() => of.try_iter()?.map(Some).collect(),
        other => vec![other.clone(); left.len()],
    };
    if left.len() != right.len() || left.len() != wholes.len() {
        return Ok(false);
    }
    for ((a, b), whole) in left.into_iter().zip(right).zip(wholes) {
        if !near(a, b, tolerance, whole)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_neither_near_nor_have_fields() {
        let text = || Value::from("b");
        for said in [
            near(text(), text(), 0.1, None).unwrap_err(),
            near(
                Value::from(vec![text()]),
                Value::from(vec![text()]),
                0.1,
                None,
            )
            .unwrap_err(),
            as_in(text(), text()).unwrap_err(),
        ] {
            let said = said.to_string();
            assert!(said.contains("compares"), "{said}");
        }
    }

    #[test]
    fn numbers_read_well() {
        for (given, expected) in [
            (thousands(0.0), "0"),
            (thousands(-0.0), "0"),
            (thousands(999.0), "999"),
            (thousands(14203.0), "14,203"),
            (thousands(-1234567.0), "-1,234,567"),
            (thousands(1234.5), "1,234.5"),
            (bytes(0.0), "0 B"),
            (bytes(999.0), "999 B"),
            (bytes(1000.0), "1.0 kB"),
            (bytes(1_234_567_890.0), "1.2 GB"),
            (bytes(999_999.0), "1.0 MB"),
            (bytes(1e18), "1000.0 PB"),
            (percent(0.0, 10.0), "0 %"),
            (percent(5.0, 0.0), "0 %"),
            (percent(63.0, 100.0), "63 %"),
            (percent(1.0, 3.0), "33 %"),
            (percent(4.0, 100.0), "4 %"),
            (percent(4.25, 100.0), "4.2 %"),
            (percent(1.0, 100_000.0), "under 0.1 %"),
            (percent(99_999.0, 100_000.0), "over 99 %"),
            (percent(10.0, 10.0), "100 %"),
            (plural(1.0, "test", None), "1 test"),
            (plural(0.0, "test", None), "0 tests"),
            (plural(14203.0, "line", None), "14,203 lines"),
            (
                plural(2.0, "direct dependency", None),
                "2 direct dependencies",
            ),
            (plural(2.0, "day", None), "2 days"),
            (plural(2.0, "quick check", None), "2 quick checks"),
            (
                plural(2.0, "child", Some("children".to_owned())),
                "2 children",
            ),
            (duration(0.0), "0 seconds"),
            (duration(59.0), "59 seconds"),
            (duration(3600.0), "1 hour"),
            (duration(93_784.0), "1 day 2 hours"),
            (duration(86_460.0), "1 day"),
        ] {
            assert_eq!(given, expected);
        }
    }

    #[test]
    fn lines_are_short_and_clean() {
        assert_eq!(
            line("\n  first\u{1b}[31m thing\nsecond", 40),
            "first[31m thing"
        );
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("", 4), "");
        assert_eq!(line("a\tb", 4), "a b");
    }

    #[test]
    fn paths_are_whole_and_on_one_line() {
        for (given, expected) in [
            ("src/a b.rs", "src/a b.rs"),
            ("new\nline.rs", "new\\nline.rs"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("ünï.py", "ünï.py"),
        ] {
            assert_eq!(path(given, 40), expected);
        }
        assert_eq!(path("abcdef", 4), "abc…");
    }
}
