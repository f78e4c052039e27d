//! A line of the window: pieces of tamed text, each with the way it is painted, cut to the columns
//! there are. Columns are counted as terminals count them, so that wide characters fit too.

use protocol::text::one_line;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a piece is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// Is going on, or waits.
    Busy,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Busy => "36",
        }
    }
}

/// Pieces beside each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// One piece.
    pub fn of(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::default().and(tone, text)
    }

    /// Another piece behind it.
    pub fn and(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.0.push((tone, text.as_ref().to_owned()));
        self
    }

    /// Columns it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// Another piece, as far to the right as it goes; left out where there is no room.
    pub fn right(self, columns: usize, tone: Tone, text: &str) -> Self {
        match columns.checked_sub(self.width() + text.width()) {
            Some(gap) if gap > 0 => self.and(Tone::Plain, " ".repeat(gap)).and(tone, text),
            _ => self,
        }
    }

    /// At most `columns` wide.
    pub fn cut(mut self, columns: usize) -> Self {
        let mut left = columns;
        for (_, text) in &mut self.0 {
            if text.width() > left {
                *text = fit(text, left);
            }
            left -= text.width().min(left);
        }
        self
    }

    /// The text alone.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let text: String = self.0.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// What a terminal is sent.
    pub fn painted(&self, colour: bool) -> String {
        let mut out = String::new();
        for (tone, text) in &self.0 {
            match (colour, tone.code()) {
                (true, code) if !code.is_empty() => {
                    out.push_str(&format!("\x1b[{code}m{text}\x1b[0m"));
                }
                _ => out.push_str(text),
            }
        }
        out
    }
}

/// Tamed text on one line of at most so many columns; what does not fit ends in `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let line = one_line(text, columns.saturating_mul(4).max(16));
    if line.width() <= columns {
        return line;
    }
    let mut cut = String::new();
    let mut left = columns.saturating_sub(1);
    for character in line.chars() {
        let width = character.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        cut.push(character);
    }
    match columns {
        0 => String::new(),
        _ => format!("{}…", cut.trim_end()),
    }
}

/// The same over at most so many lines, broken between words.
pub fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let text = one_line(
        text,
        columns
            .saturating_mul(most.max(1))
            .saturating_mul(2)
            .max(16),
    );
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() && lines.len() + 1 < most && rest.width() > columns {
        let at = break_at(rest, columns);
        lines.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start();
    }
    if !rest.is_empty() {
        lines.push(fit(rest, columns));
    }
    lines
}

/// Where to break a text that is too wide: after the last blank that fits, else where it must.
fn break_at(text: &str, columns: usize) -> usize {
    let (mut left, mut blank) = (columns, None);
    for (at, character) in text.char_indices() {
        let width = character.width().unwrap_or(0);
        if width > left {
            let first = text.chars().next().map_or(1, char::len_utf8);
            return blank.unwrap_or(at).max(first);
        }
        left -= width;
        if character == ' ' {
            blank = Some(at);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_cut_by_columns() {
        for (text, columns, expected) in [
            ("plain", 5, "plain"),
            ("plain words", 8, "plain w…"),
            ("日本語です", 5, "日本…"),
            ("a\x1b[2Jb", 20, "a\\u{1b}[2Jb"),
            ("x", 0, ""),
        ] {
            assert_eq!(fit(text, columns), expected);
        }
        assert_eq!(wrap("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrap("one two", 9, 2), ["one two"]);
        assert_eq!(wrap("", 9, 2), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in ".{0,120}", columns in 0usize..60, most in 1usize..4) {
            prop_assert!(fit(&text, columns).width() <= columns);
            prop_assert!(Line::of(Tone::Bad, &text).and(Tone::Plain, "tail").cut(columns).width() <= columns);
            if columns > 1 {
                for line in wrap(&text, columns, most) {
                    prop_assert!(line.width() <= columns, "{line:?}");
                }
            }
        }
    }
}
