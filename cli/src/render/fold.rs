//! Long lines folded between words for a terminal of some width, where the terminal itself would cut a
//! word in two. What follows hangs below the column in which the line's last part began. Pure.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What may stand before the words of a line; what is folded hangs behind it.
const MARKS: [&str; 9] = ["- ", "* ", "✓ ", "✗ ", "? ", "! ", "· ", "… ", "▸ "];
/// A line with this mark holds a command to be copied: a line end in it would be pasted, too.
const COPIED: &str = "→ ";
/// Below this a terminal has no room for hanging lines.
const NARROW: usize = 20;

/// The text with no line wider than `width`, but for words that are wider themselves.
pub fn fold(text: &str, width: usize) -> String {
    let mut folded = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        let kept = line.contains(COPIED) || line.contains('\x1b');
        if width < NARROW || kept || line.width() <= width {
            folded.push_str(line);
        } else {
            one(line, width, &mut folded);
        }
        folded.push_str(end);
    }
    folded
}

fn one(line: &str, width: usize, folded: &mut String) {
    let (hang, front) = hang(line, width);
    let (mut rest, mut room, mut front) = (line, width, front);
    loop {
        let at = fits(rest, room).and_then(|end| {
            let reach = end + usize::from(rest[end..].starts_with(' '));
            let before = rest[..reach].rfind(' ').filter(|at| *at > front);
            before.or_else(|| rest[end..].find(' ').map(|at| end + at))
        });
        let Some(at) = at else {
            folded.push_str(rest);
            return;
        };
        folded.push_str(rest[..at].trim_end());
        rest = rest[at..].trim_start();
        if rest.is_empty() {
            return;
        }
        folded.push('\n');
        folded.extend(std::iter::repeat_n(' ', hang));
        (room, front) = (width - hang, 0);
    }
}

/// The byte behind the last character that has room; `None` when all has.
fn fits(text: &str, room: usize) -> Option<usize> {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return Some(at);
        }
    }
    None
}

/// The column in which what does not fit goes on, and the byte where the words there begin: behind the
/// last gap of two blanks in the left half, and behind a mark there; else behind what the line is
/// indented by.
fn hang(line: &str, width: usize) -> (usize, usize) {
    let mut part = line.trim_start_matches(' ');
    let mut at = line.len() - part.len();
    let mut rest = part;
    while let Some(gap) = rest.find("  ") {
        rest = rest[gap..].trim_start_matches(' ');
        let begins = line.len() - rest.len();
        if line[..begins].width() > width / 2 || rest.is_empty() {
            break;
        }
        (part, at) = (rest, begins);
    }
    let mark = MARKS.iter().find(|mark| part.starts_with(**mark));
    at += mark.map_or(0, |mark| mark.len());
    // More blanks behind a mark are no place to fold at, and may be wider than there is room to hang in.
    let words = line.len() - line[at..].trim_start_matches(' ').len();
    (line[..at].width(), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, width: usize, expected: &str) {
        assert_eq!(fold(text, width), expected);
    }

    #[test]
    fn words_stay_whole_and_hang_where_they_belong() {
        check(
            "  The repository holds 23 lines of JavaScript, in 10 files.\n\n  - Possible secret: deploy.env:2: aws-access-key\n",
            32,
            "  The repository holds 23 lines\n  of JavaScript, in 10 files.\n\n  - Possible secret:\n    deploy.env:2: aws-access-key\n",
        );
        check(
            "code      up  level 1  Writes, changes and mends code\n",
            48,
            "code      up  level 1  Writes, changes and mends\n                       code\n",
        );
        // No gap in the left half: below the words of the line.
        check(
            "none of these words stands apart  but the last ones do",
            36,
            "none of these words stands apart\nbut the last ones do",
        );
    }

    #[test]
    fn a_mark_with_many_blanks_behind_it_hangs_like_any() {
        check(
            "日日aa -   ✓  日-日日aaa日a",
            22,
            "日日aa -   ✓  日-日日aaa日a",
        );
        check(
            "✓                         words stand far from their mark",
            24,
            "✓\n  words stand far from\n  their mark",
        );
    }

    #[test]
    fn what_fits_or_cannot_be_folded_is_left_alone() {
        let path = "see /home/ann/.local/state/ai-infra/tasks/t1/patch.diff";
        check(
            path,
            20,
            "see\n/home/ann/.local/state/ai-infra/tasks/t1/patch.diff",
        );
        check(
            "\x1b[1mbold and long and longer\x1b[0m",
            20,
            "\x1b[1mbold and long and longer\x1b[0m",
        );
        let command = "✓ engine  none\n          → ai-infra secret set anthropic-api-key";
        check(command, 40, command);
        check(
            "one two three four five six",
            10,
            "one two three four five six",
        );
        check(
            "日本語の 文字は二列の 幅がある",
            20,
            "日本語の\n文字は二列の\n幅がある",
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_only_words_are_wider(text in "[ a-z✓日-]{0,120}\n?", width in 20_usize..60) {
            let folded = fold(&text, width);
            let bare = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(bare(&folded), bare(&text));
            let (_, at) = hang(&text, width);
            for (number, line) in folded.lines().enumerate().filter(|(_, line)| line.width() > width) {
                let words = match number { 0 => &line[at.min(line.len())..], _ => line.trim_start() };
                prop_assert!(!words.contains(' '), "{line:?}");
            }
        }
    }
}
