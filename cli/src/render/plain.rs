//! What the system and libraries say, as a person would: without numbers of errors, in small letters.

/// What is said in other words altogether.
const SAID: [(&str, &str); 3] = [
    (
        "No such file or directory",
        "there is no such file or folder",
    ),
    (
        "stream did not contain valid UTF-8",
        "it is no text (UTF-8)",
    ),
    ("Is a directory", "it is a folder"),
];
/// How the number of an error is written behind its sentence.
const NUMBER: &str = " (os error ";

/// The same text with what the system said in it in plain words.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(NUMBER) {
        let (before, after) = rest.split_at(at);
        let after = after.get(NUMBER.len()..).unwrap_or_default();
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let number = after.get(digits..).and_then(|end| end.strip_prefix(')'));
        let Some(after) = number.filter(|_| digits > 0) else {
            plain.push_str(&rest[..at + NUMBER.len()]);
            rest = rest.get(at + NUMBER.len()..).unwrap_or_default();
            continue;
        };
        // The sentence begins after the last colon or bracket before its number.
        let begins = before.rfind([':', '(', '\n']).map_or(0, |at| at + 1);
        let (head, sentence) = before.split_at(begins);
        plain.push_str(head);
        plain.push_str(&small(sentence));
        rest = after;
    }
    plain.push_str(rest);
    for (said, better) in SAID {
        let small = small(said);
        plain = plain.replace(said, better).replace(&small, better);
    }
    plain
}

/// The first letter small, unless the word is written in capitals.
fn small(sentence: &str) -> String {
    let blanks = sentence.len() - sentence.trim_start().len();
    let (blanks, words) = sentence.split_at(blanks);
    let mut letters = words.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!(
                "{blanks}{}{second}{}",
                first.to_lowercase(),
                letters.as_str()
            )
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn errors_of_the_system_read_as_sentences() {
        for (said, expected) in [
            (
                "cannot find /nope: No such file or directory (os error 2)",
                "cannot find /nope: there is no such file or folder",
            ),
            (
                "redis does not answer (Connection refused (os error 111)): check it",
                "redis does not answer (connection refused): check it",
            ),
            ("Permission denied (os error 13)", "permission denied"),
            (
                "a: Permission denied (os error 13); b: No such file or directory (os error 2)",
                "a: permission denied; b: there is no such file or folder",
            ),
            (
                "cannot read x: stream did not contain valid UTF-8",
                "cannot read x: it is no text (UTF-8)",
            ),
            ("it says (os error x) here", "it says (os error x) here"),
            ("I/O error (os error 5)", "I/O error"),
            ("nothing of the kind", "nothing of the kind"),
        ] {
            assert_eq!(plain(said), expected);
        }
    }

    proptest! {
        #[test]
        fn anything_is_taken(text in "[a-zA-Z:( ]{0,20}( \\(os error [0-9]{0,3}\\)?)?.{0,10}") {
            let _ = plain(&text);
        }
    }
}
