//! What would change in a file, line by line, as a person reads it before saying yes.

use similar::TextDiff;

/// Most lines shown.
const LINES: usize = 120;

/// A unified diff, bounded; every line tamed.
pub fn lines(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(2).to_string();
    let all: Vec<&str> = text
        .lines()
        .filter(|l| !l.starts_with("\\ No newline"))
        .collect();
    let shown = all.iter().take(LINES);
    let mut shown: Vec<String> = shown.map(|line| protocol::text::safe(line)).collect();
    if all.len() > LINES {
        shown.push(format!("… and {} lines more", all.len() - LINES));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_shown() {
        let got = lines("a\nb\nc\n", "a\nx\u{1b}\nc\n");
        assert!(
            got.contains(&"-b".to_owned()) && got.contains(&"+x\\u{1b}".to_owned()),
            "{got:?}"
        );
        assert!(lines("a\n", "a\n").is_empty());
        let long: String = (0..500).map(|n| format!("{n}\n")).collect();
        assert_eq!(lines("", &long).len(), LINES + 1);
    }
}
