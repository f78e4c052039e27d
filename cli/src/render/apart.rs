//! Markdown takes a line right below a list as more of its last item. People, models and playbooks that
//! write it mean a new sentence: it is set apart before it is read as Markdown.

/// The same text with an empty line between a list and a line that does not belong to it.
pub fn apart(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let (mut quoted, mut listed, mut fenced) = ("", false, false);
    for line in markdown.lines() {
        let (quote, rest) = quote(line);
        let item = is_item(rest.trim_start());
        let fence = rest.trim_start().starts_with("```") || rest.trim_start().starts_with("~~~");
        let own = !rest.is_empty() && !rest.starts_with([' ', '\t']) && !item;
        if listed && !fenced && own && quote == quoted {
            text.push_str(quote.trim_end());
            text.push('\n');
        }
        if !fenced {
            listed = item || (listed && rest.starts_with([' ', '\t']));
        }
        fenced ^= fence;
        quoted = quote;
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The marks of a quotation at the start of a line, and the rest.
fn quote(line: &str) -> (&str, &str) {
    let mut end = 0;
    for (at, c) in line.char_indices() {
        match c {
            '>' => end = at + 1,
            ' ' if end == at && end > 0 => {}
            _ => break,
        }
    }
    if end > 0 && line[end..].starts_with(' ') {
        end += 1;
    }
    line.split_at(end)
}

fn is_item(line: &str) -> bool {
    let bullet = ["- ", "* ", "+ "].iter().any(|mark| line.starts_with(mark));
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let number = line.get(digits..).unwrap_or_default();
    bullet || ((1..=9).contains(&digits) && (number.starts_with(". ") || number.starts_with(") ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sentence_below_a_list_is_its_own() {
        for (given, expected) in [
            ("- a\n- b\nand so", "- a\n- b\n\nand so\n"),
            ("- a\n  more of it\n- b", "- a\n  more of it\n- b\n"),
            ("- a\n  more of it\nand so", "- a\n  more of it\n\nand so\n"),
            ("1. a\nand so", "1. a\n\nand so\n"),
            ("> - a\n> and so", "> - a\n>\n> and so\n"),
            ("> - a\nand so", "> - a\nand so\n"),
            ("```\n- a\nand so\n```", "```\n- a\nand so\n```\n"),
            ("a\nb", "a\nb\n"),
            ("-a\nb", "-a\nb\n"),
            ("- a\n\nb", "- a\n\nb\n"),
            ("", ""),
        ] {
            assert_eq!(apart(given), expected, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_twice_is_once(text in "([->` a1.é\t]{0,6}\n){0,6}") {
            let once = apart(&text);
            let kept = |text: &str| text.lines().filter(|l| !quote(l).1.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(kept(&once), kept(&text));
            prop_assert_eq!(apart(&once), once);
        }
    }
}
