//! Small pieces: taming text, lengths of time, money, sizes, columns.

use super::plain::plain;
use crate::failure::Failure;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

pub use protocol::text::{one_line, safe, time};

/// Tamed text with `by` before each line that is not empty.
pub fn indent(text: &str, by: &str) -> String {
    safe(text)
        .lines()
        .map(|line| match line.trim_end() {
            "" => String::new(),
            line => format!("{by}{line}"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A moment in the time zone of this machine.
pub fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

/// `2026-11-22 03:00:00 UTC (in 2 h 10 min)`.
pub fn until(due: Timestamp, now: Timestamp) -> String {
    let left = match Duration::try_from(due.duration_since(now)) {
        Ok(left) if left >= Duration::from_secs(1) => {
            format!("in {}", time(Duration::from_secs(left.as_secs())))
        }
        _ => "now".to_owned(),
    };
    format!("{} ({left})", clock(due))
}

/// `$0.00`; amounts below a cent are shown to their first two digits that matter.
pub fn money(dollars: f64) -> String {
    match dollars {
        d if d > 0.0 && d < 0.000_001 => "<$0.000001".to_owned(),
        d if d > 0.0 && d < 0.01 => format!("${d:.4}"),
        d => format!("${d:.2}"),
    }
}

/// `12 B`, `1.2 kB`, `3.4 MB`.
pub fn size(bytes: u64) -> String {
    let number = bytes as f64;
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

/// `1 task`, `2 tasks`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Rows with their columns lined up; nothing follows the last column.
pub fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `error: <sentence>` and what to do next; what waits for a person is a question, not an error.
pub fn failure(failure: &Failure) -> String {
    let kind = match failure.exit {
        protocol::exit::WAITS => "question",
        _ => "error",
    };
    let mut text = format!("{kind}: {}\n", safe(&plain(failure.message.trim_end())));
    for hint in &failure.hints {
        text.push_str(&format!("  {}\n", safe(&plain(hint))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        for (dollars, expected) in [(0.0, "$0.00"), (0.0042, "$0.0042"), (1.5, "$1.50")] {
            assert_eq!(money(dollars), expected);
        }
        assert_eq!((size(999), size(1234)), ("999 B".into(), "1.2 kB".into()));
    }

    #[test]
    fn columns_line_up_without_trailing_blanks() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(
            columns(&[row("✓ a", "x"), row("bbbb", "")]),
            "✓ a   x\nbbbb\n"
        );
    }

    #[test]
    fn an_error_is_a_sentence_with_a_next_step() {
        let failed = Failure::usage("no \x1bhome").hint("try --home DIR");
        assert_eq!(
            failure(&failed),
            "error: no \\u{1b}home\n  try --home DIR\n"
        );
    }
}
