//! Words of several styles on lines of one width.

use super::paint::Paint;
use unicode_width::UnicodeWidthStr;

/// How a word looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Strong.
    pub bold: bool,
    /// Stressed.
    pub stress: bool,
    /// Code.
    pub code: bool,
}

/// A piece of a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words; white space may become the end of a line.
    Text(String, Style),
    /// The line ends here.
    Break,
}

impl Piece {
    /// Its words.
    pub fn as_str(&self) -> &str {
        match self {
            Piece::Text(text, _) => text,
            Piece::Break => "",
        }
    }

    /// Nothing to be seen.
    pub fn is_blank(&self) -> bool {
        self.as_str().trim().is_empty()
    }
}

/// A run of one style inside a word, or between white space.
type Run = (String, Style);

/// Lines of at most `width` columns; a word that is longer stands alone on its line.
pub fn wrap(pieces: &[Piece], width: usize, paint: Paint) -> Vec<String> {
    let mut lines = Lines {
        done: Vec::new(),
        line: Vec::new(),
        used: 0,
        word: Vec::new(),
        width,
        paint,
    };
    for piece in pieces {
        match piece {
            Piece::Break => {
                lines.end_word();
                lines.end_line();
            }
            Piece::Text(text, style) => lines.text(text, *style),
        }
    }
    lines.end_word();
    if !lines.line.is_empty() {
        lines.end_line();
    }
    lines.done
}

struct Lines {
    done: Vec<String>,
    line: Vec<Run>,
    used: usize,
    word: Vec<Run>,
    width: usize,
    paint: Paint,
}

impl Lines {
    fn text(&mut self, text: &str, style: Style) {
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if !word.is_empty() {
                self.word.push((word.to_owned(), style));
            }
            if !after.is_empty() {
                self.end_word();
            }
            rest = after.trim_start();
        }
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.is_empty() {
            return;
        }
        let wide: usize = word.iter().map(|(text, _)| text.width()).sum();
        if self.used > 0 && self.used + 1 + wide > self.width {
            self.end_line();
        }
        if self.used > 0 {
            // The blank belongs to the style where both sides have it, so that it is painted once.
            let before = self.line.last().map(|(_, style)| *style);
            let after = word.first().map(|(_, style)| *style);
            let style = match before == after {
                true => before.unwrap_or_default(),
                false => Style::default(),
            };
            self.line.push((" ".to_owned(), style));
            self.used += 1;
        }
        self.used += wide;
        self.line.extend(word);
    }

    fn end_line(&mut self) {
        let mut joined: Vec<Run> = Vec::new();
        for (text, style) in std::mem::take(&mut self.line) {
            match joined.last_mut() {
                Some((last, same)) if *same == style => last.push_str(&text),
                _ => joined.push((text, style)),
            }
        }
        let painted = joined
            .iter()
            .map(|(text, style)| paint(self.paint, text, *style));
        self.done.push(painted.collect());
        self.used = 0;
    }
}

fn paint(paint: Paint, text: &str, style: Style) -> String {
    match style {
        Style { bold: true, .. } => paint.bold(text),
        Style { code: true, .. } => paint.code(text),
        Style { stress: true, .. } => paint.stress(text),
        _ => text.to_owned(),
    }
}
