//! What would change in a file, line by line, as a person reads it before saying yes.

use protocol::text::safe;
use similar::TextDiff;

/// Most that is shown, in bytes: with the rest of a ticket it is one line of the warden's.
const SHOWN: usize = 60_000;

/// A unified diff, every line tamed, and how many lines of it are too many to be shown: then nobody can be asked.
pub fn lines(old: &str, new: &str) -> (Vec<String>, usize) {
    // A line ends with a line feed and with nothing else: whatever stands before it is seen.
    let of = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
    let (old, new) = (of(old), of(new));
    let diff = TextDiff::from_slices(&old, &new);
    let mut shown = Vec::new();
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        shown.push(hunk.header().to_string());
        for change in hunk.iter_changes() {
            let line = change.value();
            let line = line.strip_suffix('\n').unwrap_or(line);
            shown.push(safe(&format!("{}{line}", change.tag())));
        }
    }
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
        // A last line without its end is one of its own.
        assert_eq!(lines("a\n", "a").0, ["@@ -1 +1 @@", "-a", "+a"]);
        let long = |lines: u32| -> String { (0..lines).map(|n| format!("{n}\n")).collect() };
        let (shown, more) = lines("", &long(500));
        assert_eq!((shown.last().map(String::as_str), more), (Some("+499"), 0));
        let (shown, more) = lines("", &long(9000));
        assert_eq!(shown.len() + more, 9001);
        assert!(more > 0);
    }

    #[test]
    fn a_carriage_return_is_seen_wherever_it_stands() {
        for (old, new, expected) in [
            ("a\n", "a\r\n", ["-a", "+a\\u{d}"].as_slice()),
            ("", "rm \\\r\n-rf x\n", &["+rm \\\\u{d}", "+-rf x"]),
            ("", "a\rb", &["+a\\u{d}b"]),
            ("a\r\nb\n", "a\r\n", &[" a\\u{d}", "-b"]),
            ("", "\r\n", &["+\\u{d}"]),
            ("", "a\u{2028}\u{85}b", &["+a\u{2028}\\u{85}b"]),
        ] {
            let got = lines(old, new).0;
            assert_eq!(got.get(1..).unwrap_or_default(), expected, "{new:?}");
        }
    }
}
