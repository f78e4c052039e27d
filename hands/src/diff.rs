//! What would change in a file, line by line, as a person reads it before saying yes.

use similar::TextDiff;

/// Most that is shown, in bytes: with the rest of a ticket it is one line of the warden's.
const SHOWN: usize = 60_000;

/// A unified diff, whole; every line tamed.
///
/// # Errors
/// A sentence, where it is longer than a person is shown: part of a change is no ground for a yes.
pub fn lines(old: &str, new: &str) -> Result<Vec<String>, String> {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(2).to_string();
    let all = text.lines().filter(|l| !l.starts_with("\\ No newline"));
    let shown: Vec<String> = all.map(protocol::text::safe).collect();
    // Each line is a pair in the answer.
    let bytes: usize = shown.iter().map(|line| line.len() + 8).sum();
    match bytes > SHOWN {
        true => Err(format!(
            "the change is {} lines long, more than a person is shown before a yes: make it in parts",
            shown.len()
        )),
        false => Ok(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_shown() {
        let got = lines("a\nb\nc\n", "a\nx\u{1b}\nc\n").unwrap_or_default();
        assert!(
            got.contains(&"-b".to_owned()) && got.contains(&"+x\\u{1b}".to_owned()),
            "{got:?}"
        );
        assert_eq!(lines("a\n", "a\n"), Ok(Vec::new()));
        let long = |lines: u32| -> String { (0..lines).map(|n| format!("{n}\n")).collect() };
        let shown = lines("", &long(500)).unwrap_or_default();
        assert_eq!(shown.last().map(String::as_str), Some("+499"));
        let refused = lines("", &long(9000)).unwrap_err();
        assert!(refused.contains("lines long"), "{refused}");
    }
}
