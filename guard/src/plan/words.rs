//! A line of words as people write one, for a program that no shell stands before: quotes and backslashes make words, and
//! whatever else only a shell would understand is refused in words. Pure.

/// Signs that a shell would act on where they stand alone.
const SIGNS: &str = "|&;<>()$`*?[#\n";

/// The words of a line.
///
/// # Errors
/// A sentence: it wants a shell, or its quotes do not end.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    if let Some(sign) = of_a_shell(line) {
        return Err(format!(
            "`{}` is a shell's, and there is none here: put it in quotes, or name the shell: sh -c '…'",
            sign.escape_default()
        ));
    }
    shlex::split(line).ok_or_else(|| "its quotes do not end".to_owned())
}

/// The first sign that a shell would act on.
fn of_a_shell(line: &str) -> Option<char> {
    let (mut quote, mut escaped, mut begins) = (None, false, true);
    for sign in line.chars() {
        let (was_escaped, began) = (escaped, begins);
        (escaped, begins) = (false, false);
        match quote {
            _ if was_escaped => {}
            Some('\'') if sign == '\'' => quote = None,
            Some('\'') => {}
            Some(_) if sign == '"' => quote = None,
            Some(_) if sign == '$' || sign == '`' => return Some(sign),
            _ if sign == '\\' => escaped = true,
            Some(_) => {}
            None if sign == '\'' || sign == '"' => quote = Some(sign),
            None if SIGNS.contains(sign) || (began && sign == '~') => return Some(sign),
            None => begins = sign == ' ' || sign == '\t' || sign == '=',
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_words_or_refused_in_words() {
        for (line, expected) in [
            ("id -u", Ok(vec!["id", "-u"])),
            ("  df   -h /  ", Ok(vec!["df", "-h", "/"])),
            (
                "echo 'a | b' \"c d\" e\\ f",
                Ok(vec!["echo", "a | b", "c d", "e f"]),
            ),
            (
                "sh -c 'df -h | tail -1 > /tmp/x'",
                Ok(vec!["sh", "-c", "df -h | tail -1 > /tmp/x"]),
            ),
            (
                "echo \\$HOME \\| a~b",
                Ok(vec!["echo", "$HOME", "|", "a~b"]),
            ),
            (
                "docker inspect -f '{{.Name}}'",
                Ok(vec!["docker", "inspect", "-f", "{{.Name}}"]),
            ),
            ("ls | wc", Err("`|` is a shell's")),
            ("ls; id", Err("`;`")),
            ("ls && id", Err("`&`")),
            ("ls > x", Err("`>`")),
            ("ls *.txt", Err("`*`")),
            ("echo $HOME", Err("`$`")),
            ("echo \"$HOME\"", Err("`$`")),
            ("echo \"`id`\"", Err("``` is")),
            ("ls ~/x", Err("`~`")),
            ("dd if=~/x", Err("`~`")),
            ("id # me", Err("`#`")),
            ("a\nb", Err("\\n")),
            ("echo 'a", Err("quotes do not end")),
        ] {
            match (words(line), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{line}"),
                (Err(said), Err(words)) => assert!(said.contains(words), "{line}: {said}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn words_that_are_quoted_come_back(all in proptest::collection::vec("[ -~]{1,12}", 1..6)) {
            let quoted: Vec<String> = all.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
            prop_assert_eq!(words(&quoted.join(" ")), Ok(all));
        }
    }
}
