//! What would change in a file, line by line, as a person reads it before saying yes.

use similar::TextDiff;

/// Most that is shown, in bytes: with the rest of a ticket it is one line of the warden's.
const SHOWN: usize = 60_000;

/// A unified diff, every line tamed, and how many lines of it are too many to be shown: then nobody can be asked.
pub fn lines(old: &str, new: &str) -> (Vec<String>, usize) {
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(2).to_string();
    let all = text.lines().filter(|l| !l.starts_with("\\ No newline"));
    let mut shown: Vec<String> = all.map(protocol::text::safe).collect();
    let mut bytes = 0;
    let room = shown.iter().position(|line| {
        // Each line is a pair in the answer.
        bytes += line.len() + 8;
        bytes > SHOWN
    });
    let room = room.unwrap_or(shown.len());
    let more = shown.split_off(room).len();
    (shown, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_shown() {
        let got = lines("a\nb\nc\n", "a\nx\u{1b}\nc\n").0;
        assert!(
            got.contains(&"-b".to_owned()) && got.contains(&"+x\\u{1b}".to_owned()),
            "{got:?}"
        );
        assert_eq!(lines("a\n", "a\n"), (Vec::new(), 0));
        let long = |lines: u32| -> String { (0..lines).map(|n| format!("{n}\n")).collect() };
        let (shown, more) = lines("", &long(500));
        assert_eq!((shown.last().map(String::as_str), more), (Some("+499"), 0));
        let (shown, more) = lines("", &long(9000));
        assert_eq!(shown.len() + more, 9001);
        assert!(more > 0);
    }
}
