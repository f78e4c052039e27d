//! Whether words ask something or ask for work. Only the form of the words counts; whatever a
//! playbook does exactly was taken by it before. Pure.

/// Words that begin a question.
const ASKING: &[&str] = &[
    "what", "whats", "what's", "why", "how", "who", "whos", "who's", "whose", "when", "where",
    "which",
];
/// Words that begin one only where it ends so.
const ASKING_WITH_MARK: &[&str] = &[
    "is", "are", "was", "were", "am", "do", "does", "did", "has", "have", "had", "should", "will",
    "may", "might", "anything", "any", "and", "so", "then", "ok", "okay",
];
/// Beginnings that ask to be told.
const TELLING: &[&str] = &[
    "explain ",
    "tell me ",
    "remind me ",
    "can you explain ",
    "can you tell ",
    "could you explain ",
    "could you tell ",
    "do you know ",
];
/// Words that ask for work, wherever they stand.
const WORK: &[&str] = &[
    "fix",
    "mend",
    "repair",
    "implement",
    "refactor",
    "rewrite",
    "install",
    "upgrade",
    "deploy",
    "prove",
    "write",
];
/// Longest text that is a plain question, in characters: more is material to work with.
const LONGEST: usize = 600;

/// Whether these words are a plain question.
pub(crate) fn is_question(words: &str) -> bool {
    let words = words.trim().to_lowercase();
    if words.chars().count() > LONGEST || words.lines().count() > 4 {
        return false;
    }
    let tokens: Vec<&str> = words
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '?' | '!' | ':' | ';'))
        .filter(|token| !token.is_empty())
        .collect();
    let works = |token: &&str| WORK.contains(token);
    if tokens.iter().any(works) || words.contains("find out") {
        return false;
    }
    let first = tokens.first().copied().unwrap_or_default();
    ASKING.contains(&first)
        || (ASKING_WITH_MARK.contains(&first) && words.ends_with('?'))
        || TELLING.iter().any(|beginning| words.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::is_question;

    #[test]
    fn what_asks_and_what_wants_work_done() {
        for (words, asks) in [
            ("what did you do last night?", true),
            ("why is nginx slow?", true),
            ("what is a lease?", true),
            ("What's waiting for me", true),
            ("how much did t7 cost?", true),
            ("is anything running?", true),
            ("explain what a lease is", true),
            ("tell me about the last failure", true),
            ("and why?", true),
            ("is the login page", false),
            ("run the tests", false),
            ("why do the tests fail? fix it", false),
            ("find out why signup returns 500", false),
            ("why does signup fail? find out and prove it", false),
            ("can you add a test for this?", false),
            ("please explain it to the customers in the README", false),
            ("our signup endpoint returns 500", false),
            ("", false),
        ] {
            assert_eq!(is_question(words), asks, "{words}");
        }
        assert!(!is_question(&"what ".repeat(200)));
        assert!(!is_question("what is this?\n1\n2\n3\n4"));
    }
}
