//! What counts as a word, the same for records and for questions. Pure.

/// Longest word that is kept, in characters; longer ones are cut.
const WORD_CHARS: usize = 40;

/// Words too common to look for, as [`all`] writes them.
const COMMON: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "doe",
    "for", "from", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "not", "of",
    "on", "or", "our", "please", "should", "so", "that", "the", "their", "them", "then", "there",
    "thi", "to", "us", "was", "we", "what", "when", "where", "which", "who", "why", "will", "with",
    "you", "your",
];

/// The words of a text, in order: lower case, cut at everything that is neither letter nor digit,
/// plurals as singulars; each ideograph is a word.
pub fn all(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if is_ideograph(c) {
            finish(&mut word, &mut words);
            words.push(c.to_string());
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else {
            finish(&mut word, &mut words);
        }
    }
    finish(&mut word, &mut words);
    words
}

/// The distinct words of a question that are worth looking for, at most `limit`.
pub fn asked(question: &str, limit: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in all(question) {
        if words.len() == limit {
            break;
        }
        if !COMMON.contains(&word.as_str()) && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        let cut: String = word.chars().take(WORD_CHARS).collect();
        words.push(singular(&cut).to_owned());
        word.clear();
    }
}

/// `tests` and `test` are one word; so are `class` and `class`, `queries` and `queries`.
fn singular(word: &str) -> &str {
    let kept = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    match word.strip_suffix('s') {
        Some(stem) if stem.len() >= 3 && !kept => stem,
        _ => word,
    }
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_become_words() {
        for (text, expected) in [
            ("", ""),
            ("The tests' results, twice!", "the test result twice"),
            ("foo_bar-baz/src/main.rs:12", "foo bar baz src main rs 12"),
            ("class status analysis", "class status analysis"),
            ("GRÖSSE größe", "grösse größe"),
            ("設定 file", "設 定 file"),
            ("title:\"x\" AND (a OR b)^2 *", "title x and a or b 2"),
        ] {
            assert_eq!(all(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn questions_keep_what_matters_once() {
        assert_eq!(
            asked("why is the test of the tests failing?", 9),
            ["test", "failing"]
        );
        assert_eq!(asked("one two three", 2), ["one", "two"]);
    }

    proptest! {
        #[test]
        fn words_are_small_and_hold_no_space(text in any::<String>()) {
            for word in all(&text) {
                prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace));
                prop_assert!(word.chars().count() <= WORD_CHARS);
            }
        }
    }
}
