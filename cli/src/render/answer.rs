//! An answer that is being said: whole blocks of Markdown are laid out as soon as they are there, so
//! that it can be read while it comes and nothing on the screen has to be drawn again.

use super::markdown;
use super::paint::Paint;
use super::proposal::SUP;

/// A block that grows longer than this is said up to its last line, in bytes.
const LONG: usize = 1_200;

/// What was said and not shown yet.
#[derive(Debug, Default)]
pub struct Stream {
    waiting: String,
    /// Everything that came.
    heard: String,
    /// Something was shown.
    begun: bool,
}

impl Stream {
    /// Takes a piece; gives the Markdown that is whole now.
    pub fn take(&mut self, piece: &str) -> Option<String> {
        self.heard.push_str(piece);
        self.waiting.push_str(piece);
        let end = whole(&self.waiting)?;
        let rest = self.waiting.split_off(end);
        let block = std::mem::replace(&mut self.waiting, rest);
        (!block.trim().is_empty()).then_some(block)
    }

    /// What is left at the end. `text` is the whole answer: where it is not what came, the model began
    /// anew, and all of it is given again.
    pub fn rest(&mut self, text: &str) -> Rest {
        let left = std::mem::take(&mut self.waiting);
        match self.heard.trim() == text.trim() {
            true => Rest::More(left),
            false => Rest::Anew(text.to_owned()),
        }
    }

    /// Lays a block out; the first one begins with who speaks.
    pub fn lay_out(&mut self, markdown: &str, width: usize, paint: Paint) -> String {
        let indent = " ".repeat(SUP.chars().count());
        let room = width.saturating_sub(indent.len()).max(20);
        let mut text = String::new();
        for line in markdown::text(markdown, room, paint).lines() {
            match std::mem::replace(&mut self.begun, true) {
                false => text.push_str(&format!("{}{line}\n", paint.bold(SUP))),
                true if line.is_empty() => text.push('\n'),
                true => text.push_str(&format!("{indent}{line}\n")),
            }
        }
        text
    }
}

/// What is left of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Rest {
    /// The end of what came.
    More(String),
    /// Another text than the one that came.
    Anew(String),
}

/// Where the last whole block ends: at an empty line outside of code, or, where a block grows long, at
/// the end of its last whole line.
fn whole(text: &str) -> Option<usize> {
    let (mut at, mut end, mut in_code, mut code_began) = (0, None, false, 0);
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start();
        if fence.starts_with("```") || fence.starts_with("~~~") {
            in_code = !in_code;
            code_began = at;
        }
        at += line.len();
        let ended = line.ends_with('\n');
        let empty = line.trim().is_empty();
        let closed = !in_code && (fence.starts_with("```") || fence.starts_with("~~~"));
        if ended && !in_code && (empty || closed) {
            end = Some(at);
        }
    }
    let line_end = text.rfind('\n').map(|at| at + 1);
    end.or_else(|| {
        line_end.filter(|end| *end > LONG && !in_code && !is_table(text) && code_began == 0)
    })
}

fn is_table(text: &str) -> bool {
    text.trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks that come out of a text that is said a few characters at a time.
    fn blocks(text: &str, at_once: usize) -> Vec<String> {
        let mut stream = Stream::default();
        let chars: Vec<char> = text.chars().collect();
        let mut blocks: Vec<String> = chars
            .chunks(at_once)
            .filter_map(|piece| stream.take(&piece.iter().collect::<String>()))
            .collect();
        if let Rest::More(rest) = stream.rest(text)
            && !rest.trim().is_empty()
        {
            blocks.push(rest);
        }
        blocks
    }

    #[test]
    fn blocks_are_whole_however_the_pieces_come() {
        for (text, expected) in [
            ("one", vec!["one"]),
            ("one\ntwo\n\nthree", vec!["one\ntwo\n\n", "three"]),
            (
                "so:\n\n```sh\na\n\nb\n```\nthat",
                vec!["so:\n\n", "```sh\na\n\nb\n```\n", "that"],
            ),
            ("```\nnever closed\n\nx", vec!["```\nnever closed\n\nx"]),
            ("", vec![]),
        ] {
            for at_once in [1, 2] {
                assert_eq!(blocks(text, at_once), expected, "{text:?} {at_once}");
            }
            // However it comes, all of it is shown, once.
            for at_once in [3, 7, 1000] {
                assert_eq!(blocks(text, at_once).concat(), text, "{text:?} {at_once}");
            }
        }
        let long = "a line of a paragraph that does not end\n".repeat(100);
        assert!(blocks(&long, 5).len() > 2);
    }

    #[test]
    fn an_answer_that_began_anew_is_said_again() {
        let mut stream = Stream::default();
        assert_eq!(stream.take("It is b"), None);
        assert_eq!(stream.take("It is blue."), None);
        assert_eq!(
            stream.rest("It is blue."),
            Rest::Anew("It is blue.".to_owned())
        );
    }

    #[test]
    fn who_speaks_stands_before_the_first_line_alone() {
        let mut stream = Stream::default();
        let shown = stream.lay_out("Two things:\n\n- one\n- two\n", 40, Paint(false));
        assert_eq!(shown, "sup › Two things:\n\n      - one\n      - two\n");
        assert_eq!(stream.lay_out("more", 40, Paint(false)), "      more\n");
    }
}
