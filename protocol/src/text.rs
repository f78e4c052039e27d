//! Text from elsewhere made harmless for a terminal, and lengths of time as people read them.
//! Windows, reports and lists share it, so that the same thing reads the same everywhere.

use std::time::Duration;

/// Text with everything made visible that could drive a terminal or turn what is
/// read around: control characters but new line and tab, and the marks of text direction.
pub fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let direction = matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
        if matches!(character, '\n' | '\t') || !(character.is_control() || direction) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// The same on one line, at most `most` characters.
pub fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = safe(&words.join(" "));
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// At most `most` characters of a text; `…` behind them says that there were more. What tells secrets by their beginnings looks for
/// that mark.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// `40 ms`, `1.4 s`, `3 min 5 s`, `2 h 10 min`.
pub fn time(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0 if took.as_millis() < 100 => format!("{} ms", took.as_millis()),
        0..10 => format!("{:.1} s", took.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => elapsed(seconds),
    }
}

/// `7 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`: what a window counts up.
pub fn elapsed(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        for (text, expected) in [
            ("plain ✓\ttab\nline", "plain ✓\ttab\nline"),
            ("\x1b[2J\x07", "\\u{1b}[2J\\u{7}"),
            ("a\rb\u{9b}31m", "a\\u{d}b\\u{9b}31m"),
            ("x\u{202e}y", "x\\u{202e}y"),
        ] {
            assert_eq!(safe(text), expected);
        }
        assert_eq!(one_line("a\n b\x1b c", 80), "a b\\u{1b} c");
        assert_eq!(one_line("one two three", 9), "one two…");
    }

    #[test]
    fn lengths_of_time_read_well() {
        for (milliseconds, expected) in [
            (0, "0 ms"),
            (99, "99 ms"),
            (640, "0.6 s"),
            (1400, "1.4 s"),
            (59_900, "59 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (200_000_000, "2 d 7 h"),
        ] {
            assert_eq!(time(Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(elapsed(7), "7 s");
    }
}
